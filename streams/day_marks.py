"""Which days of event time a batch changes: marked before its rows are stored, and once all of them are.

There are sums of days for reports. A day whose mark is open, or newer than its sums, is read by its rows, so
that a crash between any two steps changes no report: the batch is stored again and marks the same days.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from clickhouse_connect.driver.client import Client

INSERT = {"async_insert": 0}
MAX_IDS = 1_000
"""Looked up at once: they travel in the address of a request."""

_STRING = rb'\s*("(?:[^"\\]|\\.)*")'
_TIME = re.compile(rb'"occurred_at":\s*"(\d{4}-\d\d-\d\d)T')
_OF_DEAL = re.compile(rb'"account_key":\s*"[^"]')
_REVERSES, _DEAL, _CAUSE, _SERVER, _NUMBER = (
    re.compile(b'"%s":' % name + _STRING)
    for name in (b"reverses", b"deal_key", b"caused_by", b"server", b"deal_id")
)

# A mark is above every other, also where the clock was set back.
_MARK = """
INSERT INTO day_marks
SELECT arrayJoin({days:Array(Date32)}),
    greatest(toUInt64(toUnixTimestamp64Nano(now64(9))), (SELECT max(mark) + 1 FROM day_marks)), {is_open:Bool}
"""
_ORIGINALS = """
SELECT DISTINCT toDate32(occurred_at), caused_by FROM transfers WHERE transfer_id IN {ids:Array(String)}
"""
_REVISIONS = (
    "SELECT deal_key, toDate32(occurred_at) FROM deal_revisions WHERE deal_key IN {ids:Array(String)}"
)
_REFUSED = """
SELECT DISTINCT toDate32(occurred_at) FROM rejections
WHERE deal_key IN (SELECT deal_key FROM moved_deals WHERE deal_key IN {ids:Array(String)})
"""


def begin(client: Client, lines: Mapping[str, Sequence[bytes]]) -> frozenset[date]:
    """Mark the days of what is about to be stored: lines by their table. Give them to `end`."""
    transfers, refusals = lines.get("transfers", ()), lines.get("rejections", ())
    days = {day for line in (*transfers, *refusals) if (day := _day(line))}
    deals = {_text(_DEAL, line) for line in refusals}
    deals |= {_text(_CAUSE, line) for line in transfers if _OF_DEAL.search(line)}
    deals |= _note_moved(client, lines.get("deals", ()))
    # What is taken back no longer counts on its own day, whenever that was.
    for day, cause in _ask(client, _ORIGINALS, {_text(_REVERSES, line) for line in transfers} - {""}):
        days.add(day)
        deals.add(cause)
    # A deal counts as refused, on the day it was refused on, only until it is paid on whichever day.
    days.update(day for (day,) in _ask(client, _REFUSED, deals - {""}))
    _mark(client, days, is_open=True)
    return frozenset(days)


def _note_moved(client: Client, lines: Sequence[bytes]) -> set[str]:
    """Deals that come with a revision of another day than one before."""
    days: dict[str, set[date]] = defaultdict(set)
    for line in lines:
        if (day := _day(line)) is not None:
            days[f"{_text(_SERVER, line)}|{_text(_NUMBER, line)}"].add(day)
    for key, day in _ask(client, _REVISIONS, days):
        days[key].add(day)
    moved = {key for key, found in days.items() if len(found) > 1}
    if moved:
        rows = [[key] for key in sorted(moved)]
        client.insert("moved_deals", rows, column_names=["deal_key"], settings=INSERT)
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


def _day(line: bytes) -> date | None:
    # A stage writes times in UTC. A day that is missed here stays open, and is read by its rows.
    found = _TIME.search(line)
    return date.fromisoformat(found[1].decode()) if found else None


def _text(pattern: re.Pattern[bytes], line: bytes) -> str:
    found = pattern.search(line)
    return str(json.loads(found[1])) if found else ""
