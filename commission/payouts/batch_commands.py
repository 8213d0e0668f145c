"""What the books are commanded for a batch: it follows from the batch alone."""

from collections.abc import Iterable, Iterator

from commission.payouts.batch import Batch
from commission.payouts.commands import LineCommand, LockLine, ReturnLine, SettleLine, UnlockLine
from commission.payouts.records import Line


def commands(batch: Batch, line_ids: Iterable[str] | None = None) -> Iterator[LineCommand]:
    """All that the books must have been commanded for these lines, by default all, in order.

    It follows from the batch alone, so whoever finds some of it missing writes it, and it counts once.
    """
    approved = batch.approved
    if approved is None:
        return
    for line_id in batch.lines if line_ids is None else line_ids:
        state = batch.state_of(line_id)
        if state == "excluded":
            continue
        line = batch.lines[line_id]
        yield LockLine(
            ib_id=line.ib_id,
            line_id=line_id,
            batch_id=batch.batch_id,
            currency=batch.currency,
            amount=line.amount,
            statement_ids=line.statement_ids,
            at=approved.at,
            created_by=batch.created_by,
            approved_by=approved.by,
            exchange=batch.exchange,
            tax=line.tax,
        )
        if state != "refused":
            yield from _after_lock(batch, line)


def _after_lock(batch: Batch, line: Line) -> Iterator[LineCommand]:
    status, to = batch.status.get(line.line_id), (line.ib_id, line.line_id, batch.batch_id)
    if batch.state == "cancelled":
        last = batch.steps[-1]
        yield UnlockLine(**_addressed(to), at=last.at, by=last.by, reason=last.reason)
    if status is None:
        return
    paid = status if status.state == "settled" else status.settled
    if paid is not None:
        yield SettleLine(**_addressed(to), at=paid.at, by=paid.by, reason=paid.reason)
    if status.state == "rejected":
        yield ReturnLine(**_addressed(to), at=status.at, by=status.by, reason=status.reason or "rejected")


def _addressed(to: tuple[str, str, str]) -> dict[str, str]:
    ib_id, line_id, batch_id = to
    return {"ib_id": ib_id, "line_id": line_id, "batch_id": batch_id}
