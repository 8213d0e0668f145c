"""`ibflow plans diff`: what changed between two sets of plans, in words and in money."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from commission.events import LOT_E8, AccountLinked, ClientRegistered, Deal, KycChanged
from commission.money import plain
from commission.terms.calendar import PeriodDefined
from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import PartnerDefined
from commission.terms.plans import PlanDefined
from commission.terms.rates import Rate
from commission.terms.records import TermsRecord
from commission.value import Value
from infra.plans.cases import load_cases
from infra.plans.run import fold
from infra.plans.suite import is_terms_folder
from infra.plans.words import label_of, words
from ingest.terms.folder import load_terms
from ingest.terms.yaml_page import to_decimal
from schemas.errors import Unusable

MAX_CHAINS = 50
"""Chains of IBs tried for each changed plan."""
MAX_SYMBOLS = 200
MAX_DEPTH = 32
PIPS_MOVED = 10
"""How far the price moves between opening and closing, so that conditions on movement hold."""
BEGINNING = datetime(2026, 9, 1, tzinfo=UTC)
"""When the lot is traded if the terms name no time."""

Records = Sequence[TermsRecord]


class NotComparable(Unusable):
    """What was given are no two sets of plans."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field of a plan: what it was and what it is."""

    field: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.field}: {self.old} → {self.new}"


@dataclass(frozen=True, slots=True)
class Pay:
    """What one lot of a symbol pays a chain of IBs, before and after."""

    chain: tuple[str, ...]
    symbol: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PlanDiff:
    """One plan that is not what it was."""

    plan_id: str
    what: str
    """`added`, `removed` or `changed`."""
    changes: tuple[Change, ...]
    pays: tuple[Pay, ...]
    same: int
    """Chains x symbols that are paid as before."""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "plan": self.plan_id,
            "what": self.what,
            "changes": [{"field": c.field, "old": c.old, "new": c.new} for c in self.changes],
            "pays": [
                {"chain": list(p.chain), "symbol": p.symbol, "before": p.before, "after": p.after}
                for p in self.pays
            ],
            "same": self.same,
        }


@dataclass(frozen=True, slots=True)
class Lot:
    """How the lot is traded: prices by symbol, and what the client is charged for it."""

    prices: Mapping[str, Decimal]
    charge: Decimal = Decimal(0)


def to_lot(prices: Iterable[str], charge: str) -> Lot:
    """Read `XAUUSD=4580` and an amount; raise `NotComparable` for anything else."""
    named: dict[str, Decimal] = {}
    for text in prices:
        symbol, _, number = text.partition("=")
        if not symbol or (price := to_decimal(number)) is None:
            raise NotComparable(f"the price {text!r} is not read; write XAUUSD=4580")
        named[symbol] = price
    if (amount := to_decimal(charge)) is None:
        raise NotComparable(f"the charge {charge!r} is not read; write a number such as 7")
    return Lot(named, amount)


def read_terms(path: Path) -> tuple[TermsRecord, ...]:
    """The records of a folder of terms or of one file of plans."""
    if is_terms_folder(path):
        return load_terms(path).records
    if path.is_dir():
        told = f"{path} has no broker.yaml; give two folders of terms, or two files of plans"
        raise NotComparable(told)
    return load_cases(path).own


def diff(old: Records, new: Records, lot: Lot) -> list[PlanDiff]:
    """Every plan that was added, removed or changed, by id, with what one lot pays before and after."""
    before, after = _newest(old), _newest(new)
    found = []
    for plan_id in sorted({*before, *after}):
        if before.get(plan_id) == after.get(plan_id):
            continue
        pays = list(_pays(plan_id, old, new, lot))
        differ = tuple(pay for pay in pays if pay.before != pay.after)
        what = "added" if plan_id not in before else "removed" if plan_id not in after else "changed"
        both = plan_id in before and plan_id in after
        changes = tuple(_changes(before[plan_id], after[plan_id], "")) if both else ()
        found.append(PlanDiff(plan_id, what, changes, differ, len(pays) - len(differ)))
    return found


