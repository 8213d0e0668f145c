"""Batches and changes as people and programs are shown them."""

from collections import Counter
from typing import Any

from api.payouts import Changed
from commission.payouts.batch import Batch
from commission.payouts.records import Line, PayoutsHeld


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


def change_view(found: Changed) -> dict[str, Any]:
    """A change or a hold, who decided, and what the books made of it."""
    asked = found.change.asked
    told: dict[str, Any]
    if isinstance(asked, PayoutsHeld):
        told = {"kind": "release" if asked.is_released else "hold", "statement_id": asked.statement_id}
        told |= {"currency": "", "amount": None, "attachment_sha256": ""}
    else:
        told = {"kind": asked.kind, "statement_id": "", "currency": asked.currency, "amount": asked.amount}
        told |= {"attachment_sha256": asked.attachment}
    return {
        **told,
        "change_id": asked.change_id,
        "state": found.change.state,
        "ib_id": asked.ib_id,
        "reason": asked.reason,
        "created_by": asked.by,
        "created_at": asked.at,
        "decided_by": found.change.decided_by,
        "note": found.change.note,
        "books": None if found.answer is None else found.answer or "done",
    }
