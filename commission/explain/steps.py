"""From lots to the amount, step by step: what an accrual was made of, in sentences.

An equation is told only where it holds to the last digit; where the factors do not tell everything
that was multiplied, the outcome is told without one.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from commission.explain import words
from commission.explain.rules import SHARES, pays
from commission.explain.subject import Subject, decimal, first, is_one_of_several, product, settled, text
from commission.explain.tree import budget, shared
from commission.money import EXACT, to_accrual
from commission.rating.values import Factors


class Term(NamedTuple):
    """One thing that is multiplied, as it is written."""

    said: str
    value: Decimal


def accrual(subject: Subject) -> Iterator[str]:
    """Every step from what was measured to the amount."""
    for rule, factors in by_rule(subject):
        yield pays(subject, rule, factors)
        if text(factors, "mode") != "rank":
            yield from _priced(subject, factors)
    yield from shared(subject)
    yield from budget(subject)


def by_rule(subject: Subject) -> list[tuple[str, Factors]]:
    """The factors of each rule: of one, all of them; of several, those that carry its name."""
    rules = subject.row.rule.split(" + ")
    if len(rules) == 1:
        return [(subject.row.rule, subject.factors)]
    return [
        (
            rule,
            {
                name.removeprefix(f"{rule}: "): value
                for name, value in subject.factors.items()
                if name.startswith(f"{rule}: ")
            },
        )
        for rule in rules
    ]


def _priced(subject: Subject, factors: Factors) -> Iterator[str]:
    yield from _lots_counted(factors)
    yield from _sources(factors)
    yield from _equation(subject, factors)
    yield from _converted(subject, factors)
    yield from _capped(subject, factors)


def _lots_counted(factors: Factors) -> Iterator[str]:
    lots, standard = decimal(factors, "lots"), decimal(factors, "standard_contract_size")
    if lots is None:
        return
    size, factor = decimal(factors, "contract_size"), decimal(factors, "lot_factor")
    if standard and size is not None:
        counted = EXACT.divide(EXACT.multiply(lots, size), standard)
        yield (
            f"{words.lots(lots)} of {words.number(size)} units each "
            f"{'counts' if lots == 1 else 'count'} as {words.lots(counted)} of the standard "
            f"{words.number(standard)} units."
        )
    if factor is not None:
        yield f"The plan counts lots of this symbol or group {words.number(factor)} times."


def _sources(factors: Factors) -> Iterator[str]:
    if "spread_basis" in factors:
        yield f"The spread is {_number(factors, 'spread')}: {text(factors, 'spread_basis')}."
    if "notional_rate" in factors:
        path = words.exchange(text(factors, "notional_rate"))
        yield f"The turnover was converted at {path}."
    if "coefficient" in factors:
        yield (
            f"The account had an equity of {_number(factors, 'equity')}, "
            f"{_number(factors, 'credit')} of it credit: "
            f"(equity - credit) / equity = {_number(factors, 'coefficient')} of the amount counts."
        )


def _number(factors: Factors, name: str) -> str:
    found = decimal(factors, name)
    return "unknown" if found is None else words.number(found)


def _equation(subject: Subject, factors: Factors) -> Iterator[str]:
    terms = _terms(subject.row.component, factors, subject.currency)
    wanted = decimal(factors, "gross")
    currency = text(factors, "gross_currency") or subject.currency
    found = _product_of(subject, factors)
    if wanted is None:
        if is_one_of_several(subject) and not _adds_up(subject):
            return
        wanted = to_accrual(found) if is_one_of_several(subject) else settled(subject)
    if len(terms) > 1 and to_accrual(found) == to_accrual(wanted):
        yield f"{' x '.join(term.said for term in terms)} = {words.money(wanted, currency)}."
    else:
        yield from _without_equation(subject, words.money(wanted, currency))


def _adds_up(subject: Subject) -> bool:
    """Whether what several rules come to is what they are said to pay together."""
    found = [
        decimal(factors, "cap") or to_accrual(_product_of(subject, factors))
        for _, factors in by_rule(subject)
    ]
    return sum(found) == first(subject, "own", "before_budget")


def _product_of(subject: Subject, factors: Factors) -> Decimal:
    terms = _terms(subject.row.component, factors, subject.currency)
    return product([term.value for term in terms])


def _without_equation(subject: Subject, came_to: str) -> Iterator[str]:
    if subject.row.component in ("cpa", "cpl"):
        yield f"The plan's amount for this client is {came_to}."
    elif subject.factors:
        if subject.row.component == "deposit_share":
            yield f"For this deposit that is {came_to}, after limits, conversion and what IBs below get."
        else:
            yield f"For this deal that is {came_to}."


def _terms(kind: str, factors: Factors, currency: str) -> list[Term]:
    """What is multiplied: the measure, the rate, and factors on top."""
    found = [*_measured(kind, factors, currency), *_rate(kind, factors, currency)]
    for name, note in (("own_factor", "the IB's own factor"), ("coefficient", "credit coefficient")):
        value = decimal(factors, name)
        if value is not None:
            found.append(Term(f"{words.number(value)} ({note})", value))
    return found


def _measured(kind: str, factors: Factors, currency: str) -> Iterator[Term]:
    lots = decimal(factors, "lots")
    if kind == "rebate" and (of := decimal(factors, "of")) is not None:
        yield Term(words.money(of, currency), of)
    elif kind in ("per_lot", "rebate") and lots is not None:
        yield _standard(lots, factors)
    elif kind == "turnover":
        yield from _turnover(factors, currency)
    elif kind in ("spread_share", "pips") and lots is not None:
        yield Term(words.lots(lots), lots)
        yield from _sized(factors)
    else:
        yield from _share_of(factors)


def _standard(lots: Decimal, factors: Factors) -> Term:
    counted = lots
    standard, size = decimal(factors, "standard_contract_size"), decimal(factors, "contract_size")
    if standard and size is not None:
        counted = EXACT.divide(EXACT.multiply(lots, size), standard)
    factor = decimal(factors, "lot_factor")
    if factor is None:
        return Term(words.lots(counted), counted)
    return Term(f"{words.lots(counted)} x {words.number(factor)}", EXACT.multiply(counted, factor))


def _turnover(factors: Factors, currency: str) -> Iterator[Term]:
    notional, unit = decimal(factors, "notional"), decimal(factors, "unit")
    if notional is not None and unit:
        amount = words.money(notional, text(factors, "gross_currency") or currency)
        yield Term(f"{amount} / {words.number(unit)}", EXACT.divide(notional, unit))


def _sized(factors: Factors) -> Iterator[Term]:
    for name, said in (
        ("contract_size", "{} units"),
        ("spread", "a spread of {}"),
        ("pip", "a pip of {}"),
        ("point", "a point of {}"),
    ):
        value = decimal(factors, name)
        if value is not None:
            yield Term(said.format(words.number(value)), value)


def _share_of(factors: Factors) -> Iterator[Term]:
    for name in ("charged", "swap_paid", "client_loss", "client_profit", "deposit"):
        value = decimal(factors, name)
        if value is not None:
            yield Term(words.money(value, text(factors, "currency")), value)


def _rate(kind: str, factors: Factors, currency: str) -> Iterator[Term]:
    rate = decimal(factors, "share" if kind == "deposit_share" else "rate")
    if rate is None:
        return
    is_share = kind in SHARES or (kind == "rebate" and "of" in factors)
    if is_share:
        yield Term(words.percent(rate), rate)
    elif kind in ("pips", "turnover"):
        yield Term(words.number(rate), rate)
    else:
        yield Term(words.rounded_off(rate, text(factors, "gross_currency") or currency), rate)


def _converted(subject: Subject, factors: Factors) -> Iterator[str]:
    gross, currency = decimal(factors, "gross"), text(factors, "gross_currency")
    if gross is None:
        return
    path = words.conversion(text(factors, "exchange"), currency, subject.currency)
    if is_one_of_several(subject):
        yield f"{words.money(gross, currency)} was converted to {subject.currency} at {path}."
    else:
        yield f"{words.money(gross, currency)} = {subject.money(settled(subject))} at {path}."


def _capped(subject: Subject, factors: Factors) -> Iterator[str]:
    before, cap = decimal(factors, "uncapped"), decimal(factors, "cap")
    if before is not None and cap is not None:
        yield f"The cap of one deal leaves {subject.money(cap)} of {subject.money(before)}."
