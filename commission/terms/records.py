"""The terms: partners, plans, symbols, rates and periods, as they were published, in order.

A plan is a list of components. A component measures something of a deal (lots, notional, spread …)
and multiplies it by the rate that matches best; an override mode says what the IBs above keep.
"""

from dataclasses import field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from commission.events import WIRE, Side
from commission.value import value

ZERO, ONE = Decimal(0), Decimal(1)

SideOfPosition = Literal["in", "out", "both"]


@value
class Rate:
    """What a component pays for what it matches; the most specific match wins.

    `match` is a canonical symbol (`EURUSD`), a prefix (`XAU*`), a class (`class:forex`) or `*`.
    Specificity, first to last: client, login, account group (longer prefix first), symbol match.
    Among rates equal in these, one that also names a country, or a period, beats one that names less;
    two of which each names something else are ambiguous, an error when terms are published.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    value: Decimal
    match: str = "*"
    client: str = ""
    login: str = ""
    """An account: `live/1001`."""
    group: str = ""
    """The account's group, exactly or by prefix: `real\\ecn*`. The account type, where groups are types."""
    country: str = ""
    """ISO 3166 alpha-2 of the client."""
    since: datetime | None = None
    until: datetime | None = None
    """The deal's time is in [since, until)."""


@value
class When:
    """Which deals are paid: every condition that is named must hold, or the deal has a reason.

    `min_holding_s`, `min_pips` and `same_price` look at each closed slice of a position against the
    opening it closes (first in, first out), so they need a component that pays on `out`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    sides: tuple[Side, ...] = ()
    result: Literal["any", "profit", "loss"] = "any"
    """By the sign of the deal's profit."""
    reasons: tuple[str, ...] = ()
    """Who asked for the deal: `client`, `expert`, `mobile`, `web`, `dealer`, `signal` …"""
    groups: tuple[str, ...] = ()
    """Account groups, exactly or by prefix."""
    countries: tuple[str, ...] = ()
    countries_not: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    """The client's `click["channel"]`."""
    charged: bool = False
    """Only deals the client paid a commission on."""
    min_holding_s: int = 0
    min_pips: Decimal = ZERO
    """The price moved at least this far between opening and closing, in either direction."""
    same_price: bool = True
    """False: nothing for a slice closed at its opening price."""
    negative_balance: bool = True
    """False: nothing for a deal that left the account below zero (`Deal.balance`)."""


@value
class Band:
    """From `start` of the tier's measure on, `rates` count, or `factor` times the component's own."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    start: Decimal
    rates: tuple[Rate, ...] = ()
    factor: Decimal = ONE
    name: str = ""


@value
class Tiers:
    """Better rates for more activity of one IB in this component, as true-ups beside the accruals.

    Accruals are posted by the component's own rates (the band from 0); the partner book posts what
    the reached band adds. `slab`: the whole period at the reached band, so crossing re-rates the
    period. `graduated`: each band's share of the period's measure at that band's rates; deals are not
    told apart by their order: a band that holds a third of the measure holds a third of every deal.
    `level`: a level held from before: the band that the measure of the last `lookback_periods` and of
    this one reaches; a promotion counts from the next day (`next_day`) or the next period on, for the
    deals after it; a demotion counts from the first day of a period, after `grace_periods` below.
    `step` bounds how many bands a level rises in one period, and falls at its first day; 0 is no bound.
    What tiers add belongs to the IB that reached them: an override above it is worked out against the
    component's own rates, so it neither shrinks nor grows with the tiers of the IBs below. Under the
    override mode `rank` there are no tiers.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    by: Literal["lots", "notional", "count", "active_clients", "amount"]
    """Standard lots; notional in the plan's currency; deals (clients, for CPA); clients whose lots of
    the window reach `active_min_lots`; the component's own amount."""
    bands: tuple[Band, ...]
    """Above the component's own rates, lowest `start` first."""
    mode: Literal["slab", "graduated", "level"] = "slab"
    lookback_periods: int = 0
    promote: Literal["next_day", "next_period"] = "next_day"
    grace_periods: int = 0
    step: int = 0
    active_min_lots: Decimal = ZERO


