"""What finance is warned of before a batch is paid: each rule, over a ledger written by hand.

A's six statements before September have 100 each, 600: 300 is 3 times their mean of 100 and no warning,
300.01 is one. B has two statements, too few for a rule. Its KYC is open, its name listed, and it owes 5 EUR.
"""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace

from api.ledger import Ledger
from commission.payouts.log import Payouts
from commission.payouts.records import (
    BatchApproved,
    BatchCreated,
    BatchExported,
    BatchSubmitted,
    Line,
    LineResult,
    PayoutRecord,
    ResultsImported,
)
from infra.payees.details import BankAccount, PayeeDetails
from infra.payouts.sanctions import SanctionList
from infra.payouts.warnings import Warnings, last_payouts, who_changed
from schemas.errors import Unusable
from schemas.payees import PayeeApproved, PayeeProposed, PayeeVersion, Versions
from schemas.reconciliations import Difference
from tests.api.conftest import SOURCE, insert, partner_row, statement_row, utc
from tests.api.sweeps import store, sweep

AT = datetime(2026, 10, 2, tzinfo=UTC)


def month(number: int) -> datetime:
    """The first of a month."""
    return datetime(2026, number, 1, tzinfo=UTC)


def statement(
    ib: str, number: int, payable: str, currency: str = "USD", closing: str = "0"
) -> dict[str, object]:
    """Of a month."""
    row = statement_row(f"{ib}-{number}-{currency}", ib, currency, payable, payable)
    times = {"period": f"2026-{number:02}", "starts_at": month(number), "ends_at": month(number + 1)}
    return {**row, **times, "closing": Decimal(closing)}


def version(number: int, by: str = "ann", approved_by: str = "ben") -> PayeeVersion:
    """Approved details of A."""
    proposed = PayeeProposed(
        ib_id="A", version=number, kind="bank", masked=f"DE{number}", sealed="", by=by, at=AT
    )
    approved = PayeeApproved(ib_id="A", version=number, by=approved_by, at=AT)
    return PayeeVersion(proposed=proposed, sealed="", approved=approved)


@pytest.fixture
def world(chdb: Client, empty_ledger: Ledger) -> Ledger:
    """The ledger above."""
    listed = partner_row("B", "Ivan Sergeevich Petrov", None, kyc=False)
    agreed = partner_row("A", "Atlas", None, kyc=True) | {"definition": '{"agreement_accepted": true}'}
    insert(chdb, "partners", agreed, listed)
    insert(chdb, "periods", {"period": "2026-09", "starts_at": month(9), "ends_at": month(10)} | SOURCE)
    own = [statement("A", number, "100") for number in range(3, 9)]
    insert(chdb, "statements", *own, statement("A", 2, "9000"), statement("A", 9, "5000"))
    insert(chdb, "statements", statement("B", 7, "1"), statement("B", 8, "1"))
    insert(
        chdb, "statements", statement("B", 8, "0", "EUR", closing="-5"), statement("B", 7, "0", "JPY", "0")
    )
    return empty_ledger


def log_of(*records: PayoutRecord) -> Payouts:
    """A log of these, each of which counts."""
    known = Payouts()
    for place, record in enumerate(records):
        assert known.add(record, place)
    return known


def created(batch_id: str, place: int, **amounts: str) -> BatchCreated:
    """A batch with a line of each IB."""
    lines = tuple(
        Line(
            line_id=f"{batch_id}{ib}", ib_id=ib, name=ib, amount=Decimal(amount),
            statement_ids=(f"{batch_id}-{ib}",),
        )
        for ib, amount in amounts.items()
    )  # fmt: skip
    return BatchCreated(
        batch_id=batch_id, place=place, by="ann", at=AT, period="2026-09", currency="USD",
        minimum=Decimal(0), lines=lines,
    )  # fmt: skip


def paid_before(a: str) -> list[PayoutRecord]:
    """A and B were in a batch that was exported, A by its version 1; what became of A's line."""
    to = {"batch_id": "b0", "by": "ann", "at": AT}
    result = LineResult(line_id="b0A", outcome=a, reason="AC04")  # type: ignore[arg-type] # one of them
    return [
        created("b0", 0, A="1", B="1"),
        BatchSubmitted(place=1, **to),  # type: ignore[arg-type] # as above
        BatchApproved(place=2, payees={"b0A": 1}, **(to | {"by": "cat"})),  # type: ignore[arg-type]
        BatchExported(place=3, format="csv", sha256="x", **to),  # type: ignore[arg-type]
        ResultsImported(place=4, source="bank", results=(result,), **to),  # type: ignore[arg-type]
    ]


