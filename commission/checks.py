"""Checks of terms before they are published: what would stop a deal, or pay by mistake, is found here."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import Literal

from commission.known import MAX_UPLINE_DEPTH, PIVOTS, specificity
from commission.money import CENT_CURRENCIES
from commission.terms import (
    Component,
    Cpa,
    PartnerDefined,
    PerLot,
    PlanDefined,
    Rate,
    RatePublished,
    SpreadShare,
    SymbolDefined,
    TermsRecord,
)

CURRENCY = re.compile(r"[A-Z]{3,4}")
BEGINNING = datetime.min.replace(tzinfo=UTC)
"""What `since: None` means, so that every schedule can be compared."""
NAMES_SHOWN = 5
"""Symbols named in one text; the rest is counted."""

Subject = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TermsProblem:
    """One finding. `subject` is a path to its place: `('partner', 'ib-north', 'parent', '0')`.

    An error would stop deals or pay wrongly; a warning may be meant.
    """

    subject: Subject
    code: str
    text: str
    severity: Literal["error", "warning"] = "error"


def check_terms(records: Iterable[TermsRecord]) -> tuple[TermsProblem, ...]:
    """Find everything wrong with `records` taken together, in their order; () if they are sound."""
    terms = _Published(named(records))
    return (
        *_check_ids(terms),
        *_check_symbols(terms),
        *_check_rates(terms),
        *_check_plans(terms),
        *_check_partners(terms),
        *_check_tree(terms),
        *_check_conversions(terms),
        *_check_overrides(terms),
    )


def subject_of(record: TermsRecord) -> Subject:
    """The path of a record: its kind, then its id."""
    match record:
        case PartnerDefined():
            return ("partner", record.ib_id)
        case PlanDefined():
            return ("plan", record.plan_id, str(record.version))
        case SymbolDefined():
            return ("symbol", record.server, record.symbol)
        case RatePublished():
            return ("rate", f"{record.base}/{record.quote}", record.as_of.isoformat())
        case _:
            return (record.type.removesuffix("_defined"), record.period)


def named(records: Iterable[TermsRecord]) -> tuple[tuple[Subject, TermsRecord], ...]:
    """Each record with its subject; the second record of one id ends in `#2`, and so on."""
    listed = list(records)
    seen: Counter[Subject] = Counter()
    pairs: list[tuple[Subject, TermsRecord]] = []
    for record in listed:
        subject = subject_of(record)
        seen[subject] += 1
        pairs.append(((*subject[:-1], _nth(subject[-1], seen[subject])), record))
    return tuple(pairs)


def numbered(names: Iterable[str]) -> list[str]:
    """Make names distinct for subjects: `a, b, a` is `a, b, a#2`."""
    seen: Counter[str] = Counter()
    distinct: list[str] = []
    for name in names:
        seen[name] += 1
        distinct.append(_nth(name, seen[name]))
    return distinct


def _nth(name: str, count: int) -> str:
    return name if count == 1 else f"{name}#{count}"


class _Published:
    """The records by kind, with the look-ups the checks share; of one id the last record counts."""

    def __init__(self, pairs: tuple[tuple[Subject, TermsRecord], ...]) -> None:
        self.pairs = pairs
        self.partners = [(s, r) for s, r in pairs if isinstance(r, PartnerDefined)]
        self.plans = [(s, r) for s, r in pairs if isinstance(r, PlanDefined)]
        self.symbols = [(s, r) for s, r in pairs if isinstance(r, SymbolDefined)]
        self.rates = [(s, r) for s, r in pairs if isinstance(r, RatePublished)]
        self.partner_of = {record.ib_id: record for _, record in self.partners}
        self.plan_of = {record.plan_id: record for _, record in self.plans}
        self.canonicals = list({(r.canonical, r.asset_class): r for _, r in self.symbols}.values())
        self.exchanged = {frozenset((r.base, r.quote)) for _, r in self.rates}

    def can_convert(self, source: str, target: str) -> bool:
        """True if rates lead from one to the other as the fold would take them: direct or by a pivot.

        Also for what is no currency: that is told on its own.
        """
        if not (CURRENCY.fullmatch(source) and CURRENCY.fullmatch(target)):
            return True
        one, other = CENT_CURRENCIES.get(source, source), CENT_CURRENCIES.get(target, target)
        return self._has_rate(one, other) or any(
            self._has_rate(one, pivot) and self._has_rate(pivot, other) for pivot in PIVOTS
        )

    def _has_rate(self, one: str, other: str) -> bool:
        return one == other or frozenset((one, other)) in self.exchanged


def _check_ids(terms: _Published) -> Iterator[TermsProblem]:
    for subject, record in terms.pairs:
        if subject != subject_of(record):
            kind, *rest = subject_of(record)
            text = f"the {kind} {' '.join(rest)} is defined a second time; keep one of the two"
            yield TermsProblem(subject, "duplicate_id", text)


# Symbols and rates of exchange


def _check_symbols(terms: _Published) -> Iterator[TermsProblem]:
    for subject, symbol in terms.symbols:
        yield from _check_currency((*subject, "profit"), symbol.profit_currency)
        sizes = {"contract_size": symbol.contract_size, "pip": symbol.pip}
        if symbol.standard_contract_size != symbol.contract_size:
            sizes["standard_contract_size"] = symbol.standard_contract_size
        for key, size in sizes.items():
            if not _is_positive(size):
                text = f"{key} of {symbol.symbol} is {size}; it must be above 0, or its deals pay nothing"
                yield TermsProblem((*subject, key), "bad_size", text)
        if "*" in symbol.canonical or symbol.canonical.startswith("class:"):
            text = f"the canonical symbol {symbol.canonical} reads as a pattern; choose a plain name"
            yield TermsProblem((*subject, "canonical"), "bad_canonical", text)
    yield from _check_classes(terms)
    yield from _check_letter_case(terms)


def _check_classes(terms: _Published) -> Iterator[TermsProblem]:
    first: dict[str, SymbolDefined] = {}
    for subject, symbol in terms.symbols:
        known = first.setdefault(symbol.canonical, symbol)
        if known.asset_class != symbol.asset_class:
            text = (
                f"{symbol.canonical} has class {symbol.asset_class} here, but class {known.asset_class} as "
                f"{known.symbol} on {known.server}; a rate by class would pay one and not the other"
            )
            yield TermsProblem((*subject, "class"), "class_differs", text)


def _check_letter_case(terms: _Published) -> Iterator[TermsProblem]:
    first: dict[tuple[str, str], SymbolDefined] = {}
    for subject, symbol in terms.symbols:
        known = first.setdefault((symbol.server, symbol.symbol.casefold()), symbol)
        if known.symbol == symbol.symbol:
            continue
        names = f"{known.symbol} and {symbol.symbol} of {symbol.server} differ only by letter case"
        if _meaning(known) == _meaning(symbol):
            text = f"{names}; an MT4 statement, which lower-cases symbols, cannot be read"
            yield TermsProblem(subject, "symbol_case", text, "warning")
        else:
            text = f"{names} but not in meaning; MT4 statements lower-case symbols, so give both one meaning"
            yield TermsProblem(subject, "symbol_case", text)


def _meaning(symbol: SymbolDefined) -> tuple[object, ...]:
    sizes = (symbol.contract_size, symbol.standard_contract_size, symbol.pip)
    return (symbol.canonical, symbol.asset_class, symbol.profit_currency, *sizes)


def _check_rates(terms: _Published) -> Iterator[TermsProblem]:
    for subject, rate in terms.rates:
        for currency in (rate.base, rate.quote):
            yield from _check_currency(subject, currency)
        if not _is_positive(rate.rate) or rate.base == rate.quote:
            text = f"{rate.base}/{rate.quote} at {rate.rate}: a rate is above 0 and between two currencies"
            yield TermsProblem(subject, "bad_rate", text)


# Plans


def _check_plans(terms: _Published) -> Iterator[TermsProblem]:
    for subject, plan in terms.plans:
        yield from _check_currency((*subject, "currency"), plan.currency)
        for name, component in zip(numbered(c.name for c in plan.components), plan.components, strict=True):
            place = (*subject, "component", name)
            if name != component.name:
                text = f"{plan.plan_id} has two components named {component.name}; explanations need one each"
                yield TermsProblem(place, "duplicate_component", text)
            yield from _check_component(place, component, terms)


def _check_component(place: Subject, component: Component, terms: _Published) -> Iterator[TermsProblem]:
    match component:
        case PerLot():
            yield from _check_matches((*place, "rates"), component.rates, terms)
            yield from _check_values((*place, "rates"), component.rates, most=None)
        case SpreadShare():
            yield from _check_matches((*place, "rates"), component.rates, terms)
            yield from _check_values((*place, "rates"), component.rates, most=Decimal(1))
            yield from _check_spread(place, component, terms)
        case Cpa():
            yield from _check_cpa(place, component)


def _check_matches(place: Subject, rates: Sequence[Rate], terms: _Published) -> Iterator[TermsProblem]:
    for name, rate in zip(numbered(rate.match for rate in rates), rates, strict=True):
        if name != rate.match:
            text = f"{rate.match} has two values; only one can be meant"
            yield TermsProblem((*place, name), "ambiguous_rate", text)
        elif not _is_match(rate.match):
            text = f"{rate.match!r} is no match; write a symbol, a prefix such as XAU*, class:forex or *"
            yield TermsProblem((*place, name), "bad_match", text)
        elif rate.match != "*" and all(
            specificity(rate.match, symbol) is None for symbol in terms.canonicals
        ):
            text = f"no server has a symbol that {rate.match} matches; correct it or add the symbol"
            yield TermsProblem((*place, name), "unknown_symbol", text)


def _is_match(match: str) -> bool:
    if match.startswith("class:"):
        return len(match) > len("class:") and "*" not in match
    return bool(match) and "*" not in match[:-1]


def _check_values(place: Subject, rates: Sequence[Rate], *, most: Decimal | None) -> Iterator[TermsProblem]:
    for name, rate in zip(numbered(rate.match for rate in rates), rates, strict=True):
        if not rate.value.is_finite() or rate.value < 0:
            text = f"the rate for {rate.match} is {rate.value}; a rate is 0 or more"
            yield TermsProblem((*place, name), "negative_rate", text)
        elif most is not None and rate.value > most:
            text = f"the share for {rate.match} is {rate.value}; write 35 % as 0.35"
            yield TermsProblem((*place, name), "share_above_one", text)


def _check_spread(place: Subject, component: SpreadShare, terms: _Published) -> Iterator[TermsProblem]:
    averages = component.average_pips
    yield from _check_matches((*place, "average_pips"), averages, terms)
    for name, rate in zip(numbered(rate.match for rate in averages), averages, strict=True):
        if not _is_positive(rate.value):
            text = f"the average spread of {rate.match} is {rate.value} pips; it must be above 0"
            yield TermsProblem((*place, "average_pips", name), "bad_average", text)
    if component.cap_pips is not None and not _is_positive(component.cap_pips):
        text = f"cap_pips is {component.cap_pips}; it must be above 0, or leave it out"
        yield TermsProblem((*place, "cap_pips"), "bad_cap", text)
    covered = [s for s in terms.canonicals if _value(component.rates, s)]
    if without := sorted({s.canonical for s in covered if _value(averages, s) is None}):
        text = (
            f"no average_pips for {_some(without)}: their deals are rejected where the source "
            "has no bid and ask, as in MT4 and in CSV exports"
        )
        yield TermsProblem((*place, "average_pips"), "no_average_spread", text, "warning")


def _check_cpa(place: Subject, component: Cpa) -> Iterator[TermsProblem]:
    if not _is_positive(component.amount):
        text = f"the amount is {component.amount}; a CPA pays more than 0"
        yield TermsProblem((*place, "amount"), "bad_cpa", text)
    for key, number, least in (
        ("min_deposit", component.min_deposit, 0),
        ("min_lots", component.min_lots, 0),
        ("clawback_days", Decimal(component.clawback_days), 0),
        ("ftd_window_hours", Decimal(component.ftd_window_hours), 1),
        ("qualification_days", Decimal(component.qualification_days), 1),
    ):
        if not number.is_finite() or number < least:
            text = f"{key} is {number}; it must be {least} or more"
            yield TermsProblem((*place, key), "bad_cpa", text)


# Partners and their tree


def _check_partners(terms: _Published) -> Iterator[TermsProblem]:
    for subject, partner in terms.partners:
        yield from _check_currency((*subject, "currency"), partner.currency)
        yield from _check_order((*subject, "parent"), [link.since for link in partner.parents])
        yield from _check_order((*subject, "plan"), [link.since for link in partner.schedule])
        for index, link in enumerate(partner.parents):
            if link.ib_id is not None and link.ib_id not in terms.partner_of:
                text = (
                    f"the parent {link.ib_id} of {partner.ib_id} is not an IB here; add it or correct the id"
                )
                yield TermsProblem((*subject, "parent", str(index)), "unknown_parent", text)
        for index, held in enumerate(partner.schedule):
            if held.plan_id is not None and held.plan_id not in terms.plan_of:
                text = f"the plan {held.plan_id} of {partner.ib_id} does not exist; add it or correct the id"
                yield TermsProblem((*subject, "plan", str(index)), "unknown_plan", text)


def _check_order(place: Subject, sinces: Sequence[datetime | None]) -> Iterator[TermsProblem]:
    for index in range(1, len(sinces)):
        since, before = sinces[index], sinces[index - 1]
        if since is None or since <= (before or BEGINNING):
            text = f"entry {index + 1} does not begin after entry {index}; list them oldest first"
            yield TermsProblem((*place, str(index)), "not_increasing", text)


def _check_tree(terms: _Published) -> Iterator[TermsProblem]:
    """Look at the tree as it stands after each change of a parent; report each finding once."""
    partners = terms.partner_of.values()
    instants = {BEGINNING, *(link.since for p in partners for link in p.parents if link.since)}
    reported: set[tuple[str, ...]] = set()
    for at in sorted(instants):
        above = {p.ib_id: _parent_at(p, at) for p in partners}
        heights, cycles = _survey(above)
        for cycle in cycles:
            if cycle not in reported:
                reported.add(cycle)
                yield _cycle_problem(cycle, at, terms)
        for ib_id, height in heights.items():
            # Those further down are too deep for the same reason; the first one tells it.
            if height == MAX_UPLINE_DEPTH + 1 and (ib_id,) not in reported:
                reported.add((ib_id,))
                text = (
                    f"{_when(at)}{ib_id} and the IBs above it are {height}; "
                    f"at most {MAX_UPLINE_DEPTH} may earn from one client"
                )
                yield TermsProblem(("partner", ib_id, "parent"), "upline_too_deep", text)


def _survey(above: dict[str, str | None]) -> tuple[dict[str, int], list[tuple[str, ...]]]:
    """How many IBs each upline has, the IB itself included, and the cycles, each from its least id."""
    heights: dict[str, int] = {}
    cycles: list[tuple[str, ...]] = []
    for start in above:
        walked: dict[str, int] = {}
        node: str | None = start
        while node is not None and node in above and node not in heights and node not in walked:
            walked[node] = len(walked)
            node = above[node]
        path = list(walked)
        if node is not None and node in walked:
            cycle = path[walked[node] :]
            least = cycle.index(min(cycle))
            cycles.append((*cycle[least:], *cycle[:least], cycle[least]))
            heights |= dict.fromkeys(path, 0)
            continue
        height = heights.get(node, 0) if node is not None else 0
        for count, ib_id in enumerate(reversed(path), 1):
            heights[ib_id] = height + count
    return heights, cycles


def _cycle_problem(cycle: tuple[str, ...], at: datetime, terms: _Published) -> TermsProblem:
    """Blame the link that came last: it closed the circle."""
    links = [
        (terms.partner_of[ib_id], _index_at(_parent_times(terms.partner_of[ib_id]), at)) for ib_id in cycle
    ]
    blamed, index = max(links, key=lambda link: _parent_times(link[0])[link[1]])
    text = f"{_when(at)}the parents run in a circle: {' → '.join(cycle)}; cut one of these links"
    return TermsProblem(("partner", blamed.ib_id, "parent", str(index)), "cycle", text)


def _when(at: datetime) -> str:
    return "" if at == BEGINNING else f"from {at.isoformat()} on, "


def _parent_times(partner: PartnerDefined) -> list[datetime]:
    return [link.since or BEGINNING for link in partner.parents]


def _parent_at(partner: PartnerDefined, at: datetime) -> str | None:
    index = _index_at(_parent_times(partner), at)
    return partner.parents[index].ib_id if index >= 0 else None


def _plan_at(partner: PartnerDefined, at: datetime) -> str | None:
    index = _index_at([held.since or BEGINNING for held in partner.schedule], at)
    return partner.schedule[index].plan_id if index >= 0 else None


def _index_at(times: Sequence[datetime], at: datetime) -> int:
    """The last entry that has begun by `at`; -1 if none has."""
    return max((index for index, since in enumerate(times) if since <= at), default=-1)


# Conversions and overrides


def _check_conversions(terms: _Published) -> Iterator[TermsProblem]:
    for subject, partner in terms.partners:
        for index, link in enumerate(partner.parents):
            master = terms.partner_of.get(link.ib_id or "")
            if master and not terms.can_convert(partner.currency, master.currency):
                text = (
                    f"{partner.ib_id} is settled in {partner.currency}, {master.ib_id} in {master.currency}, "
                    "and no rate leads from one to the other, so overrides have no amount; publish one"
                )
                yield TermsProblem((*subject, "parent", str(index)), "no_rate_path", text)
        for index, held in enumerate(partner.schedule):
            plan = terms.plan_of.get(held.plan_id or "")
            if plan:
                place = (*subject, "plan", str(index))
                yield from _check_plan_conversions(place, partner, plan, terms)


def _check_plan_conversions(
    place: Subject, partner: PartnerDefined, plan: PlanDefined, terms: _Published
) -> Iterator[TermsProblem]:
    if not terms.can_convert(plan.currency, partner.currency):
        text = (
            f"the plan {plan.plan_id} pays in {plan.currency}, {partner.ib_id} is settled in "
            f"{partner.currency}, and no rate leads from one to the other; add one to the rates"
        )
        yield TermsProblem(place, "no_rate_path", text)
    shares = [c for c in plan.components if isinstance(c, SpreadShare)]
    stuck = {
        symbol.profit_currency
        for symbol in terms.canonicals
        if any(_value(c.rates, symbol) for c in shares)
        and not terms.can_convert(symbol.profit_currency, partner.currency)
    }
    if stuck:
        text = (
            f"the plan {plan.plan_id} shares spreads in {_some(sorted(stuck))}, from which no rate leads to "
            f"{partner.currency} of {partner.ib_id}; those deals are rejected until one is published"
        )
        yield TermsProblem(place, "no_rate_path", text, "warning")


def _check_overrides(terms: _Published) -> Iterator[TermsProblem]:
    """Warn of each kind of component by which an upline's plan nowhere beats the one below it."""
    reported: set[tuple[str, str, str]] = set()
    idle: dict[tuple[str, str], tuple[str, ...]] = {}
    for subject, partner in terms.partners:
        for master, plan, above in _plan_pairs(partner, terms):
            # Thousands of IBs share a few plans, and a pair of plans is compared over all symbols.
            if (pair := (plan.plan_id, above.plan_id)) not in idle:
                idle[pair] = tuple(_idle_kinds(plan, above, terms))
            for kind in idle[pair]:
                if (
                    case := (partner.ib_id, master.ib_id, f"{plan.plan_id} {above.plan_id} {kind}")
                ) in reported:
                    continue
                reported.add(case)
                text = (
                    f"by {kind}, {above.plan_id} of {master.ib_id} nowhere pays more than {plan.plan_id} "
                    f"of {partner.ib_id}, so {master.ib_id} never earns an override there"
                )
                yield TermsProblem((*subject, "parent"), "idle_override", text, "warning")


