"""What we hold of a server's deals: by which revision of each the ledger stands, from the archive."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from commission.events import SERVICE_MARK, UNTOLD_MARK, Deal
from ingest.live.comparison import Held
from schemas.wire import decode_batch

ASKED_AT_ONCE = 500
"""Deal numbers in one question: it travels as an address of some ten thousand characters."""
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The fold takes a revision up when it first sees it and comes back from no ending, so the newest of
# the revisions by first sight stands, an ending before all others. One that was known for a service
# deal's before is not taken up, nor is one that does not tell the position once another did.
_UNTOLD = f"^[0-9a-f]+{UNTOLD_MARK}"
_STANDING = f"""
SELECT deal_key, login,
    arraySort(groupArray((order, (revision, kind, occurred_at, volume_e8, profit)))) AS told,
    arrayMap(one -> one.2.1, told) AS seen,
    arrayLast(
        one -> NOT arrayExists(
            o -> o.1 < one.1 AND (
                o.2.1 = concat(one.2.1, '{SERVICE_MARK}')
                OR (match(one.2.1, '{_UNTOLD}') AND NOT match(o.2.1, '{_UNTOLD}'))
            ), told), told
    ).2 AS standing
FROM (
    SELECT deal_key, revision, any(login) AS login, any(kind) AS kind, any(occurred_at) AS occurred_at,
        any(volume_e8) AS volume_e8, any(profit) AS profit,
        (kind IN ('cancelled', 'deleted'), 18446744073709551615 - max(earliness)) AS order
    FROM deal_revisions WHERE deal_key IN ({{chosen}}) GROUP BY deal_key, revision
) GROUP BY deal_key, login
"""  # noqa: S608  - as below
_COLUMNS = """
substring(deal_key, length({server:String}) + 2) AS deal_id, standing.1 AS revision, standing.2 AS kind,
    toString(toUnixTimestamp64Micro(standing.3)) AS at_us, toString(standing.4) AS volume_e8,
    toString(standing.5) AS profit, seen,
    deal_key IN (SELECT deal_key FROM rejections FINAL WHERE code = 'position_unknown') AS is_unplaced
"""
_BETWEEN = (
    "occurred_at >= fromUnixTimestamp64Micro({since_us:Int64}, 'UTC') "
    "AND occurred_at < fromUnixTimestamp64Micro({until_us:Int64}, 'UTC')"
)
_IN_WINDOW = f"""
SELECT deal_key FROM deal_revisions WHERE startsWith(deal_key, concat({{server:String}}, '|')) AND {_BETWEEN}
"""  # noqa: S608  - the parts are constants of this file; values are parameters
_NAMED = "SELECT concat({server:String}, '|', arrayJoin(splitByChar(',', {deal_ids:String})))"
_OTHERWISE = {
    "side": "nullIf(side, '') AS side",
    "entry": "nullIf(entry, '') AS entry",
    "position_id": f"if(match(revision, '{_UNTOLD}'), NULL, position_id) AS position_id",
}
_DEAL = ", ".join(_OTHERWISE.get(name, f"`{name}`") for name in Deal.__struct_fields__)
_PLAIN = "output_format_json_quote_64bit_integers = 0, output_format_json_escape_forward_slashes = 0"

HELD_QUERIES: dict[str, str] = {
    "held": f"""
        SELECT {_COLUMNS} FROM ({_STANDING.format(chosen=_IN_WINDOW)})
        WHERE standing.3 >= fromUnixTimestamp64Micro({{since_us:Int64}}, 'UTC')
            AND standing.3 < fromUnixTimestamp64Micro({{until_us:Int64}}, 'UTC')
            AND ({{logins:String}} = '' OR has(splitByChar(',', {{logins:String}}), toString(login)))
        SETTINGS {_PLAIN}
    """,  # noqa: S608  - as above
    "held_deals": f"""
        SELECT {_COLUMNS} FROM ({_STANDING.format(chosen=_NAMED)}) SETTINGS {_PLAIN}
    """,  # noqa: S608  - as above
    "deals": f"""
        SELECT 'deal' AS type, {_DEAL} FROM deals FINAL WHERE deal_key IN ({_NAMED})
        SETTINGS date_time_output_format = 'iso', output_format_json_quote_decimals = 1, {_PLAIN}
    """,  # noqa: S608  - as above
}
"""What the archive answers about deals; see `infra.archive.clickhouse_log.QUERIES`."""

Rows = Callable[..., Iterator[dict[str, Any]]]
"""`ArchiveLog.rows`."""
RawRows = Callable[..., Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Holdings:
    """The deals of one server, or of some of its accounts."""

    rows: Rows
    lines: RawRows
    server: str
    logins: tuple[int, ...] = ()

    def between(self, since: datetime, until: datetime) -> Iterator[tuple[str, Held]]:
        """Every deal with `since <= occurred_at < until`, by its number."""
        found = self.rows(
            "held",
            server=self.server,
            since_us=_us(since),
            until_us=_us(until),
            logins=",".join(map(str, self.logins)),
        )
        return ((str(row["deal_id"]), _held(row)) for row in found)

    def of(self, deal_ids: Sequence[str]) -> dict[str, Held]:
        """Those of these deals that we hold, whenever they happened."""
        return {
            str(row["deal_id"]): _held(row)
            for named in _named(deal_ids)
            for row in self.rows("held_deals", server=self.server, deal_ids=named)
        }

    def deals(self, deal_ids: Sequence[str]) -> Iterator[Deal]:
        """These deals whole, as they came last."""
        for named in _named(deal_ids):
            lines = list(self.lines("deals", server=self.server, deal_ids=named))
            for record in decode_batch(b"\n".join(lines)) if lines else ():
                assert isinstance(record, Deal), "the query names its type"
                yield record


def _named(deal_ids: Sequence[str]) -> Iterator[str]:
    # A number with a comma is no number of a platform, and is told as not held.
    plain = [number for number in deal_ids if "," not in number]
    for start in range(0, len(plain), ASKED_AT_ONCE):
        yield ",".join(plain[start : start + ASKED_AT_ONCE])


def _us(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _held(row: dict[str, Any]) -> Held:
    return Held(
        revision=row["revision"],
        kind=row["kind"],
        occurred_at=_EPOCH + int(row["at_us"]) * _MICROSECOND,
        volume_e8=int(row["volume_e8"]),
        profit=Decimal(row["profit"]),
        seen=tuple(row["seen"]),
        is_unplaced=bool(row["is_unplaced"]),
    )