@value
class Caps:
    """Most that one IB gets from the component: of a deal, and in a day, week, month; plan currency.

    `per_deal` bounds what the component pays before overrides, the others what the IB keeps.
    Days and weeks are those of the broker's calendar, cut at the ends of periods; `per_period` is
    the statement period, a month unless the calendar says otherwise.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    per_deal: Decimal | None = None
    per_day: Decimal | None = None
    per_week: Decimal | None = None
    per_period: Decimal | None = None


@value
class RankRates:
    """What one rank adds: an IB of it takes this and all lower ranks nobody below has taken."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    rank: str
    rates: tuple[Rate, ...]


@value
class Override:
    """How the IBs above the client share what the component pays.

    - `difference`: each IB's own plan is priced; it keeps what exceeds the best one below it.
      Kept amounts add up to the largest.
    - `absolute`: each IB's own plan: `rates` for its direct clients, `levels[0]` for clients one
      level down, `levels[1]` for two; beyond the list nothing.
    - `cascade`: the lowest IB's plan is priced and passes up: `pass_up[d]` is the share of what
      reached depth d that goes on to depth d+1 (or, with `pass_unit: rate`, an amount at that rate
      of the component's measure, at most what is there). The last entry repeats; the top keeps the rest.
    - `split`: the lowest IB's plan is priced; `shares[d]` of it belongs to depth d; shares nobody
      holds stay with the lowest IB, and so does the remainder of rounding.
    - `rank`: the lowest IB's plan lists `ranks`, lowest first; an IB takes its rank's rates and those
      of lower ranks not taken yet; a rank no higher than one below takes nothing.

    In the last three the amounts add up to the base exactly (ranks: of the highest rank present).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    mode: Literal["difference", "absolute", "cascade", "split", "rank"] = "difference"
    levels: tuple[tuple[Rate, ...], ...] = ()
    pass_up: tuple[Decimal, ...] = ()
    pass_unit: Literal["share", "rate"] = "share"
    shares: tuple[Decimal, ...] = ()
    ranks: tuple[RankRates, ...] = ()


DIFFERENCE = Override()
ALWAYS = When()


@value
class DealComponent:
    """What all components share that pay for deals: `rate x measure`, under conditions and caps."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    name: str
    rates: tuple[Rate, ...] = ()
    entry: SideOfPosition = "out"
    """The volume that counts: opened (`in`), closed (`out`) or both. As in MT5, a close-by counts
    under `out` only: both legs; `both` leaves it out, as the legs were paid when opened."""
    close_by: Literal["each_leg", "first_leg"] = "each_leg"
    """Under `out`: each leg of a close-by pays its own, or, as MT5 writes it, the first leg pays for
    both and the second nothing."""
    when: When = ALWAYS
    hedged: bool = False
    """Pay, for each account and symbol and period, only max(bought, sold) of the opened volume in place of
    both; needs `entry: in`."""
    override: Override = DIFFERENCE
    tiers: Tiers | None = None
    caps: Caps | None = None
    credit_coefficient: bool = False
    """Multiply by (equity - credit) / equity of the account at the deal, at least 0."""


@value
class PerLot(DealComponent):
    """Money per lot: `rate x lots`, in the plan's currency.

    `standardised` counts lots of the symbol's standard contract: 1 cent lot = 0.01. Where the plan
    has `lot_factors`, lots are multiplied by the one that matches.
    """

    kind: Literal["per_lot"] = "per_lot"
    standardised: bool = True


@value
class Turnover(DealComponent):
    """Money for turnover: `rate x notional / unit` in the plan's currency; per million, or basis points.

    Notional is lots x contract size x price in the profit currency if that is the plan's currency;
    else lots x contract size of the symbol's base currency, where it names one, converted; else the
    former converted.
    """

    kind: Literal["turnover"] = "turnover"
    unit: Literal["million", "bps"] = "million"


@value
class Pips(DealComponent):
    """A number of pips or points: `rate x pip x contract size x lots`, in the profit currency."""

    kind: Literal["pips"] = "pips"
    unit: Literal["pip", "point"] = "pip"
    """A point is 10^-digits of the symbol."""


@value
class SpreadShare(DealComponent):
    """A share of the spread: `rate x spread x contract size x lots`, in the profit currency.

    Rates are shares: 0.35 is 35 %. The spread is `ask - bid` at the deal (`execution`), at the opening
    of each closed slice (`open`), the mean of both (`average`), `average_pips` of the symbol
    (`table`) or `markup_pips` (`markup`). Where it is measured and unknown, `average_pips` of the
    component, then of the symbol, take its place; without them the deal waits.
    `at_most_average` bounds a measured spread by the average, `cap_pips` any spread; `plus_pips` is
    added after that.
    """

    kind: Literal["spread_share"] = "spread_share"
    basis: Literal["execution", "open", "average", "table", "markup"] = "execution"
    average_pips: tuple[Rate, ...] = ()
    markup_pips: tuple[Rate, ...] = ()
    cap_pips: Decimal | None = None
    at_most_average: bool = False
    plus_pips: Decimal = ZERO