def _plan_pairs(
    partner: PartnerDefined, terms: _Published
) -> Iterator[tuple[PartnerDefined, PlanDefined, PlanDefined]]:
    """The plans an IB and its master IB hold at the same time, as often as one of them changes."""
    times = _parent_times(partner)
    ends = [*times[1:], None]
    for link, since, until in zip(partner.parents, times, ends, strict=False):
        master = terms.partner_of.get(link.ib_id or "")
        if master is None:
            continue
        changes = {held.since or BEGINNING for held in (*partner.schedule, *master.schedule)}
        for at in sorted({since, *(t for t in changes if t > since and (until is None or t < until))}):
            plan = terms.plan_of.get(_plan_at(partner, at) or "")
            above = terms.plan_of.get(_plan_at(master, at) or "")
            if plan and above:
                yield master, plan, above


def _idle_kinds(plan: PlanDefined, above: PlanDefined, terms: _Published) -> Iterator[str]:
    for kind, components in _by_kind(plan).items():
        uppers = _by_kind(above).get(kind)
        # Components that measure different things (other sides, caps, conditions) cannot be compared.
        if (
            uppers is None
            or len({_basis(c, plan) for c in components} | {_basis(c, above) for c in uppers}) != 1
        ):
            continue
        if all(_total(uppers, s) <= _total(components, s) for s in terms.canonicals):
            yield kind


