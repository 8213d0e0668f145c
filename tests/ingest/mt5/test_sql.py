"""MT5's database on a real MariaDB: every deal once, exactly, whatever the server's age and edits."""

import csv
import gc
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text

from commission.events import Deal
from ingest.mt5 import deals_csv as mt5_deals_csv
from ingest.mt5.sql import OVERLAP, Mt5Sql
from ingest.source_items import Item
from ingest.sources import ServerProfile, UnreadableSource
from ingest.sql.database import Address, Database
from schemas.dead_letters import DeadLetter
from schemas.errors import Unavailable
from tests.ingest.ingest_exports import RECEIVED, csv_file, mt5, row
from tests.ingest.sql_server import MT5_DEALS, MT5_GROUPS, MT5_NEWER, MT5_USERS, SqlServer, deal, filetime

SAMPLE = Path(__file__).parents[4] / "shared/samples/mt5-server-sql-deals.csv"
AT = datetime(2026, 9, 1, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
USD = mt5(currency="USD")
SECRET = "hunter2"  # noqa: S105 - to be looked for in messages


def source(sql: SqlServer, profile: ServerProfile = USD, **options: int) -> Mt5Sql:
    return Mt5Sql(Database(sql.address, sleep=lambda _: None, **options), profile)


def items(found: Mt5Sql, cursor: str = "") -> list[Item]:
    return [item for page in found.poll(cursor) for item in page.items]


def deals(found: Iterable[Item]) -> list[Deal]:
    """The items, of which none may be a dead letter."""
    listed = list(found)
    assert [item for item in listed if isinstance(item, DeadLetter)] == []
    return [item for item in listed if isinstance(item, Deal)]


@pytest.fixture
def table(sql: SqlServer) -> SqlServer:
    sql.run(MT5_DEALS.format(name="mt5_deals"))
    return sql


@pytest.mark.skipif(not SAMPLE.exists(), reason="the real export is not part of the project")
def test_a_real_export_is_read(table: SqlServer) -> None:
    """Nineteen deals of a real server: counts and sums as a spreadsheet shows them, prices without noise."""
    with SAMPLE.open() as file:
        rows = list(csv.DictReader(file))
    table.insert("mt5_deals", *rows)
    found = deals(items(source(table, mt5(currency="USD", rule="+01:00"))))
    assert {"trade": 12, "balance": 7} == Counter(one.kind for one in found)
    assert Decimal("-352.07") == sum(one.profit for one in found if one.kind == "trade")
    assert Decimal("1.14037") == next(one.price for one in found if one.deal_id == "20")
    # The server's clock was an hour ahead, and each deal was written within 16 ms of its time.
    for one, told in zip(found, sorted(rows, key=lambda told: int(told["Timestamp"])), strict=True):
        assert abs(filetime(one.occurred_at) - int(told["Timestamp"])) < 16 * 10_000


def test_a_deal_is_what_the_managers_export_says(table: SqlServer, tmp_path: Path) -> None:
    """The same deals from the database and from the Manager's CSV have equal ids, revisions and amounts."""
    table.run(f"ALTER TABLE mt5_deals {MT5_NEWER}")
    table.insert(
        "mt5_deals",
        deal(1, AT, Action=2, Symbol="", Price=0, VolumeExt=0, Volume=0, PositionID=0, Profit=1000, Reason=2),
        # As a server keeps it: the double beside 1.14037, and 0.00003053 lots, which Volume shows as 0.
        deal(2, AT + MINUTE, Price="1.1403699999999999", VolumeExt=3053, Volume=0, Commission=-0.1, Reason=16,
             TimeMsc="2026-09-01 10:01:00.445000"),
        deal(3, AT + 2 * MINUTE, Action=1, Entry=1, Price=1.2, Profit=-14.07, Storage=-0.03, Fee=-0.02,
             Reason=4, RateProfit="1.2788599999999999", MarketBid=1.2, MarketAsk=1.20002),
        deal(4, AT + 3 * MINUTE, Action=14, Entry=0, Price=1.3),
    )  # fmt: skip
    path = csv_file(
        tmp_path / "deals.csv",
        row(1, Type="balance", Time="2026.09.01 10:00:00.000", Symbol="", Price="", Volume="", Position="0",
            Profit="1000.00", Reason="Dealer"),
        row(2, Time="2026.09.01 10:01:00.445", Price="1.14037", Volume="0.00003053", Commission="-0.10",
            Reason="Mobile"),
        row(3, Time="2026.09.01 10:02:00.000", Type="sell", Entry="out", Price="1.20000", Profit="-14.07",
            Swap="-0.03", Fee="-0.02", Reason="Take profit"),
        row(4, Time="2026.09.01 10:03:00.000", Type="sell canceled", Price="1.30000"),
    )  # fmt: skip
    expected = [one for one in mt5_deals_csv.read(path, USD, RECEIVED) if isinstance(one, Deal)]
    found = deals(items(source(table)))

    def facts(one: Deal) -> tuple[object, ...]:
        return (
            one.deal_id, one.revision, one.kind, one.occurred_at, one.side, one.entry, one.symbol,
            one.volume_e8, one.price, one.profit, one.commission, one.fee, one.swap, one.currency, one.reason,
            one.position_id,
        )  # fmt: skip

    assert list(map(facts, expected)) == list(map(facts, found))
    assert (Decimal("1.2"), Decimal("1.20002")) == (found[2].bid, found[2].ask)
    assert Decimal("1.27886") == found[2].rate_profit
    assert found[1].bid is None
    assert [None, *[Decimal(100_000)] * 3] == [one.contract_size for one in found]


def test_in_out_tells_what_it_closed(table: SqlServer) -> None:
    """A reversal of 1.01 lots that closed 1.00 is one deal, which says so."""
    table.insert(
        "mt5_deals",
        deal(7, AT, Entry=2, VolumeExt=101_000_000, Volume=10_100, VolumeClosedExt=100_000_000, Profit=-9.29),
    )
    (found,) = deals(items(source(table, mt5("netting", currency="USD"))))
    assert ("7", "inout", 101_000_000, 100_000_000, Decimal("-9.29")) == (
        found.deal_id, found.entry, found.volume_e8, found.volume_closed_e8, found.profit,
    )  # fmt: skip


def test_a_leg_of_a_close_by_tells_its_order(table: SqlServer) -> None:
    """Order is a word of SQL too; of other deals it is not kept."""
    table.insert("mt5_deals", deal(7, AT, Entry=3, Order=7009), deal(8, AT, Entry=1, Order=7010))
    assert ["7009", ""] == [one.close_by for one in deals(items(source(table)))]


def test_old_servers_lack_columns(sql: SqlServer) -> None:
    """Without VolumeExt, TimeMsc, ContractSize and Fee a deal is read from Volume and Time."""
    sql.run(MT5_DEALS.format(name="mt5_deals"))
    for column in ("VolumeExt", "TimeMsc", "ContractSize", "RateProfit", "VolumeClosedExt", "Comment"):
        sql.run(f"ALTER TABLE mt5_deals DROP COLUMN {column}")
    old = {"VolumeExt", "TimeMsc", "ContractSize"}
    sql.insert("mt5_deals", {k: v for k, v in deal(1, AT, Volume=2500).items() if k not in old})
    (found,) = deals(items(source(sql)))
    assert (25_000_000, AT, None) == (found.volume_e8, found.occurred_at, found.contract_size)


def test_empty_times_fall_back(table: SqlServer) -> None:
    """A TimeMsc of 1970 or 0000 means none: Time counts."""
    table.run("SET SESSION sql_mode = ''")
    table.insert("mt5_deals", deal(1, AT, TimeMsc="1970-01-01"), deal(2, AT, TimeMsc="0000-00-00"))
    assert [AT, AT] == [one.occurred_at for one in deals(items(source(table)))]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("DROP COLUMN Commission", "no column Commission"),
        ("DROP COLUMN Timestamp", "no column Timestamp"),
        ("DROP COLUMN VolumeExt, DROP COLUMN Volume", "neither column Volume nor VolumeExt"),
        ("MODIFY Profit FLOAT", "Profit of table mt5_deals is a FLOAT"),
        ("MODIFY Time TIMESTAMP", "Time of table mt5_deals is a TIMESTAMP"),
    ],
)
def test_a_table_that_would_mislead_is_refused(table: SqlServer, change: str, told: str) -> None:
    """What is needed and missing, or not exact, is told by name before anything is read."""
    table.run(f"ALTER TABLE mt5_deals {change}")
    with pytest.raises(UnreadableSource, match=told):
        items(source(table))


