"""NACHA files, read by a bank that is not ours; totals and hashes worked out by hand."""

from dataclasses import replace

import mockbank.nacha
import mockbank.validate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.payees.details import UsBankAccount
from infra.payout_files.nacha import write_nacha
from infra.payout_files.order import Debtor, PayoutOrder
from schemas.errors import Unusable
from tests.infra.payout_files.orders import (
    BAKER,
    BROKER,
    CLARK,
    DAVIS,
    DOLLARS,
    EUROS,
    EXECUTED,
    MULLER,
    US_BROKER,
    line,
)


def check_with_bank(written: PayoutOrder) -> mockbank.nacha.PaymentFile:
    """The bank has nothing to say of it; what it read."""
    read, findings = mockbank.validate.inspect(write_nacha(written).body, today=EXECUTED)
    assert [] == [mockbank.validate.render(finding) for finding in findings]
    return read


def test_a_bank_reads_what_was_ordered() -> None:
    """Companies first (CCD), then persons (PPD), each a batch; amounts in cents, the id that comes back."""
    read = check_with_bank(DOLLARS)
    fifth, sixth, seventh = DOLLARS.lines
    assert ["CCD", "CCD", "PPD"] == [payment.entry_class for payment in read.payments]
    assert [100010, 85, 2005] == [payment.amount for payment in read.payments]
    assert ["22", "22", "32"] == [payment.transaction_code for payment in read.payments]
    assert [one.end_to_end_id for one in (fifth, seventh, sixth)] == [
        payment.end_to_end_id for payment in read.payments
    ]


def test_totals_hash_and_blocks_are_those_added_up_by_hand() -> None:
    """2 batches, 2 blocks, 6 entries and addenda, hash 01140153 + 12104288 + 09100001, credits 1,021.00."""
    lines = write_nacha(DOLLARS).body.decode().splitlines()
    assert 20 == len(lines)
    assert {94} == {len(record) for record in lines}
    control = next(one for one in lines if one.startswith("9000002"))
    assert "9000002000002000000060022344442000000000000000000102100" == control.rstrip()
    assert 8 == lines.count("9" * 94)


def test_a_hash_of_more_than_ten_digits_loses_the_first() -> None:
    """1,100 times 09100001 is 10010001100, and the last 10 digits are 0010001100."""
    many = replace(DOLLARS, lines=tuple(line(f"IB-{n}", "1", CLARK) for n in range(1_100)))
    check_with_bank(many)
    assert b"\n9000001000221000022000010001100" in write_nacha(many).body


@given(
    holders=st.lists(
        st.tuples(st.text(min_size=1, max_size=140), st.text(max_size=300)), min_size=1, max_size=12
    ),
    company=st.text(min_size=1, max_size=80),
)
def test_whatever_people_are_called_a_bank_reads_it(holders: list[tuple[str, str]], company: str) -> None:
    """Any text is 94 printable ASCII characters a record, in blocks of 10."""
    lines = tuple(
        line(f"IB-{n}", f"{n + 1}.07", replace_holder(holder), remittance or "-")
        for n, (holder, remittance) in enumerate(holders)
    )
    check_with_bank(replace(DOLLARS, lines=lines, debtor=replace(DOLLARS.debtor, name=f"X{company}")))


def replace_holder(holder: str) -> UsBankAccount:
    """A company's account, by its name."""
    return UsBankAccount(holder=f"X{holder}"[:140], routing=DAVIS.routing, account=DAVIS.account)


def test_what_is_cut_off_is_said() -> None:
    """A NACHA name has 22 characters."""
    assert ((DOLLARS.lines[0].end_to_end_id, "name"),) == write_nacha(DOLLARS).shortened
    assert b"BAKER INTRODUCING LLC " in write_nacha(DOLLARS).body


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (replace(EUROS, currency="EUR"), "NACHA pays USD, not EUR"),
        (replace(DOLLARS, debtor=Debtor(name="B", account=BROKER, company_id="1")), "the debtor has another"),
        (replace(DOLLARS, debtor=Debtor(name="B", account=US_BROKER)), "company_id has 1 to 10"),
        (replace(DOLLARS, lines=(line("A", "1", MULLER),)), "is paid by bank, not by routing number"),
        (replace(DOLLARS, lines=(line("A", "100000000", BAKER),)), "an entry pays at most 99,999,999.99"),
        (
            replace(DOLLARS, lines=tuple(line(f"IB-{n}", "99999999", BAKER) for n in range(101))),
            "a file pays at most 9,999,999,999.99",
        ),
        (
            replace(DOLLARS, lines=(replace(DOLLARS.lines[0], end_to_end_id="A" * 16),)),
            "carries 15 characters of an id",
        ),
    ],
)
def test_what_no_bank_could_pay_is_not_written(wrong: PayoutOrder, why: str) -> None:
    """The whole file is refused with a reason."""
    with pytest.raises(Unusable, match=why):
        write_nacha(wrong)