@value
class CommissionShare(DealComponent):
    """A share of what the client was charged on the deal: `rate x -(commission + fee)`, deposit currency.

    With `charges`, a later daily or monthly commission deal of the account is shared too, allocated
    to symbols by the volume the account traded since the charge before it. A refund counts nothing.
    """

    kind: Literal["commission_share"] = "commission_share"
    charges: bool = False


@value
class SwapShare(DealComponent):
    """A share of the swap the client paid: `rate x -swap` where that is above 0, deposit currency."""

    kind: Literal["swap_share"] = "swap_share"


@value
class ProfitShare(DealComponent):
    """A share of what the client lost (`of: loss`) or won (`of: profit`) in a deal, deposit currency.

    The deal's result is profit + swap + commission + fee. Never below 0 for one deal; a netted share of
    wins and losses is a `RevenueShare` of `client_result`.
    """

    kind: Literal["profit_share"] = "profit_share"
    of: Literal["loss", "profit"] = "loss"


RevenueTerm = Literal["spread", "commission", "swap", "client_result"]


@value
class RevenueShare(DealComponent):
    """A share of the broker's net revenue of a period, settled in the partner book; deposit currency.

    The revenue of a deal is the sum of `terms`: the spread the client paid, -(commission + fee),
    -swap, -(profit) of the client (negative when the client wins). The IB gets `rate x max(0, sum)`.
    A negative sum of a period is carried into the next with `carry_over`, else forgotten.
    `scope: client` floors and carries each client by itself. A client whose period is below
    -`quarantine_below` is kept apart: its negative sum burdens only its own later revenue.
    """

    kind: Literal["revenue_share"] = "revenue_share"
    terms: tuple[RevenueTerm, ...] = ("spread", "commission", "swap")
    carry_over: bool = True
    scope: Literal["ib", "client"] = "ib"
    quarantine_below: Decimal | None = None


@value
class Rebate(DealComponent):
    """Money back to the client: `rate x lots` (plan currency), or a share of the direct IB's accruals.

    `funded_by: ib` takes it out of the direct IB's pending money, `broker` out of the broker's.
    Only the direct IB's plan counts; overrides do not apply.
    """

    kind: Literal["rebate"] = "rebate"
    unit: Literal["lot", "share"] = "lot"
    funded_by: Literal["broker", "ib"] = "broker"


