"""A batch of payouts: a state machine over what people did.

created → submitted → approved → exported, then a result for each line; or cancelled before a file was given
out. A record gives the next state, or a reason why it does not count.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import singledispatch
from typing import Literal, NamedTuple

from msgspec import field
from msgspec.structs import replace

from commission.payouts.exchange import Exchange
from commission.payouts.records import (
    BatchApproved,
    BatchCancelled,
    BatchCreated,
    BatchExported,
    BatchRecord,
    BatchSubmitted,
    Line,
    LineReason,
    LineResult,
    LinesExcluded,
    LinesRefused,
    Outcome,
    ResultsImported,
    Warned,
)
from commission.rating.values import ZERO
from commission.two_people import are_two_people
from commission.value import Value

State = Literal["created", "submitted", "approved", "exported", "cancelled"]
LineStateName = Literal["included", "excluded", "refused", "settled", "rejected", "unknown"]


class Refusal(NamedTuple):
    """Why a record does not count."""

    why: str


class Step(Value):
    """What somebody did to a batch."""

    what: str
    by: str
    at: datetime
    reason: str = ""


class LineStatus(Value):
    """What became of a line, other than being included."""

    state: LineStateName
    reason: str = ""
    by: str = ""
    at: datetime
    settled: "LineStatus | None" = None
    """Of a line that came back after it was settled, how it had been."""


class Batch(Value):
    """A batch as its log has it."""

    batch_id: str
    period: str
    currency: str
    minimum: Decimal
    over_limit: int
    state: State = "created"
    lines: dict[str, Line]
    status: dict[str, LineStatus] = field(default_factory=dict)
    """Of the lines that are not simply included."""
    steps: tuple[Step, ...] = ()
    approved: Step | None = None
    payees: dict[str, int] = field(default_factory=dict)
    """Line → the version of the payee's details that was valid at its approval: it is paid to that one."""
    ticked: tuple[Warned, ...] = ()
    """Warnings that were looked at, by whoever submitted or approved it."""
    execution_date: date | None = None
    """What its files say, from the first on."""
    exports: dict[str, str] = field(default_factory=dict)
    """Format → SHA-256 of the file that was given out."""
    method: str = ""
    """The kind of account that it pays to; empty: any."""
    exchange: Exchange | None = None
    """How what is owed is paid in another currency; None: as it is."""

    @property
    def created_by(self) -> str:
        """Who made it."""
        return self.steps[0].by

    @property
    def makers(self) -> set[str]:
        """Who had a hand in it before it was approved: none of them approves."""
        return {step.by for step in self.steps if step.what in ("created", "excluded", "submitted")}

    def state_of(self, line_id: str) -> LineStateName:
        """Where one of its lines is."""
        found = self.status.get(line_id)
        return "included" if found is None else found.state

    @property
    def paid_lines(self) -> list[Line]:
        """The lines that a file has, in its order: whatever came of them later, the same."""
        left_out = ("excluded", "refused")
        return [line for name, line in self.lines.items() if self.state_of(name) not in left_out]

    @property
    def total(self) -> Decimal:
        """What these lines are owed."""
        return sum((line.amount for line in self.paid_lines), ZERO)

    @property
    def pays(self) -> str:
        """The currency of its files."""
        return self.currency if self.exchange is None else self.exchange.currency

    def paid(self, line: Line) -> Decimal:
        """What a line pays, with its tax, in that currency."""
        due = line.due(self.currency)
        return due if self.exchange is None else self.exchange.of(due)

    @property
    def paid_total(self) -> Decimal:
        """What all of them pay, in that currency."""
        return sum(map(self.paid, self.paid_lines), ZERO)

    @property
    def open_lines(self) -> list[Line]:
        """Lines that are out, and nobody knows what became of them."""
        is_out = self.state == "exported"
        return [one for one in self.paid_lines if is_out and self.state_of(one.line_id) in _OPEN]


_OPEN = ("included", "unknown")


