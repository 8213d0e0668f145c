"""The log of proposals as far as the database has it, and what of the ledger came of proposals."""

from api.ledger import Ledger
from commission.proposals.log import Proposals
from commission.proposals.records import RowsWritten
from schemas.proposals import decode_proposal

RECORDS_AT_ONCE = 100
MAX_NAMED = 1_000_000
# The rows' text is left where it is: what counts depends on their being there.
_LOG = """
SELECT _offset, record, rows_id, part FROM (
    SELECT _offset, record, '' AS rows_id, 0 AS part FROM proposal_log FINAL
    UNION ALL
    SELECT _offset, '' AS record, rows_id, part FROM proposal_rows FINAL
) WHERE _offset >= {since:UInt64} ORDER BY _offset LIMIT {records:UInt32}
"""
_CORRECTIONS = """
SELECT DISTINCT proposal_id FROM (
    SELECT factors['proposal'] AS proposal_id FROM transfers WHERE code IN ('reversal', 'accrual')
    UNION ALL
    SELECT proposal_id FROM statement_withdrawals
) WHERE proposal_id != '' ORDER BY proposal_id LIMIT {limit:UInt32}
"""


def log_of_proposals(ledger: Ledger) -> Proposals:
    """What counts of the log of proposals, as far as it is stored."""
    known, since = Proposals(), 0
    while rows := ledger.rows(_LOG, since=since, records=RECORDS_AT_ONCE):
        for row in rows:
            if row["rows_id"]:
                record = RowsWritten(rows_id=row["rows_id"], part=row["part"], rows="")
                known.add(record, row["_offset"])
            elif (found := decode_proposal(row["record"])) is not None:
                known.add(found, row["_offset"])
        since = rows[-1]["_offset"] + 1
    return known


def corrections(ledger: Ledger) -> list[str]:
    """Proposals that rows of the ledger, or withdrawn statements, name as their cause."""
    return [row["proposal_id"] for row in ledger.rows(_CORRECTIONS, limit=MAX_NAMED)]
