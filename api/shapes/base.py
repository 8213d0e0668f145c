"""What the API answers with; money is text, so that no reader's floats touch it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from commission.money import plain
from schemas.proposals import Change, Proposal
from schemas.reconciliations import Reconciliation

Amount = Annotated[Decimal, PlainSerializer(plain, return_type=str)]


class Shape(BaseModel):
    """Frozen, and nothing beside the fields named here."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StoppedPartition(Shape):
    """A partition of a book that waits for a decision; later messages of it are not in the ledger."""

    topic: str
    partition: int
    offset: int
    since: datetime


class Health(Shape):
    """Whether the ledger can be read, how far the sink is behind, and which partitions are stopped."""

    status: str = Field(description="ok; degraded while a partition is stopped; unavailable.")
    stopped: list[StoppedPartition] = Field([], description="What `ibflow book status` tells more about.")
    sink_lag: int | None = Field(description="Messages not yet stored; null if no sink runs in this process.")
    rows: dict[str, int] = Field(description="Rows stored in each table, before duplicates are merged.")
    completeness: list["CompletenessMeter"] = Field([], description="Each server's last event and sweep.")


class CommissionRow(Shape):
    """One group of the commission report; only the columns asked for by `group_by` are present."""

    ib_id: str = ""
    symbol: str = Field("", description="Canonical symbol.")
    component: str = ""
    client_id: str = ""
    period: str = ""
    lots: Amount = Field(description="Lots of the deals that stand, each deal counted once.")
    accrued: Amount
    reversed: Amount
    net: Amount = Field(description="accrued - reversed")
    held: Amount = Field(description="Moved into hold less moved out, inside the interval.")
    currency: str
    deals: int = Field(description="Deals with an accrual that is not reversed.")


class CommissionReport(Shape):
    """A page of groups and the totals of all pages."""

    items: list[CommissionRow]
    totals: list[CommissionRow] = Field(description="One row a currency, over all groups.")
    group_by: list[str]
    next_cursor: str | None


class TransferRow(Shape):
    """One row of the ledger: `amount` moved from `debit` to `credit`."""

    transfer_id: str
    code: str
    debit: str
    credit: str
    amount: Amount
    currency: str
    ib_id: str
    occurred_at: datetime
    caused_by: str
    reverses: str | None
    client_id: str
    account_key: str
    revision: str
    component: str
    rule: str
    plan_id: str
    plan_version: int
    depth: int
    path: list[str]
    symbol: str
    lots: Amount
    period: str
    matures_at: datetime | None = Field(None, description="Under a hold: its statement's time.")
    factors: dict[str, str]


class TransferPage(Shape):
    """Transfers, newest first."""

    items: list[TransferRow]
    next_cursor: str | None


class DealRow(Shape):
    """The deal behind a transfer, as the platform reported it."""

    deal_key: str
    revision: str
    platform: str
    server: str
    login: int
    deal_id: str
    kind: str
    occurred_at: datetime
    server_time: str
    side: str
    entry: str
    symbol: str
    volume_e8: int
    volume_closed_e8: int | None
    contract_size: Amount | None
    position_id: str
    price: Amount | None
    bid: Amount | None
    ask: Amount | None
    profit: Amount
    commission: Amount
    fee: Amount
    swap: Amount
    currency: str
    rate_profit: Amount | None
    balance: Amount | None
    equity: Amount | None
    credit: Amount | None
    reason: str
    is_service: bool
    group: str
    comment: str
    source: str


class Fact(Shape):
    """A name and its value, as text."""

    name: str
    value: str


class Factor(Shape):
    """One thing the amount was made of."""

    name: str
    label: str
    value: str = Field(description="Exact.")
    shown: str = Field(description="For people, with its unit.")
    note: str


class Step(Shape):
    """One IB on the way up from the client."""

    ib_id: str
    name: str
    depth: int
    is_this: bool


class Plan(Shape):
    """The plan as it stood when the amount arose."""

    plan_id: str
    version: int
    rule: str
    definition: Any = Field(description="As published; null if the ledger does not hold it.")


class Reason(Shape):
    """Why a deal pays nothing, or nothing yet."""

    code: str
    status: str
    meaning: str = Field(description="What the code means.")
    text: str = Field(description="What the engine said of this deal.")


class DealExplanation(Shape):
    """Why a deal pays nothing, or nothing yet."""

    headline: str
    sentences: list[str]
    text: str
    inputs: list[Fact]
    reason: Reason


class ExplanationAnswer(Shape):
    """Why a transfer exists: in words, and every fact the words are made of."""

    headline: str
    sentences: list[str]
    text: str
    amount: str
    state: str = Field(description="`stands`, `reduced`, `reversed`, `reversal` or `settlement`.")
    transfer: TransferRow
    deal: DealRow | None
    plan: Plan | None
    path: list[Step]
    factors: list[Factor]
    inputs: list[Fact]
    gates: list[Fact] = Field(description="What stands between the amount and its payment.")
    chain: list[TransferRow] = Field(description="Transfers of the same cause, with reversals and releases.")


