"""Which days of event time a batch changes: marked before its rows are stored, and once all of them are.

There are sums of days for reports. A day whose mark is open, or newer than its sums, is read by its rows, so
that a crash between any two steps changes no report: the batch is stored again under an open mark.
A sink that stores small batches all the time leaves marks open between them: to open and close them is a
quarter of what a batch costs.
"""

import time
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

_KNOWN = "SELECT max(mark), groupArrayIf(day, is_open) FROM day_marks FINAL"
_NOW = "SELECT toUnixTimestamp64Nano(now64(9))"
"""By the clock that stamps rows: reports as known at a time compare the two."""
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


class DayMarks:
    """The marks of one who stores: `begin` before a batch, `end` after it."""

    def __init__(self, client: Client, memory: DealMemory | None = None, *, stay_open_s: float = 0.0) -> None:
        """`memory` is a sink's. A mark is open for `stay_open_s` at least; by default for one batch."""
        self._client = client
        self._memory = memory or DealMemory(client)
        self._stay_open_s = stay_open_s
        self._open: dict[date, float] | None = None
        """Each since when; unknown before the first use."""
        self._newest = 0

    def begin(self, blocks: Mapping[str, bytes]) -> None:
        """Open the days of what is about to be stored: blocks of lines by their table."""
        transfers = _TRANSFERS.decode_lines(blocks.get("transfers", b""))
        refusals = _REFUSALS.decode_lines(blocks.get("rejections", b""))
        days = {_day(one.occurred_at) for one in transfers} | {_day(one.occurred_at) for one in refusals}
        deals = {one.deal_key for one in refusals} | {one.caused_by for one in transfers if one.account_key}
        deals |= _note_moved(self._client, _DEALS.decode_lines(blocks.get("deals", b"")), self._memory)
        # What is taken back no longer counts on its own day, whenever that was.
        reversed_ids = {one.reverses for one in transfers if one.reverses}
        for day, cause in _ask(self._client, _ORIGINALS, reversed_ids):
            days.add(day)
            deals.add(cause)
        # A deal counts as refused, on the day it was refused on, only until it is paid on whichever day.
        days.update(day for (day,) in _ask(self._client, _REFUSED, self._memory.may_have_moved(deals)))
        known = self._known()
        self._mark(days - known.keys(), is_open=True)
        known.update(dict.fromkeys(days - known.keys(), time.monotonic()))

    def end(self) -> None:
        """Close the days that have been open for long enough; no batch is being stored."""
        known, before = self._known(), time.monotonic() - self._stay_open_s
        due = {day for day, since in known.items() if since <= before}
        self._mark(due, is_open=False)
        for day in due:
            del known[day]

    def _known(self) -> dict[date, float]:
        """The open days. One that a crash left open is closed like any other, after a whole batch."""
        if self._open is None:
            newest, days = self._client.query(_KNOWN).result_rows[0]
            self._newest, self._open = int(newest), dict.fromkeys(days, time.monotonic())
        return self._open

    def _mark(self, days: Iterable[date], *, is_open: bool) -> None:
        if not (found := sorted(days)):
            return
        # Above every other mark, also where the clock was set back.
        self._newest = max(int(self._client.query(_NOW).result_rows[0][0]), self._newest + 1)
        rows = [[day, self._newest, is_open] for day in found]
        self._client.insert("day_marks", rows, column_names=["day", "mark", "is_open"], settings=INSERT)


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


def _ask(client: Client, sql: str, ids: Iterable[str]) -> Iterator[Sequence[Any]]:
    asked = sorted(ids)
    for start in range(0, len(asked), MAX_IDS):
        yield from client.query(sql, parameters={"ids": asked[start : start + MAX_IDS]}).result_rows


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()
