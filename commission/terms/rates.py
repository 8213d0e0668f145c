"""Rates, their conditions, bands, caps and overrides."""

from decimal import Decimal
from typing import Literal

from commission.events import Side
from commission.value import Text, Time, Value

ZERO, ONE = Decimal(0), Decimal(1)

SideOfPosition = Literal["in", "out", "both"]


class Rate(Value):
    """What a component pays for what it matches; the most specific match wins.

    `match` is a canonical symbol (`EURUSD`), a prefix (`XAU*`), a class (`class:forex`) or `*`.
    Specificity, first to last: client, login, account group (in full, then by more letters), symbol match.
    Among rates equal in these, one that also names a country, or a period, beats one that names less;
    two of which each names something else are ambiguous, an error when terms are published.
    """

    value: Decimal
    match: Text = "*"
    client: Text = ""
    login: Text = ""
    """An account: `live/1001`."""
    group: Text = ""
    """The account's group, as a mask of MT5: `real\\ecn*,!real\\ecn-test*`; `*` any text, `?` one
    character, `!` not these; letter case does not matter. The account type, where groups are types."""
    country: Text = ""
    """ISO 3166 alpha-2 of the client."""
    since: Time | None = None
    until: Time | None = None
    """The deal's time is in [since, until)."""


class When(Value):
    """Which deals are paid: every condition that is named must hold, or the deal has a reason.

    `min_holding_s`, `min_pips` and `same_price` look at each closed slice of a position against the
    opening it closes (first in, first out), so they need a component that pays on `out`.
    """

    sides: tuple[Side, ...] = ()
    result: Literal["any", "profit", "loss"] = "any"
    """By the sign of the deal's profit."""
    reasons: tuple[Text, ...] = ()
    """Who asked for the deal: `client`, `expert`, `mobile`, `web`, `dealer`, `signal` …"""
    groups: tuple[Text, ...] = ()
    """Account groups as masks of MT5; one with `!` excludes what the others name."""
    countries: tuple[Text, ...] = ()
    countries_not: tuple[Text, ...] = ()
    channels: tuple[Text, ...] = ()
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


class Band(Value):
    """From `start` of the tier's measure on, `rates` count, or `factor` times the component's own."""

    start: Decimal
    rates: tuple[Rate, ...] = ()
    factor: Decimal = ONE
    name: Text = ""


class Tiers(Value):
    """Better rates for more activity of one IB in this component, as true-ups beside the accruals.

    Accruals are posted by the component's own rates (the band from 0); the partner book posts what
    the reached band adds. `slab`: the whole period at the reached band, so crossing re-rates the
    period. `graduated`: the deals fill the bands day after day, each at the rates of the band it falls
    into; those of one day are not told apart: a band that holds a third of a day holds a third of each.
    `level`: a level held from before: the band that the measure of the last `lookback_periods` and of
    this one reaches; a promotion counts from the next day (`next_day`) or the next period on, for the
    deals after it; a demotion counts from the first day of a period, after `grace_periods` below.
    `step` bounds how many bands a level rises in one period, and falls at its first day; 0 is no bound.
    What tiers add belongs to the IB that reached them: an override above it is worked out against the
    component's own rates, so it neither shrinks nor grows with the tiers of the IBs below. Under the
    override mode `rank` there are no tiers.
    """

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


class Caps(Value):
    """Most that one IB gets from the component: of a deal, and in a day, week, month; plan currency.

    `per_deal` bounds what the component pays before overrides, the others what the IB keeps.
    Days and weeks are those of the broker's calendar, cut at the ends of periods; `per_period` is
    the statement period, a month unless the calendar says otherwise.
    """

    per_deal: Decimal | None = None
    per_day: Decimal | None = None
    per_week: Decimal | None = None
    per_period: Decimal | None = None


class RankRates(Value):
    """What one rank adds: an IB of it takes this and all lower ranks nobody below has taken."""

    rank: Text
    rates: tuple[Rate, ...]


class Override(Value):
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

    mode: Literal["difference", "absolute", "cascade", "split", "rank"] = "difference"
    levels: tuple[tuple[Rate, ...], ...] = ()
    pass_up: tuple[Decimal, ...] = ()
    pass_unit: Literal["share", "rate"] = "share"
    shares: tuple[Decimal, ...] = ()
    ranks: tuple[RankRates, ...] = ()


DIFFERENCE = Override()
ALWAYS = When()


class LotFactor(Value):
    """Lots of a symbol or account group count `factor` times in this plan."""

    factor: Decimal
    match: Text = "*"
    group: Text = ""
    """A mask, as of rates."""
