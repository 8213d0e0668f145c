"""Sums of days equal the rows, whatever happens between any two steps of the sink and of a build."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace

from api.ledger import Ledger
from api.queries import balance, commissions, quality
from api.queries.commission_sql import ReportFilter
from api.queries.days import days_of
from api.queries.dimensions import GroupBy
from api.queries.periods import Interval
from api.scope import EVERYTHING, Scope
from commission.events import Deal
from commission.outputs import Rejection, Transfer
from commission.terms.market import SymbolDefined
from infra.sums.builder import SumsBuilder
from infra.sums.compare import differences
from schemas import topics
from schemas.wire import Record, encode
from streams import deal_memory
from streams.day_marks import DayMarks
from streams.table_rows import Rows
from tests import services
from tests.effort import tries
from tests.infra.sums import naive, newer_reports
from tests.infra.sums.crashes import Crash, Fragile
from tests.infra.sums.random_ledger import CLASSES, CLIENT_IBS, COUNTRIES, START, RandomLedger, revision

STEPS = tries(8)
"""Of each random history."""
GROUPS: tuple[tuple[GroupBy, ...], ...] = (
    (), ("ib",), ("symbol",), ("component",), ("ib", "symbol"), ("component", "symbol"), ("client",),
    ("period",), ("period", "ib"), ("day",), ("week", "ib"), ("month", "symbol"), ("server", "plan"),
    ("level",), ("country", "ib"), ("group",), ("class",), ("class", "day"), ("group", "country"),
)  # fmt: skip
AUGUST_BEGINS, AUGUST_ENDS = (
    datetime(2025, 7, 31, 22, tzinfo=UTC),
    datetime(2025, 8, 31, 22, tzinfo=UTC),
)
"""Midnight in Warsaw: the last UTC day of August belongs to two periods."""
AUGUST = Interval(AUGUST_BEGINS, AUGUST_ENDS, "2025-08")
INTERVALS = (
    Interval(),
    Interval(datetime(2025, 8, 30, tzinfo=UTC), datetime(2025, 9, 2, tzinfo=UTC)),
    Interval(datetime(2025, 8, 30, 7, 30, tzinfo=UTC), AUGUST_ENDS),
)


with_shards = pytest.mark.parametrize("chdb", services.EMBEDDED, indirect=True)
"""What asks every report of random rows; a single case needs no second kind of table."""


@pytest.fixture
def chdb(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """An empty database with two periods that meet inside a UTC day."""
    with services.ledger(tmp_path / "db", getattr(request, "param", services.CHDB)) as client:
        periods = [["2025-08", AUGUST_BEGINS, AUGUST_ENDS, "terms", 0, 0]]
        periods += [["2025-09", AUGUST_ENDS, datetime(2025, 9, 30, 22, tzinfo=UTC), "terms", 0, 1]]
        names = ["period", "starts_at", "ends_at", "_topic", "_partition", "_offset"]
        client.insert("periods", periods, column_names=names)
        for number, (client_id, country) in enumerate(COUNTRIES.items()):
            facts = [client_id, START, country, CLIENT_IBS[client_id], "client-book", 0, number]
            names = ["client_id", "occurred_at", "country", "ib_id", "_topic", "_partition", "_offset"]
            client.insert("clients", [facts], names)
        lines = encode([symbol(name, kind) for name, kind in CLASSES.items()])
        books = [[topics.TERMS, 0, 0, "", b"\n".join(lines).decode()]]
        client.insert("books", books, ["_topic", "_partition", "_offset", "source", "message"])
        yield client


def symbol(canonical: str, asset_class: str) -> SymbolDefined:
    """A symbol of the terms."""
    return SymbolDefined(
        server="live", symbol=f"{canonical}.x", canonical=canonical, asset_class=asset_class,
        contract_size=Decimal(100_000), standard_contract_size=Decimal(100_000), pip=Decimal("0.0001"),
        profit_currency="USD",
    )  # fmt: skip


def built(client: object) -> None:
    """Days, and months that are over."""
    one = builder(client)
    one.build()
    one.build_months()


def positioned(client: Client, offset: int) -> None:
    """The sink has stored the log up to there: it says so after the rows."""
    client.insert("sink_positions", [[topics.PARTNER_BOOK, 0, offset]], ["topic", "partition", "next_offset"])


def stretched(client: object) -> int:
    """Days that are being written, however few rows they have."""
    return builder(client).build_stretches(least_rows=1)


def builder(client: object) -> SumsBuilder:
    return SumsBuilder(lambda: cast(Client, client), quiet_s=0)


def assert_equal(
    client: Client, dice: random.Random, ledger: Ledger | None = None, *, looks: int = 2
) -> None:
    """Some reports, against every row added up by hand; of a ledger that may remember what days said."""
    ledger = ledger or Ledger(lambda: client)
    rows, refusals = naive.read(client, "transfers"), naive.read(client, "rejections")
    for _ in range(looks):
        span, group_by = dice.choice(INTERVALS), dice.choice(GROUPS)
        inside = naive.between(span.starts_at, span.ends_at)
        found = commissions.report(ledger, ReportFilter(EVERYTHING, span), group_by, 1_000)
        assert naive.report(rows, group_by, inside, period_of) == as_groups(found["items"], group_by)
        assert naive.report(rows, (), inside, period_of) == as_groups(found["totals"], ())
        assert naive.deal_counts(rows, refusals, inside) == quality.deal_counts(ledger, EVERYTHING, span)
        one = dice.choice(rows)["ib_id"] if rows else "nobody"
        of_one = naive.deal_counts([row for row in rows if row["ib_id"] == one], [], inside)
        assert of_one["rated"] == quality.deal_counts(ledger, Scope(frozenset({one})), span)["rated"]
    newer_reports.assert_equal(client, ledger, dice, dice.choice(INTERVALS), AUGUST, count=2 * looks)
    listed = balance.trial_balance(ledger, EVERYTHING, 1_000)["accounts"]
    assert naive.balances(rows) == {(row["account"], row["currency"]): row["balance"] for row in listed}


def period_of(row: naive.Row) -> str:
    return "2025-08" if row["occurred_at"].replace(tzinfo=UTC) < AUGUST_ENDS else "2025-09"


def as_groups(items: list[dict[str, Any]], group_by: tuple[str, ...]) -> naive.Groups:
    names = [
        {"ib": "ib_id", "client": "client_id", "plan": "plan_id"}.get(group, group) for group in group_by
    ]
    return {
        (*(row[name] for name in names), row["currency"]): (
            row["lots"], row["accrued"], row["reversed"], row["held"], row["deals"],
        )
        for row in items
    }  # fmt: skip


@with_shards
@pytest.mark.parametrize("seed", range(1, 1 + tries(1)))
def test_reports_as_known_at_a_time_are_those_of_the_rows_then(chdb: Client, seed: int) -> None:
    """Whatever is stored and built later, with days that were written since and days that were not."""
    dice, source = random.Random(seed), RandomLedger(seed)
    known: list[tuple[datetime, list[naive.Row]]] = []
    for _ in range(8):
        for _ in range(4):
            source.batch(new=True).store(chdb)
        known.append((now(chdb), naive.read(chdb, "transfers")))
        if dice.random() < 0.5:
            built(chdb)
    built(chdb)
    for at, rows in known:
        for group_by in dice.sample(GROUPS, min(tries(2), len(GROUPS))):
            span = dice.choice(INTERVALS)
            wanted = ReportFilter(EVERYTHING, span, known_at=at)
            found = commissions.report(Ledger(lambda: chdb), wanted, group_by, 1_000)["items"]
            inside = naive.between(span.starts_at, span.ends_at)
            assert naive.report(rows, group_by, inside, period_of) == as_groups(found, group_by)
    read = days_of(Ledger(lambda: chdb), known_at=known[-2][0])
    assert read.kept
    assert read.by_rows


def now(client: Client) -> datetime:
    """The database's time, with nothing stored in the same millisecond before or after."""
    before = clock(client)
    while (at := clock(client)) == before:
        pass
    while clock(client) == at:
        pass
    return at