def test_a_row_without_a_stamp_is_not_lost(table: SqlServer) -> None:
    """Rows whose Timestamp is NULL would never be read: the source says so."""
    table.run("ALTER TABLE mt5_deals MODIFY Timestamp BIGINT NULL")
    table.insert("mt5_deals", deal(1, AT, Timestamp=None))
    with pytest.raises(UnreadableSource, match="Timestamp is NULL"):
        items(source(table))


def test_group_and_currency_come_from_their_tables(table: SqlServer) -> None:
    """A login's group is in mt5_users, the group's currency in mt5_groups; the profile has the rest."""
    table.run(MT5_USERS)
    table.run(MT5_GROUPS)
    table.insert(
        "mt5_users",
        {"Login": 1, "Group": r"real\EUR", "Name": "Ada Example"},
        {"Login": 2, "Group": r"real\two", "Name": "Bob Example"},
    )
    table.insert(
        "mt5_groups",
        {"Group_ID": 1, "Group": r"real\EUR", "Currency": "EUR"},
        {"Group_ID": 2, "Group": r"real\two", "Currency": "EUR"},
        {"Group_ID": 3, "Group": r"real\two", "Currency": "GBP"},
    )
    table.insert("mt5_deals", *(deal(login, AT, Login=login) for login in (1, 2, 3)))
    assert [(r"real\EUR", "EUR"), (r"real\two", "USD"), ("", "USD")] == [
        (one.group, one.currency) for one in deals(items(source(table)))
    ]
    found = items(source(table, mt5()))
    letters = [item for item in found if isinstance(item, DeadLetter)]
    assert ["no_currency", "no_currency"] == [letter.code for letter in letters]
    assert "Example" not in repr(found)
    assert all(b"Example" not in letter.payload for letter in letters)