def diff_lines(plans: Sequence[PlanDiff]) -> Iterator[str]:
    """The same for people."""
    if not plans:
        yield "the plans are the same"
    for plan in plans:
        yield f"plan {plan.plan_id} {plan.what}"
        yield from (f"  {change}" for change in plan.changes)
        for chain, pays in groupby(plan.pays, key=lambda pay: pay.chain):
            yield f"  1 lot, {' < '.join(chain)}"
            yield from (f"    {pay.symbol}: {pay.before} → {pay.after}" for pay in pays)
        if plan.same:
            yield f"  {plan.same} more of symbol and chain pay as before"
        if not plan.pays and not plan.same:
            yield "  no IB has it, so nobody is paid differently"


def _newest(records: Records) -> dict[str, PlanDefined]:
    plans = sorted((r for r in records if isinstance(r, PlanDefined)), key=lambda plan: plan.version)
    return {plan.plan_id: plan for plan in plans}


# In words


def _changes(old: Any, new: Any, path: str) -> Iterator[Change]:
    """Field by field; what has a name or a match is compared with its namesake."""
    if old == new:
        return
    if isinstance(old, Value) and type(old) is type(new):
        for name in old.__struct_fields__:
            told = _step(path, name) if name != "components" else path
            yield from _changes(getattr(old, name), getattr(new, name), told)
    elif isinstance(old, tuple) and isinstance(new, tuple) and _are_named((*old, *new)):
        yield from _named_changes(old, new, path)
    else:
        yield Change(path, words(old), words(new))


def _named_changes(old: tuple[Any, ...], new: tuple[Any, ...], path: str) -> Iterator[Change]:
    before = {label_of(item): item for item in old}
    after = {label_of(item): item for item in new}
    for label in dict.fromkeys((*before, *after)):
        told = _step(path, label)
        if label in before and label in after:
            old_item, new_item = before[label], after[label]
            if isinstance(old_item, Rate):
                if old_item.value != new_item.value:
                    yield Change(told, plain(old_item.value), plain(new_item.value))
            else:
                yield from _changes(old_item, new_item, told)
        else:
            item = before.get(label) or after.get(label)
            text = plain(item.value) if isinstance(item, Rate) else words(item)
            yield Change(told, text if label in before else "none", text if label in after else "none")
    if [label_of(item) for item in old] != [label_of(item) for item in new] and before.keys() == after.keys():
        yield Change(_step(path, "order"), ", ".join(before), ", ".join(after))


def _step(path: str, step: str) -> str:
    return f"{path} {step}" if path else step


def _are_named(items: tuple[Any, ...]) -> bool:
    return bool(items) and all(label_of(item) for item in items)


# In money


def _pays(plan_id: str, old: Records, new: Records, lot: Lot) -> Iterator[Pay]:
    chains = list(dict.fromkeys((*_chains(plan_id, old), *_chains(plan_id, new))))[:MAX_CHAINS]
    for chain in chains:
        for server, symbol in _symbols((*new, *old)):
            before, after = (_paid(chain, server, symbol, records, lot) for records in (old, new))
            yield Pay(chain, symbol, before, after)


def _symbols(records: Records) -> list[tuple[str, str]]:
    """Server and name; of symbols that mean the same on several servers, only the first."""
    found: dict[SymbolDefined, tuple[str, str]] = {}
    for record in records:
        if isinstance(record, SymbolDefined):
            found.setdefault(replace(record, server=""), (record.server, record.symbol))
    return list(dict.fromkeys(found.values()))[:MAX_SYMBOLS]


def _chains(plan_id: str, records: Records) -> Iterator[tuple[str, ...]]:
    """Direct IB first; of chains in which the same plans stand in the same order, only the first."""
    partners = {record.ib_id: record for record in records if isinstance(record, PartnerDefined)}
    seen: set[tuple[Any, ...]] = set()
    for ib_id in partners:
        chain = tuple(_upline(ib_id, partners))
        alike = tuple((partners[ib].schedule, partners[ib].currency) for ib in chain)
        has_it = any(a.plan_id == plan_id for ib in chain for a in partners[ib].schedule)
        if has_it and alike not in seen:
            seen.add(alike)
            yield chain


def _upline(ib_id: str | None, partners: Mapping[str, PartnerDefined]) -> Iterator[str]:
    for _ in range(MAX_DEPTH):
        if ib_id is None or ib_id not in partners:
            return
        yield ib_id
        parents = partners[ib_id].parents
        ib_id = parents[-1].ib_id if parents else None


