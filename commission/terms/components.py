"""Components: what a plan pays for."""

from decimal import Decimal
from typing import Literal

from commission.terms.rates import ALWAYS, DIFFERENCE, ZERO, Caps, Override, Rate, SideOfPosition, Tiers, When
from commission.value import Text, Value


class PlanComponent(Value, tag_field="kind"):
    """What a plan pays for; its JSON tells by `kind` what it is."""

    name: Text

    @property
    def kind(self) -> str:
        """What it pays for, in one word."""
        return str(self.__struct_config__.tag)


class DealComponent(PlanComponent):
    """What all components share that pay for deals: `rate x measure`, under conditions and caps."""

    rates: tuple[Rate, ...] = ()
    entry: SideOfPosition = "out"
    """The volume that counts: opened (`in`), closed (`out`) or both. As in MT5, a close-by counts
    under `out` only: both legs; `both` leaves it out, as the legs were paid when opened."""
    close_by: Literal["each_leg", "first_leg", "one_side"] = "each_leg"
    """Under `out`: each leg of a close-by pays its own; or, as MT5 writes it, the first leg pays for both
    and the second nothing; or (`one_side`) the close-by is one netted trade, and its first leg pays alone."""
    when: When = ALWAYS
    hedged: bool = False
    """Pay, for each account and symbol and period, only max(bought, sold) of the opened volume in place of
    both, in units of the contract; needs `entry: in`. An account that turned a position round (in/out) hedges
    nothing: all it opened is paid."""
    override: Override = DIFFERENCE
    tiers: Tiers | None = None
    caps: Caps | None = None
    credit_coefficient: bool = False
    """Multiply by (equity - credit) / equity of the account at the deal, at least 0."""


class PerLot(DealComponent, tag="per_lot"):
    """Money per lot: `rate x lots`, in the plan's currency.

    `standardised` counts lots of the symbol's standard contract: 1 cent lot = 0.01. Where the plan
    has `lot_factors`, lots are multiplied by the one that matches.
    """

    standardised: bool = True


class Turnover(DealComponent, tag="turnover"):
    """Money for turnover: `rate x notional / unit` in the plan's currency; per million, or basis points.

    Notional is lots x contract size x price in the profit currency if that is the plan's currency;
    else lots x contract size of the symbol's base currency, where it names one, converted; else the
    former converted.
    """

    unit: Literal["million", "bps"] = "million"


class Pips(DealComponent, tag="pips"):
    """A number of pips or points: `rate x pip x contract size x lots`, in the profit currency."""

    unit: Literal["pip", "point"] = "pip"
    """A point is 10^-digits of the symbol."""


class SpreadShare(DealComponent, tag="spread_share"):
    """A share of the spread: `rate x spread x contract size x lots`, in the profit currency.

    Rates are shares: 0.35 is 35 %. The spread is `ask - bid` at the deal (`execution`), at the opening
    of each closed slice (`open`), the mean of both (`average`), `average_pips` of the symbol
    (`table`) or `markup_pips` (`markup`). Where it is measured and unknown, `average_pips` of the
    component, then of the symbol, take its place; without them the deal waits.
    `at_most_average` bounds a measured spread by the average, `cap_pips` any spread; `plus_pips` is
    added after that.
    """

    basis: Literal["execution", "open", "average", "table", "markup"] = "execution"
    average_pips: tuple[Rate, ...] = ()
    markup_pips: tuple[Rate, ...] = ()
    cap_pips: Decimal | None = None
    at_most_average: bool = False
    plus_pips: Decimal = ZERO


class CommissionShare(DealComponent, tag="commission_share"):
    """A share of what the client was charged on the deal: `rate x -(commission + fee)`, deposit currency.

    What was charged on openings counts as well, unless the plan says `entry: out`, and so does what was
    charged on the legs of a close-by. A refund takes back what was paid for the charge it is of: on a
    closing, of its openings; else, the nearest charge of the account before it that has as much left.
    With `charges`, a later daily or monthly commission deal of the account is shared too, allocated
    to symbols by the standard lots the account traded since the charge before it; a refund by a deal of
    its own takes back what was paid for the newest charge that has as much left.
    """

    entry: SideOfPosition = "both"
    """Of which deals: those that opened (`in`), closed (`out`) or both."""
    charges: bool = False


class SwapShare(DealComponent, tag="swap_share"):
    """A share of the swap the client paid: `rate x -swap` where that is above 0, deposit currency."""


class ProfitShare(DealComponent, tag="profit_share"):
    """A share of what the client lost (`of: loss`) or won (`of: profit`) in a deal, deposit currency.

    The deal's result is profit + swap + commission + fee. Never below 0 for one deal; a netted share of
    wins and losses is a `RevenueShare` of `client_result`.
    """

    of: Literal["loss", "profit"] = "loss"


RevenueTerm = Literal["spread", "commission", "swap", "client_result"]


