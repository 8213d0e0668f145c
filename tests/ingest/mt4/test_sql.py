"""MT4's report-server database on a real MariaDB: tickets that mutate, each phase once and exactly."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from commission.events import Deal
from ingest.mt4 import statement as mt4_statement
from ingest.mt4.sql import Mt4Sql
from ingest.source_items import Item
from ingest.sources import ServerProfile, UnreadableSource
from ingest.sql.database import Database
from schemas.dead_letters import DeadLetter
from tests.ingest.ingest_exports import RECEIVED, mt4, statement
from tests.ingest.ingest_exports import ticket as statement_ticket
from tests.ingest.sql_server import MT4_TRADES, MT4_USERS, SqlServer, ticket

AT = datetime(2026, 9, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
USD = mt4(currency="USD")


def source(sql: SqlServer, profile: ServerProfile = USD) -> Mt4Sql:
    return Mt4Sql(Database(sql.address, sleep=lambda _: None), profile)


def items(found: Mt4Sql, cursor: str = "") -> list[Item]:
    return [item for page in found.poll(cursor) for item in page.items]


def deals(found: Iterable[Item]) -> list[Deal]:
    """The items, of which none may be a dead letter."""
    listed = list(found)
    assert [item for item in listed if isinstance(item, DeadLetter)] == []
    return [item for item in listed if isinstance(item, Deal)]


def closed(at: datetime, **columns: object) -> dict[str, object]:
    """What changes in a row when its ticket is closed."""
    return {"CLOSE_TIME": at.replace(tzinfo=None), "TIMESTAMP": int(at.timestamp()), "PROFIT": 50} | columns


@pytest.fixture
def table(sql: SqlServer) -> SqlServer:
    sql.run(MT4_TRADES)
    return sql


def test_a_ticket_is_what_the_statement_says(table: SqlServer, tmp_path: Path) -> None:
    """The same tickets from the database and from a statement have equal ids, revisions and amounts."""
    table.insert(
        "MT4_TRADES",
        ticket(11, AT, SYMBOL="eurusd", OPEN_PRICE="1.1000000000000003", CLOSE_PRICE=1.101, SWAPS=-0.25,
               **closed(AT + HOUR, COMMENT="EA[tp]")),
        ticket(12, AT, SYMBOL="eurusd", CMD=1),
    )  # fmt: skip
    path = tmp_path / "statement.htm"
    times = {"opened": "2026.09.01 10:00:00"}
    path.write_text(
        statement(
            closed=statement_ticket(11, closed="2026.09.01 11:00:00", title="EA[tp]", **times),
            opened=statement_ticket(12, closed="", type="sell", swap="0.00", profit="0.00", **times),
        )
    )
    fields = ("deal_id", "revision", "volume_e8", "price", "profit", "commission", "fee", "swap")
    said = deals(mt4_statement.read(path, USD, RECEIVED))
    found = deals(items(source(table)))
    assert {"11:open", "11:close", "12:open"} == {one.deal_id for one in found}
    assert set(facts(said, *fields[:2])) == set(facts(found, *fields[:2]))
    by_id = {one.deal_id: one for one in said}
    for one in found:
        for field in fields:
            assert getattr(by_id[one.deal_id], field) == getattr(one, field)


def test_an_open_ticket_becomes_a_closed_one(table: SqlServer) -> None:
    """Closing mutates the row: the opening gets a new revision without the commission, the closing is new."""
    table.insert("MT4_TRADES", ticket(7, AT, PROFIT=-3.14, SWAPS=-1))
    found = source(table)
    (page,) = found.poll("")
    (opening,) = deals(page.items)
    # What an open ticket would gain is nobody's yet.
    assert ("7:open", Decimal("-3.5"), 0, 0) == (
        opening.deal_id, opening.commission, opening.profit, opening.swap,
    )  # fmt: skip
    table.insert("MT4_TRADES", ticket(7, AT, PROFIT=-4.44))  # the price moved, nothing else
    assert [opening.revision] == [one.revision for one in deals(items(found, page.cursor))]
    table.insert("MT4_TRADES", ticket(7, AT, **closed(AT + HOUR, PROFIT=12.5, SWAPS=-1)))
    again, closing = deals(items(found, page.cursor))
    assert ("7:open", Decimal(0), "buy") == (again.deal_id, again.commission, again.side)
    assert opening.revision != again.revision
    assert ("7:close", "sell", AT + HOUR) == (closing.deal_id, closing.side, closing.occurred_at)
    assert (Decimal("12.5"), Decimal("-3.5"), Decimal(-1)) == (
        closing.profit,
        closing.commission,
        closing.swap,
    )


def test_commands_are_what_the_header_says(table: SqlServer) -> None:
    """Trades, deposits and credits are deals; pending orders, waiting or dead, are none."""
    table.insert("MT4_TRADES", *(ticket(1 + cmd, AT, CMD=cmd, **closed(AT, PROFIT=5)) for cmd in range(8)))
    found = deals(items(source(table)))
    assert ["1:open", "1:close", "2:open", "2:close", "7", "8"] == [one.deal_id for one in found]
    assert ["trade"] * 4 + ["balance", "credit"] == [one.kind for one in found]
    assert [Decimal(5)] * 2 == [one.profit for one in found[4:]]


def test_a_partial_close_is_two_tickets(table: SqlServer) -> None:
    """0.5 lots, of which 0.3 are closed: the volumes of both openings sum to the whole, no row doubles."""
    found = source(table)
    table.insert("MT4_TRADES", ticket(1, AT, VOLUME=50))
    (page,) = found.poll("")
    later = int((AT + HOUR).timestamp())
    table.insert(
        "MT4_TRADES",
        ticket(1, AT, VOLUME=30, **closed(AT + HOUR, COMMENT="to #9")),
        ticket(9, AT, VOLUME=20, COMMENT="from #1", TIMESTAMP=later),
    )
    known = {one.deal_id: one for one in [*deals(page.items), *deals(items(found, page.cursor))]}
    assert {"1:open": 30_000_000, "1:close": 30_000_000, "9:open": 20_000_000} == {
        name: one.volume_e8 for name, one in known.items()
    }


def test_a_group_that_reopens_counts_each_lot_once(table: SqlServer) -> None:
    """Half a lot closed whole with 0.2 reopened: the volumes sum to the half, in polls and windows."""
    table.insert(
        "MT4_TRADES",
        ticket(1, AT, VOLUME=50, **closed(AT + HOUR, COMMENT="to #9")),
        ticket(9, AT, VOLUME=20, COMMENT="from #1"),
    )
    found = source(table, mt4(currency="USD", close_reopen=("*",)))
    expected = {"1:open": 30_000_000, "1:close": 30_000_000, "9:open": 20_000_000}
    assert expected == {one.deal_id: one.volume_e8 for one in deals(items(found))}
    window = deals(found.window(AT - HOUR, AT + 2 * HOUR))
    assert expected == {one.deal_id: one.volume_e8 for one in window}


def test_a_close_by_has_no_volume(table: SqlServer) -> None:
    """The other leg of a close-by is a ticket of volume 0, which the fold does not pay for."""
    table.insert(
        "MT4_TRADES",
        ticket(2, AT, VOLUME=0, **closed(AT + HOUR, PROFIT=0, COMMENT="close hedge by #1"), COMMISSION=0),
    )
    assert [0, 0] == [one.volume_e8 for one in deals(items(source(table)))]


def test_group_and_currency_come_from_the_users(table: SqlServer) -> None:
    """A login's group and currency are in MT4_USERS; a name there is never read."""
    table.run(MT4_USERS)
    table.insert("MT4_USERS", {"LOGIN": 4001, "GROUP": "real-eur", "NAME": "Ada Example", "CURRENCY": "EUR"})
    table.insert("MT4_TRADES", ticket(1, AT), ticket(2, AT, LOGIN=4002))
    found = items(source(table))
    assert [("real-eur", "EUR"), ("", "USD")] == [(one.group, one.currency) for one in deals(found)]
    assert "Example" not in repr(found)