def _paid(chain: tuple[str, ...], server: str, symbol: str, records: Records, lot: Lot) -> str:
    """What each IB of the chain gets for one lot, opened and closed an hour later."""
    meaning = next(
        (r for r in records if isinstance(r, SymbolDefined) and (r.server, r.symbol) == (server, symbol)),
        None,
    )
    if meaning is None:
        return "no such symbol"
    if not any(isinstance(r, PartnerDefined) and r.ib_id == chain[0] for r in records):
        return "no such IB"
    at = _when(records)
    known = [*_needed(records, chain, meaning, at), _period(at)]
    price = _price(meaning, known, lot)
    outcome = fold(known, [*_client(chain[0], server, at), *_lot(meaning, at, price, lot)])
    earned = outcome.earned()
    paid = [
        f"{ib_id} {plain(amount)} {currency}"
        for ib_id in chain
        for currency, amount in sorted(earned.get(ib_id, {}).items())
        if amount
    ]
    waiting = next((r.text for r in outcome.rejections if r.status == "waiting"), "")
    return ", ".join(paid) or (f"waits: {waiting}" if waiting else "nothing")


def _when(records: Records) -> datetime:
    """A time at which the newest of everything counts."""
    times = [BEGINNING]
    for record in records:
        if isinstance(record, RatePublished):
            times.append(record.as_of)
        if isinstance(record, PlanDefined) and record.since is not None:
            times.append(record.since)
        if isinstance(record, PartnerDefined):
            sinces = [
                *(link.since for link in record.parents),
                *(assigned.since for assigned in record.schedule),
                *(change.since for change in record.statuses),
            ]
            times += [since for since in sinces if since is not None]
    return max(times) + timedelta(hours=1)


def _needed(
    records: Records, chain: tuple[str, ...], symbol: SymbolDefined, at: datetime
) -> Iterator[TermsRecord]:
    """The terms the lot touches: folding all of them for each lot would take minutes."""
    newest: dict[tuple[str, str], RatePublished] = {}
    for record in records:
        match record:
            case PlanDefined():
                yield record
            case PartnerDefined(ib_id=ib_id) if ib_id in chain:
                yield record
            case RatePublished():
                known = newest.get((record.base, record.quote))
                if known is None or record.as_of >= known.as_of:
                    newest[record.base, record.quote] = record
    yield symbol
    for rate in newest.values():
        # Not every pair has a rate as young as the newest change of a plan; the lot is about plans.
        yield RatePublished(base=rate.base, quote=rate.quote, rate=rate.rate, as_of=at, source=rate.source)


def _price(symbol: SymbolDefined, known: Iterable[TermsRecord], lot: Lot) -> Decimal:
    if symbol.canonical in lot.prices:
        return lot.prices[symbol.canonical]
    pair = (symbol.base_currency or symbol.canonical[:3], symbol.profit_currency)
    rates = {(r.base, r.quote): r.rate for r in known if isinstance(r, RatePublished)}
    return rates.get(pair, Decimal(1))


def _period(at: datetime) -> PeriodDefined:
    start = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=32)).replace(day=1)
    days = tuple(start + timedelta(days=n) for n in range((end - start).days))
    return PeriodDefined(
        period=f"{start:%Y-%m}", starts_at=start, ends_at=end, days=days, first_weekday=start.weekday()
    )


def _client(ib_id: str, server: str, at: datetime) -> Iterator[AccountLinked | ClientRegistered | KycChanged]:
    began = at - timedelta(days=1)
    yield ClientRegistered(event_id="registered", client_id="client", occurred_at=began, ib_id=ib_id)
    yield AccountLinked(event_id="linked", client_id="client", server=server, login=1, occurred_at=began)
    yield KycChanged(event_id="kyc", client_id="client", status="approved", occurred_at=began)


def _lot(symbol: SymbolDefined, at: datetime, price: Decimal, lot: Lot) -> Iterator[Deal]:
    """Bought and sold, charged half at each end, without quotes: averages stand for the spread."""
    entries: tuple[tuple[Any, Any], ...] = (("in", "buy"), ("out", "sell"))
    for number, (entry, side) in enumerate(entries):
        yield Deal(
            platform="mt5",
            server=symbol.server,
            login=1,
            deal_id=str(number + 1),
            revision="a",
            kind="trade",
            occurred_at=at + timedelta(hours=number),
            side=side,
            entry=entry,
            symbol=symbol.symbol,
            volume_e8=LOT_E8,
            position_id="1",
            price=price + number * PIPS_MOVED * symbol.pip,
            commission=-lot.charge / 2,
            currency="USD",
            reason="client",
        )