class RevenueShare(DealComponent, tag="revenue_share"):
    """A share of the broker's net revenue of a period, settled in the partner book; deposit currency.

    The revenue of a deal is the sum of `terms`: the spread the client paid, -(commission + fee),
    -swap, -(profit) of the client (negative when the client wins). The IB gets `rate x max(0, sum)`.
    A negative sum of a period is carried into the next with `carry_over`, else forgotten.
    `scope: client` floors and carries each client by itself. A client whose period is below
    -`quarantine_below` is kept apart: its negative sum burdens only its own later revenue.
    """

    terms: tuple[RevenueTerm, ...] = ("spread", "commission", "swap")
    carry_over: bool = True
    scope: Literal["ib", "client"] = "ib"
    quarantine_below: Decimal | None = None
    commission_entry: Literal["both", "as_entry"] = "both"
    """The commission counts of openings and closings alike, whatever `entry` says of the other terms; or
    only where `entry` says."""


class Rebate(DealComponent, tag="rebate"):
    """Money back to the client: `rate x lots` (plan currency), or a share of the direct IB's accruals.

    `funded_by: ib` takes it out of the direct IB's pending money, `broker` out of the broker's. What an
    IB funds is at most what the deal brings it; with a revenue share in its plan the period tells.
    Only the direct IB's plan counts; overrides do not apply.
    """

    unit: Literal["lot", "share"] = "lot"
    funded_by: Literal["broker", "ib"] = "broker"


class CpaAmount(Value):
    """An amount for clients of a country that deposited at least `min_deposit` (plan currency).

    Where amounts name the client's country, only they count; of those whose `min_deposit` is reached the
    largest wins. So a country's own minimum, once it is not reached, is not replaced by a lower general one.
    """

    amount: Decimal
    country: Text = ""
    min_deposit: Decimal = ZERO


class Cpa(PlanComponent, tag="cpa"):
    """One amount per person, once every condition holds inside the window.

    It is the IB's that the client registered with, and of those above it, by their places and plans at that
    time: a later reassignment, master IB or plan changes no CPA.
    Of all clients of one `identity` an IB is paid for the first to qualify, unless `cpa_per` is `client`.
    Deposits within `ftd_window_hours` of the first must reach the least `min_deposit` of the amounts
    (in the plan's currency), KYC must be approved, and trades closed of `min_lots` standard lots,
    `min_trades` deals, `min_spread` spread collected (plan currency) and a turnover of
    `min_turnover` times the FTD amount, counting lots held at least `min_holding_s`; all within
    `qualification_days` of registration (`business_days`: Monday to Friday).
    Deals count that the plan's `when` and the component's own let count, of `symbols` if any are named.
    Several components are stages: each pays once. A deposit taken back within `clawback_days` of
    qualification (and within the plan's clawback window) takes the CPA back if what is left no longer
    qualifies; with `requalify`, later
    deposits may earn it again. With `net_deposits`, what is withdrawn counts like what is taken back, of
    the earliest deposit first: before qualification it is missing, and within `clawback_days` after it
    takes the CPA back.
    """

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
    countries: tuple[Text, ...] = ()
    countries_not: tuple[Text, ...] = ()
    channels: tuple[Text, ...] = ()
    net_deposits: bool = False
    when: When = ALWAYS
    """Which deals count; like any `when`."""
    symbols: tuple[Text, ...] = ()
    """Whose deals count, as rates match them: `EURUSD`, `XAU*`, `class:forex`; none named is all."""
    tiers: Tiers | None = None
    """By `count`: the ordinal of the client among those qualified in the period."""
    cpa_per: Literal["identity", "client"] = "identity"
    """Once for a person, of all its clients the first to qualify; or for each client. A client without
    identity is a person of its own."""


class Cpl(PlanComponent, tag="cpl"):
    """One amount per registered client, of `countries` if named, after KYC approval if asked for.

    With `min_ftd_rate`, a period's clients are paid only if at least that share of the IB's clients
    registered in it have deposited; until then nothing is due, and it is weighed again with each fact.
    """

    amounts: tuple[CpaAmount, ...]
    kyc: bool = True
    min_ftd_rate: Decimal = ZERO
    countries: tuple[Text, ...] = ()
    countries_not: tuple[Text, ...] = ()
    channels: tuple[Text, ...] = ()


class DepositShare(PlanComponent, tag="deposit_share"):
    """A share of deposits, in the plan's currency: of `each`, of the `first`, or of `net` deposits.

    `net` is deposits minus withdrawals of a period over all the IB's clients, settled in the partner
    book, at least 0; a negative sum is carried over.
    """

    share: Decimal
    of: Literal["each", "first", "net"] = "each"
    max_amount: Decimal | None = None
    """Most that one deposit earns."""


class CohortBonus(PlanComponent, tag="cohort_bonus"):
    """`amount` for every `clients` clients who each close `min_lots` standard lots in one period.

    Deals that a clawback takes back whole do not count.
    """

    amount: Decimal
    clients: int
    min_lots: Decimal
    countries: tuple[Text, ...] = ()


AnyDealComponent = (
    PerLot | Turnover | Pips | SpreadShare | CommissionShare | SwapShare | ProfitShare | RevenueShare | Rebate
)
Component = AnyDealComponent | Cpa | Cpl | DepositShare | CohortBonus
