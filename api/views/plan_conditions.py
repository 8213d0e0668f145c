"""On which conditions a plan pays: of deals, of clients, by level, up the tree; a sentence each."""

from collections.abc import Iterator, Sequence

from api.views.plan_rates import number, percent, rate_words, whose
from commission.terms.components import CohortBonus, Component, Cpa, Cpl, DealComponent, Rebate, RevenueShare
from commission.terms.rates import Caps, Rate, Tiers, When


def condition_words(component: Component, currency: str) -> Iterator[str]:
    """Beyond what it pays for and how much: everything that must hold, or changes it."""
    if isinstance(component, DealComponent):
        yield from _of_deals(component, currency)
    if isinstance(component, Cpa):
        yield from _conditions(component, currency)
        yield from when_words(component.when)
        if component.tiers is not None:
            yield from _tiers(component.tiers, component, currency)
    if isinstance(component, Cpl) and component.min_ftd_rate:
        yield f"Only if {percent(component.min_ftd_rate)} of a period\u2019s new clients deposit."
    if isinstance(component, Cpa | Cpl | CohortBonus) and component.countries:
        yield f"Only clients of {', '.join(component.countries)}."
    if isinstance(component, Cpa | Cpl):
        if component.countries_not:
            yield f"No clients of {', '.join(component.countries_not)}."
        if component.channels:
            yield f"Only clients who came by {', '.join(component.channels)}."


def _of_deals(component: DealComponent, currency: str) -> Iterator[str]:
    yield from when_words(component.when)
    if component.hedged:
        yield "Of what is bought and sold in one account and symbol only the larger counts."
    if isinstance(component, RevenueShare):
        yield (
            "A negative sum is carried into the next period."
            if component.carry_over
            else "A negative sum of a period is forgotten: it starts anew."
        )
    if component.credit_coefficient:
        yield "Less where a client trades with credit of the broker: by the share of it in the equity."
    if component.tiers is not None:
        yield from _tiers(component.tiers, component, currency)
    if component.caps is not None:
        yield from _caps(component.caps, currency)
    if not isinstance(component, Rebate):
        yield from _override(component, currency)


def when_words(when: When) -> Iterator[str]:
    """The conditions that deals must meet, a sentence each; none where every deal counts."""
    named: tuple[tuple[str, Sequence[str]], ...] = (
        ("Only deals on the side", when.sides),
        ("Only deals asked for by", when.reasons),
        ("Only accounts of", when.groups),
        ("Only clients of", when.countries),
        ("No clients of", when.countries_not),
        ("Only clients who came by", when.channels),
    )
    yield from (f"{head} {', '.join(values)}." for head, values in named if values)
    if when.result != "any":
        yield f"Only deals in {when.result}."
    if when.charged:
        yield "Only deals on which the client pays a commission."
    if when.min_holding_s:
        yield f"Only what was held {_duration(when.min_holding_s)} or longer."
    if when.min_pips:
        yield f"Only where the price moved {number(when.min_pips)} pips or more."
    if not when.same_price:
        yield "Nothing for what is closed at its opening price."
    if not when.negative_balance:
        yield "Nothing for deals that leave an account below zero."


def _tiers(tiers: Tiers, component: DealComponent | Cpa, currency: str) -> Iterator[str]:
    by = {
        "lots": "lots", "notional": f"{currency} of turnover", "count": "deals",
        "active_clients": "active clients", "amount": f"{currency} earned",
    }[tiers.by]  # fmt: skip
    if tiers.by == "count" and isinstance(component, Cpa):
        by = "qualified clients"
    for band in tiers.bands:
        told = ", ".join(
            f"{rate_words(component, rate.value, currency)} for {whose(rate)}"
            if isinstance(component, DealComponent)
            else number(rate.value)
            for rate in band.rates
        )
        named = f" ({band.name})" if band.name else ""
        yield f"From {number(band.start)} {by}{named}: {told or f'{number(band.factor)} times the above'}."
    yield {
        "slab": "The level a period reaches counts for the whole period.",
        "graduated": "Each level counts for what lies in it.",
        "level": "The level reached counts from then on.",
    }[tiers.mode]


def _caps(caps: Caps, currency: str) -> Iterator[str]:
    named = (
        ("deal", caps.per_deal), ("day", caps.per_day), ("week", caps.per_week), ("period", caps.per_period)
    )  # fmt: skip
    yield from (f"At most {number(most)} {currency} a {what}." for what, most in named if most is not None)


def _override(component: DealComponent, currency: str) -> Iterator[str]:
    override = component.override

    def at(rates: Sequence[Rate]) -> str:
        return ", ".join(f"{rate_words(component, one.value, currency)} for {whose(one)}" for one in rates)

    match override.mode:
        case "difference":
            yield "Of clients of IBs below you: your rate less the best one between you and them."
        case "absolute":
            for number, rates in enumerate(override.levels, 1):
                yield f"Of clients {number} level{'s' if number > 1 else ''} below your own: {at(rates)}."
            yield f"Of clients {'further' if override.levels else 'of IBs'} below: nothing."
        case "cascade":
            is_share = override.pass_unit == "share"  # noqa: S105  - no secret
            shares = ", then ".join(
                percent(one) if is_share else rate_words(component, one, currency) for one in override.pass_up
            )
            yield f"Of what reaches a level of the tree, this goes on above: {shares or 'nothing'}."
        case "split":
            shares = ", ".join(map(percent, override.shares))
            yield f"Shared up the tree, the client\u2019s own IB first: {shares}."
        case "rank":
            for one in override.ranks:
                yield f"The rank {one.rank} adds {at(one.rates)}."
            yield "Each IB takes what its rank and lower ones add and nobody below has taken."


def _conditions(cpa: Cpa, currency: str) -> Iterator[str]:
    days = f"{cpa.qualification_days} {'business days' if cpa.business_days else 'days'}"
    yield f"All within {days} of the registration; the client is verified (KYC)."
    if any(one.min_deposit for one in cpa.amounts):
        yield f"Deposits of the {cpa.ftd_window_hours} hours from the first one on are added up."
    if cpa.min_lots:
        yield f"The client closes {number(cpa.min_lots)} lots or more."
    if cpa.min_trades:
        yield f"The client closes {cpa.min_trades} deals or more."
    if cpa.min_spread:
        yield f"The client pays {number(cpa.min_spread)} {currency} of spread or more."
    if cpa.min_turnover:
        yield f"The client turns the first deposit over {number(cpa.min_turnover)} times."
    if cpa.min_holding_s:
        yield f"Only what was held {_duration(cpa.min_holding_s)} or longer counts."
    if cpa.symbols:
        yield f"Only trading in {', '.join(cpa.symbols)} counts."
    if cpa.clawback_days:
        less = ", or a withdrawal," if cpa.net_deposits else ""
        yield f"A deposit taken back{less} within {cpa.clawback_days} days takes the amount back."


def _duration(seconds: int) -> str:
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % size == 0:
            number = seconds // size
            return f"{number} {name}{'s' if number > 1 else ''}"
    return f"{seconds} seconds"
