"""From a transfer back to what was read: message by message along the sources, each line as it stood.

Every message a stage sent names the message behind it, so the way back is a chain of places in the
archive. In each message the lines that caused the row are found by identity, else by its client; a
message that holds neither, such as terms that a deal waited for, is shown by its first lines.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from api.ledger import Ledger, Row
from api.queries import transfers as queries
from api.queries.transfer_keys import near_one
from api.scope import Scope
from schemas import positions, topics

MAX_STEPS = 8
"""Messages behind one another; the longest way is settlement, partner, client and account book."""
MAX_REVERSED = 5
"""Reversals of reversals that are followed."""
MAX_LINES = 3
"""Lines shown of a message in which no line names the cause."""
MAX_FOUND = 200
"""Lines shown that do."""
MAX_REVISIONS = 200

_PLACE = f"""
SELECT _topic, _partition, _offset FROM transfers
WHERE {near_one("id")} AND transfer_id = {{id:String}} ORDER BY _offset DESC LIMIT 1
"""  # noqa: S608  - as below
_MESSAGE = """
SELECT source, message FROM books FINAL
WHERE _topic = {topic:String} AND _partition = {partition:UInt32} AND _offset = {offset:UInt64}
"""
_DEAL = "SELECT _partition, server, deal_id FROM deals FINAL WHERE deal_key = {key:String}"
_REVISIONS = f"""
SELECT _partition, _offset, message FROM books FINAL
WHERE _topic = '{topics.ACCOUNT_BOOK}' AND _partition = {{partition:UInt32}}
  AND (position(message, {{needle:String}}) > 0 OR position(message, {{spaced:String}}) > 0)
ORDER BY _offset LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters


@dataclass(slots=True)
class _Wanted:
    """What a line that caused the row names."""

    ids: set[str] = field(default_factory=set)
    client_id: str = ""


def audit(ledger: Ledger, scope: Scope, transfer_id: str, depth: int = 0) -> dict[str, Any] | None:
    """The transfer, each message on the way back to what was read, and a reversal's original likewise.

    A message has the lines of everybody above a client, so it is shown to whoever sees everything.
    """
    row = queries.transfer(ledger, scope, transfer_id)
    if row is None:
        return None
    scope.check_whole()
    (place,) = ledger.rows(_PLACE, id=transfer_id)
    wanted = _wanted(row)
    steps = list(_steps(ledger, (place["_topic"], place["_partition"], place["_offset"]), wanted))
    deals = [key for key in sorted(wanted.ids) if "|" in key]
    original = None
    if row["reverses"] and depth < MAX_REVERSED:
        original = audit(ledger, scope, row["reverses"], depth + 1)
    return {
        "transfer": row,
        "steps": steps,
        "revisions": [found for key in deals for found in revisions(ledger, scope, key)],
        "complete": bool(steps) and not steps[-1]["missing"],
        "reverses": original,
    }


def _wanted(row: Row) -> _Wanted:
    """The row itself, what it names as its cause, and for a true-up what set it off."""
    kind, _, rest = row["caused_by"].partition("|")
    ids = {row["transfer_id"], row["caused_by"], row["factors"].get("trigger", "")} - {""}
    if kind == "period":
        ids.add(rest)
    if kind == "deposit":
        ids.add(rest.partition("|")[2])
    return _Wanted(ids, row["client_id"])


def _steps(ledger: Ledger, place: tuple[str, int, int], wanted: _Wanted) -> Iterator[dict[str, Any]]:
    for _ in range(MAX_STEPS):
        topic, partition, offset = place
        found = ledger.rows(_MESSAGE, topic=topic, partition=partition, offset=offset)
        step: dict[str, Any] = {"topic": topic, "partition": partition, "offset": offset}
        if not found:
            yield {**step, "source": "", "missing": True, "by": "", "lines": [], "others": 0}
            return
        source, lines = str(found[0]["source"]), str(found[0]["message"]).split("\n")
        by, named = _named(lines, wanted)
        others = len(lines) - len(named)
        yield {**step, "source": source, "missing": False, "by": by, "lines": named, "others": others}
        if not source:
            return
        origin, _ = positions.origin_of(source)
        behind, _ = positions.position_of_line(source, lines.index(named[0]) if named else 0)
        topic, _, number = origin.rpartition("/")
        place = topic, int(number), behind


def _named(lines: list[str], wanted: _Wanted) -> tuple[str, list[str]]:
    """The lines that name the cause, how they do, and nothing else if there are any."""
    records = [(line, _record(line)) for line in lines if line.strip()]
    by_id = [line for line, record in records if wanted.ids & _ids(record)]
    if by_id:
        return "identity", by_id[:MAX_FOUND]
    own = [line for line, record in records if record.get("client_id") == wanted.client_id != ""]
    if own:
        return "client", own[:MAX_FOUND]
    return "trigger", [line for line, _ in records[:MAX_LINES]]


def _record(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}  # a bad line, buried by the stage that read it
    return found if isinstance(found, dict) else {}


def _ids(record: dict[str, Any]) -> set[str]:
    """What identifies a record; a tally is known by what caused it, a reversal not by what it reverses."""
    if record.get("type") == "transfer":
        return {str(record.get("transfer_id"))}
    deal = record.get("deal", record)
    names = ("event_id", "deposit_id", "caused_by", "statement_id", "period")
    found = {str(record[name]) for name in names if record.get(name)}
    if "deal_id" in deal:
        found.add(f"{deal.get('server')}|{deal['deal_id']}")
    return found


def revisions(ledger: Ledger, scope: Scope, deal_key: str) -> Iterator[dict[str, Any]]:
    """Every line of the deal as it was read, whatever it became, and where; for whoever sees everything.

    It looks through the archived messages of the deal's partition.
    """
    scope.check_whole()
    for known in ledger.rows(_DEAL, key=deal_key):
        name = json.dumps(known["deal_id"])
        found = ledger.rows(
            _REVISIONS,
            partition=known["_partition"],
            needle=f'"deal_id":{name}',
            spaced=f'"deal_id": {name}',  # other producers' JSON
            limit=MAX_REVISIONS,
        )
        yield from _deal_lines(found, deal_key)


def _deal_lines(messages: Iterable[Row], deal_key: str) -> Iterator[dict[str, Any]]:
    for message in messages:
        for line in str(message["message"]).split("\n"):
            record = _record(line)
            if deal_key in _ids(record):
                yield {
                    "topic": topics.ACCOUNT_BOOK,
                    "partition": message["_partition"],
                    "offset": message["_offset"],
                    "revision": str(record.get("revision", "")),
                    "source": str(record.get("source", "")),
                    "line": line,
                }
