"""A plan in plain words: what an IB earns, for what, and when it is paid. Nothing is worked out here."""

from collections.abc import Iterator
from functools import singledispatch
from typing import NamedTuple

from api.views.plan_conditions import condition_words, when_words
from api.views.plan_rates import Priced, number, percent, prices
from commission.terms.components import (
    CohortBonus,
    CommissionShare,
    Component,
    Cpa,
    Cpl,
    DealComponent,
    DepositShare,
    PerLot,
    Pips,
    ProfitShare,
    Rebate,
    RevenueShare,
    SpreadShare,
    SwapShare,
    Turnover,
)
from commission.terms.plans import ClawbackScope, PlanDefined

SIDES = {"in": "opened", "out": "closed", "both": "opened and closed"}
SPREADS = {
    "execution": "measured at the deal",
    "open": "measured at the opening",
    "average": "the mean of opening and closing",
    "table": "the symbol\u2019s average",
    "markup": "the broker\u2019s markup",
}
REVENUE = {
    "spread": "the spread",
    "commission": "the commission",
    "swap": "the swap",
    "client_result": "what clients lose, less what they win",
}
TAKEN: dict[ClawbackScope, str] = {
    "cpa": "the CPA and deposit shares that no longer stand",
    "activity": "those, and what deals earned since the deposit",
    "all": "everything the client earned you",
}


class Part(NamedTuple):
    """One thing that the plan pays for."""

    name: str
    kind: str
    lead: str
    prices: tuple[Priced, ...]
    notes: tuple[str, ...]


class PlanWords(NamedTuple):
    """A plan as its IB reads it."""

    parts: tuple[Part, ...]
    when: tuple[str, ...]
    """Until when money is held, when it is payable, what takes it back."""


def plan_words(plan: PlanDefined) -> PlanWords:
    """What it pays for and when, as sentences that end with a stop."""
    return PlanWords(tuple(_part(one, plan.currency) for one in plan.components), tuple(_when(plan)))


def _part(component: Component, currency: str) -> Part:
    return Part(
        component.name,
        component.kind,
        _lead(component),
        tuple(prices(component, currency)),
        tuple(condition_words(component, currency)),
    )


# What for


@singledispatch
def _lead(component: Component) -> str:
    raise TypeError(component)


@_lead.register
def _(component: PerLot) -> str:
    which = "standard lot" if component.standardised else "lot"
    return f"Money for each {which} your clients {_side(component)}."


@_lead.register
def _(component: Turnover) -> str:
    return f"Money for the turnover of what your clients {_side(component)}."


@_lead.register
def _(component: Pips) -> str:
    return f"So many {component.unit}s of every lot your clients {_side(component)}."


@_lead.register
def _(component: SpreadShare) -> str:
    basis, side = SPREADS[component.basis], SIDES[component.entry]
    return f"A share of the spread, {basis}, on what your clients have {side}."


@_lead.register
def _(component: CommissionShare) -> str:
    return f"A share of the commission that clients pay on what they have {SIDES[component.entry]}."


@_lead.register
def _(_: SwapShare) -> str:
    return "A share of the swap that clients pay."


@_lead.register
def _(component: ProfitShare) -> str:
    return f"A share of what a client {'loses' if component.of == 'loss' else 'wins'} in a deal."


@_lead.register
def _(component: RevenueShare) -> str:
    terms = " and ".join(REVENUE[one] for one in component.terms)
    each = "each client by itself" if component.scope == "client" else "all your clients together"
    return f"A share of the broker\u2019s revenue of a period, of {each}: {terms}."


@_lead.register
def _(component: Rebate) -> str:
    of = "for each lot" if component.unit == "lot" else "as a share of what you earn"
    by = "It is taken out of your money" if component.funded_by == "ib" else "The broker pays it"
    return f"Money back to your client, {of}. {by}."


@_lead.register
def _(component: Cpa) -> str:
    who = "person" if component.cpa_per == "identity" else "client"
    return f"One amount for each {who} you bring, once all conditions hold."


@_lead.register
def _(component: Cpl) -> str:
    return f"One amount for each client who registers{' and is verified' if component.kyc else ''}."


@_lead.register
def _(component: DepositShare) -> str:
    of = {
        "each": "each deposit",
        "first": "the first deposit",
        "net": "deposits less withdrawals of a period",
    }
    return f"A share of {of[component.of]} of your clients."


@_lead.register
def _(component: CohortBonus) -> str:
    lots = number(component.min_lots)
    return f"A bonus for every {component.clients} clients who each close {lots} lots in one period."


def _side(component: DealComponent) -> str:
    return {"in": "open", "out": "close", "both": "open and close"}[component.entry]


# When


def _when(plan: PlanDefined) -> Iterator[str]:
    yield from when_words(plan.when)
    if plan.kyc_gate:
        yield "What a client earns you is held until the client is verified (KYC)."
        if plan.kyc_forfeit_days:
            yield f"What is older than {plan.kyc_forfeit_days} days by then is forfeited."
    if plan.hold_days:
        yield f"An amount is due {plan.hold_days} days after its deal, on the statement of that day."
    yield "When a period ends, all that is due is stated once, rounded, and is payable."
    if plan.min_payout:
        yield f"Less than {number(plan.min_payout)} in your currency is not paid: it is carried to the next."
    if plan.ib_kyc_gate:
        yield "Nothing is payable before you are verified (KYC) yourself; it is carried over."
    if plan.agreement_gate:
        yield "Nothing is payable before you accept the agreement; it is carried over."
    if plan.budget is not None:
        share = percent(plan.budget.share)
        yield f"All IBs of a deal together get at most {share} of the broker\u2019s revenue of it."
    yield from _clawback(plan)
    if not plan.self_referral:
        yield "Your own trading earns you nothing."


def _clawback(plan: PlanDefined) -> Iterator[str]:
    back = plan.clawback
    by_scope: dict[str, list[str]] = {}
    for word, scope in (
        ("a chargeback", back.chargeback), ("a refund", back.refund),
        ("a deposit that is reversed", back.deposit_reversal),
    ):  # fmt: skip
        if scope != "none":
            by_scope.setdefault(TAKEN[scope], []).append(word)
    for what, words in by_scope.items():
        head = ", ".join(words[:-1]) + (" or " if len(words) > 1 else "") + words[-1]
        yield f"{head[0].upper()}{head[1:]} takes back {what}, {back.window_days} days back at most."
    if back.fraud == "all":
        yield "Fraud takes back everything of that client, and ends what it earns you."