class Line(Shape):
    """A deal's line as it was read, and where it stands in the log."""

    topic: str
    partition: int
    offset: int
    revision: str
    source: str = Field(description="File and line, or address, that it was read from.")
    line: str


class TrailStep(Shape):
    """One message on the way back."""

    topic: str
    partition: int
    offset: int
    source: str = Field(description="The message behind it; empty for what came from outside.")
    missing: bool = Field(description="The archive lacks it.")
    by: str = Field(description="`identity`, `client` or `trigger`: how its lines were found.")
    lines: list[str] = Field(description="As they stood.")
    others: int = Field(description="Lines of the message that are not shown.")


class AuditAnswer(Shape):
    """A transfer's way back to what was read; for a reversal its original's, too."""

    transfer: TransferRow
    steps: list[TrailStep]
    revisions: list[Line] = Field(description="Every line of the deal that caused it.")
    complete: bool = Field(description="The way ends where something came from outside.")
    reverses: "AuditAnswer | None"


class Known(Shape):
    """Where a fact came from: its message in the terms topic."""

    offset: int
    stored_at: datetime


class KnownPartner(Shape):
    """An IB as of the time asked."""

    ib_id: str
    name: str
    currency: str
    parent: str | None
    plan_id: str | None
    plan_version: int | None
    rank: str
    factor: str
    status: str
    kyc_approved: bool
    known: Known


class KnownPlan(Shape):
    """A version of a plan."""

    plan_id: str
    version: int
    since: datetime | None
    in_force: bool
    currency: str
    components: list[dict[str, str]]
    definition: str = Field(description="As published.")
    known: Known


class KnownRate(Shape):
    """The newest rate of a pair as of the time asked."""

    base: str
    quote: str
    rate: str
    as_of: datetime
    source: str
    known: Known


class KnownSymbol(Shape):
    """What a server's symbol means."""

    server: str
    symbol: str
    canonical: str
    asset_class: str
    contract_size: str
    pip: str
    known: Known


class KnownPeriod(Shape):
    """A statement period, and where its end was told."""

    period: str
    starts_at: datetime
    ends_at: datetime
    known: Known
    ended: Known | None


class TermsAnswer(Shape):
    """The terms of a time, as known at a point of their log."""

    as_of: datetime
    known_at: Known | None = Field(description="The newest message that counted; null if there was none.")
    partners: list[KnownPartner]
    plans: list[KnownPlan]
    rates: list[KnownRate] = []
    symbols: list[KnownSymbol] = []
    periods: list[KnownPeriod] = []


class PartnerTotals(Shape):
    """One currency of an IB: earned in the interval, and the balances it moved."""

    currency: str
    earned: Amount
    reversed: Amount
    held: Amount
    pending: Amount
    payable: Amount
    lots: Amount
    deals: int


class Partner(Shape):
    """An IB with its sub-IBs."""

    ib_id: str
    name: str
    currency: str
    parent: str | None
    kyc_approved: bool
    clients: int
    totals: list[PartnerTotals]
    children: list["Partner"]


class PartnerTree(Shape):
    """The IBs without a master IB, each with its downline."""

    items: list[Partner]


class StatementRow(Shape):
    """opening + accrued - reversed - payable - rounding = closing."""

    statement_id: str
    ib_id: str
    period: str
    starts_at: datetime
    ends_at: datetime
    currency: str
    opening: Amount
    accrued: Amount
    reversed: Amount
    payable: Amount
    rounding: Amount
    closing: Amount
    held: Amount
    transfers: int = Field(description="Rows it states the sum of; its file holds them.")
    previous: str = Field(description="Hash of the IB's statement before; empty on the first.")
    hash: str = Field(description="Over the figures above and every transfer.")
    open_holes: int = Field(description="Stretches of this time whose deals are not known to be complete.")


class StatementPage(Shape):
    """Statements in the order of period, IB and currency."""

    items: list[StatementRow]
    next_cursor: str | None


class CurrencyBalance(Shape):
    """All debits and all credits of one currency."""

    currency: str
    debit: Amount
    credit: Amount
    difference: Amount = Field(description="Must be 0.")


class AccountBalance(Shape):
    """One account: `balance` is credit - debit."""

    account: str
    currency: str
    debit: Amount
    credit: Amount
    balance: Amount


class TrialBalance(Shape):
    """The ledger's proof: every difference and every check must be zero."""

    balanced: bool
    currencies: list[CurrencyBalance]
    checks: dict[str, int] = Field(description="Unsound rows by kind; each must be 0.")
    accounts: list[AccountBalance]
    next_cursor: str | None


class RejectionRow(Shape):
    """A deal that pays nothing, or nothing yet, and why."""

    deal_key: str
    revision: str
    status: str
    code: str
    text: str
    account_key: str
    client_id: str
    occurred_at: datetime


