"""A batch as people and programs are shown it."""

from collections import Counter
from typing import Any

from commission.payouts.batch import Batch
from commission.payouts.records import Line


def batch_view(batch: Batch) -> dict[str, Any]:
    """Who did what, how many lines are where, and the total; without the lines."""
    return {
        "batch_id": batch.batch_id,
        "period": batch.period,
        "currency": batch.currency,
        "state": batch.state,
        "minimum": batch.minimum,
        "lines": dict(Counter(map(batch.state_of, batch.lines))),
        "total": batch.total,
        "over_limit": batch.over_limit,
        "files": batch.exports,
        "steps": [
            {"what": step.what, "by": step.by, "at": step.at, "reason": step.reason} for step in batch.steps
        ],
    }


def line_view(batch: Batch, line: Line) -> dict[str, Any]:
    """One line and what became of it."""
    status = batch.status.get(line.line_id)
    return {
        "line_id": line.line_id,
        "ib_id": line.ib_id,
        "name": line.name,
        "amount": line.amount,
        "statement_ids": line.statement_ids,
        "state": batch.state_of(line.line_id),
        "reason": "" if status is None else status.reason,
    }
