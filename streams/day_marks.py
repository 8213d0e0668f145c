"""Which days of event time a batch changes: marked before its rows are stored, and once all of them are.

There are sums of days for reports. A day whose mark is open, or newer than its sums, is read by its rows, so
that a crash between any two steps changes no report: the batch is stored again and marks the same days.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from clickhouse_connect.driver.client import Client
from msgspec import Struct
from msgspec.json import Decoder

from streams.deal_memory import DealMemory

INSERT = {"async_insert": 0}
MAX_IDS = 1_000
"""Looked up at once: they travel in the address of a request."""


class _Transfer(Struct, gc=False):
    """What is read of a transfer's line."""

    occurred_at: datetime
    caused_by: str
    account_key: str = ""
    reverses: str | None = None


class _Refusal(Struct, gc=False):
    occurred_at: datetime
    deal_key: str


class _Deal(Struct, gc=False):
    occurred_at: datetime
    server: str
    deal_id: str


_TRANSFERS, _REFUSALS, _DEALS = Decoder(_Transfer), Decoder(_Refusal), Decoder(_Deal)

# A mark is above every other, also where the clock was set back.
_MARK = """
INSERT INTO day_marks
SELECT arrayJoin({days:Array(Date32)}),
    greatest(toUInt64(toUnixTimestamp64Nano(now64(9))), (SELECT max(mark) + 1 FROM day_marks)), {is_open:Bool}
"""
_ORIGINALS = """
SELECT DISTINCT toDate32(occurred_at), caused_by FROM transfers
WHERE (toDate32(occurred_at), ib_id) IN (
    SELECT day, ib_id FROM transfer_keys
    WHERE key IN (SELECT toUInt32(cityHash64(arrayJoin({ids:Array(String)}))))
) AND transfer_id IN {ids:Array(String)}
"""
_REVISIONS = (
    "SELECT deal_key, toDate32(occurred_at) FROM deal_revisions WHERE deal_key IN {ids:Array(String)}"
)
_REFUSED = """
SELECT DISTINCT toDate32(occurred_at) FROM rejections
WHERE deal_key IN (SELECT deal_key FROM moved_deals WHERE deal_key IN {ids:Array(String)})
"""


def begin(client: Client, blocks: Mapping[str, bytes], memory: DealMemory) -> frozenset[date]:
    """Mark the days of what is about to be stored: blocks of lines by their table. Give them to `end`."""
    transfers = _TRANSFERS.decode_lines(blocks.get("transfers", b""))
    refusals = _REFUSALS.decode_lines(blocks.get("rejections", b""))
    days = {_day(one.occurred_at) for one in transfers} | {_day(one.occurred_at) for one in refusals}
    deals = {one.deal_key for one in refusals} | {one.caused_by for one in transfers if one.account_key}
    deals |= _note_moved(client, _DEALS.decode_lines(blocks.get("deals", b"")), memory)
    # What is taken back no longer counts on its own day, whenever that was.
    for day, cause in _ask(client, _ORIGINALS, {one.reverses for one in transfers if one.reverses}):
        days.add(day)
        deals.add(cause)
    # A deal counts as refused, on the day it was refused on, only until it is paid on whichever day.
    days.update(day for (day,) in _ask(client, _REFUSED, memory.may_have_moved(deals)))
    _mark(client, days, is_open=True)
    return frozenset(days)


def _note_moved(client: Client, deals: Sequence[_Deal], memory: DealMemory) -> set[str]:
    """Deals that come with a revision of another day than one before."""
    days: dict[str, set[date]] = defaultdict(set)
    unsure = set()
    for deal in deals:
        key = f"{deal.server}|{deal.deal_id}"
        if key not in days and not memory.is_new(deal.server, deal.deal_id):
            unsure.add(key)
        days[key].add(_day(deal.occurred_at))
    for key, day in _ask(client, _REVISIONS, unsure):
        days[key].add(day)
    moved = {key for key, found in days.items() if len(found) > 1}
    if moved:
        rows = [[key] for key in sorted(moved)]
        client.insert("moved_deals", rows, column_names=["deal_key"], settings=INSERT)
        memory.note_moved(moved)
    return moved


def end(client: Client, days: frozenset[date]) -> None:
    """Mark that all of it is stored."""
    _mark(client, days, is_open=False)


def _mark(client: Client, days: Iterable[date], *, is_open: bool) -> None:
    if found := sorted(days):
        client.command(_MARK, parameters={"days": found, "is_open": is_open}, settings=INSERT)


def _ask(client: Client, sql: str, ids: Iterable[str]) -> Iterator[Sequence[Any]]:
    asked = sorted(ids)
    for start in range(0, len(asked), MAX_IDS):
        yield from client.query(sql, parameters={"ids": asked[start : start + MAX_IDS]}).result_rows


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()
