"""What finance is warned of before a batch is paid: each rule, over a ledger written by hand.

A's six statements before September have 100 each, 600: 300 is 3 times their mean of 100 and no warning,
300.01 is one. B has two statements, too few for a rule. Its KYC is open, its name listed, and it owes 5 EUR.
"""

from collections.abc import Mapping
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
from commission.terms.partners import ParentLink
from infra.payees.details import BankAccount, PayeeDetails, UsBankAccount
from infra.payouts.sanctions import SanctionList
from infra.payouts.warnings import Warnings, last_payouts, who_changed
from schemas.errors import Unusable
from schemas.payees import PayeeApproved, PayeeProposed, PayeeVersion, Versions
from schemas.reconciliations import Difference
from schemas.wire import encode
from tests.api.conftest import (
    SOURCE,
    client_row,
    deal_row,
    insert,
    partner_row,
    per_lot,
    rejection_row,
    statement_row,
    transfer_row,
    utc,
)
from tests.api.sweeps import store, sweep
from tests.build import D, exchange, partner, symbol

QUOTES = {"bid": D("1.10000"), "ask": D("1.10012")}
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
    ledger: Ledger,
    known: Payouts,
    payees: dict[str, Versions],
    sanctions: Path | None = None,
    percent: int | None = None,
) -> list[str]:
    """`code:IB` of the newest batch, with words."""

    def opened(wanted: object) -> dict[str, PayeeDetails]:
        return {"A": BankAccount(holder="Dr. PETROV, Ivan", iban="x")} if wanted else {}

    batch = [*known.batches.values()][-1]
    found = Warnings(ledger, lambda: payees, opened, sanctions, percent).of(batch, known)
    return [f"{one.code}:{one.ib_id} {one.words}" for one in found]


def test_each_rule_warns(world: Ledger, tmp_path: Path) -> None:
    """Of what is new, unusual, owed elsewhere, not approved, or listed."""
    names = tmp_path / "names.txt"
    names.write_text("# of October\n\nPétrov, IVAN\nSomebody Else\n", encoding="utf-8")
    known = log_of(created("b1", 0, A="300.01", B="40"))
    assert warned(world, known, {"A": (version(1),)}, names) == [
        "first_payout:A nothing was paid to it before",
        "out_of_line:A 300.01 USD is above 3 times the mean of its last 6 statements, which come to 600.00",
        "sanction_list:A the account's holder is in line 3 of names.txt",
        "first_payout:B nothing was paid to it before",
        "no_details:B nobody approved where it is paid: only csv and xlsx have it",
        "kyc:B its KYC is open",
        "agreement:B its agreement is not accepted",
        "negative_elsewhere:B it owes 5.00 EUR",
        "sanction_list:B its name is in line 3 of names.txt",
    ]
    known = log_of(created("b1", 0, A="300"))
    assert warned(world, known, {}) == ["first_payout:A nothing was paid to it before"]


def test_ibs_that_are_paid_to_one_account(world: Ledger) -> None:
    """A's IBAN is C's, whom the batch does not pay, with a BIC; B's US account has another bank's number."""
    accounts: dict[str, PayeeDetails] = {
        "A": BankAccount(holder="Atlas", iban="DE89370400440532013000"),
        "B": UsBankAccount(holder="Petrov", routing="021000021", account="0532013000"),
        "C": BankAccount(holder="Somebody", iban="DE89370400440532013000", bic="COBADEFF"),
        "D": UsBankAccount(holder="D", routing="011000015", account="0532013000"),
    }
    payees = {ib_id: (version(1),) for ib_id in accounts}
    known = log_of(created("b1", 0, A="1", B="1"))

    def found(payees: dict[str, Versions], *, has_key: bool = True) -> list[str]:
        def opened(wanted: Mapping[str, int]) -> dict[str, PayeeDetails]:
            if not has_key:
                raise Unusable("IBFLOW_PAYEE_KEYS is not set")
            return {ib_id: accounts[ib_id] for ib_id in wanted}

        all_ = Warnings(world, lambda: payees, opened, None).of(known.batches["b1"], known)
        return [f"{one.code}:{one.ib_id} {one.words}" for one in all_ if one.code == "same_account"]

    assert found(payees) == ["same_account:A its account is that of C as well"]
    gone = replace(payees["C"][0], approved=None)
    assert found(payees | {"C": (gone,)}) == []
    assert found(payees, has_key=False) == ["same_account: nobody looked: IBFLOW_PAYEE_KEYS is not set"]
    accounts |= dict.fromkeys("EFGHIJ", accounts["A"])
    many = payees | {ib_id: (version(1),) for ib_id in "EFGHIJ"}
    assert found(many) == ["same_account:A its account is that of C, E, F, G, H and 2 more as well"]


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


