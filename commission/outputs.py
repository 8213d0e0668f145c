"""What a fold says: transfers of money, milestones of clients, deals not paid, closed statements."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from commission.events import WIRE

TransferCode = Literal["accrual", "reversal", "release", "statement", "rounding"]
MilestoneKind = Literal[
    "registration",
    "deposit",
    "ftd",
    "kyc.approved",
    "first_trade",
    "cpa.qualified",
    "cpa.clawback",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One row of the ledger: `amount` of `currency` moves from `debit` to `credit`.

    `amount` is positive, with 8 decimals (2 or the currency's own on statements). The id is a
    digest of what caused the row, so the same cause gives the same row on every replay.
    `factors` are the numbers the amount was made of, in the order they were applied.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["transfer"] = "transfer"
    transfer_id: str
    code: TransferCode
    debit: str
    credit: str
    amount: Decimal
    currency: str
    ib_id: str
    occurred_at: datetime
    caused_by: str
    """The deal key, or the id of the CRM event or period, that caused this row."""
    reverses: str | None = None
    """The transfer this one takes back, with that transfer's own amount."""
    client_id: str = ""
    account_key: str = ""
    revision: str = ""
    component: str = ""
    """The plan component's kind: `per_lot`, `spread_share`, `cpa`."""
    rule: str = ""
    """The component's name and the rate's match inside the plan: `fx/class:forex`."""
    plan_id: str = ""
    plan_version: int = 0
    depth: int = 0
    path: tuple[str, ...] = ()
    """The upline as of the deal, direct IB first."""
    symbol: str = ""
    """Canonical."""
    lots: Decimal = Decimal(0)
    period: str = ""
    """The statement a settlement row belongs to; empty on accruals, which belong by their time."""
    factors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A deal that pays nothing, or nothing yet, and why; the newest one for a deal counts."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["rejection"] = "rejection"
    deal_key: str
    revision: str
    status: Literal["waiting", "rejected"]
    code: str
    """A fixed word such as `unknown_account` or `entry_not_paid`."""
    text: str
    """The same for people, with the values that led to it."""
    account_key: str
    client_id: str = ""
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """Something a partner network may want to hear of; `milestone_id` is its dedupe key."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["milestone"] = "milestone"
    milestone_id: str
    kind: MilestoneKind
    client_id: str
    ib_id: str
    occurred_at: datetime
    amount: Decimal | None = None
    currency: str = ""
    click: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A closed period of one IB in one currency.

    opening + accrued - reversed - payable - rounding = closing, all in `currency`. `payable` is
    rounded to the currency's minor unit and is what a payout may send; a negative sum is carried
    over, so `payable` is never negative. `held` waits for clients' KYC and is outside the sum.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["statement"] = "statement"
    statement_id: str
    ib_id: str
    period: str
    starts_at: datetime
    ends_at: datetime
    currency: str
    opening: Decimal
    accrued: Decimal
    reversed: Decimal
    payable: Decimal
    rounding: Decimal
    closing: Decimal
    held: Decimal


Output = Transfer | Rejection | Milestone | Statement