def clock(client: Client) -> datetime:
    """The database's, in milliseconds, as rows are stored by."""
    (at,) = client.query("SELECT now64(3, 'UTC')").first_row
    return cast(datetime, at).replace(tzinfo=UTC)


@with_shards
@pytest.mark.parametrize("seed", range(1, 1 + tries(1)))
def test_reports_equal_the_rows_whatever_crashes(
    chdb: Client, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches and builds in any order, each ending before any statement; batches are stored again.

    A sink remembers 32 deals and may leave days open between batches; after a crash it remembers nothing.
    Of a stretch's parts the third makes one of them all.
    """
    monkeypatch.setattr(deal_memory, "WINDOW_BYTES", 16)
    monkeypatch.setattr("infra.sums.builder.MAX_PARTS", 2)
    dice, source, marks = random.Random(seed), RandomLedger(seed), DayMarks(chdb)
    by_stretch, ledger = 0, Ledger(lambda: chdb)
    for _ in range(STEPS):
        batch, crash_at = source.batch(), dice.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 99))
        client = cast(Client, Fragile(chdb, crash_at))
        if not attempt(lambda batch=batch, client=client: batch.store(client, DayMarks(client))):  # type: ignore[misc]
            marks = DayMarks(chdb, stay_open_s=dice.choice((0.0, 3_600.0)))
        if dice.random() < 0.5:
            assert_equal(chdb, dice, ledger)
        if dice.random() < 0.6:
            attempt(lambda: stretched(Fragile(chdb, dice.choice((4, 5, 6, 7, 8, 9, 10, 11, *[99] * 8)))))
            assert_equal(chdb, dice, ledger)
            by_stretch += bool(days_of(ledger).stretch.days)
            assert not [text for text in differences(chdb)[1] if "stretch" in text]
        if dice.random() < 0.4:  # while the sink is down, or before it has begun again
            attempt(lambda: built(Fragile(chdb, dice.choice((0, 2, 3, 4, 5, 6, 7, 8, 10, 99)))))
            assert_equal(chdb, dice, ledger)
        batch.store(chdb, marks)
        if dice.random() < 0.8:
            positioned(chdb, source.offset)
    assert by_stretch
    DayMarks(chdb).end()
    built(chdb)
    read = days_of(Ledger(lambda: chdb))
    assert not read.by_rows
    assert len(read.kept) < len(days_of(Ledger(lambda: chdb), by_month=False).kept)
    assert_equal(chdb, dice, ledger, looks=9)


def filled(client: Client, batches: int = 5) -> RandomLedger:
    """A ledger whose days all have sums."""
    source = RandomLedger(3)
    for _ in range(batches):
        source.batch().store(client)
    built(client)
    return source


def earned(client: Client) -> Decimal:
    """What the report says was accrued in USD, in all."""
    totals = commissions.totals(Ledger(lambda: client), ReportFilter(EVERYTHING, Interval(), currency="USD"))
    return Decimal(totals[0]["accrued"])


LATE = {
    "transfer_id": "late", "code": "accrual", "debit": "broker:expense:per_lot", "credit": "ib:a:pending",
    "amount": Decimal("7.50"), "currency": "USD", "ib_id": "a", "caused_by": "live|late",
    "account_key": "live/1",
    "occurred_at": datetime(2025, 8, 30, 12, tzinfo=UTC), "_topic": "t", "_partition": 0, "_offset": 10_000,
}  # fmt: skip


def test_a_row_that_another_way_brings_is_in_every_report(chdb: Client) -> None:
    """7.50 more of a day that has sums, by somebody who marks nothing: the day is read by its rows."""
    filled(chdb)
    before = earned(chdb)
    chdb.insert("transfers", [list(LATE.values())], column_names=list(LATE))
    assert before + Decimal("7.50") == earned(chdb)
    assert [LATE["occurred_at"].date()] == list(days_of(Ledger(lambda: chdb)).by_rows)  # type: ignore[attr-defined]


AUGUST_29 = Interval(datetime(2025, 8, 29, tzinfo=UTC), datetime(2025, 8, 30, tzinfo=UTC))
DEAL = Transfer(
    transfer_id="t", code="accrual", debit="broker:expense:per_lot", credit="ib:a:pending", amount=Decimal(7),
    currency="USD", ib_id="a", occurred_at=datetime(2025, 8, 29, 10, tzinfo=UTC), caused_by="live|1",
    account_key="live/1", component="per_lot", lots=Decimal("1.5"),
)  # fmt: skip


def store(client: Client, *records: Record) -> None:
    """One batch, as the sink stores it."""
    rows = Rows()
    for number, record in enumerate(records):
        entry = {Transfer: topics.PARTNER_BOOK, Rejection: topics.REJECTIONS, Deal: topics.ACCOUNT_BOOK}
        rows.add(entry[type(record)], 0, 100 + number, encode([record])[0], "client-book/0/1/0")
    rows.store(client)


def test_what_a_later_day_takes_back_leaves_the_day_of_its_deal(chdb: Client) -> None:
    """7 USD for 1.5 lots on 29 August, which has its sums; on 2 September they are taken back, whole.

    Then no deal of 29 August stands: 0 lots, 0 deals, while what was accrued on that day stays 7, and
    what was reversed is 2 September's.
    """
    store(chdb, DEAL)
    built(chdb)
    ledger, wanted = Ledger(lambda: chdb), ReportFilter(EVERYTHING, AUGUST_29)
    (row,) = commissions.totals(ledger, wanted)
    assert (Decimal("1.5"), Decimal(7), Decimal(0), 1) == (
        row["lots"],
        row["accrued"],
        row["reversed"],
        row["deals"],
    )
    back = replace(
        DEAL, transfer_id="r", code="reversal", debit=DEAL.credit, credit=DEAL.debit, reverses="t",
        account_key="", caused_by="chargeback", occurred_at=datetime(2025, 9, 2, tzinfo=UTC), lots=Decimal(0),
    )  # fmt: skip
    store(chdb, back)
    for _ in range(2):  # by rows, then by sums
        (row,) = commissions.totals(ledger, wanted)
        assert (Decimal(0), Decimal(7), Decimal(0), 0) == (
            row["lots"],
            row["accrued"],
            row["reversed"],
            row["deals"],
        )
        built(chdb)


def test_a_deal_of_a_day_that_is_being_written_counts_once(chdb: Client) -> None:
    """Three deals of 1.5 lots are in the day's stretch. Then come, above it: 3 USD of the first for IB b,
    what takes the second back on another day, and a fourth deal. Deals 1, 3 and 4 stand, 1.5 lots each.
    Accrued on that day are 31 USD: four times 7 for a, and 3 for b; what is taken back is of its own day.
    """
    of = {
        number: replace(DEAL, transfer_id=f"t{number}", caused_by=f"live|{number}") for number in range(1, 5)
    }
    store(chdb, of[1], of[2], of[3])  # at the offsets 100 to 102
    positioned(chdb, 103)
    assert stretched(chdb) == 1
    back = replace(
        of[2], transfer_id="r", code="reversal", debit=DEAL.credit, credit=DEAL.debit, reverses="t2",
        account_key="", caused_by="chargeback", occurred_at=datetime(2025, 9, 2, tzinfo=UTC), lots=Decimal(0),
    )  # fmt: skip
    other = replace(of[1], transfer_id="b1", ib_id="b", credit="ib:b:pending", amount=Decimal(3))
    rows = Rows()
    for number, record in enumerate((other, back, of[4])):
        rows.add(topics.PARTNER_BOOK, 0, 103 + number, encode([record])[0], "client-book/0/1/0")
    rows.store(chdb)
    ledger, wanted = Ledger(lambda: chdb), ReportFilter(EVERYTHING, AUGUST_29)
    for _ in range(2):  # once more with a stretch of all of it
        assert days_of(ledger, AUGUST_29).stretch.days == (AUGUST_29.starts_at.date(),)
        (row,) = commissions.totals(ledger, wanted)
        assert (Decimal("4.5"), Decimal(31), 3) == (row["lots"], row["accrued"], row["deals"])
        found = commissions.report(ledger, wanted, ("ib",), 10)["items"]
        assert [("a", 28, 3), ("b", 3, 1)] == [(row["ib_id"], row["accrued"], row["deals"]) for row in found]
        positioned(chdb, 106)
        stretched(chdb)
    assert [] == differences(chdb)[1]


def test_what_comes_to_a_stretch_is_added_as_a_part_of_it(
    chdb: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each deal pays 7 for 1.5 lots. The third is of another partition of the log, which begins with it.

    Then what takes the first back makes one part of four: two deals stand, 3 lots, and 21 were accrued.
    """
    monkeypatch.setattr("infra.sums.builder.MAX_PARTS", 3)
    ledger, wanted = Ledger(lambda: chdb), ReportFilter(EVERYTHING, AUGUST_29)

    def added(partition: int, offset: int, *records: Transfer) -> tuple[int, Decimal, Decimal, int]:
        rows = Rows()
        for record in records:
            rows.add(topics.PARTNER_BOOK, partition, offset, encode([record])[0], "client-book/0/1/0")
        rows.store(chdb)
        position = [[topics.PARTNER_BOOK, partition, offset + 1]]
        chdb.insert("sink_positions", position, ["topic", "partition", "next_offset"])
        assert stretched(chdb)
        read = days_of(ledger, AUGUST_29)
        (row,) = commissions.totals(ledger, wanted)
        return len(read.stretch.parts), row["lots"], row["accrued"], row["deals"]

    def deal(number: int) -> Transfer:
        return replace(DEAL, transfer_id=f"t{number}", caused_by=f"live|{number}")

    back = replace(
        DEAL, transfer_id="r", code="reversal", debit=DEAL.credit, credit=DEAL.debit, reverses="t1",
        account_key="", caused_by="chargeback", occurred_at=datetime(2025, 9, 2, tzinfo=UTC), lots=Decimal(0),
    )  # fmt: skip
    assert added(0, 100, deal(1)) == (1, Decimal("1.5"), 7, 1)
    assert added(0, 101, deal(2)) == (2, 3, 14, 2)
    assert added(1, 5, deal(3)) == (3, Decimal("4.5"), 21, 3)
    assert added(0, 102, back) == (1, 3, 21, 2)
    assert added(0, 103, deal(4)) == (2, Decimal("4.5"), 28, 3)
    assert [] == differences(chdb)[1]


def test_a_deal_refused_on_one_day_and_paid_on_another_is_paid(chdb: Client) -> None:
    """It waits on 29 August, which has its sums; its time is corrected to 2 September, and it is paid."""
    first = revision("live|1", DEAL.occurred_at)
    waits = Rejection(
        deal_key="live|1", revision="r", status="waiting", code="no_ib", text="no IB", account_key="live/1",
        occurred_at=DEAL.occurred_at,
    )  # fmt: skip
    store(chdb, first, waits)
    built(chdb)
    ledger, later = Ledger(lambda: chdb), datetime(2025, 9, 2, tzinfo=UTC)
    assert {"rated": 0, "waiting": 1, "rejected": 0} == quality.deal_counts(ledger, EVERYTHING, AUGUST_29)
    store(chdb, revision("live|1", later), replace(DEAL, occurred_at=later))
    for _ in range(2):
        assert {"rated": 0, "waiting": 0, "rejected": 0} == quality.deal_counts(ledger, EVERYTHING, AUGUST_29)
        assert {"rated": 1, "waiting": 0, "rejected": 0} == quality.deal_counts(
            ledger, EVERYTHING, Interval()
        )
        built(chdb)


def test_a_refusal_counts_again_once_what_paid_its_deal_is_taken_back(chdb: Client) -> None:
    """Deal 1 is in the day's stretch, at the offset 100. Then come of shorter partitions, above the stretch:
    deals 2 and 3, each refused, paid nevertheless, and taken back at once. 1 stands, 2 and 3 wait.
    """

    def put(partition: int, offset: int, *records: Transfer) -> None:
        rows = Rows()
        for number, record in enumerate(records):
            source = f"client-book/{partition}/{offset + number}/0"
            rows.add(topics.PARTNER_BOOK, partition, offset + number, encode([record])[0], source)
        rows.store(chdb)

    def of(number: int) -> Transfer:
        return replace(DEAL, transfer_id=f"t{number}", caused_by=f"live|{number}")

    put(0, 100, of(1))
    positions = [[topics.PARTNER_BOOK, partition, end] for partition, end in ((0, 101), (1, 5))]
    chdb.insert("sink_positions", positions, ["topic", "partition", "next_offset"])
    assert stretched(chdb) == 1
    for number, partition, offset in ((2, 1, 5), (3, 2, 1)):  # partition 2 was not known then
        waits = Rejection(
            deal_key=f"live|{number}", revision="r", status="waiting", code="no_ib", text="no IB",
            account_key="live/1", occurred_at=DEAL.occurred_at,
        )  # fmt: skip
        store(chdb, waits)
        back = replace(
            of(number), transfer_id=f"r{number}", code="reversal", debit=DEAL.credit, credit=DEAL.debit,
            reverses=f"t{number}", account_key="", caused_by="chargeback", lots=Decimal(0),
        )  # fmt: skip
        put(partition, offset, of(number), back)
    ledger = Ledger(lambda: chdb)
    assert days_of(ledger, AUGUST_29).stretch.days == (AUGUST_29.starts_at.date(),)
    assert {"rated": 1, "waiting": 2, "rejected": 0} == quality.deal_counts(ledger, EVERYTHING, AUGUST_29)
    built(chdb)
    assert {"rated": 1, "waiting": 2, "rejected": 0} == quality.deal_counts(ledger, EVERYTHING, AUGUST_29)


def test_a_day_is_read_by_its_rows_until_its_batch_is_stored(chdb: Client) -> None:
    """The sink ends after its rows and before its second mark; a build then counts for nothing."""
    blocks = {"transfers": encode([DEAL])[0]}
    DayMarks(chdb).begin(blocks)
    built(chdb)
    chdb.insert("transfers", [list(LATE.values())], column_names=list(LATE))
    assert Decimal("7.50") == earned(chdb)
    assert not days_of(Ledger(lambda: chdb)).kept


def test_a_clock_that_is_set_back_hides_no_row(chdb: Client) -> None:
    """Every day was marked by a clock that was an hour ahead; what is stored then is in the reports."""
    source = filled(chdb)
    chdb.command("INSERT INTO day_marks SELECT day, mark + 3600000000000, false FROM day_marks FINAL")
    builder(chdb).rebuild()
    read = days_of(Ledger(lambda: chdb))
    assert not read.by_rows
    for _ in range(5):
        source.batch().store(chdb)
    assert days_of(Ledger(lambda: chdb)).by_rows
    assert_equal(chdb, random.Random(0), looks=5)


@with_shards
def test_sums_are_built_again_and_old_builds_go(chdb: Client) -> None:
    """Every day has a second build of the same sums; pruned of the first there are as many rows as before."""
    filled(chdb)
    before, rows = earned(chdb), count_sums(chdb)
    days = builder(chdb).rebuild()
    assert days == len(days_of(Ledger(lambda: chdb), by_month=False).kept)
    assert before == earned(chdb)
    assert rows < count_sums(chdb)
    builder(chdb).tidy(keep_s=0)
    assert (rows, before) == (count_sums(chdb), earned(chdb))


def count_sums(client: Client) -> int:
    return int(client.query("SELECT count() FROM day_sums").first_row[0])


def test_a_report_goes_by_the_builds_it_began_with(chdb: Client) -> None:
    """A day is built again between a report's decision and its query: nothing is missing, nothing twice."""
    filled(chdb)
    ledger = Ledger(lambda: chdb)
    read, before = days_of(ledger), earned(chdb)
    builder(chdb).rebuild()
    wanted = ReportFilter(EVERYTHING, Interval(), currency="USD")
    assert before == commissions.totals(ledger, wanted, read)[0]["accrued"]


@pytest.mark.parametrize(
    "damage",
    [
        "INSERT INTO day_sums SELECT * FROM day_sums LIMIT 1",
        "DELETE FROM day_deals WHERE lots = (SELECT max(lots) FROM day_deals)",
        "DELETE FROM day_accounts WHERE account = 'ib:a:pending'",
        "INSERT INTO day_refusals SELECT day, build, status, code, 1 FROM day_refusals LIMIT 1",
        "DELETE FROM day_deals WHERE build IN (SELECT max(build) FROM month_builds)",
        "TRUNCATE TABLE day_marks",
    ],
)
def test_verify_finds_sums_that_are_not_those_of_the_rows(chdb: Client, damage: str) -> None:
    """A sum twice, a sum gone, and days that no report reads."""
    filled(chdb)
    assert [] == differences(chdb)[1]
    chdb.command(damage)
    assert differences(chdb)[1]


def attempt(work: Callable[[], object]) -> bool:
    """A crash is what is tried; whether there was none."""
    try:
        work()
    except Crash:
        return False
    return True
