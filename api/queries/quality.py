"""What became of the deals: rated, waiting, rejected; and what the CRM told of clients."""

from datetime import UTC, datetime, timedelta
from typing import Any

from api.ledger import Ledger, Row, everywhere
from api.paging import decode_cursor, encode_cursor, page
from api.queries.by_days import added_up
from api.queries.commissions import volume
from api.queries.days import Days, days_of
from api.queries.money import IS_DEAL, TAKEN_BACK
from api.queries.periods import INSIDE, Interval
from api.queries.sources import refusals
from api.queries.transfer_keys import near
from api.scope import Scope, sees, sees_client
from schemas.columns import LOCAL

RATED_DEALS = f"""
SELECT caused_by FROM transfers FINAL
WHERE code = 'accrual' AND account_key != '' AND transfer_id NOT IN ({TAKEN_BACK})
"""  # noqa: S608  - the parts are constants; values are parameters
"""Deals of which an accrual stands: what "rated" means here and in `ibflow verify`."""

MAX_TABLES = 10_000
"""Of all shards together."""
MAX_LOOKS = 20
"""Pages of refusals looked through for one page of those whose deals are not paid."""

_PAID = f"""
SELECT DISTINCT caused_by FROM transfers
WHERE {near("SELECT arrayJoin({keys:Array(String)}) AS id")}
  AND caused_by IN {{keys:Array(String)}} AND {IS_DEAL} AND transfer_id NOT IN ({TAKEN_BACK})
"""  # noqa: S608  - the parts are constants; values are parameters

# Sums do not know the clients of refusals.
_REFUSED = """
SELECT status, code, toUInt64(sum(deals)) AS deals FROM ({refusals})
GROUP BY status, code HAVING deals > 0 LIMIT 1000
"""
_REFUSED_SEEN = f"""
SELECT status, code, count() AS deals FROM rejections FINAL
WHERE {INSIDE} AND {sees_client("client_id")} AND deal_key NOT IN ({RATED_DEALS})
GROUP BY status, code LIMIT 1000
"""  # noqa: S608  - as above

# The engine's own words may name any IB above the client.
_REJECTIONS = f"""
SELECT deal_key, revision, status, code, if({{sees_all:UInt8}}, text, '') AS text, account_key, client_id,
    occurred_at, toUnixTimestamp64Micro(occurred_at) AS at_us
FROM rejections FINAL
WHERE ({{status:String}} = '' OR status = {{status:String}})
  AND ({{code:String}} = '' OR code = {{code:String}}) AND {sees_client("client_id")}
  AND (at_us, deal_key) < ({{before_us:Int64}}, {{before_id:String}})
ORDER BY at_us DESC, deal_key DESC LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above
_REJECTION = f"""
SELECT * REPLACE (if({{sees_all:UInt8}}, text, '') AS text) FROM rejections FINAL
WHERE deal_key = {{key:String}} AND {sees_client("client_id")}
"""  # noqa: S608  - as above

# A client may have been moved from or to an IB that is not seen.
_CLIENT_EVENTS = f"""
SELECT client_id, type, event_id, occurred_at, deposit_id, status, amount, currency, reason, verdict,
    if({sees("ib_id")}, ib_id, NULL) AS ib_id, jurisdiction, expires_at, source,
    toUnixTimestamp64Micro(occurred_at) AS at_us
FROM client_events FINAL
WHERE ({{client:String}} = '' OR client_id = {{client:String}})
  AND ({{type:String}} = '' OR type = {{type:String}}) AND {sees_client("client_id")}
  AND (at_us, event_id) < ({{before_us:Int64}}, {{before_id:String}})
ORDER BY at_us DESC, event_id DESC LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants; values are parameters


def client_events(
    ledger: Ledger, scope: Scope, client: str, kind: str, limit: int, cursor: str = ""
) -> dict[str, Any]:
    """One page of what the CRM told of clients after their registration, newest first."""
    wanted = {"client": client, "type": kind, **scope.parameters}
    return _newest(ledger, _CLIENT_EVENTS, "event_id", limit, cursor, **wanted)


