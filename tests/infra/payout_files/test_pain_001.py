"""pain.001 against the published schemas, and read by a bank that is not ours."""

import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import mockbank.validate
import pytest
import sepaxml
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from commission.money import MINOR_DIGITS
from infra.payees.details import BankAccount
from infra.payout_files.bank_text import MAX_REMITTANCE
from infra.payout_files.order import MAX_AMOUNT, PayoutOrder
from infra.payout_files.pain_001 import VERSIONS, write_pain_001
from schemas.errors import Unusable
from tests.infra.payout_files.orders import (
    CLARK,
    DOLLARS,
    EUROS,
    EXECUTED,
    FARES,
    IVANOV,
    LIVE,
    MULLER,
    SMITH,
    YEN,
    line,
    order,
)

UNCHECKED = BankAccount(holder="A", iban="DE11370400440532013000")


@lru_cache
def schema(version: str) -> xmlschema.XMLSchema:
    """The XSD as `sepaxml` carries it."""
    return xmlschema.XMLSchema(Path(sepaxml.__file__).parent / "schemas" / f"{version}.xsd")


def check_with_schema_and_bank(written: PayoutOrder, version: str) -> mockbank.messages.PaymentFile:
    """No fault by the schema, nothing to say for the bank; what the bank read."""
    body = write_pain_001(written, version).body
    assert [] == list(schema(version).iter_errors(body.decode()))
    read, findings = mockbank.validate.inspect(body, today=EXECUTED)
    assert [] == [mockbank.validate.render(finding) for finding in findings]
    return read


@pytest.mark.parametrize("version", VERSIONS)
def test_a_bank_reads_what_was_ordered(version: str) -> None:
    """Ids, totals at both levels, amounts in minor units, accounts and names, by a parser that is not ours.

    Of the file 2,100.00 and 4; in SEPA 1,234.56 + 0.01 + 765.43 = 2,000.00 and 3; beyond it 100.00 and 1.
    """
    read = check_with_schema_and_bank(EUROS, version)
    body = write_pain_001(EUROS, version).body
    assert [b"4", b"3", b"1"] == re.findall(b"<NbOfTxs>(.*)</NbOfTxs>", body)
    assert [b"2100.00", b"2000.00", b"100.00"] == re.findall(b"<CtrlSum>(.*)</CtrlSum>", body)
    assert EUROS.message_id == read.msg_id
    assert [3, 1] == [len(batch.payments) for batch in read.batches]
    assert [123456, 1, 76543, 10000] == [payment.amount for payment in read.payments]
    assert [one.end_to_end_id for one in EUROS.lines] == [one.end_to_end_id for one in read.payments]
    assert ["Jurgen Muller + Sohne", "Zoe O'Smith", "Ivanov Petr", "frs lltjrh"] == [
        payment.creditor_name for payment in read.payments
    ]
    assert [MULLER.iban, SMITH.iban, IVANOV.iban, FARES.iban] == [
        payment.creditor_account for payment in read.payments
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_yen_have_no_digits_after_the_point(version: str) -> None:
    """1,200 and 34, neither 1200.00 nor SEPA, which is euros only."""
    read = check_with_schema_and_bank(YEN, version)
    assert [1200, 34] == [payment.amount for payment in read.payments]
    assert b"SEPA" not in write_pain_001(YEN, version).body


TEXTS = st.text(max_size=200)
AMOUNTS = st.integers(min_value=1, max_value=int(MAX_AMOUNT))
LINES = st.lists(st.tuples(TEXTS.filter(str.strip), TEXTS, AMOUNTS), min_size=1, max_size=5)


@given(
    lines=LINES, currency=st.sampled_from(["EUR", "CHF", "JPY", "KWD"]), version=st.sampled_from([*VERSIONS])
)
def test_whatever_people_are_called_it_is_a_valid_file(
    lines: list[tuple[str, str, int]], currency: str, version: str
) -> None:
    """Any text and amount keeps the schema's rules: nothing is refused for its letters."""
    unit = Decimal(1).scaleb(-MINOR_DIGITS.get(currency, 2))
    written = order(
        *(
            line(f"IB-{number}", str(units * unit), replace_holder(holder), remittance or "-")
            for number, (holder, remittance, units) in enumerate(lines)
        ),
        currency=currency,
    )
    body = write_pain_001(written, version).body
    assert [] == list(schema(version).iter_errors(body.decode()))
    assert body.isascii()


def replace_holder(holder: str) -> BankAccount:
    """An account of somebody, whose bank is named: it can be paid in any currency."""
    return BankAccount(holder=holder, iban=SMITH.iban, bic=SMITH.bic)


def test_a_name_has_seventy_characters() -> None:
    """As SEPA has it, though the schema allows 140; that ten were cut off is said."""
    long = line("IB-1", "1", replace_holder("x" * 80))
    written = write_pain_001(order(long))
    assert ((long.end_to_end_id, "name"),) == written.shortened
    assert b"<Nm>" + b"x" * 70 + b"</Nm>" in written.body


def test_what_is_cut_off_is_said() -> None:
    """150 characters of remittance text lose 10; the file is written and tells of which line."""
    long = line("IB-1", "1", MULLER, "x" * 150)
    written = write_pain_001(order(long, line("IB-2", "1", SMITH)))
    assert ((long.end_to_end_id, "remittance"),) == written.shortened
    assert b"x" * MAX_REMITTANCE + b"<" in written.body


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (order(), "has 1 to 100,000 lines, not 0"),
        (order(line("A", "0", MULLER)), "is not above 0"),
        (order(line("A", "-5", MULLER)), "is not above 0"),
        (order(line("A", "NaN", MULLER)), "is not above 0"),
        (order(line("A", "1000000000", MULLER)), "at most 999,999,999.99"),
        (order(line("A", "0.001", MULLER)), "0.001 has more digits than EUR"),
        (order(line("A", "1.5", FARES), currency="JPY"), "1.5 has more digits than JPY"),
        (order(line("A", "1", MULLER), line("A", "2", MULLER)), "is there 2 times"),
        (order(line("A", "1", CLARK)), "is paid by us_bank, not by IBAN"),
        (order(line("A", "1", LIVE)), "is paid by trading_account"),
        (order(line("A", "1", MULLER), currency="USD"), "needs the BIC"),
        (order(line("A", "1", UNCHECKED)), "check digits do not fit"),
        (order(line("A", "1", MULLER), debtor=DOLLARS.debtor), "the debtor has another"),
        (replace(EUROS, created_at=datetime(2026, 10, 5)), "has no zone"),  # noqa: DTZ001 # what is refused
        (replace(EUROS, lines=(replace(EUROS.lines[0], end_to_end_id="a b"),)), "is not 1 to 35"),
        (replace(EUROS, lines=(replace(EUROS.lines[0], remittance="x" * 1025),)), "over 1,024 characters"),
    ],
)  # fmt: skip
def test_what_no_bank_could_pay_is_not_written(wrong: PayoutOrder, why: str) -> None:
    """The whole file is refused with a reason: no line is left out silently."""
    with pytest.raises(Unusable, match=why):
        write_pain_001(wrong)


def test_only_the_first_faults_are_shown_and_the_others_counted() -> None:
    """7 lines of nothing: 5 shown, 2 counted."""
    with pytest.raises(Unusable, match=r"; and 2 more\Z"):
        write_pain_001(order(*(line(f"IB-{n}", "0", MULLER) for n in range(7))))
