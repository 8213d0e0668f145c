"""What became of the deals: rated, waiting, rejected; and the input nobody could use."""

from typing import Any

from api.ledger import Ledger, Row
from api.paging import decode_cursor, page
from api.queries.money import TAKEN_BACK
from api.queries.periods import INSIDE, Interval

_RATED = f"""
SELECT caused_by FROM transfers FINAL
WHERE code = 'accrual' AND account_key != '' AND transfer_id NOT IN ({TAKEN_BACK})
"""  # noqa: S608  - the parts are constants; values are parameters

_COUNTS = f"""
SELECT
    (SELECT uniqExact(caused_by) FROM ({_RATED} AND {INSIDE})) AS rated,
    countIf(status = 'waiting') AS waiting, countIf(status = 'rejected') AS rejected
FROM rejections FINAL WHERE {INSIDE} AND deal_key NOT IN ({_RATED})
"""  # noqa: S608  - the parts are constants of this file; values are parameters

_REJECTIONS = f"""
SELECT deal_key, revision, status, code, text, account_key, client_id, occurred_at,
    toUnixTimestamp64Micro(occurred_at) AS at_us
FROM rejections FINAL
WHERE deal_key NOT IN ({_RATED})
  AND ({{status:String}} = '' OR status = {{status:String}})
  AND ({{code:String}} = '' OR code = {{code:String}})
  AND (at_us, deal_key) < ({{before_us:Int64}}, {{before_id:String}})
ORDER BY at_us DESC, deal_key DESC LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters

_DEAD_LETTERS = """
SELECT dead_letter_id, source, position, code, reason, substringUTF8(payload, 1, 2000) AS payload,
    received_at, toUnixTimestamp64Micro(received_at) AS at_us
FROM dead_letters FINAL
WHERE ({code:String} = '' OR code = {code:String})
  AND (at_us, dead_letter_id) < ({before_us:Int64}, {before_id:String})
ORDER BY at_us DESC, dead_letter_id DESC LIMIT {limit:UInt32}
"""


def deal_counts(ledger: Ledger, interval: Interval) -> Row:
    """Each deal once: `rated` if an accrual of it stands, else as its newest rejection says."""
    return ledger.row(_COUNTS, **interval.parameters)


def rejections(ledger: Ledger, status: str, code: str, limit: int, cursor: str = "") -> dict[str, Any]:
    """One page of deals that pay nothing, or nothing yet, newest first."""
    return _newest(ledger, _REJECTIONS, "deal_key", limit, cursor, status=status, code=code)


def dead_letters(ledger: Ledger, code: str, limit: int, cursor: str = "") -> dict[str, Any]:
    """One page of unusable input, newest first; payloads are cut to 2,000 characters."""
    return _newest(ledger, _DEAD_LETTERS, "dead_letter_id", limit, cursor, code=code)


def _newest(
    ledger: Ledger, sql: str, id_column: str, limit: int, cursor: str, **wanted: str
) -> dict[str, Any]:
    before_us, before_id = decode_cursor(cursor, int, str) if cursor else (2**62, "")
    rows = ledger.rows(sql, before_us=before_us, before_id=before_id, limit=limit + 1, **wanted)
    result = page(rows, limit, key=lambda row: (row["at_us"], row[id_column]))
    for row in result["items"]:
        del row["at_us"]
    return result


def row_counts(ledger: Ledger) -> dict[str, int]:
    """Rows stored in each table, before duplicates are merged: cheap, for a health check."""
    rows = ledger.rows(
        "SELECT name, toUInt64(ifNull(total_rows, 0)) AS stored FROM system.tables "
        "WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name LIMIT 100"
    )
    return {row["name"]: row["stored"] for row in rows}