def test_a_bad_row_is_one_dead_letter(table: SqlServer) -> None:
    """An action of a newer platform is buried with its cells, once however often it is read."""
    table.insert("mt5_deals", deal(1, AT), deal(2, AT, Action=99, Comment="x"), deal(3, AT))
    first, letter, last = items(source(table))
    assert isinstance(letter, DeadLetter)
    assert ("unknown_type", "mt5_deals:2", "mt5-sql Demo-MT5") == (
        letter.code,
        letter.position,
        letter.source,
    )
    assert b'"Action": "99"' in letter.payload
    assert ["1", "3"] == [one.deal_id for one in deals([first, last])]
    again = items(source(table))[1]
    assert isinstance(again, DeadLetter)
    assert letter.dead_letter_id == again.dead_letter_id


def test_yearly_copies_are_one_history(sql: SqlServer) -> None:
    """A deal in several tables counts once, as its newest copy tells it; every other deal is there."""
    for name in ("mt5_deals_2024", "mt5_deals_2025", "mt5_deals", "mt5_deals_backup"):
        sql.run(MT5_DEALS.format(name=name))
    old = AT - timedelta(days=700)
    sql.insert("mt5_deals_2024", deal(1, old, Profit=1), deal(2, old, Profit=2), deal(5, old, Profit=5))
    # Deal 2 was edited in the copy of 2025, deal 5 in the present table; deal 3 is the same in both.
    sql.insert("mt5_deals_2025", deal(2, old, Profit=22, Timestamp=filetime(AT)), deal(3, AT, Profit=3))
    sql.insert(
        "mt5_deals", deal(3, AT, Profit=3), deal(4, AT), deal(5, old, Profit=55, Timestamp=filetime(AT))
    )
    sql.insert("mt5_deals_backup", deal(9, AT))
    found = {one.deal_id: one.profit for one in deals(items(source(sql)))}
    assert {"1": 1, "2": 22, "3": 3, "4": 0, "5": 55} == found
    assert 5 == len(deals(items(source(sql))))


