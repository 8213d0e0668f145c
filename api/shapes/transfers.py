"""Transfers, why they exist, and the way back to the lines they came from."""

from datetime import datetime
from typing import Any

from pydantic import Field

from api.shapes.base import Amount, Shape


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
    close_by: str
    price: Amount | None
    bid: Amount | None
    ask: Amount | None
    profit: Amount
    commission: Amount
    fee: Amount
    swap: Amount
    agent_commission: Amount | None
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
    text: str = Field(description="The engine's own words about this deal.")


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
    gates: list[Fact] = Field(description="What has to happen before the amount is paid.")
    chain: list[TransferRow] = Field(description="Transfers of the same cause, with reversals and releases.")


class Line(Shape):
    """A deal's line as it was read, and where it is in the log."""

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
