"""The terms: partners, plans, symbols, rates and periods, as they were published, in order."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from commission.events import WIRE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a component pays for the symbols it matches; the most specific match wins.

    `match` is a canonical symbol (`EURUSD`), a prefix (`XAU*`), a class (`class:forex`) or `*`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    match: str
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PerLot:
    """Money per lot: `rate x lots`, in the plan's currency.

    `entry` chooses the volume: opened (`in`), closed (`out`) or both, as MT5's own engine does.
    `standardised` counts lots of the symbol's standard contract: 1 cent lot = 0.01.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    kind: Literal["per_lot"] = "per_lot"
    name: str
    rates: tuple[Rate, ...]
    entry: Literal["in", "out", "both"] = "out"
    standardised: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadShare:
    """A share of the spread: `share x spread x contract size x lots`, in the profit currency.

    The spread is `ask - bid` at execution; where the platform recorded none, `average_pips` of the
    symbol times its pip. `cap_pips` bounds the spread that is shared.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    kind: Literal["spread_share"] = "spread_share"
    name: str
    rates: tuple[Rate, ...]
    """Shares: 0.35 is 35 %."""
    entry: Literal["in", "out", "both"] = "out"
    average_pips: tuple[Rate, ...] = ()
    cap_pips: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpa:
    """One amount per client, once every condition holds inside the window.

    Deposits within `ftd_window_hours` of the first must reach `min_deposit` (in the plan's
    currency), KYC must be approved, `min_lots` traded, all within `qualification_days` of
    registration. A chargeback within `clawback_days` of qualification takes it back if the
    deposits left no longer qualify.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    kind: Literal["cpa"] = "cpa"
    name: str
    amount: Decimal
    min_deposit: Decimal = Decimal(0)
    ftd_window_hours: int = 24
    min_lots: Decimal = Decimal(0)
    qualification_days: int = 90
    clawback_days: int = 60


Component = PerLot | SpreadShare | Cpa


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDefined:
    """How an IB's amounts arise. `currency` is that of money rates and of CPA amounts.

    With `kyc_gate`, what a client's activity earns is held until the client's KYC is approved.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["plan_defined"] = "plan_defined"
    plan_id: str
    version: int
    currency: str
    components: tuple[Component, ...]
    kyc_gate: bool = True
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentLink:
    """From `since` on, the master IB is `ib_id`, or nobody. None as `since`: from the beginning."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    since: datetime | None = None
    ib_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAssignment:
    """From `since` on, the IB earns by `plan_id`, or nothing. None as `since`: from the beginning."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    since: datetime | None = None
    plan_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerDefined:
    """An IB: its place in the tree and its schedule of plans, each effective-dated, oldest first."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["partner_defined"] = "partner_defined"
    ib_id: str
    name: str
    currency: str
    parents: tuple[ParentLink, ...] = ()
    schedule: tuple[PlanAssignment, ...] = ()
    kyc_approved: bool = False
    """The IB's own identity check; without it a payable amount is not exported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolDefined:
    """What one server's symbol means.

    `pip` is a price difference, set for every symbol: for metals, indices and crypto no rule
    derives it from the digits. `standard_contract_size` is that of one standard lot of the
    canonical symbol, so a cent symbol with contract size 1,000 against 100,000 counts 0.01 lots.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["symbol_defined"] = "symbol_defined"
    server: str
    symbol: str
    canonical: str
    asset_class: str
    contract_size: Decimal
    standard_contract_size: Decimal
    pip: Decimal
    profit_currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePublished:
    """One unit of `base` is worth `rate` of `quote` from `as_of` on, until a newer rate."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["rate_published"] = "rate_published"
    base: str
    quote: str
    rate: Decimal
    as_of: datetime
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodDefined:
    """A statement period: [starts_at, ends_at) in UTC, cut at midnight in the broker's zone."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["period_defined"] = "period_defined"
    period: str
    """Sorts in time: `2026-09`."""
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodEnded:
    """Time as a record: the period is over and its statements close at this point of the log."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["period_ended"] = "period_ended"
    period: str


TermsRecord = PlanDefined | PartnerDefined | SymbolDefined | RatePublished | PeriodDefined | PeriodEnded
