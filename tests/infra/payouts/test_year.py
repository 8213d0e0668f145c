"""A year closed and paid month by month: three currencies, and all that happens to money on its way.

September 2026 to August 2027. By hand:

north, 5 USD a lot. September 10.333 lots: 51.665, of which 51.66 are paid (half to even) and 0.005 rounded.
Ten lots, 50.00, in every other month. October's line bounces and is paid by a second batch. In December 25
are given by hand: 75.00. In March 40 are paid in advance, so its statement has 50 - 40 = 10, and one line
pays 10 + 40. Paid: 51.66 + 75 + 10 x 50 = 626.66.

west, 5 USD a lot. 20 lots, 100.00, in every month; in September 60 lots more, 300.00. Paid: 400, 100. In
November the platform cancels the 60 lots that were paid: 100 - 300 = -200 is carried; December -100; January
0, and nothing is paid; then 100 in seven months. Paid: 400 + 100 + 7 x 100 = 1,200.00.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from api.payouts import PayoutRefused
from commission.ledger import ledger_hash
from commission.outputs import Statement
from infra.payouts.facts import unanswered
from schemas.payouts import BatchRequest, ChangeRequest, HoldRequest
from schemas.wire import Record
from tests.build import SYMBOLS, D, deal, ended, linked, partner, per_lot, period, plan, registered
from tests.payout_world import ANN, BEN, CAT, World, result

MONTHS = [f"2026-{month:02}" for month in range(9, 13)] + [f"2027-{month:02}" for month in range(1, 9)]
PERIODS = {name: period(name) for name in MONTHS}
CURRENCIES = ("USD", "JPY", "EUR")
LOTS = {"north": "10", "west": "20", "south": "1.5", "east": "3"}
LOGINS = {name: number for number, name in enumerate(LOTS, 1)}
TERMS: tuple[Record, ...] = (
    *SYMBOLS,
    *PERIODS.values(),
    plan("dollars USD", per_lot("*=5")),
    plan("yen JPY", per_lot("*=700")),
    replace(plan("euros EUR", per_lot("*=4")), min_payout=D(30)),
    partner("north USD dollars"),
    partner("west USD dollars"),
    partner("south JPY yen"),
    partner("east EUR euros"),
)
PEOPLE: tuple[Record, ...] = tuple(
    one
    for name, login in LOGINS.items()
    for one in (registered(f"of-{name} {name}"), linked(f"{login} of-{name}"))
)
EXTRA = deal("extra buy 60 EURUSD out", login=LOGINS["west"], day=5)


def trades(month: str) -> Iterator[Record]:
    """What the clients close in a month."""
    for name, lots in LOTS.items():
        size = "10.333" if (name, month) == ("north", "2026-09") else lots
        when = PERIODS[month].starts_at + timedelta(days=3)
        yield deal(f"{month}-{name} buy {size} EURUSD out", login=LOGINS[name], occurred_at=when)
    if month == "2026-09":
        yield EXTRA
    if month == "2026-11":
        yield replace(EXTRA, kind="cancelled", revision="b")


def pay(world: World, month: str, currency: str, bounces: str = "") -> dict[str, str]:
    """A batch from its creation to its results, each told twice; IB → what became of its line."""
    desk = world.desk()
    wanted = BatchRequest(period=month, currency=currency)
    try:
        batch_id = desk.create(wanted, ANN, "").batch_id
    except PayoutRefused:
        return {}
    desk.submit(batch_id, ANN)
    desk.approve(batch_id, BEN)
    try:
        batch, _ = desk.export(batch_id, "csv", "", CAT)
    except PayoutRefused:  # the books refused every line
        batch = desk.cancel(batch_id, "nothing is left", CAT)
    if batch.state == "exported":
        bank = [
            result(line.line_id, "rejected" if line.ib_id == bounces else "settled", "AC04")
            for line in batch.paid_lines
        ]
        first, again = (desk.import_results(bank, "camt", CAT) for _ in range(2))
        assert (first.recorded, again.recorded, again.repeated) == (len(bank), 0, len(bank))
    batch = desk.get(batch_id)
    return {line.ib_id: batch.state_of(line_id) for line_id, line in batch.lines.items()}


def by_hand(world: World, month: str) -> None:
    """What people change in some months, before they close."""
    desk = world.change_desk()
    world.now = PERIODS[month].starts_at + timedelta(days=10)
    kinds = {"2026-12": ("adjustment", "25"), "2027-03": ("advance", "40")}
    if month in kinds:
        kind, amount = kinds[month]
        wanted = ChangeRequest(kind=kind, ib="north", currency="USD", amount=amount, reason="agreed")  # type: ignore[arg-type]
        asked = desk.ask(wanted, ANN, "").change.asked.change_id
        assert desk.decide(asked, BEN, "", is_approved=True).answer == ""
    if month in ("2027-05", "2027-06"):
        held = HoldRequest(ib="south", reason="a new bank account")
        is_released = month == "2027-06"
        assert desk.hold(held, BEN if is_released else ANN, "", is_released=is_released).answer == ""


@pytest.fixture(scope="module")
def year() -> tuple[World, dict[str, dict[str, str]]]:
    """The year, and what became of each month's lines."""
    world = World(*TERMS)
    world.feed(PEOPLE)
    lines: dict[str, dict[str, str]] = {}
    for month in MONTHS:
        world.feed(trades(month))
        by_hand(world, month)
        world.feed([ended(month)])
        before = len(world.said)
        world.feed([ended(month)])
        assert len(world.said) == before, "closing it again does nothing"
        world.now = PERIODS[month].ends_at + timedelta(days=5)
        lines[month] = {}
        for currency in CURRENCIES:
            lines[month] |= pay(world, month, currency, bounces="north" if month == "2026-10" else "")
        if month == "2026-11":
            assert pay(world, "2026-10", "USD") == {"north": "settled"}
        if month == "2027-06":
            assert pay(world, "2027-05", "JPY") == {"south": "settled"}
    return world, lines