SPREADS = (
    symbol("EURUSD forex 100000 USD 0.0001"),
    symbol("GBPUSD forex 100000 USD 0.0001", average_pips=Decimal(2)),
    symbol("DE40 indices 1 EUR 1", tick_size=Decimal("0.5"), tick_value=Decimal(5)),
    exchange("EUR/USD 1.10", day=30),
    partner("M USD"),
    partner("A USD", parents=(ParentLink(ib_id="M"),)),
    partner("B USD", parents=(ParentLink(ib_id="M"),)),
)


def test_what_an_ib_earned_is_compared_with_what_its_clients_brought(world: Ledger, chdb: Client) -> None:
    """A's client brings 4 + 12 + 20 + 11 = 47 USD, B's 10, and M, above both, has 57.

    Of A: 3 of commission and 1 of swap on an opening, whose spread is not counted; a closing of 1 lot of
    EURUSD at 1.10000 / 1.10012, 0.00012 x 100,000 = 12; one of GBPUSD without quotes at the usual 2 pips,
    0.0002 x 100,000 = 20; and 1 lot of DE40 at 100 / 101, 1 / 0.5 x 5 = 10 EUR, which are 11. Of B a charge
    of 10 by itself; a deal of October is of no account. A earned 30 and had 1.79 taken back: 28.21 is
    above 60 % of 47, 28.20 is not. M's 34.20 are not above 60 % of 57. B earned 1 of its 10.
    """
    insert(
        chdb,
        "books",
        SOURCE | {"_topic": "terms", "message": b"\n".join(encode(SPREADS)).decode()} | {"source": ""},
    )
    insert(chdb, "clients", client_row("c1", "B"), client_row("c2", "B"))
    nothing = dict.fromkeys(
        ("deposit_id", "status", "currency", "reason", "verdict", "jurisdiction", "source"), ""
    )
    moved = (
        nothing
        | {"amount": None, "expires_at": None}
        | {
            "client_id": "c1",
            "type": "client_reassigned",
            "event_id": "e",
            "occurred_at": utc(1, 5),
            "ib_id": "A",
        }
    )
    insert(chdb, "client_events", moved | SOURCE)
    of_b = {"login": 1002}
    insert(
        chdb,
        "deals",
        deal_row(1, 2, "1", "EURUSD") | {"entry": "in", "commission": D(-3), "swap": D(-1), **QUOTES},
        deal_row(2, 3, "1", "EURUSD") | QUOTES,
        deal_row(3, 4, "1", "GBPUSD"),
        deal_row(4, 5, "1", "DE40") | {"bid": D(100), "ask": D(101)},
        deal_row(5, 6, "1", "") | of_b | {"kind": "commission", "profit": D(-10), "entry": ""},
        deal_row(6, 6, "1", "EURUSD") | QUOTES | {"occurred_at": month(10)},
    )
    insert(
        chdb,
        "rejections",
        rejection_row(1, "rejected", "x") | {"account_key": "live/1002", "client_id": "c2"},
    )
    way = "broker:expense:per_lot > ib:{}:pending"
    earned = [("A", "30"), ("M", "34.20"), ("B", "1")]
    rows = [per_lot(f"e{ib}", ib, "live|2", amount, way.format(ib)) for ib, amount in earned]
    taken = transfer_row(
        "r",
        "reversal",
        "A",
        "live|2",
        "1.79",
        "ib:A:pending > broker:expense:per_lot",
        reverses="eA",
        client_id="c1",
    )
    insert(chdb, "transfers", *rows, taken)
    known = log_of(*paid_before("settled"), created("b1", 5, A="1", B="1", M="1"))

    def rewards() -> list[str]:
        return [one for one in warned(world, known, {}, percent=60) if one.startswith("reward")]

    assert rewards() == [
        "reward:A it earned 28.21 USD of 2026-09, above 60 % of the 47.00 USD that its clients brought"
    ]
    insert(chdb, "transfers", taken | {"transfer_id": "s", "amount": D("0.01")})
    assert rewards() == []
    insert(chdb, "transfers", per_lot("f", "Z", "x", "1", way.format("Z"), occurred_at=utc(3)))
    lone = log_of(*paid_before("settled"), created("b1", 5, Z="1"))
    assert (
        "reward:Z it earned 1.00 USD of 2026-09, above 60 % of the 0.00 USD that its clients brought"
        in warned(world, lone, {}, percent=60)
    )


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
