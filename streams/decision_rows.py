"""What people decide about payouts and proposals, as rows of tables: their logs as they were written."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from commission.payouts.records import BatchRecord, PayoutRecord, StatementsWithheld
from commission.proposals.records import AnyProposalRecord, ProposalRecord, RowsWritten
from schemas.payouts import encode_payout
from schemas.proposals import encode_proposal

Row = list[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Where records of one type are stored whose columns are not their fields."""

    name: str
    columns: tuple[str, ...]
    row: Callable[[Any], Row]


def _row_of_payout(record: PayoutRecord) -> Row:
    if isinstance(record, BatchRecord):
        subject = record.batch_id
    else:
        subject = record.proposal_id if isinstance(record, StatementsWithheld) else record.change_id
    return [record.type, subject, record.place, record.by, record.at, encode_payout(record).decode()]


def _row_of_proposal(record: ProposalRecord) -> Row:
    text = encode_proposal(record).decode()
    return [record.type, record.proposal_id, record.place, record.by, record.at, text]


PAYOUT_RECORDS: tuple[type, ...] = get_args(PayoutRecord)
PROPOSAL_RECORDS: tuple[type, ...] = get_args(AnyProposalRecord)
_SAID = ("place", "by", "at", "record")
DECIDED: dict[type, Table] = {
    **dict.fromkeys(PAYOUT_RECORDS, Table("payout_log", ("type", "subject_id", *_SAID), _row_of_payout)),
    **dict.fromkeys(
        PROPOSAL_RECORDS, Table("proposal_log", ("type", "proposal_id", *_SAID), _row_of_proposal)
    ),
    RowsWritten: Table(
        "proposal_rows", ("rows_id", "part", "rows"), lambda some: [some.rows_id, some.part, some.rows]
    ),
}
