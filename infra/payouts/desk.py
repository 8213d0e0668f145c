"""Makes batches of payouts and sees them through: what people decide is written to the log, then commanded.

Two effects follow each other everywhere: the record, then the commands to the books that follow from it.
After a crash between them, doing the same again, or `resume`, writes the commands, and each counts once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from api.operators import Operator, check_writer
from api.payouts import Imported, NotRecorded, PayoutRefused, Tick, UnknownBatch
from commission.ids import digest
from commission.payouts.batch import Batch, is_danger, is_known, why_no_result
from commission.payouts.batch_commands import commands
from commission.payouts.commands import AnyCommand, ClientCommand, LineCommand, LockLine
from commission.payouts.log import Payouts
from commission.payouts.records import (
    MAX_RESULTS,
    BatchApproved,
    BatchCancelled,
    BatchExported,
    BatchSubmitted,
    InvoicesIssued,
    LineReason,
    LineResult,
    LinesExcluded,
    LinesRefused,
    PayoutRecord,
    ResultsImported,
    Warned,
)
from commission.rating.exchange import no_rate
from commission.two_people import are_two_people
from infra.payees.billing import billing_of
from infra.payout_files.order import WrittenFile
from infra.payouts.approvers import ANYBODY, Approvers
from infra.payouts.billing import check_billing
from infra.payouts.choosing import Paying, choose
from infra.payouts.facts import Facts, unanswered
from infra.payouts.files import Files
from infra.payouts.log import PayoutLog
from infra.payouts.payers import execution_date
from infra.payouts.warnings import came_back, last_payouts, who_changed
from schemas.payees import Versions, valid_version
from schemas.payouts import BatchRequest

Publish = Callable[[Sequence[AnyCommand | ClientCommand]], object]
"""Writes commands to the books of IBs and clients and returns once all are acknowledged."""

MAX_SHOWN = 3
"""Warnings that a refusal names."""
BOOKS = "the books"
"""Who refuses lines."""


class PayoutDesk:
    """The one place where batches are made; a process has one."""

    def __init__(
        self,
        log: PayoutLog,
        facts: Facts,
        publish: Publish,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        files: Files | None = None,
        payees: Callable[[], Mapping[str, Versions]] = dict,
        warnings: Callable[[Batch, Payouts], Sequence[Warned]] = lambda _batch, _known: (),
        approvers: Approvers = ANYBODY,
    ) -> None:
        """`payees` has every version of the IBs' details; nothing where none are kept.

        `warnings` says what people must have looked at before a batch is submitted and approved.
        """
        self._log, self._facts, self._publish, self._now = log, facts, publish, now
        self._files, self._payees, self._warnings = files or Files(), payees, warnings
        self._approvers = approvers

    def newest(self, period: str) -> list[Batch]:
        """Those of a period, or all, newest first."""
        found = [*self._log.known().batches.values()]
        return [batch for batch in reversed(found) if period in ("", batch.period)]

    def get(self, batch_id: str) -> Batch:
        """One, or `UnknownBatch`."""
        return _batch(self._log.known(), batch_id)

    def create(self, wanted: BatchRequest, by: Operator, key: str) -> Batch:
        """Put the period's lines that no batch has into one; with the same key again, the same batch."""
        check_writer(by)
        at = self._now()
        batch_id = f"b-{digest('batch', by.name, key or at.isoformat())[:16]}"
        rows = self._facts.payable(wanted.period, wanted.currency)

        def make(known: Payouts, place: int) -> PayoutRecord | None:
            found = known.batches.get(batch_id)
            if found is None:
                return choose(wanted, rows, known, self._paying(wanted, at), batch_id, place, by.name, at)
            content = (wanted.period, wanted.currency, Decimal(wanted.minimum), wanted.pays, wanted.method)
            if (found.period, found.currency, found.minimum, found.pays, found.method) != content:
                raise PayoutRefused(f"this Idempotency-Key made {batch_id} of other content before")
            return None

        return _batch(self._log.decide(make), batch_id)

    def _paying(self, wanted: BatchRequest, at: datetime) -> Paying:
        """In what each IB is paid, and the rate of now where the batch pays another currency."""
        billing = {ib_id: billing_of(versions) for ib_id, versions in self._payees().items()}
        if wanted.pays == wanted.currency:
            return Paying(billing)
        exchange = self._facts.exchange(wanted.currency, wanted.pays, at)
        if exchange is None:
            raise PayoutRefused(no_rate(wanted.currency, wanted.pays, at).text)
        return Paying(billing, exchange)

    def exclude(self, batch_id: str, ib_ids: Sequence[str], reason: str, by: Operator) -> Batch:
        """Leave IBs out, before it is submitted."""

        def make(known: Payouts, place: int) -> PayoutRecord | None:
            batch = _batch(known, batch_id)
            lines = {line.ib_id: line.line_id for line in batch.lines.values()}
            if unknown := [ib_id for ib_id in ib_ids if ib_id not in lines]:
                raise PayoutRefused(f"{batch_id} has no line of {', '.join(unknown[:3])}")
            out = [lines[i] for i in dict.fromkeys(ib_ids) if batch.state_of(lines[i]) != "excluded"]
            reasons = tuple(LineReason(line_id=line_id, reason=reason) for line_id in out)
            told = self._told(batch_id, by, place)
            return LinesExcluded(**told, lines=reasons) if reasons else None

        check_writer(by)
        return _batch(self._log.decide(make), batch_id)

    def submit(self, batch_id: str, by: Operator, ticks: Sequence[Tick] = ()) -> Batch:
        """Ask for approval, once each warning is ticked."""
        check_writer(by)
        batch = self.get(batch_id)
        ticked = self._ticked(batch, ticks) if batch.state == "created" else ()
        return self._step(batch_id, by, "submitted", lambda told: BatchSubmitted(**told, ticked=ticked))

    def approve(self, batch_id: str, by: Operator, ticks: Sequence[Tick] = ()) -> Batch:
        """Let the books lock its lines, if other people made it and its payees' details; see `submit`."""
        check_writer(by)
        batch, known = self.get(batch_id), self._payees()
        ticked: tuple[Warned, ...] = ()
        if batch.state == "submitted":
            self._approvers.check(by.name, batch.paid_total, batch.pays)
            self._check_approver(batch, known, by)
            check_billing(batch, known, self._log.known())
            ticked = self._ticked(batch, ticks)
        found = ((one.line_id, valid_version(known.get(one.ib_id, ()))) for one in batch.paid_lines)
        payees = {line_id: one.proposed.version for line_id, one in found if one is not None}
        batch = self._step(
            batch_id, by, "approved", lambda told: BatchApproved(**told, payees=payees, ticked=ticked)
        )
        # A crash here leaves lines unlocked, and nothing of the batch is exported before they are.
        self._publish([*commands(batch)])
        return batch

    def cancel(self, batch_id: str, reason: str, by: Operator) -> Batch:
        """Give everything back, before a file was given out."""
        batch = self._step(batch_id, by, "cancelled", lambda told: BatchCancelled(**told, reason=reason))
        # A crash here leaves lines locked, which `resume` or cancelling again gives back.
        self._publish([*commands(batch)])
        return batch

    def export(self, batch_id: str, form: str, reason: str, by: Operator) -> tuple[Batch, WrittenFile]:
        """Give the file out once every line is locked; the same bytes again, with a reason."""
        check_writer(by)
        self._files.check(form)
        batch = self.get(batch_id)
        if batch.state == "approved":
            batch = self._billed(self._closed(batch), by)
        day = batch.execution_date or execution_date(self._now().date())
        file = self._files.write(replace(batch, execution_date=day), form)

        def make(_known: Payouts, place: int) -> PayoutRecord:
            told = self._told(batch_id, by, place)
            return BatchExported(**told, format=form, sha256=file.sha256, reason=reason, execution_date=day)

        return _batch(self._log.decide(make), batch_id), file

    def _billed(self, batch: Batch, by: Operator) -> Batch:
        """Give invoice numbers to lines that have none; a crash after it leaves them as they are."""
        issuer = self._files.issuer(batch)

        def make(known: Payouts, place: int) -> PayoutRecord | None:
            missing = tuple(known.invoices.missing(_batch(known, batch.batch_id)))
            told = self._told(batch.batch_id, by, place)
            return InvoicesIssued(**told, issuer=issuer, line_ids=missing) if missing else None

        return _batch(self._log.decide(make), batch.batch_id)

    def warnings(self, batch_id: str) -> list[tuple[Warned, bool]]:
        """What people must look at before it is paid, and whether somebody has."""
        batch = self.get(batch_id)
        if batch.state not in ("created", "submitted"):
            return [(one, True) for one in batch.ticked]
        return [(one, one in batch.ticked) for one in self._warnings(batch, self._log.known())]

    def _ticked(self, batch: Batch, ticks: Sequence[Tick]) -> tuple[Warned, ...]:
        """The warnings that are ticked now; refused while one is not, now or before."""
        wanted, before = set(ticks), set(batch.ticked)
        found = [one for one in self._warnings(batch, self._log.known()) if one not in before]
        unticked = [one for one in found if Tick(one.code, one.ib_id) not in wanted]
        if unticked:
            first = "; ".join(f"{one.code}:{one.ib_id}: {one.words}" for one in unticked[:MAX_SHOWN])
            raise PayoutRefused(
                f"{len(unticked):,} warnings are not ticked: {first}; look at all of them by `ibflow payouts "
                f"warnings {batch.batch_id}`, and tick each with --tick CODE:IB"
            )
        return tuple(found)

    def _check_approver(self, batch: Batch, known: Mapping[str, Versions], by: Operator) -> None:
        """Neither who had a hand in where an IB is paid since its last payout, nor who recorded a return."""
        log = self._log.known()
        last, back = last_payouts(log, batch), came_back(log, batch)
        for line in batch.paid_lines:
            recorded = [back[name].by for name in line.statement_ids if name in back]
            if not all(are_two_people(by.name, one) for one in recorded):
                raise PayoutRefused(
                    f"{by.name} recorded that {line.ib_id} was not paid; "
                    "another person approves paying it again"
                )
            people = who_changed(known.get(line.ib_id, ()), last.get(line.ib_id))
            if not all(are_two_people(by.name, one) for one in people):
                raise PayoutRefused(
                    f"{by.name} had a hand in where {line.ib_id} is paid, since its last payout; "
                    "another person approves it"
                )

    def _closed(self, batch: Batch) -> Batch:
        """The batch with what the books did not lock left out; refused while they have not answered."""
        answers = self._facts.answers(batch.batch_id)
        locks = [one for one in commands(batch) if isinstance(one, LockLine)]
        if missing := [one for one in locks if one.command_id not in answers]:
            self._publish(missing)
            raise PayoutRefused(
                f"{len(missing):,} of {len(locks):,} lines are not locked yet; export again in a moment"
            )
        refused = {one.line_id: answers[one.command_id] for one in locks if answers[one.command_id]}
        left = [name for name in refused if batch.state_of(name) == "included"]
        for first in range(0, len(left), MAX_RESULTS):
            part = tuple(LineReason(line_id=n, reason=refused[n]) for n in left[first : first + MAX_RESULTS])

            def make(_known: Payouts, place: int, part: tuple[LineReason, ...] = part) -> PayoutRecord:
                at = self._now()
                return LinesRefused(place=place, by=BOOKS, at=at, batch_id=batch.batch_id, lines=part)

            self._log.decide(make)
        return self.get(batch.batch_id)

    def import_results(self, results: Sequence[LineResult], source: str, by: Operator) -> Imported:
        """Record what became of lines, each matched by its id alone."""
        check_writer(by)
        known = self._log.known()
        refused = [NotRecorded(r.line_id, _NO_LINE) for r in results if r.line_id not in known.batch_of]
        by_batch: dict[str, list[LineResult]] = {}
        for one in results:
            if one.line_id in known.batch_of:
                by_batch.setdefault(known.batch_of[one.line_id], []).append(one)
        recorded = repeated = 0
        for batch_id, own in by_batch.items():
            for turn in _turns(own):
                found = self._import(batch_id, turn, source, by)
                recorded, repeated = recorded + found.recorded, repeated + found.repeated
                refused += found.refused
        return Imported(recorded, repeated, tuple(refused))

    def _import(self, batch_id: str, results: Sequence[LineResult], source: str, by: Operator) -> Imported:
        """Results of lines of one batch, one of each."""
        sorted_: list[Imported] = []

        def make(known: Payouts, place: int) -> PayoutRecord | None:
            batch = _batch(known, batch_id)
            told = [one for one in results if not is_known(batch, one)]
            refused = [
                NotRecorded(r.line_id, why, is_danger(batch, r))
                for r in told
                if (why := why_no_result(batch, r))
            ]
            new = tuple(one for one in told if not why_no_result(batch, one))
            sorted_.append(Imported(len(new), len(results) - len(told), tuple(refused)))
            return (
                ResultsImported(**self._told(batch_id, by, place), source=source, results=new)
                if new
                else None
            )

        batch = _batch(self._log.decide(make), batch_id)
        # A crash here leaves results uncommanded; importing the file again, or `resume`, commands them.
        stand = [one.line_id for one in results if is_known(batch, one)]
        self._publish(_results(commands(batch, stand)))
        return sorted_[-1]

    def resume(self, batch_id: str, by: Operator) -> int:
        """Write what the books have not answered once more; how many commands that was."""
        check_writer(by)
        missing = unanswered(self._facts, self.get(batch_id))
        self._publish(missing)
        return len(missing)

    def _step(
        self, batch_id: str, by: Operator, state: str, record: Callable[[dict[str, Any]], PayoutRecord]
    ) -> Batch:
        """Write a step, unless the same person has taken it: then it is done, and this is its repetition."""
        check_writer(by)

        def make(known: Payouts, place: int) -> PayoutRecord | None:
            batch = _batch(known, batch_id)
            is_done = batch.state == state and batch.steps[-1].by == by.name
            return None if is_done else record(self._told(batch_id, by, place))

        return _batch(self._log.decide(make), batch_id)

    def _told(self, batch_id: str, by: Operator, place: int) -> dict[str, Any]:
        return {"batch_id": batch_id, "by": by.name, "at": self._now(), "place": place}


_NO_LINE = "no line has this id"


def _batch(known: Payouts, batch_id: str) -> Batch:
    found = known.batches.get(batch_id)
    if found is None:
        raise UnknownBatch(f"no batch {batch_id[:64]}; `ibflow payouts list` has their ids")
    return found


def _results(found: Iterable[LineCommand]) -> list[LineCommand]:
    return [one for one in found if not isinstance(one, LockLine)]


def _turns(results: Sequence[LineResult]) -> list[list[LineResult]]:
    """The results in turns: one of each line, and no more than a record has."""
    turns: list[dict[str, LineResult]] = []
    count: dict[str, int] = {}
    for one in results:
        turn = count[one.line_id] = count.get(one.line_id, 0) + 1
        if turn > len(turns):
            turns.append({})
        turns[turn - 1][one.line_id] = one
    return [
        [*turn.values()][first : first + MAX_RESULTS]
        for turn in turns
        for first in range(0, len(turn), MAX_RESULTS)
    ]