@value
class CpaAmount:
    """An amount for clients of a country that deposited at least `min_deposit` (plan currency).

    Among those that apply, a named country beats none, then the largest `min_deposit` wins.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    amount: Decimal
    country: str = ""
    min_deposit: Decimal = ZERO


@value
class Cpa:
    """One amount per client, once every condition holds inside the window.

    Deposits within `ftd_window_hours` of the first must reach the least `min_deposit` of the amounts
    (in the plan's currency), KYC must be approved, and trades closed of `min_lots` standard lots,
    `min_trades` deals, `min_spread` spread collected (plan currency) and a turnover of
    `min_turnover` times the FTD amount, counting deals held at least `min_holding_s`; all within
    `qualification_days` of registration (`business_days`: Monday to Friday).
    Several components are stages: each pays once. A deposit taken back within `clawback_days` of
    qualification (and within the plan's clawback window) takes the CPA back if what is left no longer
    qualifies; with `requalify`, later
    deposits may earn it again.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    kind: Literal["cpa"] = "cpa"
    name: str
    amounts: tuple[CpaAmount, ...]
    ftd_window_hours: int = 24
    min_lots: Decimal = ZERO
    min_trades: int = 0
    min_spread: Decimal = ZERO
    min_turnover: Decimal = ZERO
    min_holding_s: int = 0
    qualification_days: int = 90
    business_days: bool = False
    clawback_days: int = 60
    requalify: bool = True
    countries: tuple[str, ...] = ()
    countries_not: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    tiers: Tiers | None = None
    """By `count`: the ordinal of the client among those qualified in the period."""


@value
class Cpl:
    """One amount per registered client, of `countries` if named, after KYC approval if asked for.

    With `min_ftd_rate`, a period's clients are paid only if at least that share of the IB's clients
    registered in it have deposited; until then nothing is due, and it is weighed again with each fact.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    kind: Literal["cpl"] = "cpl"
    name: str
    amounts: tuple[CpaAmount, ...]
    kyc: bool = True
    min_ftd_rate: Decimal = ZERO
    countries: tuple[str, ...] = ()
    countries_not: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


@value
class DepositShare:
    """A share of deposits, in the plan's currency: of `each`, of the `first`, or of `net` deposits.

    `net` is deposits minus withdrawals of a period over all the IB's clients, settled in the partner
    book, at least 0; a negative sum is carried over.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    kind: Literal["deposit_share"] = "deposit_share"
    name: str
    share: Decimal
    of: Literal["each", "first", "net"] = "each"
    max_amount: Decimal | None = None
    """Most that one deposit earns."""


@value
class CohortBonus:
    """`amount` for every `clients` clients who each close `min_lots` standard lots in one period.

    Deals that a clawback takes back whole do not count.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    kind: Literal["cohort_bonus"] = "cohort_bonus"
    name: str
    amount: Decimal
    clients: int
    min_lots: Decimal
    countries: tuple[str, ...] = ()


AnyDealComponent = (
    PerLot | Turnover | Pips | SpreadShare | CommissionShare | SwapShare | ProfitShare | RevenueShare | Rebate
)
Component = AnyDealComponent | Cpa | Cpl | DepositShare | CohortBonus

ClawbackScope = Literal["none", "cpa", "activity", "all"]


@value
class Clawback:
    """What a negative event takes back, of accruals at most `window_days` older than the event.

    `cpa`: CPA and deposit shares that no longer stand without the deposit. `activity`: also what deals
    earned between the disputed deposit and the event. `all`: everything of the client. A partial
    chargeback takes back its share of the activity. `fraud` also ends the client's earning.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    window_days: int = 180
    chargeback: ClawbackScope = "cpa"
    refund: ClawbackScope = "cpa"
    deposit_reversal: ClawbackScope = "cpa"
    kyc_revoked: Literal["none", "all"] = "none"
    bonus_removed: Literal["none", "all"] = "none"
    fraud: Literal["none", "all"] = "all"


@value
class Budget:
    """All IBs together get at most `share` of the broker's revenue on a deal.

    Revenue is the sum of `revenue` terms of the deal as in `RevenueShare` (spread measured or the
    symbol's average). What exceeds it is cut from all in proportion. The budget of the lowest IB's
    plan counts.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    share: Decimal
    revenue: tuple[RevenueTerm, ...] = ("spread", "commission")


@value
class LotFactor:
    """Lots of a symbol or account group count `factor` times in this plan."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    factor: Decimal
    match: str = "*"
    group: str = ""


@value
class PlanDefined:
    """How an IB's amounts arise. `currency` is that of money rates and of CPA amounts.

    A version counts for what happened from `since` on, until a newer version does.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["plan_defined"] = "plan_defined"
    plan_id: str
    version: int
    currency: str
    components: tuple[Component, ...]
    name: str = ""
    since: datetime | None = None
    when: When = ALWAYS
    """Holds for every component that pays for deals, beside the component's own."""
    lot_factors: tuple[LotFactor, ...] = ()
    budget: Budget | None = None
    clawback: Clawback = field(default_factory=Clawback)
    kyc_gate: bool = True
    """What a client's activity earns is held until the client's KYC is approved."""
    kyc_forfeit_days: int = 0
    """Held money earned more days (of UTC) before the approval is forfeited, not released; 0 is never."""
    ib_kyc_gate: bool = False
    """Nothing becomes payable before the IB's own KYC is approved; it is carried over."""
    agreement_gate: bool = False
    """The same before the IB has accepted its agreement."""
    hold_days: int = 0
    """An accrual matures this long after its deal: it enters the statement of that day."""
    min_payout: Decimal = ZERO
    """A statement below it, in the IB's currency, pays nothing and is carried over."""
    self_referral: bool = False
    """Whether an IB earns on its own trades: on clients of the same declared identity."""


@value
class ParentLink:
    """From `since` on, the master IB is `ib_id`, or nobody. None as `since`: from the beginning."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    since: datetime | None = None
    ib_id: str | None = None


@value
class PlanAssignment:
    """From `since` on, the IB earns by `plan_id`, or nothing. None as `since`: from the beginning.

    `rank` is the IB's for rank overrides; `factor` multiplies what its own plan pays.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    since: datetime | None = None
    plan_id: str | None = None
    rank: str = ""
    factor: Decimal = ONE


@value
class StatusChange:
    """From `since` on, the IB is active, suspended or terminated.

    A suspended IB earns nothing and nobody gets its share; a terminated one is not there: the
    IBs above share as if its clients and sub-IBs were theirs.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    since: datetime | None = None
    status: Literal["active", "suspended", "terminated"]


@value
class PartnerDefined:
    """An IB: its place in the tree and its schedule of plans, each effective-dated, oldest first."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["partner_defined"] = "partner_defined"
    ib_id: str
    name: str
    currency: str
    parents: tuple[ParentLink, ...] = ()
    schedule: tuple[PlanAssignment, ...] = ()
    statuses: tuple[StatusChange, ...] = ()
    kyc_approved: bool = False
    """The IB's own identity check; without it a payable amount is not exported."""
    agreement_accepted: bool = False
    identity: str = ""
    """Who the IB is, as the CRM identifies persons: a client of the same identity is itself."""
    own_clients: tuple[str, ...] = ()
    """Clients known to be the IB itself."""


@value
class PartnerChanged:
    """What a CRM tells of an IB: the entries to add to its record, and facts of the IB as of `occurred_at`.

    It stands on top of the IB's `PartnerDefined`, whichever is published first and however often: a whole
    record published again takes no change back. Of undated facts the newest told counts; "" and None tell
    nothing. An approved application that names a currency defines an IB nobody has published. A CRM's ids
    of events are unique for one IB.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["partner_changed"] = "partner_changed"
    event_id: str
    ib_id: str
    occurred_at: datetime
    application: Literal["", "received", "approved", "declined"] = ""
    """Only an approval changes something: the others are kept to be seen."""
    name: str = ""
    currency: str = ""
    """Of an IB nobody has published; a known IB keeps its own."""
    identity: str = ""
    parents: tuple[ParentLink, ...] = ()
    schedule: tuple[PlanAssignment, ...] = ()
    statuses: tuple[StatusChange, ...] = ()
    kyc_approved: bool | None = None
    agreement_accepted: bool | None = None
    source: str = ""


@value
class SymbolDefined:
    """What one server's symbol means.

    `pip` is a price difference, set for every symbol: for metals, indices and crypto no rule
    derives it from the digits. `standard_contract_size` is that of one standard lot of the
    canonical symbol, so a cent symbol with contract size 1,000 against 100,000 counts 0.01 lots.
    A price difference is worth difference x contract size x lots, or, with `tick_size` and
    `tick_value` (futures), difference / tick size x tick value x lots, in the profit currency.
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
    base_currency: str = ""
    """The currency a lot is counted in, for pairs: EUR of EURUSD."""
    digits: int | None = None
    tick_size: Decimal | None = None
    tick_value: Decimal | None = None
    average_pips: Decimal | None = None
    """The usual spread, where neither the deal nor a component tells one."""


@value
class RatePublished:
    """One unit of `base` is worth `rate` of `quote` from `as_of` on, until a newer rate."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["rate_published"] = "rate_published"
    base: str
    quote: str
    rate: Decimal
    as_of: datetime
    source: str = ""


@value
class PeriodDefined:
    """A statement period: [starts_at, ends_at) in UTC, cut at midnight in the broker's zone."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["period_defined"] = "period_defined"
    period: str
    """Sorts in time: `2026-09`."""
    starts_at: datetime
    ends_at: datetime
    days: tuple[datetime, ...] = ()
    """Where each of its days begins, in UTC; () counts days of UTC."""
    first_weekday: int = 0
    """Weekday of the first day, Monday 0: weeks begin on Mondays."""


@value
class PeriodEnded:
    """Time as a record: the period is over and its statements close at this point of the log."""

    __pydantic_config__: ClassVar[dict[str, Any]] = WIRE

    type: Literal["period_ended"] = "period_ended"
    period: str


TermsRecord = (
    PlanDefined
    | PartnerDefined
    | PartnerChanged
    | SymbolDefined
    | RatePublished
    | PeriodDefined
    | PeriodEnded
)
