"""What a rule pays, in words: `Rule lots of plan Gold (gold), version 2, pays 7 USD per lot for EURUSD.`"""

from decimal import Decimal

from commission.explain import words
from commission.explain.subject import Subject, decimal, text
from commission.rating.values import Factors


def pays(subject: Subject, rule: str, factors: Factors) -> str:
    """The rule of which plan and version, and what it pays for what."""
    row = subject.row
    name, slash, matched = rule.partition("/")
    matching = f" for {words.match(matched)}" if slash else ""
    return f"Rule {name} of {plan_of(subject)}, pays {_what(row.component, factors, subject)}{matching}."


def plan_of(subject: Subject) -> str:
    """The plan with its version: `plan Gold (gold), version 2`."""
    row, plan = subject.row, subject.plan
    name = f"{plan.name} ({row.plan_id})" if plan is not None and plan.name else row.plan_id
    return f"plan {name}, version {row.plan_version}"


SHARES = {
    "spread_share": "the spread",
    "commission_share": "the commission charged",
    "swap_share": "the swap the client paid",
    "profit_share": "the client's result",
    "deposit_share": "deposits",
}
_OTHER = {
    "cpa": "a CPA for a client that qualifies",
    "cpl": "an amount for a client that registers",
    "revenue_share": "a share of the broker's net revenue",
    "cohort_bonus": "a bonus for a number of active clients",
    "deposit_share": "a share of deposits",
    "per_lot": "money per lot",
    "turnover": "money for turnover",
    "pips": "the worth of pips",
    "rebate": "money back to the client",
}


def _what(kind: str, factors: Factors, subject: Subject) -> str:
    rate = decimal(factors, "share" if kind == "deposit_share" else "rate")
    if rate is None or text(factors, "mode") == "rank":
        share = f"a share of {SHARES[kind]}" if kind in SHARES else ""
        by_rank = " by rank" if text(factors, "mode") == "rank" else ""
        return f"{_OTHER.get(kind) or share or kind}{by_rank}"
    said = rate_in_words(kind, rate, factors, subject.currency)
    if kind == "rebate":
        return f"{said} back to the client"
    return f"{said} of {_shared(kind, factors)}" if kind in SHARES else said


def _shared(kind: str, factors: Factors) -> str:
    if kind != "profit_share":
        return SHARES[kind]
    return "the client's loss" if "client_loss" in factors else "the client's profit"


def rate_in_words(kind: str, rate: Decimal, factors: Factors, currency: str) -> str:
    """A rate with its unit: `7 USD per lot`, `35 %`, `20 basis points of turnover`."""
    currency = text(factors, "gross_currency") or currency
    if kind == "turnover":
        if decimal(factors, "unit") == 10_000:
            return f"{words.number(rate)} basis points of turnover"
        return f"{words.rounded_off(rate, currency)} per million of turnover"
    if kind == "pips":
        unit = "pip" if "pip" in factors else "point"
        return f"{words.number(rate)} {unit if rate == 1 else unit + 's'}"
    if kind in SHARES:
        return words.percent(rate)
    if kind == "rebate" and "of" in factors:
        return f"{words.percent(rate)} of the direct IB's own amount"
    return (
        f"{words.rounded_off(rate, currency)} per lot"
        if kind in ("per_lot", "rebate")
        else words.number(rate)
    )
