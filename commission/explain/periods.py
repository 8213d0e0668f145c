"""What a period brought beyond its accruals: tiers, caps, results with carry-over, gates, bonuses."""

from collections.abc import Iterator
from decimal import Decimal

from commission.explain import words
from commission.explain.rules import pays, plan_of
from commission.explain.subject import Subject, decimal, text
from commission.terms.components import CohortBonus, Cpa, Cpl, DealComponent, RevenueShare
from commission.terms.rates import Caps, Tiers

ZERO = Decimal(0)


def true_up(subject: Subject) -> Iterator[str]:
    """The measure and what it reached, what is due, and the difference that was posted."""
    period = period_of(subject)
    yield pays(subject, subject.row.rule, subject.factors)
    yield (
        f"What {plan_of(subject)}, makes of {period} was worked out again, all of it, after "
        f"{text(subject.factors, 'trigger') or 'something that counts in it'}."
    )
    yield from _tier(subject)
    yield from _level(subject)
    yield from _earlier(subject)
    yield from _caps(subject)
    yield from _result(subject)
    yield from _gate(subject)
    yield from _cohort(subject)
    yield from _difference(subject)


def period_of(subject: Subject) -> str:
    """The period a true-up is for: the last part of what caused it."""
    return subject.row.caused_by.rpartition("|")[2] or "the period"


def measure_unit(subject: Subject) -> str:
    """What the tier's measure counts."""
    tiers = tiers_of(subject)
    if tiers is None:
        return ""
    if tiers.by == "count":
        return "clients" if isinstance(subject.component, Cpa) else "deals"
    notional = subject.plan.currency if subject.plan is not None else ""
    return {
        "lots": "lots",
        "notional": notional,
        "active_clients": "active clients",
        "amount": subject.currency,
    }[tiers.by]


def tiers_of(subject: Subject) -> Tiers | None:
    """The tiers of the component, if the plan is known and it has some."""
    component = subject.component
    return component.tiers if isinstance(component, DealComponent | Cpa) else None


def _tier(subject: Subject) -> Iterator[str]:
    total = decimal(subject.factors, "measure")
    if total is None:
        return
    reached = f"{words.number(total)} {measure_unit(subject)}".rstrip()
    if "band" in subject.factors:
        band = text(subject.factors, "band")
        yield f"The period reached {reached}: {_band(subject, band)} counts for all of it."
        return
    inside = ", ".join(_inside(subject))
    yield f"The period reached {reached}" + (f": {inside}." if inside else ".")


def _inside(subject: Subject) -> Iterator[str]:
    for name in subject.factors:
        found = decimal(subject.factors, name)
        if name.startswith("band_") and found is not None:
            yield f"{words.number(found)} at {_band(subject, name.removeprefix('band_'))}"


def _band(subject: Subject, band: str) -> str:
    """`band 2 (pro, from 100 lots)`; 0 is the component's own rates."""
    if band == "0":
        return "the component's own rates"
    tiers = tiers_of(subject)
    if tiers is None or not band.isdecimal() or int(band) > len(tiers.bands):
        return f"band {band}"
    found = tiers.bands[int(band) - 1]
    start = f"from {words.number(found.start)} {measure_unit(subject)}".rstrip()
    return f"band {band} ({f'{found.name}, ' if found.name else ''}{start})"


def _level(subject: Subject) -> Iterator[str]:
    if "level" in subject.factors:
        yield f"The level in force is {_band(subject, text(subject.factors, 'level'))}."


def _earlier(subject: Subject) -> Iterator[str]:
    earlier = decimal(subject.factors, "earlier_versions")
    if earlier is not None:
        yield f"Of it {subject.money(earlier)} was earned under earlier versions of the plan, by their rates."


def _caps(subject: Subject) -> Iterator[str]:
    before, capped = decimal(subject.factors, "before_caps"), decimal(subject.factors, "capped")
    if before is None or capped is None:
        return
    component = subject.component
    caps = component.caps if isinstance(component, DealComponent) else None
    said = f" ({_written(caps, subject)})" if caps is not None else ""
    yield f"The caps{said} leave {subject.money(capped)} of {subject.money(before)}."


def _written(caps: Caps, subject: Subject) -> str:
    currency = subject.plan.currency if subject.plan is not None else ""
    named = (("day", caps.per_day), ("week", caps.per_week), ("period", caps.per_period))
    return ", ".join(f"{words.money(cap, currency)} a {span}" for span, cap in named if cap is not None)


def _result(subject: Subject) -> Iterator[str]:
    result, carried = decimal(subject.factors, "result"), decimal(subject.factors, "carried")
    due = decimal(subject.factors, "due")
    if result is None or carried is None or due is None:
        return
    yield (
        f"The IB's share of the period's result is {subject.money(result)}; "
        f"{subject.money(carried)} was carried from before."
    )
    balance = result + carried
    if max(ZERO, balance) == due:
        sum_of_both = f"{subject.money(result)} {_signed(carried, subject)} = {subject.money(balance)}"
        yield f"{sum_of_both}{_forth(balance)}"
    else:
        yield f"Counted {_apart(subject)}, {subject.money(due)} is due."


def _signed(carried: Decimal, subject: Subject) -> str:
    return f"- {subject.money(-carried)}" if carried < 0 else f"+ {subject.money(carried)}"


def _forth(balance: Decimal) -> str:
    return ", which is below 0: nothing is due." if balance < 0 else "."


def _apart(subject: Subject) -> str:
    component = subject.component
    if isinstance(component, RevenueShare) and component.scope == "ib":
        return "with clients in quarantine apart"
    return "client by client"


def _gate(subject: Subject) -> Iterator[str]:
    if "registered" not in subject.factors:
        return
    registered, deposited = text(subject.factors, "registered"), text(subject.factors, "deposited")
    have = "has" if deposited == "1" else "have"
    yield f"Of {registered} clients registered in the period {deposited} {have} deposited."
    component = subject.component
    if isinstance(component, Cpl):
        is_open = bool(decimal(subject.factors, "due"))
        yield (
            f"The plan asks for at least {words.percent(component.min_ftd_rate)}: "
            f"the gate is {'open' if is_open else 'shut, so nothing is due'}."
        )


def _cohort(subject: Subject) -> Iterator[str]:
    if "clients" not in subject.factors:
        return
    clients, component = text(subject.factors, "clients"), subject.component
    if isinstance(component, CohortBonus) and subject.plan is not None:
        bonus = words.money(component.amount, subject.plan.currency)
        yield (
            f"{clients} clients have closed {words.lots(component.min_lots)} or more in the period; "
            f"every {component.clients} of them bring {bonus}."
        )
    else:
        yield f"{clients} clients have reached the volume in the period."


def _difference(subject: Subject) -> Iterator[str]:
    found = [decimal(subject.factors, name) for name in ("due", "accrued", "posted")]
    due, accrued, posted = found
    if due is None or accrued is None or posted is None:
        return
    delta = due - accrued - posted
    where = "added" if delta > 0 else "taken back"
    yield (
        f"Due {subject.money(due)} - accrued {subject.money(accrued)} - posted by earlier true-ups "
        f"{subject.money(posted)} = {subject.money(delta)}: {subject.money(abs(delta))} is {where}."
    )