def test_a_poll_overlaps_and_a_wrong_stamp_does_not_hide(table: SqlServer) -> None:
    """Ten minutes before the cursor are read again; a stamp of the future moves no cursor past the rest."""
    table.insert("MT4_TRADES", *(ticket(number, AT + number * HOUR / 10) for number in range(1, 11)))
    found = source(table)
    *_, last = found.poll("")
    assert ["9", "10"] == [one.deal_id.split(":")[0] for one in deals(items(found, last.cursor))]
    table.insert("MT4_TRADES", ticket(99, AT, TIMESTAMP=2**31 - 1))
    *_, last = found.poll(last.cursor)
    table.insert("MT4_TRADES", ticket(100, AT, TIMESTAMP=int(datetime.now(UTC).timestamp())))
    assert {"99:open", "100:open"} <= {one.deal_id for one in deals(items(found, last.cursor))}


def test_modify_time_serves_where_there_is_no_timestamp(table: SqlServer) -> None:
    """A replica without TIMESTAMP is read by MODIFY_TIME; one without both is refused."""
    table.run("ALTER TABLE MT4_TRADES DROP COLUMN TIMESTAMP")
    rows = [ticket(number, AT + number * HOUR / 10) for number in range(1, 11)]
    table.insert("MT4_TRADES", *({k: v for k, v in one.items() if k != "TIMESTAMP"} for one in rows))
    found = source(table)
    *_, last = found.poll("")
    assert ["9:open", "10:open"] == [one.deal_id for one in deals(items(found, last.cursor))]
    assert 10 == len(deals(items(found, found.cursor_at(AT))))
    table.run("ALTER TABLE MT4_TRADES DROP COLUMN MODIFY_TIME")
    with pytest.raises(UnreadableSource, match="neither column TIMESTAMP nor MODIFY_TIME"):
        items(found)


def test_a_window_has_openings_and_closings(table: SqlServer) -> None:
    """A window holds each phase by its own time, and a ticket opened and closed in it once."""
    table.insert(
        "MT4_TRADES",
        ticket(1, AT - 5 * HOUR, **closed(AT + HOUR)),  # closed in it
        ticket(2, AT + HOUR),  # opened in it
        ticket(3, AT, **closed(AT + HOUR)),  # both
        ticket(4, AT - 5 * HOUR, **closed(AT + 9 * HOUR)),  # open through it
    )
    found = deals(source(table).window(AT, AT + 2 * HOUR))
    assert ["1:close", "2:open", "3:close", "3:open"] == sorted(one.deal_id for one in found)


def test_a_bad_row_is_one_dead_letter(table: SqlServer) -> None:
    """A ticket closed before it opened is buried with its cells; its neighbour is a deal."""
    table.insert("MT4_TRADES", ticket(1, AT, **closed(AT - HOUR)), ticket(2, AT))
    letter, good = sorted(items(source(table)), key=lambda item: isinstance(item, Deal))
    assert isinstance(letter, DeadLetter)
    assert ("bad_time", "mt4_trades:1", "mt4-sql Demo-MT4") == (letter.code, letter.position, letter.source)
    assert b'"TICKET": "1"' in letter.payload
    assert "2:open" == deals([good])[0].deal_id


def facts(found: Iterable[Deal], *fields: str) -> list[tuple[object, ...]]:
    return [tuple(getattr(one, field) for field in fields) for one in found]