def test_a_poll_yields_what_was_written_since(table: SqlServer) -> None:
    """Late, edited and cancelled deals come with a poll after the cursor; old ones do not."""
    table.insert("mt5_deals", *(deal(number, AT + number * MINUTE, Profit=5) for number in range(1, 31)))
    found = source(table)
    *_, last = found.poll("")
    written = filetime(AT + timedelta(hours=2))
    table.insert(
        "mt5_deals",
        deal(3, AT + 3 * MINUTE, Profit=6, Timestamp=written),  # edited
        deal(5, AT + 5 * MINUTE, Action=13, Profit=0, Timestamp=written),  # cancelled in place
        deal(99, AT - timedelta(days=3), Timestamp=written),  # known late, of an old time
    )
    again = {one.deal_id: one for one in deals(items(found, last.cursor))}
    overlap = {str(number) for number in range(21, 31)} | {"20"}
    assert {"3", "5", "99"} | overlap == set(again)
    assert OVERLAP == 10 * MINUTE
    assert (Decimal(6), "cancelled") == (again["3"].profit, again["5"].kind)


def test_a_stamp_of_the_future_does_not_hide_what_comes(table: SqlServer) -> None:
    """One row stamped in 2090 does not carry the cursor over deals that are still to come."""
    table.insert("mt5_deals", deal(1, AT, Timestamp=filetime(datetime(2090, 1, 1, tzinfo=UTC))))
    found = source(table)
    *_, last = found.poll("")
    table.insert("mt5_deals", deal(2, AT, Timestamp=filetime(datetime.now(UTC))))
    assert {"1", "2"} == {one.deal_id for one in deals(items(found, last.cursor))}


