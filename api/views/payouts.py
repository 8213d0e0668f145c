"""Batches and changes as people and programs are shown them."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any

from api.payouts import Changed, GivenFile, ImportedFile, NotRecorded
from commission.payouts.batch import Batch
from commission.payouts.invoices import Invoice
from commission.payouts.log import Payouts
from commission.payouts.records import ChangeRequested, Line, PayoutsHeld

MAX_LISTED = 1_000
"""Of what a bank's file says and does not fit; the rest is counted."""


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
        "method": batch.method,
        "pays": batch.pays,
        "pays_total": batch.paid_total,
        "exchange": None if (one := batch.exchange) is None else {"path": one.path, "at": one.at},
        "over_limit": batch.over_limit,
        "files": batch.exports,
        "steps": [
            {"what": step.what, "by": step.by, "at": step.at, "reason": step.reason} for step in batch.steps
        ],
    }


def file_view(batch: Batch, file: GivenFile) -> dict[str, Any]:
    """The file of a batch, and whose texts it cuts."""
    return {
        "sha256": file.sha256,
        "file_base64": b64encode(file.body).decode(),
        "shortened": [
            {"line_id": line_id, "ib_id": batch.lines[line_id].ib_id, "text": text}
            for line_id, text in file.shortened
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
        "pays": batch.paid(line),
        "tax": line.due(batch.currency) - line.amount,
        "statement_ids": line.statement_ids,
        "state": batch.state_of(line.line_id),
        "reason": "" if status is None else status.reason,
    }


def invoice_view(known: Payouts, invoice: Invoice) -> dict[str, Any]:
    """A self-billing invoice, and how the batch that has its line now, or had it first, pays it."""
    line = invoice.line
    batch = known.batches[known.taken.get(line.statement_ids[0], invoice.batch_id)]
    return {
        "number": invoice.text,
        "issuer": invoice.issuer,
        "issued_at": invoice.issued_at,
        "ib_id": line.ib_id,
        "batch_id": batch.batch_id,
        "statement_ids": line.statement_ids,
        "advances": [*_advances(known, line)],
        "currency": batch.currency,
        "amount": line.amount,
        "tax": line.due(batch.currency) - line.amount,
        "tax_label": "" if line.tax is None else line.tax.label,
        "due": line.due(batch.currency),
        "pays": batch.paid(line),
        "pays_currency": batch.pays,
        "exchange": "" if batch.exchange is None else batch.exchange.path,
    }


def _advances(known: Payouts, line: Line) -> Iterator[dict[str, Any]]:
    """What of a line two people granted before a statement had it."""
    for name in line.statement_ids:
        change = known.changes.get(name)
        if change is not None and isinstance(change.asked, ChangeRequested):
            asked = change.asked
            told = {"change_id": name, "granted_at": change.decided_at, "amount": asked.amount}
            yield told | {"reason": asked.reason}


def refused_view(one: NotRecorded) -> dict[str, Any]:
    """A result that changes nothing."""
    return {"line_id": one.line_id, "why": one.why, "is_danger": one.is_danger}


def imported_view(found: ImportedFile) -> dict[str, Any]:
    """What came of a bank's file, dangers first."""
    refused = sorted(found.done.refused, key=lambda one: not one.is_danger)
    return {
        "kind": found.kind,
        "message_id": found.message_id,
        "recorded": found.done.recorded,
        "repeated": found.done.repeated,
        "pending": found.pending,
        "refused": [refused_view(one) for one in refused[:MAX_LISTED]],
        "refused_count": len(refused),
        "unmatched": [one._asdict() for one in found.unmatched[:MAX_LISTED]],
        "unmatched_count": len(found.unmatched),
        "notices": [*found.notices[:MAX_LISTED]],
    }


def change_view(found: Changed) -> dict[str, Any]:
    """A change or a hold, who decided, and what the books made of it."""
    asked = found.change.asked
    told: dict[str, Any]
    if isinstance(asked, PayoutsHeld):
        told = {"kind": "release" if asked.is_released else "hold", "statement_id": asked.statement_id}
        told |= {"client_id": asked.client_id, "since": asked.since}
        told |= {"currency": "", "amount": None, "attachment_sha256": ""}
    else:
        told = {"kind": asked.kind, "statement_id": "", "currency": asked.currency, "amount": asked.amount}
        told |= {"client_id": "", "since": None}
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