def test_everybody_is_paid_what_was_worked_out_by_hand(year: tuple[World, dict[str, dict[str, str]]]) -> None:
    """South: 12 x 1.5 x 700 yen = 12,600. East: 12.00 a month, paid from 30 on: 36.00 four times, 144.00."""
    owed = year[0].told.owed
    assert {name: amount for name, amount in owed.items() if name.startswith("ib:")} == {
        "ib:north:paid": "626.66 USD",
        "ib:west:paid": "1200.00 USD",
        "ib:south:paid": "12600 JPY",
        "ib:east:paid": "144.00 EUR",
    }
    assert owed["rounding"] == "0.005 USD"
    assert year[0].told.balances["broker:expense:per_lot"].endswith("USD")
    assert year[0].told.balances["broker:expense:adjustment"] == "-25.00 USD"


def test_each_month_pays_whom_it_should(year: tuple[World, dict[str, dict[str, str]]]) -> None:
    """West is in no batch while it works off what was taken back; May's yen are held."""
    _, lines = year
    assert lines["2026-10"] == {"north": "rejected", "west": "settled", "south": "settled"}
    for month in ("2026-11", "2026-12", "2027-01"):
        assert "west" not in lines[month]
    assert lines["2027-05"]["south"] == "refused"
    euros = [month for month, found in lines.items() if "east" in found]
    assert euros == ["2026-11", "2027-02", "2027-05", "2027-08"]


def test_statements_add_up_and_follow_each_other(year: tuple[World, dict[str, dict[str, str]]]) -> None:
    """opening + accrued - reversed - payable - rounding = closing, and each opens where the last closed."""
    world, _ = year
    last: dict[str, Statement] = {}
    payable: dict[str, Decimal] = {}
    for one in world.told.statements:
        moved = one.accrued - one.reversed - one.payable - one.rounding
        assert one.opening + moved == one.closing
        before = last.get(one.ib_id)
        assert (one.opening, one.previous) == ((before.closing, before.hash) if before else (0, ""))
        last[one.ib_id] = one
        payable[one.ib_id] = payable.get(one.ib_id, Decimal(0)) + one.payable
    # North's advance of 40 is paid, and on no statement.
    assert payable == {"north": D("586.66"), "west": 1200, "south": 12600, "east": 144}
    west = [one.closing for one in world.told.statements if one.ib_id == "west"]
    assert west[2:5] == [-200, -100, 0]


def test_the_same_year_gives_the_same_ledger(year: tuple[World, dict[str, dict[str, str]]]) -> None:
    """Its books folded again, as replay does; a command that is written once more changes nothing."""
    world, _ = year
    before = ledger_hash(world.told.transfers)
    for batch in world.known().batches.values():
        assert unanswered(world, batch) == []
        assert world.desk().resume(batch.batch_id, CAT) == 0
    assert ledger_hash(world.told.transfers) == before
    assert world.pipeline.dead_letters == []