def created(record: BatchCreated) -> Batch | Refusal:
    """A new batch."""
    ids = [name for line in record.lines for name in line.statement_ids]
    if len({line.line_id for line in record.lines}) < len(record.lines) or len(set(ids)) < len(ids):
        return Refusal("a line or a statement is in it twice")
    paid = [line for line in record.lines if not line.excluded]
    if not paid:
        return Refusal("it has no line that is paid")
    if why := _why_not_paid(record, paid):
        return Refusal(why)
    status = {
        line.line_id: LineStatus(state="excluded", reason=line.excluded, by=record.by, at=record.at)
        for line in record.lines
        if line.excluded
    }
    return Batch(
        batch_id=record.batch_id,
        period=record.period,
        currency=record.currency,
        minimum=record.minimum,
        over_limit=record.over_limit,
        lines={line.line_id: line for line in record.lines},
        status=status,
        steps=(Step(what="created", by=record.by, at=record.at),),
        exchange=record.exchange,
        method=record.method,
    )


def _why_not_paid(record: BatchCreated, lines: Iterable[Line]) -> str:
    """Why lines cannot be paid with their tax, by the rate; "" if they can."""
    exchange = record.exchange
    rules = dict.fromkeys(line.tax for line in lines if line.tax is not None)
    for why in (*(rule.why_not() for rule in rules), exchange.why_not(record.currency) if exchange else ""):
        if why:
            return why
    for line in lines:
        due = line.due(record.currency)
        if (due if exchange is None else exchange.of(due)) <= 0:
            return f"the line of {line.ib_id} comes to nothing"
    return ""


@singledispatch
def after(record: BatchRecord, batch: Batch) -> Batch | Refusal:
    """The batch with one record more, or why that does not count."""
    return Refusal(f"{batch.batch_id} was created by {batch.created_by} before {record.by} did")


@after.register
def _(record: LinesExcluded, batch: Batch) -> Batch | Refusal:
    if batch.state != "created":
        return _too_late(batch, "its lines change no more; cancel it and create another")
    found = _left_out(batch, record, record.lines, "excluded")
    if isinstance(found, Refusal):
        return found
    return replace(found, steps=(*batch.steps, Step(what="excluded", by=record.by, at=record.at)))


@after.register
def _(record: BatchSubmitted, batch: Batch) -> Batch | Refusal:
    if batch.state != "created":
        return _too_late(batch, "it is submitted once")
    if not batch.paid_lines:
        return Refusal("every line is excluded: there is nothing to approve; cancel it")
    step = Step(what="submitted", by=record.by, at=record.at)
    return replace(batch, state="submitted", ticked=record.ticked, steps=(*batch.steps, step))


@after.register
def _(record: BatchApproved, batch: Batch) -> Batch | Refusal:
    if batch.state != "submitted":
        return _too_late(batch, "what is submitted is approved, once")
    if not all(are_two_people(record.by, maker) for maker in batch.makers):
        return Refusal(f"{record.by} had a hand in it; another person approves it")
    step = Step(what="approved", by=record.by, at=record.at)
    steps = (*batch.steps, step)
    ticked = (*batch.ticked, *record.ticked)
    return replace(batch, state="approved", approved=step, payees=record.payees, ticked=ticked, steps=steps)


@after.register
def _(record: LinesRefused, batch: Batch) -> Batch | Refusal:
    if batch.state != "approved":
        return _too_late(batch, "the books refuse lines once it is approved")
    return _left_out(batch, record, record.lines, "refused")


@after.register
def _(record: BatchExported, batch: Batch) -> Batch | Refusal:
    if why := why_no_file(batch):
        return Refusal(why)
    if batch.state == "exported" and not record.reason.strip():
        return Refusal("its file was given out before: say why once more, and see that it is not paid twice")
    if batch.exports.get(record.format, record.sha256) != record.sha256:
        return Refusal(f"its {record.format} file was another when it was given out first")
    if batch.execution_date not in (None, record.execution_date):
        return Refusal(f"its files are for {batch.execution_date}: export again")
    why = ": ".join(filter(None, (record.format, record.reason)))  # each file may have been paid by
    step = Step(what="exported", by=record.by, at=record.at, reason=why)
    exports = {**batch.exports, record.format: record.sha256}
    day, steps = record.execution_date, (*batch.steps, step)
    return replace(batch, state="exported", exports=exports, execution_date=day, steps=steps)


