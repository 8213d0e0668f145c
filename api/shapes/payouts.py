"""Batches of payouts."""

from datetime import datetime

from pydantic import Field

from api.shapes.base import Amount, Shape


class PayoutStep(Shape):
    """Who did what to a batch, and why."""

    what: str
    by: str
    at: datetime
    reason: str


class PayoutExchange(Shape):
    """By which rate a batch pays another currency."""

    path: str = Field(description="The published rates, each with its day and source.")
    at: datetime = Field(description="The moment as of which they were the newest.")


class PayoutBatch(Shape):
    """A batch: lines of one period and currency on their way to being paid."""

    batch_id: str
    period: str
    currency: str
    state: str = Field(description="created, submitted, approved, exported or cancelled.")
    minimum: Amount
    lines: dict[str, int] = Field(
        description="How many are included, excluded, refused (by the books), settled, rejected, unknown."
    )
    total: Amount = Field(description="What is owed to the lines that its file has, or will have.")
    method: str = Field(description="The kind of account that it pays to; empty: any.")
    pays: str = Field(description="The currency of its file.")
    pays_total: Amount
    exchange: PayoutExchange | None = Field(description="null: paid in the currency in which it is owed.")
    over_limit: int = Field(description="Lines that had no room; the next batch has them.")
    files: dict[str, str] = Field(description="By format, the SHA-256 of the file that was given out.")
    steps: list[PayoutStep]


class PayoutBatchPage(Shape):
    """Batches, newest first."""

    items: list[PayoutBatch]
    next_cursor: str | None


class PayoutLine(Shape):
    """What one IB is to be paid by a batch."""

    line_id: str = Field(description="The end-to-end id: whoever pays gives it back with the result.")
    ib_id: str
    name: str
    amount: Amount = Field(description="What is owed.")
    tax: Amount = Field(description="Paid besides, or below zero kept back, of what is owed.")
    pays: Amount = Field(description="What its file has, with tax, in the currency that the batch pays.")
    statement_ids: list[str]
    state: str
    reason: str = Field(description="Why it is left out, was rejected, or is not known.")


class PayoutLinePage(Shape):
    """The lines of a batch."""

    items: list[PayoutLine]
    next_cursor: str | None


class BilledAdvance(Shape):
    """Money that two people granted before a statement had it."""

    change_id: str
    granted_at: datetime
    amount: Amount
    reason: str


class SelfBillingInvoice(Shape):
    """What the broker billed itself for one line: its statements and advances, and their tax."""

    number: str = Field(description="Without a gap in each year of an issuer, by the order of the log.")
    issuer: str = Field(description="Who pays, of IBFLOW_PAYERS_FILE.")
    issued_at: datetime
    ib_id: str
    batch_id: str = Field(description="That has the line now; the first one's, once it came back.")
    statement_ids: list[str]
    advances: list[BilledAdvance] = Field(description="Those of `statement_ids` that are none.")
    currency: str
    amount: Amount = Field(description="Owed, before tax.")
    tax: Amount = Field(description="Paid besides, or below zero kept back.")
    tax_label: str
    due: Amount
    pays: Amount = Field(description="The same in the currency that is paid.")
    pays_currency: str
    exchange: str = Field(description="By which published rates; empty if it is paid as it is owed.")


class SelfBillingInvoicePage(Shape):
    """Invoices in the order of their numbers."""

    items: list[SelfBillingInvoice]
    next_cursor: str | None


class PayoutWarning(Shape):
    """What a person is to look at before an IB is paid."""

    code: str
    ib_id: str = Field(description="Empty: of the whole batch.")
    words: str
    is_ticked: bool


class PayoutWarningPage(Shape):
    """The warnings of a batch."""

    items: list[PayoutWarning]
    next_cursor: str | None


class ShortenedText(Shape):
    """A text of a line that the format has no room for in full."""

    line_id: str
    ib_id: str
    text: str = Field(description="`name` of the payee or `remittance`; the bank sees its beginning.")


class PayoutFile(PayoutBatch):
    """A batch whose file was given out, with the file."""

    sha256: str
    file_base64: str
    shortened: list[ShortenedText]


class ResultRefused(Shape):
    """A result that changes nothing."""

    line_id: str
    why: str
    is_danger: bool = Field(description="It may be paid twice: look at the bank's account.")


class PayoutResults(Shape):
    """What came of imported results."""

    recorded: int
    repeated: int = Field(description="Known before, and equal.")
    refused: list[ResultRefused]


class UnmatchedResult(Shape):
    """What a bank says that no line of ours answers to, or not as it says."""

    place: str = Field(description="Where in the file.")
    reference: str
    why: str


class ImportedBankFile(PayoutResults):
    """What came of a bank's file; of each list at most 1,000 are shown, and all are counted."""

    kind: str = Field(description="Such as pain.002.001.03, camt.054.001.08, nacha or csv.")
    message_id: str
    pending: int = Field(description="Lines that the bank is at work on: nothing is recorded of them.")
    refused_count: int
    unmatched: list[UnmatchedResult]
    unmatched_count: int
    notices: list[str]


class LineUnknown(Shape):
    """A line that may have been paid, and what the bridge said of it."""

    line_id: str
    why: str


class PayoutCredits(Shape):
    """What became of lines that the bridge was asked for, or about."""

    settled: int
    rejected: int
    unknown: list[LineUnknown]
    left: int = Field(description="Lines that had no room: ask again, of a sweep with `after`.")
    last: str = Field(description="The last line that was asked about.")


class Resumed(Shape):
    """How many commands the books had not answered, and were written again."""

    commands: int


class BalanceChange(Shape):
    """What somebody asked to move, hold or release; a second person; and what the books made of it."""

    change_id: str
    kind: str = Field(description="adjustment, write_off, advance, hold or release.")
    state: str = Field(description="requested, approved or rejected; holds need no approval.")
    ib_id: str = Field(description="Empty of a client that is held for all IBs.")
    statement_id: str
    client_id: str = Field(description="Whose accruals are held or released.")
    since: datetime | None = Field(description="Of a held client: its accruals from then on.")
    currency: str
    amount: Amount | None
    reason: str
    attachment_sha256: str
    created_by: str
    created_at: datetime
    decided_by: str
    note: str
    books: str | None = Field(description="null until they answer; `done`, or why they refused it.")


class BalanceChangePage(Shape):
    """Changes, newest first."""

    items: list[BalanceChange]
    next_cursor: str | None