class RejectionPage(Shape):
    """Rejections, newest first."""

    items: list[RejectionRow]
    next_cursor: str | None


class DeadLetterRow(Shape):
    """Input that could not be used, where it stood and what to do about it."""

    dead_letter_id: str
    source: str
    position: str
    code: str
    reason: str
    payload: str
    received_at: datetime
    state: str
    """`open`, or the newest decision about it."""


class ClientEventRow(Shape):
    """One thing the CRM told of a client; what its type does not tell is empty or null."""

    client_id: str
    type: str
    event_id: str
    occurred_at: datetime
    deposit_id: str
    status: str
    amount: Amount | None
    currency: str
    reason: str
    verdict: str
    ib_id: str | None
    jurisdiction: str
    expires_at: datetime | None
    source: str


class ClientEventPage(Shape):
    """What the CRM told of clients, newest first."""

    items: list[ClientEventRow]
    next_cursor: str | None


class DeadLetterCount(Shape):
    """How often one thing was wrong."""

    code: str
    letters: int
    oldest: datetime
    newest: datetime


class LetterDecision(Shape):
    """Who did what about a dead letter."""

    action: str
    by: str
    at: datetime
    note: str
    payload_base64: str
    became: list[str]


class WholeDeadLetter(Shape):
    """A dead letter with its bytes and what became of it."""

    dead_letter_id: str
    source: str
    position: str
    code: str
    reason: str
    payload_base64: str
    payload_bytes: int
    server: str
    header: str
    is_blanked: bool
    received_at: datetime
    decisions: list[LetterDecision]


class DeadLetterPage(Shape):
    """Dead letters, newest first."""

    items: list[DeadLetterRow]
    next_cursor: str | None


class ProposalPage(Shape):
    """Proposals, newest first."""

    items: list[Proposal]
    next_cursor: str | None


class ChangePage(Shape):
    """Rows a proposal would post, in their order."""

    items: list[Change]
    next_cursor: str | None


class AttemptRow(Shape):
    """One try to deliver a milestone to an endpoint."""

    milestone_id: str
    endpoint: str
    attempt: int
    attempted_at: datetime
    outcome: str
    http_status: int | None
    error: str
    duration_ms: int
    next_attempt_at: datetime | None


class AttemptPage(Shape):
    """Postback attempts, newest first."""

    items: list[AttemptRow]
    next_cursor: str | None


class CompletenessMeter(Shape):
    """Whether we hold all deals of a server."""

    server: str
    last_event: datetime | None = Field(description="Of its newest deal, at the platform.")
    last_arrival: datetime | None = Field(description="When a deal of it was last stored.")
    last_sweep: datetime | None = Field(description="When it was last compared; null: never.")
    swept_until: datetime | None
    missing_found: int = Field(description="Deals that sweeps found missing.")
    different_found: int
    open_holes: int = Field(description="Stretches that a sweep left unresolved and none has closed since.")


class OpenHole(Shape):
    """A stretch of a server's deals that is not known to be complete."""

    starts_at: datetime
    ends_at: datetime
    unresolved: int = Field(description="Deals and unreadable rows of the sweep.")
    reconciliation_id: str
    logins: int = Field(description="Accounts the sweep looked at; 0: all.")


class DayMeter(Shape):
    """One UTC day of a server: deals, and the volume of its trades in 1e-8 lots."""

    day: date
    ours: int
    ours_e8: int
    theirs: int | None = Field(description="By the newest sweep of the whole day; null: none.")
    theirs_e8: int | None


class ServerCompleteness(CompletenessMeter):
    """A server with its holes, its newest sweep and its last days."""

    holes: list[OpenHole]
    newest: Reconciliation | None
    days: list[DayMeter]


class CompletenessList(Shape):
    """Every server that has deals or sweeps."""

    items: list[ServerCompleteness]


class ReconciliationPage(Shape):
    """Sweeps, newest first."""

    items: list[Reconciliation]
    next_cursor: str | None


class NativePayment(Shape):
    """What the platform paid to an IB's login for one client's login."""

    server: str
    ib_login: int
    client_login: str = Field(description="As the comment tells it; empty: it does not.")
    currency: str
    payments: int
    amount: Amount
    of_deals: int = Field(description="Payments that name the client's deal.")
    first_at: datetime
    last_at: datetime


class NativePaymentPage(Shape):
    """Native payments by logins."""

    items: list[NativePayment]
    next_cursor: str | None


class PaidTwice(Shape):
    """A native payment, and what the ledger pays an IB for the same."""

    server: str
    native_deal: str
    paid_at: datetime
    ib_login: int
    client_login: str
    client_deal: str
    basis: str = Field(description="deal: the same deal; login: the same account, in the 32 days before.")
    native_amount: Amount
    native_currency: str
    ib_id: str
    amount: Amount
    currency: str


class PaidTwicePage(Shape):
    """Native payments for what is paid by us as well."""

    items: list[PaidTwice]
    next_cursor: str | None