@after.register
def _(record: ResultsImported, batch: Batch) -> Batch | Refusal:
    named = {one.line_id for one in record.results}
    if len(named) < len(record.results) or not named:
        return Refusal("a record has one result of a line, and some")
    status = dict(batch.status)
    for one in record.results:
        if why := why_no_result(batch, one):
            return Refusal(f"{one.line_id}: {why}")
        was = status.get(one.line_id)
        settled = was if was is not None and was.state == "settled" else None
        status[one.line_id] = LineStatus(
            state=one.outcome, reason=one.reason, by=record.by, at=record.at, settled=settled
        )
    step = Step(what="results", by=record.by, at=record.at, reason=record.source)
    last = batch.steps[-1]
    is_same = (last.what, last.by, last.reason) == (step.what, step.by, step.reason)  # a file comes in parts
    return replace(batch, status=status, steps=(*batch.steps[: -1 if is_same else None], step))


@after.register
def _(record: BatchCancelled, batch: Batch) -> Batch | Refusal:
    if batch.state == "exported":
        return _too_late(batch, "its file may be paid by: import what became of its lines")
    if batch.state == "cancelled":
        return _too_late(batch, "once is enough")
    if not record.reason.strip():
        return Refusal("say why it is cancelled")
    step = Step(what="cancelled", by=record.by, at=record.at, reason=record.reason)
    return replace(batch, state="cancelled", steps=(*batch.steps, step))


def _too_late(batch: Batch, what: str) -> Refusal:
    return Refusal(f"{batch.batch_id} is {batch.state}: {what}")


def _left_out(
    batch: Batch, record: BatchRecord, lines: Iterable[LineReason], state: LineStateName
) -> Batch | Refusal:
    status = dict(batch.status)
    for one in lines:
        if one.line_id not in batch.lines or one.line_id in status or not one.reason.strip():
            return Refusal(f"{one.line_id} is no line that can be left out, or there is no reason")
        status[one.line_id] = LineStatus(state=state, reason=one.reason, by=record.by, at=record.at)
    return replace(batch, status=status)


# Results

_MAY_BECOME: dict[LineStateName, tuple[Outcome, ...]] = {
    "included": ("settled", "rejected", "unknown"),
    "unknown": ("settled", "rejected"),
    "settled": ("rejected",),
}
"""A settled line may come back; a rejected one is payable again, and may be in another batch by now."""


def is_known(batch: Batch, result: LineResult) -> bool:
    """Whether a result says what is on record already."""
    return batch.state_of(result.line_id) == result.outcome


def is_danger(batch: Batch, result: LineResult) -> bool:
    """Whether a line that is payable again is reported as paid."""
    return (batch.state_of(result.line_id), result.outcome) == ("rejected", "settled")


def why_no_file(batch: Batch) -> str:
    """Why none is given out, in words; "" if one may be."""
    if batch.state not in ("approved", "exported"):
        return f"{batch.batch_id} is {batch.state}: what is approved is exported"
    return "" if batch.paid_lines else "the books refused every line: there is nothing to pay; cancel it"


def why_no_result(batch: Batch, result: LineResult) -> str:
    """Why a line cannot have a result; "" if it can."""
    if result.line_id not in batch.lines:
        return "no line has this id"
    if batch.state != "exported":
        return f"{batch.batch_id} is {batch.state}: nothing of it was given out"
    state = batch.state_of(result.line_id)
    if result.outcome in _MAY_BECOME.get(state, ()):
        return ""
    danger = "; if it was paid, it may be paid twice" if is_danger(batch, result) else ""
    return f"the line is {state}, and cannot become {result.outcome}{danger}"
