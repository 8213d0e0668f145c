"""Exports of payout lines, as they are on record; one that does not count is not told."""

from typing import Any

from api.ledger import Ledger, Row
from api.paging import decode_cursor, page

_COUNTS = "SELECT * FROM payout_exports FINAL WHERE _offset = place"
_LIST = f"""
SELECT export_id, period, `by`, at, length(statement_ids) AS lines, exported_before, blocked, over_limit,
    sha256, place
FROM ({_COUNTS}) WHERE ({{period:String}} = '' OR period = {{period:String}}) AND place < {{before:UInt64}}
ORDER BY place DESC LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants; values are parameters
_FILE = f"SELECT period, file, sha256 FROM ({_COUNTS}) WHERE export_id = {{id:String}}"  # noqa: S608  - the same
_LINES = f"""
SELECT arrayJoin(statement_ids) AS statement_id, export_id FROM ({_COUNTS}) WHERE period = {{period:String}}
"""  # noqa: S608  - the same
AFTER_ALL = 2**63


def exports(ledger: Ledger, period: str, limit: int, cursor: str = "") -> dict[str, Any]:
    """One page of exports without their files, newest first."""
    before = decode_cursor(cursor, int)[0] if cursor else AFTER_ALL
    rows = ledger.rows(_LIST, period=period, before=before, limit=limit + 1)
    return page(rows, limit, key=lambda row: (row["place"],))


def exported_file(ledger: Ledger, export_id: str) -> Row | None:
    """Period, file and digest of one export."""
    found = ledger.rows(_FILE, id=export_id)
    return found[0] if found else None


def exports_of_lines(ledger: Ledger, period: str) -> dict[str, str]:
    """By statement, the export that has it."""
    return {row["statement_id"]: row["export_id"] for row in ledger.rows(_LINES, period=period)}