def test_pages_and_statements_join_without_a_seam(table: SqlServer) -> None:
    """Equal stamps across the ends of pages and statements lose and double nothing."""
    # 97 deals, of which up to 13 share a stamp.
    table.insert("mt5_deals", *(deal(1000 - number, AT + number // 13 * MINUTE) for number in range(97)))
    pages = list(source(table, statement_rows=10, page_rows=4).poll(""))
    numbers = [item.deal_id for page in pages for item in page.items if isinstance(item, Deal)]
    assert sorted(str(1000 - number) for number in range(97)) == sorted(numbers)
    assert max(len(page.items) for page in pages) == 4
    cursors = [int(page.cursor.split(":")[1].rstrip("}")) for page in pages]
    assert all(earlier <= later for earlier, later in pairwise(cursors))


def test_a_killed_connection_is_made_anew(table: SqlServer) -> None:
    """Killed in the middle of statements, again and again: every deal comes once, and nothing trips later."""
    table.run("ALTER TABLE mt5_deals MODIFY Comment TEXT")
    rows = (deal(number, AT + number * MINUTE, Comment="x" * 3_000) for number in range(1, 6_001))
    table.insert("mt5_deals", *rows)
    killed, numbers = 0, list[str]()
    # One statement is 18 MB, more than fits between the server and us: only the last is all on its way.
    for at, page in enumerate(source(table, statement_rows=6_000, page_rows=50).poll("")):
        numbers += [item.deal_id for item in page.items if isinstance(item, Deal)]
        if at % 17 == 3:
            killed += table.kill_connections()
    assert killed >= 2
    assert [str(number) for number in range(1, 6_001)] == numbers
    gc.collect()  # what a destructor raises fails the test


def test_a_poll_may_be_left_at_any_time(table: SqlServer) -> None:
    """Who stops after a page is not kept until the rest is read, and can poll again."""
    table.insert("mt5_deals", *(deal(number, AT + number * MINUTE) for number in range(1, 3_001)))
    found = source(table, page_rows=10)
    for _ in range(3):
        pages = found.poll("")
        assert 10 == len(next(pages).items)
        del pages
    gc.collect()
    assert 3_000 == len(deals(items(found)))


def test_a_server_that_is_gone_is_unavailable(table: SqlServer) -> None:
    """Nobody listens: the failure names the place, and neither password nor statement."""
    gone = Address(host="127.0.0.1", port=9, database="mt5", user="ibflow", password=SECRET)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9/mt5 cannot be read") as caught:
        items(Mt5Sql(Database(gone, sleep=lambda _: None), USD))
    assert SECRET not in f"{caught.value} {gone} {gone!r}"
    assert "SELECT" not in str(caught.value)


def test_a_wrong_password_is_a_persons_to_mend(table: SqlServer) -> None:
    """A refusal is not waited out: it is told at once, without the password."""
    own = table.address
    wrong = Address(host=own.host, port=own.port, database=own.database, user=own.user, password=SECRET)
    with pytest.raises(UnreadableSource, match="refuses") as caught:
        items(Mt5Sql(Database(wrong), USD))
    assert SECRET not in str(caught.value)


def test_the_session_cannot_write_and_has_a_limit(table: SqlServer) -> None:
    """The source's own session is read only, and a statement that takes too long is ended."""
    database = Database(table.address, statement_s_max=1)
    with pytest.raises((UnreadableSource, Unavailable), match="READ ONLY"):
        database._all(text("DELETE FROM mt5_deals"))
    with pytest.raises(Unavailable, match="longer than 1 s"):
        database._all(
            text("SELECT COUNT(*) FROM information_schema.COLUMNS a, information_schema.COLUMNS b,"
                 " information_schema.COLUMNS c WHERE a.COLUMN_NAME < c.COLUMN_NAME")
        )  # fmt: skip


def test_a_repeated_hour_is_told_by_the_stamp(table: SqlServer) -> None:
    """Helsinki shows 03:30 twice on 26 October 2025; the true UTC of the write says which pass it was."""
    shown = datetime(2025, 10, 26, 3, 30)  # noqa: DTZ001 - a server's wall clock
    first, second = datetime(2025, 10, 26, 0, 30, tzinfo=UTC), datetime(2025, 10, 26, 1, 30, tzinfo=UTC)
    table.insert(
        "mt5_deals",
        *(
            deal(number, first, Time=shown, TimeMsc=shown, Timestamp=filetime(written))
            for number, written in enumerate((first, second, second + timedelta(days=9)), start=1)
        ),
    )
    found = deals(items(source(table, mt5(rule="Europe/Helsinki", currency="USD"))))
    assert [first, second, first] == [one.occurred_at for one in found]


def test_a_window_is_exact_on_the_servers_clock(table: SqlServer) -> None:
    """A window in UTC holds the deals from its start to before its end, on a clock seven hours ahead."""
    profile = mt5(rule="America/New_York+7h", currency="USD")  # in September three hours ahead of UTC
    shown = AT + timedelta(hours=3)
    table.insert(
        "mt5_deals",
        *(deal(1 + number, shown + timedelta(minutes=number - 1), Timestamp=0) for number in range(62)),
    )
    found = deals(source(table, profile).window(AT, AT + timedelta(hours=1)))
    assert [str(number) for number in range(2, 62)] == [one.deal_id for one in found]
    assert AT == found[0].occurred_at


def test_begin_at_a_time(table: SqlServer) -> None:
    """`cursor_at` begins with what was written since, less the overlap."""
    table.insert("mt5_deals", *(deal(number, AT + number * 6 * MINUTE) for number in range(1, 11)))
    found = source(table)
    cursor = found.cursor_at(AT + 40 * MINUTE)
    assert ["5", "6", "7", "8", "9", "10"] == [one.deal_id for one in deals(items(found, cursor))]


@pytest.mark.parametrize("cursor", ["x", "[]", '{"mt5_deals": "1"}', '{"mt5_deals": true}', "1"])
def test_a_foreign_cursor_is_refused(table: SqlServer, cursor: str) -> None:
    """What is no cursor of this source is told, not guessed at."""
    with pytest.raises(UnreadableSource, match="not a cursor"):
        items(source(table), cursor)
