"""The log of payouts as a whole: which records count, and what stands by them."""

from dataclasses import dataclass, field

from commission.payouts import changes
from commission.payouts.batch import Batch, Refusal, after, created
from commission.payouts.changes import Change
from commission.payouts.invoices import Invoices
from commission.payouts.records import (
    BatchCreated,
    BatchRecord,
    ChangeDecided,
    ChangeRequested,
    InvoicesIssued,
    PayoutRecord,
    PayoutsHeld,
    StatementsWithheld,
)

MAX_NAMED = 3
"""Batches that one refusal names."""


@dataclass(slots=True)
class Payouts:
    """Everything that counts, record by record; the same log gives the same to everyone who reads it."""

    batches: dict[str, Batch] = field(default_factory=dict)
    """In the order in which they were created."""
    changes: dict[str, Change] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    """Statement → the batch that has it in a line that is paid, or may be."""
    withheld: dict[str, str] = field(default_factory=dict)
    """Statement → the proposal that withdraws it."""
    batch_of: dict[str, str] = field(default_factory=dict)
    """Line → its batch."""
    invoices: Invoices = field(default_factory=Invoices)

    def why_not(self, record: PayoutRecord) -> str:
        """Why a record would not count here; "" if it would."""
        found = self._after(record)
        return found.why if isinstance(found, Refusal) else ""

    def add(self, record: PayoutRecord, offset: int) -> bool:
        """Take in the record that stands at an offset; whether it counts."""
        found = self._after(record) if record.place == offset else Refusal("another was written in between")
        if isinstance(found, Refusal):
            return False
        if isinstance(found, Batch):
            self._keep(found, record)
        elif isinstance(found, Change):
            self.changes[found.asked.change_id] = found
        else:
            self.withheld |= dict.fromkeys(found.statement_ids, found.proposal_id)
        return True

    def _after(self, record: PayoutRecord) -> Batch | Change | StatementsWithheld | Refusal:
        match record:
            case StatementsWithheld():
                return self._withheld(record)
            case ChangeRequested() | PayoutsHeld():
                is_known = record.change_id in self.changes
                return Refusal(f"{record.change_id} is known") if is_known else changes.asked(record)
            case ChangeDecided():
                change = self.changes.get(record.change_id)
                if change is None:
                    return Refusal(f"no change {record.change_id}")
                return changes.decided(record, change)
            case _:
                return self._after_batch(record)

    def _after_batch(self, record: BatchRecord) -> Batch | Refusal:
        batch = self.batches.get(record.batch_id)
        if batch is not None:
            why = self.invoices.why_not(record, batch)
            if why or isinstance(record, InvoicesIssued):
                return Refusal(why) if why else batch
            return after(record, batch)
        if not isinstance(record, BatchCreated):
            return Refusal(f"no batch {record.batch_id}")
        for line in record.lines:
            other = next((self.taken[name] for name in line.statement_ids if name in self.taken), "")
            if other and not line.excluded:
                return Refusal(f"{line.ib_id} is in batch {other}")
            if not line.excluded and (why := self.invoices.why_not_paid(line)):
                return Refusal(why)
        return created(record)

    def _withheld(self, record: StatementsWithheld) -> StatementsWithheld | Refusal:
        batches = [self.taken[name] for name in record.statement_ids if name in self.taken]
        if (billed := self.invoices.billed(record.statement_ids)) is not None:
            return Refusal(f"statements of {record.period} are billed, such as by {billed.text}")
        if not batches:
            return record
        named = ", ".join([*dict.fromkeys(batches)][-MAX_NAMED:])
        return Refusal(f"statements of {record.period} are in {named}")

    def _keep(self, batch: Batch, record: PayoutRecord) -> None:
        self.batches[batch.batch_id] = batch
        if isinstance(record, InvoicesIssued):
            self.invoices.issue(record, batch)
            return
        if isinstance(record, BatchCreated):
            self.batch_of |= dict.fromkeys(batch.lines, batch.batch_id)
        named = getattr(record, "lines", None) or getattr(record, "results", None)
        for line_id in batch.lines if named is None else [one.line_id for one in named]:
            is_taken = batch.state != "cancelled" and batch.state_of(line_id) in _TAKEN
            for name in batch.lines[line_id].statement_ids:
                if is_taken:
                    self.taken[name] = batch.batch_id
                elif self.taken.get(name) == batch.batch_id:
                    del self.taken[name]


_TAKEN = ("included", "settled", "unknown")
