"""The log of payouts: what people did to batches and balances, each with who, when and why.

A record counts only at the place where its maker expected it: who decides has read the log up to there, so of
two who decide at once the second sees what the first did, and decides again.
"""

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import field

from commission.payouts.commands import ChangeKind, Id, Name, Reason
from commission.payouts.exchange import Exchange
from commission.payouts.tax import Tax
from commission.value import TaggedValue, Text, Time, Value

MAX_LINES = 100_000
"""Of one batch: its lines are one record, so that a crash leaves all of them or none."""
MAX_RECORD_BYTES = 15_000_000
"""A batch of longer names and more statements has fewer lines."""
MAX_RESULTS = 10_000
"""Of one record."""

Outcome = Literal["settled", "rejected", "unknown"]
"""`unknown`: whoever pays cannot say. It stays out until somebody can."""


class LogRecord(TaggedValue):
    """One of the records below."""

    place: int
    """The offset at which it counts."""
    by: Name
    at: Time


class BatchRecord(LogRecord):
    """A record of one batch."""

    batch_id: Id


class Line(Value, array_like=True):
    """What one IB is to be paid, by one transfer of money; written as an array, for a batch has many."""

    line_id: Id
    """What whoever pays gives back with the result: an end-to-end id of at most 35 characters."""
    ib_id: Text
    name: Text
    amount: Decimal
    statement_ids: tuple[Id, ...]
    excluded: Reason = ""
    """Why it is not paid; empty of a line that is."""
    tax: Tax | None = None
    """The rule by which it was made, of an IB that has one."""

    def due(self, currency: str) -> Decimal:
        """What is paid, with its tax, in the currency in which it is owed."""
        return self.amount if self.tax is None else self.amount + self.tax.of(self.amount, currency)


class BatchCreated(BatchRecord, tag="batch_created"):
    """Lines of a period in one currency, to be approved by another person."""

    period: Text
    currency: Id
    minimum: Decimal
    """A line below it is excluded."""
    lines: tuple[Line, ...]
    over_limit: int = 0
    """Lines that had no room; the next batch of the period has them."""
    method: Id = ""
    """The kind of account that it pays to; empty: any."""
    exchange: Exchange | None = None
    """Of a batch that pays another currency, to the IBs that are paid in it: the rate of all its lines."""


class LineReason(Value):
    """A line, and why it is left out."""

    line_id: Id
    reason: Text


class LinesExcluded(BatchRecord, tag="lines_excluded"):
    """A person leaves lines out."""

    lines: tuple[LineReason, ...]


class Warned(Value):
    """What a person is to look at before an IB is paid; `ib_id` "" is the whole batch."""

    code: Id
    ib_id: Text
    words: Text


class BatchSubmitted(BatchRecord, tag="batch_submitted"):
    """Whoever made it asks for approval; its lines change no more."""

    ticked: tuple[Warned, ...] = ()
    """Warnings that this person looked at, as they were."""


class BatchApproved(BatchRecord, tag="batch_approved"):
    """Another person approves: from here on the books lock the lines."""

    payees: dict[Id, int] = field(default_factory=dict)
    """Line → the version of the payee's details that it is paid to; a line without details is not in it."""
    ticked: tuple[Warned, ...] = ()
    """Warnings that this person looked at besides."""


class LinesRefused(BatchRecord, tag="lines_refused"):
    """Lines that the books did not lock, each with their reason: they are not paid."""

    lines: tuple[LineReason, ...]


class InvoicesIssued(BatchRecord, tag="invoices_issued"):
    """Lines that are paid and have no number yet take the next ones of the series, in this order."""

    issuer: Text
    """Who bills: each has a series of its own, that begins with each year of `at`."""
    line_ids: tuple[Id, ...]


class BatchExported(BatchRecord, tag="batch_exported"):
    """A file was given out, to be paid by."""

    format: Id
    sha256: Id
    reason: Reason = ""
    """Why once more."""
    execution_date: date | None = None
    """When the bank is to pay; every file of a batch says the same."""


class LineResult(Value):
    """What became of a line."""

    line_id: Id
    outcome: Outcome
    reason: Reason = ""


class ResultsImported(BatchRecord, tag="results_imported"):
    """What a bank, or whoever paid, reported; only what was not known."""

    source: Text
    """The file or message, as its importer called it."""
    results: tuple[LineResult, ...]


class BatchCancelled(BatchRecord, tag="batch_cancelled"):
    """Nothing of it was given out, and nothing will be."""

    reason: Reason


class StatementsWithheld(LogRecord, tag="statements_withheld"):
    """Statements that a proposal withdraws: no batch has them or will."""

    proposal_id: Id
    period: Text
    statement_ids: tuple[Id, ...]


class ChangeRequested(LogRecord, tag="change_requested"):
    """Somebody asks to move an IB's money by hand; another person decides."""

    change_id: Id
    kind: ChangeKind
    ib_id: Text
    currency: Id
    amount: Decimal
    reason: Reason
    attachment: Id = ""
    """SHA-256 of the document behind it."""


class ChangeDecided(LogRecord, tag="change_decided"):
    """Another person approves it, or anybody rejects it."""

    change_id: Id
    is_approved: bool
    reason: Reason = ""


class PayoutsHeld(LogRecord, tag="payouts_held"):
    """Nothing of an IB, of one statement or of what a client earns is paid; or is again."""

    change_id: Id
    ib_id: Text
    """"" of a client that is held for all IBs."""
    statement_id: Id = ""
    client_id: Text = ""
    """What this client earns the IB, or all IBs, is held."""
    since: Time | None = None
    """Of a client that is held: from which time on its accruals are."""
    reason: Reason
    is_released: bool = False


PayoutRecord = (
    BatchCreated
    | LinesExcluded
    | BatchSubmitted
    | BatchApproved
    | LinesRefused
    | InvoicesIssued
    | BatchExported
    | ResultsImported
    | BatchCancelled
    | StatementsWithheld
    | ChangeRequested
    | ChangeDecided
    | PayoutsHeld
)