def _by_kind(plan: PlanDefined) -> dict[str, list[Component]]:
    ordered = sorted(plan.components, key=lambda component: component.kind)
    return {kind: list(group) for kind, group in groupby(ordered, key=lambda component: component.kind)}


def _basis(component: Component, plan: PlanDefined) -> tuple[object, ...]:
    match component:
        case PerLot():
            return (plan.currency, component.entry, component.standardised)
        case SpreadShare():
            return (component.entry, component.average_pips, component.cap_pips)
        case Cpa():
            first = (plan.currency, component.min_deposit, component.ftd_window_hours)
            return (*first, component.min_lots, component.qualification_days, component.clawback_days)


def _total(components: Sequence[Component], symbol: SymbolDefined) -> Decimal:
    values = [c.amount if isinstance(c, Cpa) else _value(c.rates, symbol) for c in components]
    return sum((value for value in values if value is not None), Decimal(0))


# Shared by the checks above


def _value(rates: Iterable[Rate], symbol: SymbolDefined) -> Decimal | None:
    """The value of the most specific match; None if nothing matches."""
    fits = {rank: r.value for r in rates if (rank := specificity(r.match, symbol)) is not None}
    return fits[max(fits)] if fits else None


def _check_currency(place: Subject, currency: str) -> Iterator[TermsProblem]:
    if not CURRENCY.fullmatch(currency):
        text = f"{currency!r} is no currency; write three or four capitals, such as USD or USDT"
        yield TermsProblem(place, "bad_currency", text)


def _is_positive(number: Decimal) -> bool:
    return number.is_finite() and number > 0


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
