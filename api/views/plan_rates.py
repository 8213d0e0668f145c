"""What a plan pays for what: each rate and amount with its unit, in plain words."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from commission.money import plain
from commission.terms.components import (
    CommissionShare,
    Component,
    Cpa,
    CpaAmount,
    Cpl,
    DealComponent,
    DepositShare,
    Pips,
    ProfitShare,
    Rebate,
    RevenueShare,
    SpreadShare,
    SwapShare,
    Turnover,
)
from commission.terms.rates import Rate

SHARES = (SpreadShare, CommissionShare, SwapShare, ProfitShare, RevenueShare)


class Priced(NamedTuple):
    """For what, and how much."""

    what: str
    amount: str


def prices(component: Component, currency: str) -> Iterator[Priced]:
    """Every rate or amount of a component, in the plan's order."""
    if isinstance(component, DealComponent):
        for rate in component.rates:
            what = whose(rate)
            if what == "everything" and len(component.rates) > 1:
                what = "everything else"
            yield Priced(what, rate_words(component, rate.value, currency))
    elif isinstance(component, Cpa | Cpl):
        for one in component.amounts:
            yield Priced(_which(one, currency), f"{number(one.amount)} {currency}")
    elif isinstance(component, DepositShare):
        most = "" if component.max_amount is None else f", at most {number(component.max_amount)} {currency}"
        yield Priced("every client", f"{percent(component.share)}{most}")
    else:
        yield Priced(
            ", ".join(component.countries) or "every client", f"{number(component.amount)} {currency}"
        )


def rate_words(component: DealComponent, value: Decimal, currency: str) -> str:
    """A rate with its unit: `7 USD a lot`, `35 %`, `0.2 pip`."""
    if isinstance(component, SHARES) or (isinstance(component, Rebate) and component.unit == "share"):
        return percent(value)
    if isinstance(component, Turnover):
        return (
            f"{number(value)} {currency} a million" if component.unit == "million" else f"{number(value)} bps"
        )
    if isinstance(component, Pips):
        return f"{number(value)} {component.unit}{'' if value == 1 else 's'}"
    return f"{number(value)} {currency} a lot"


def whose(rate: Rate) -> str:
    """What a rate matches: `all forex`, `XAU*, clients of DE`."""
    head = (
        "everything" if rate.match == "*" else f"all {rate.match[6:]}" if rate.match[:6] == "class:" else ""
    )
    named = (
        ("client", rate.client),
        ("account", rate.login),
        ("accounts of", rate.group),
        ("clients of", rate.country),
        ("from", f"{rate.since:%Y-%m-%d}" if rate.since else ""),
        ("until", f"{rate.until:%Y-%m-%d}" if rate.until else ""),
    )
    return ", ".join((head or rate.match, *(f"{word} {value}" for word, value in named if value)))


def _which(one: CpaAmount, currency: str) -> str:
    least = f"first deposits of {number(one.min_deposit)} {currency} or more" if one.min_deposit else ""
    return ", ".join(filter(None, (one.country and f"clients of {one.country}", least))) or "every client"


def number(value: Decimal) -> str:
    """With separators of thousands and no needless zeros: `10,000,000`, `0.35`."""
    whole, _, rest = plain(value).partition(".")
    return f"{int(whole):,}" + (f".{rest}" if rest else "") if whole != "-0" else plain(value)


def percent(share: Decimal) -> str:
    """0.35 as `35 %`."""
    return f"{plain(share * 100)} %"