def deal_counts(ledger: Ledger, scope: Scope, interval: Interval) -> Row:
    """Each deal of a day once: `rated` if an accrual of it stands, else as its newest rejection says."""
    refused = refusal_counts(ledger, scope, interval)
    counts = {
        status: sum(row["deals"] for row in refused if row["status"] == status)
        for status in ("waiting", "rejected")
    }
    return {"rated": volume(ledger, scope, interval).deals, **counts}


def refusal_counts(ledger: Ledger, scope: Scope, interval: Interval) -> list[Row]:
    """Deals that pay nothing, or nothing yet, by `status` and `code`, the most frequent first."""
    if scope.is_whole:
        rows = added_up(ledger, days_of(ledger, interval), _refused, ("status", "code"), ("deals",))
    else:
        rows = ledger.rows(_REFUSED_SEEN, **interval.parameters, **scope.parameters)
    return sorted(rows, key=lambda row: (-row["deals"], row["status"], row["code"]))


def _refused(read: Days) -> tuple[str, dict[str, object]]:
    return _REFUSED.format(refusals=refusals(read)), read.parameters


def rejection(ledger: Ledger, scope: Scope, deal_key: str) -> Row | None:
    """The newest refusal of a deal, whatever became of the deal since; None if there is none."""
    found = ledger.rows(_REJECTION, key=deal_key, **scope.parameters)
    return found[0] if found else None


def rejections(
    ledger: Ledger, scope: Scope, status: str, code: str, limit: int, cursor: str = ""
) -> dict[str, Any]:
    """One page of deals that pay nothing, or nothing yet, newest first.

    Whether a deal is paid is looked up for the refusals at hand; where most are, a page may have fewer rows.
    """
    wanted = {"status": status, "code": code, **scope.parameters}
    found: list[Row] = []
    at: str | None = cursor
    for _ in range(MAX_LOOKS):
        looked = _newest(ledger, _REJECTIONS, "deal_key", limit, at or "", **wanted)
        keys = [row["deal_key"] for row in looked["items"]]
        paid = {row["caused_by"] for row in ledger.rows(_PAID, keys=keys)} if keys else set()
        for row in looked["items"]:
            if row["deal_key"] not in paid:
                found.append(row)
                if len(found) == limit:
                    break
        is_cut = len(found) == limit and found[-1] is not looked["items"][-1]
        at = _cursor_after(found[-1]) if is_cut else looked["next_cursor"]
        if len(found) == limit or at is None:
            break
    return {"items": found, "next_cursor": at}


def _cursor_after(row: Row) -> str:
    since = row["occurred_at"] - datetime(1970, 1, 1, tzinfo=UTC)
    return encode_cursor((since // timedelta(microseconds=1), row["deal_key"]))


def _newest(
    ledger: Ledger, sql: str, id_column: str, limit: int, cursor: str, **wanted: object
) -> dict[str, Any]:
    before_us, before_id = decode_cursor(cursor, int, str) if cursor else (2**62, "")
    rows = ledger.rows(sql, before_us=before_us, before_id=before_id, limit=limit + 1, **wanted)
    result = page(rows, limit, key=lambda row: (row["at_us"], row[id_column]))
    for row in result["items"]:
        del row["at_us"]
    return result


def row_counts(ledger: Ledger, scope: Scope) -> dict[str, int]:
    """Rows stored in each table, before duplicates are merged: cheap, for a health check."""
    scope.check_whole()
    tables = everywhere(ledger.cluster, "tables")
    rows = ledger.rows(
        f"SELECT name, toUInt64(ifNull(total_rows, 0)) AS stored FROM {tables} "  # noqa: S608 # our own names
        f"WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name LIMIT {MAX_TABLES}"
    )
    counts: dict[str, int] = {}
    for row in rows:
        name = row["name"].removesuffix(LOCAL)
        # Of a table that is divided each shard has some rows, of another all of them.
        counts[name] = counts.get(name, 0) + row["stored"] if name != row["name"] else row["stored"]
    return counts
