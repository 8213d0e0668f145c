"""What the sink makes of messages: lines for ClickHouse, checked where they come from outside."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client
from msgspec.structs import fields, replace

from commission.events import ClientRegistered, Deal
from commission.outputs import Milestone, Rejection, Statement, Transfer
from schemas import topics
from schemas.attempts import Attempt
from schemas.clicks import LinkClicked
from schemas.stops import OPERATION, BookCommand, stopped
from schemas.wire import Record, encode
from streams.table_rows import Rows
from tests import services

AT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
MONEY = Decimal("12345678901234567890.12345678")

DEAL = Deal(
    platform="mt5",
    server="live",
    login=2**40,
    deal_id="7",
    revision="r",
    kind="balance",
    occurred_at=AT,
    profit=Decimal("-1E-8"),
    balance=Decimal("-0.00"),
    group="real\\standard",
    comment='to #12 "quoted" \u00fc \U0001f4b0\ttab',
)
TRANSFER = Transfer(
    transfer_id="t1",
    code="accrual",
    debit="broker:expense:lot",
    credit="ib:Ä:pending",
    amount=MONEY,
    currency="USD",
    ib_id="Ä",
    occurred_at=AT,
    caused_by="live|7",
    path=("Ä", "b"),
    factors={"lots": Decimal("1E-8"), "currency": "USD"},
    matures_at=AT,
)
RECORDS: list[Record] = [
    DEAL,
    TRANSFER,
    Rejection(
        deal_key="live|8",
        revision="r",
        status="rejected",
        code="no_ib",
        text="client c has no IB",
        account_key="live/1",
        occurred_at=AT,
    ),
    Milestone(milestone_id="m", kind="ftd", client_id="c", ib_id="b", occurred_at=AT, click={"sub": 'a"b'}),
    Statement(
        statement_id="s",
        ib_id="b",
        period="2026-03",
        starts_at=AT,
        ends_at=AT,
        currency="JPY",
        opening=Decimal(0),
        accrued=MONEY,
        reversed=Decimal(0),
        payable=MONEY,
        rounding=Decimal("-0.005"),
        closing=Decimal(0),
        held=Decimal(0),
    ),
    ClientRegistered(event_id="e", client_id="c", occurred_at=AT, ib_id=None, click={"clickid": "1"}),
    Attempt(
        milestone_id="m",
        endpoint="t",
        attempt=1,
        attempted_at=AT.replace(microsecond=123_000),  # milliseconds are kept
        outcome="retry",
        http_status=503,
        error='HTTP 503: "no"',
        request="GET https://t.example/?a=…",
    ),
    LinkClicked(
        click_id="k",
        link="spring",
        ib_id="Ä",
        occurred_at=AT.replace(microsecond=123_000),
        network="203.0.113.0/24",
        bot="bot",
        is_duplicate=True,
        params={"sub1": 'a"b'},
        dropped=2,
    ),
]
TOPICS = {
    "deals": topics.ACCOUNT_BOOK,
    "transfers": topics.PARTNER_BOOK,
    "rejections": topics.REJECTIONS,
    "milestones": topics.MILESTONES,
    "statements": topics.SETTLEMENTS,
    "clients": topics.CLIENT_BOOK,
    "postback_attempts": topics.ATTEMPTS,
    "clicks": topics.CLICKS,
}


def stored(client: Client, table: str) -> dict[str, Any]:
    found = client.query(f"SELECT * FROM {table} FINAL")  # noqa: S608 # our own names
    assert 1 == len(found.result_rows)
    return dict(zip(found.column_names, found.result_rows[0], strict=True))


def test_clickhouse_reads_every_field_of_a_line_as_it_is(tmp_path: Path) -> None:
    """Each record, with the oddest of values, comes back field by field; what is unset is empty."""
    for kind in services.ledger_kinds():
        with services.ledger(tmp_path / kind, kind) as client:
            rows = Rows()
            for topic, record in zip(TOPICS.values(), RECORDS, strict=True):
                rows.add(topic, 3, 41, encode([record])[0], "client-book/0/1/0")
            rows.store(client)
            for (table, topic), record in zip(TOPICS.items(), RECORDS, strict=True):
                row = stored(client, table)
                assert (topic, 3, 41) == (row["_topic"], row["_partition"], row["_offset"])
                for field in fields(record):
                    if field.name != "source":
                        found = row[field.name]
                        assert as_stored(getattr(record, field.name), found) == found, field.name
            assert "live|7" == stored(client, "deals")["deal_key"]


def as_stored(expected: Any, found: Any) -> Any:
    """How ClickHouse gives a value back: no zone, lists, text in maps, empty text for no choice."""
    if isinstance(expected, datetime):
        return expected.replace(tzinfo=None) if found.tzinfo is None else expected
    if isinstance(expected, tuple):
        return list(expected)
    if isinstance(expected, dict):
        return {key: str(value) for key, value in expected.items()}
    return "" if expected is None and found == "" else expected


def outside(*lines: bytes) -> dict[str, list[bytes]]:
    """What is stored of a message that no stage has checked."""
    rows = Rows()
    rows.add(topics.ACCOUNT_BOOK, 0, 0, b"\n".join(lines), "")
    return dict(rows.lines)


def test_a_line_from_outside_may_have_its_type_anywhere() -> None:
    """Another producer need not write `type` first."""
    told = json.loads(encode([DEAL])[0])
    turned = json.dumps(dict(reversed(told.items()))).encode()
    assert outside(encode([DEAL])[0]) == outside(turned)


def test_only_good_lines_from_outside_are_stored() -> None:
    """A line that is no record, has an unknown field, or would set a column of ours is left to its stage."""
    good = encode([DEAL])[0]
    assert 1 == len(outside(good)["deals"])
    for bad in (b"{", b'{"type":"deal"}', good[:-1] + b',"_offset":9}', good[:-1] + b',"deal_key":"x"}'):
        assert outside(good) == outside(good, bad) == outside(bad, good)
    assert {} == outside(b"\x00")


def test_two_records_on_one_line_are_none() -> None:
    """A line is one record: the stage makes a dead letter of such a line, and the sink stores none of it."""
    lines = encode([DEAL, replace(DEAL, deal_id="8")])
    assert outside(b",".join(lines)) == {}
    assert outside(lines[0], b"{", b",".join(lines)) == outside(lines[0])


def test_a_message_is_archived_as_its_bytes() -> None:
    """Replay reads what was sent, a bad line too."""
    rows = Rows()
    rows.add(topics.CLIENT_BOOK, 1, 2, b"{bad\xff", "account-book/0/5/0")
    assert [[topics.CLIENT_BOOK, 1, 2, "account-book/0/5/0", "{bad\\xff"]] == rows.rows["books"]


def test_operations_are_stored_in_their_order(tmp_path: Path) -> None:
    """Each stop and decision as it was written, so that its fold is the log's; other bytes are none."""
    place = ("client-book", 3)
    stop = stopped(place, 7, "fold", ValueError("b\u00fcg"), "w-1", AT)
    skip = BookCommand(action="skip", topic=place[0], partition=3, offset=7, by="ann", reason="r", at=AT)
    with services.ledger(tmp_path) as client:
        rows = Rows()
        for offset, message in enumerate([OPERATION.dump_json(stop), b"{", OPERATION.dump_json(skip)]):
            rows.add(topics.OPERATIONS, 0, offset, message, "")
        rows.store(client)
        rows.store(client)
        sql = "SELECT _offset, type, topic, partition, offset, action, `by`, record FROM operations FINAL"
        found = client.query(f"{sql} ORDER BY _offset").result_rows
    assert [
        (0, "partition_stopped", "client-book", 3, 7, "", "", OPERATION.dump_json(stop).decode()),
        (2, "book_command", "client-book", 3, 7, "skip", "ann", OPERATION.dump_json(skip).decode()),
    ] == [tuple(row) for row in found]