def warned(
    ledger: Ledger, known: Payouts, payees: dict[str, Versions], sanctions: Path | None = None
) -> list[str]:
    """`code:IB` of the newest batch, with words."""

    def opened(wanted: object) -> dict[str, PayeeDetails]:
        return {"A": BankAccount(holder="Dr. PETROV, Ivan", iban="x")} if wanted else {}

    batch = [*known.batches.values()][-1]
    found = Warnings(ledger, lambda: payees, opened, sanctions).of(batch, known)
    return [f"{one.code}:{one.ib_id} {one.words}" for one in found]


def test_each_rule_warns(world: Ledger, tmp_path: Path) -> None:
    """Of what is new, unusual, owed elsewhere, not approved, or listed."""
    names = tmp_path / "names.txt"
    names.write_text("# of October\n\nPétrov, IVAN\nSomebody Else\n", encoding="utf-8")
    known = log_of(created("b1", 0, A="300.01", B="40"))
    assert warned(world, known, {"A": (version(1),)}, names) == [
        "first_payout:A nothing was paid to it before",
        "out_of_line:A 300.01 is above 3 times the mean of its last 6 statements, which come to 600",
        "sanction_list:A the account's holder is in line 3 of names.txt",
        "first_payout:B nothing was paid to it before",
        "no_details:B nobody approved where it is paid: only csv and xlsx have it",
        "kyc:B its KYC is open",
        "agreement:B its agreement is not accepted",
        "negative_elsewhere:B it owes 5 EUR",
        "sanction_list:B its name is in line 3 of names.txt",
    ]
    known = log_of(created("b1", 0, A="300"))
    assert warned(world, known, {}) == ["first_payout:A nothing was paid to it before"]


def test_details_that_changed_since_the_last_payout(world: Ledger) -> None:
    """A was paid by version 1 and is to be by 2; had the line bounced, it would be a first payout."""
    known = log_of(*paid_before("settled"), created("b1", 5, A="1"))
    both = {"A": (version(1), version(2, "dan", "eve"))}
    assert warned(world, known, both) == [
        "details_changed:A it is paid to DE2, version 2; in b0 it was version 1"
    ]
    assert warned(world, known, {"A": (version(1),)}) == []
    last = last_payouts(known, known.batches["b1"])["A"]
    assert who_changed(both["A"], last) == {"dan", "eve"}
    assert who_changed(both["A"], None) == {"ann", "ben", "dan", "eve"}
    open_ = waiting(both["A"][1])
    assert who_changed((both["A"][0], open_), last) == set()
    bounced = log_of(*paid_before("rejected"), created("b1", 5, A="1"))
    assert warned(world, bounced, both) == ["first_payout:A nothing was paid to it before"]


def test_a_payment_that_came_back_is_looked_at_again(world: Ledger) -> None:
    """One person records a rejection, so whoever pays the statement again is told who did."""
    again = created("b1", 5, A="1", B="1")
    first, second = again.lines
    lines = (replace(first, statement_ids=("b0-A", "other")), second)
    known = log_of(*paid_before("rejected"), replace(again, lines=lines))
    found = [one for one in warned(world, known, {}) if one.startswith("came_back")]
    assert found == ["came_back:A rejected in b0 by what ann recorded: AC04"]


def test_an_open_hole_in_the_period_is_of_the_whole_batch(world: Ledger, chdb: Client) -> None:
    """Until a later sweep closes it."""
    known = log_of(*paid_before("settled"), created("b1", 5, A="1"))
    extra = Difference(deal_id="41", verdict="extra", occurred_at=utc(2))
    store(chdb, sweep(1, extra=1, examples=(extra,)))
    assert warned(world, known, {"A": (version(1),)}) == [
        "open_hole: 2026-09 may lack deals, open holes: 1; see `ibflow reconcile`"
    ]
    store(chdb, sweep(1, extra=1), sweep(2))
    assert warned(world, known, {"A": (version(1),)}) == []


def waiting(one: PayeeVersion) -> PayeeVersion:
    """The same, still waiting."""
    return PayeeVersion(proposed=one.proposed, sealed="")


def test_a_list_of_names_is_compared_by_words(tmp_path: Path) -> None:
    """In Latin letters, whatever their order, accents and case; a word more in the list is another name."""
    names = SanctionList(["Иван Петров", "ACME Trading L.L.C.", "Müller"])
    told = ("PETROV Ivan", "Acme (Trading) L L C", "Jane Muller", "Ivan", "")
    assert [names.line_of(one) for one in told] == [
        1, 2, 3, None, None,
    ]  # fmt: skip
    assert SanctionList.read(None).line_of("Ivan Petrov") is None
    with pytest.raises(Unusable, match=r"names.txt cannot be read"):
        SanctionList.read(tmp_path / "names.txt")
    (tmp_path / "latin.txt").write_bytes(b"M\xfcller")
    with pytest.raises(Unusable, match=r"latin.txt is not UTF-8"):
        SanctionList.read(tmp_path / "latin.txt")
