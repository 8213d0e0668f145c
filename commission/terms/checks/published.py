"""What the checks of terms share: a finding, the subjects of records, and the records by kind."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Literal, NamedTuple, TypeVar

from commission.links.records import LinkSaved
from commission.money import CENT_CURRENCIES, EXACT
from commission.terms.catalog import BEGINNING, MAX_UPLINE_DEPTH, PIVOTS
from commission.terms.events_wanted import EventsWanted
from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import ParentLink, PartnerChanged, PartnerDefined, PlanAssignment, StatusChange
from commission.terms.plans import PlanDefined
from commission.terms.rates import ONE
from commission.terms.records import TermsRecord

CURRENCY = re.compile(r"[A-Z]{3,4}")
NAMES_SHOWN = 5
"""Symbols named in one text; the rest is counted."""
CENT = Decimal("0.01")

Subject = tuple[str, ...]
Severity = Literal["error", "trap", "warning", "note"]
Dated = TypeVar("Dated", ParentLink, PlanAssignment, StatusChange, PlanDefined)


@dataclass(frozen=True, slots=True)
class TermsProblem:
    """One finding. `subject` is a path to its place: `('partner', 'ib-north', 'parent', '0')`.

    An error would stop deals or pay wrongly; a warning may be meant. A trap pays more than is usually
    meant: nobody publishes it unless one of `plans` accepts it by its code. A note says how a plan reads.
    """

    subject: Subject
    code: str
    text: str
    severity: Severity = "error"
    plans: tuple[str, ...] = ()
    """Of a trap: the plans that may accept it."""


def subject_of(record: TermsRecord) -> Subject:
    """The path of a record: its kind, then its id."""
    subject: Subject
    match record:
        case PartnerDefined() | PartnerChanged():
            subject = "partner", record.ib_id
        case PlanDefined():
            subject = "plan", record.plan_id, str(record.version)
        case SymbolDefined():
            since = () if record.since is None else (record.since.isoformat(),)
            subject = "symbol", record.server, record.symbol, *since
        case RatePublished():
            subject = "rate", f"{record.base}/{record.quote}", record.as_of.isoformat()
        case LinkSaved():
            subject = "link", record.code, str(record.version)
        case EventsWanted():
            subject = ("events",)
        case _:
            subject = record.type.removesuffix("_defined"), record.period
    return subject


def named(records: Iterable[TermsRecord]) -> tuple[tuple[Subject, TermsRecord], ...]:
    """Each record with its subject; the second record of one id ends in `#2`, and so on."""
    listed = list(records)
    seen: Counter[Subject] = Counter()
    pairs: list[tuple[Subject, TermsRecord]] = []
    for record in listed:
        subject = subject_of(record)
        seen[subject] += 1
        pairs.append(((*subject[:-1], nth(subject[-1], seen[subject])), record))
    return tuple(pairs)


def numbered(names: Iterable[str]) -> list[str]:
    """Make names distinct for subjects: `a, b, a` is `a, b, a#2`."""
    seen: Counter[str] = Counter()
    distinct: list[str] = []
    for name in names:
        seen[name] += 1
        distinct.append(nth(name, seen[name]))
    return distinct


def nth(name: str, count: int) -> str:
    """The `count`th thing of a name: `a`, then `a#2`."""
    return name if count == 1 else f"{name}#{count}"


class Held(NamedTuple):
    """One IB of an upline as of some time: what it holds, and the version of its plan."""

    partner: PartnerDefined
    held: PlanAssignment
    plan: PlanDefined | None


class Published:
    """The records by kind, with the look-ups the checks share; of one id the last record counts."""

    def __init__(self, records: Iterable[TermsRecord]) -> None:
        self.pairs = named(records)
        self.partners = [(s, r) for s, r in self.pairs if isinstance(r, PartnerDefined)]
        self.plans = [(s, r) for s, r in self.pairs if isinstance(r, PlanDefined)]
        self.symbols = [(s, r) for s, r in self.pairs if isinstance(r, SymbolDefined)]
        self.rates = [(s, r) for s, r in self.pairs if isinstance(r, RatePublished)]
        self.partner_of = {record.ib_id: record for _, record in self.partners}
        self.versions_of: dict[str, tuple[PlanDefined, ...]] = {}
        for _, plan in sorted(self.plans, key=lambda pair: pair[1].version):
            self.versions_of[plan.plan_id] = (*self.versions_of.get(plan.plan_id, ()), plan)
        self.canonicals = list({(r.canonical, r.asset_class): r for _, r in self.symbols}.values())
        self.newest = {
            (r.base, r.quote): r.rate for _, r in sorted(self.rates, key=lambda pair: pair[1].as_of)
        }

    def can_convert(self, source: str, target: str) -> bool:
        """True if rates lead from one to the other as the fold would take them: direct or by a pivot.

        Also for what is no currency: that is told on its own.
        """
        if not (CURRENCY.fullmatch(source) and CURRENCY.fullmatch(target)):
            return True
        return self.convert(ONE, source, target) is not None

    def convert(self, amount: Decimal, source: str, target: str) -> Decimal | None:
        """The amount at the newest rates, however old; None if none lead there."""
        one, other = CENT_CURRENCIES.get(source, source), CENT_CURRENCIES.get(target, target)
        factor = (ONE if one == source else CENT) / (ONE if other == target else CENT)
        for first, last in ((self._rate(one, pivot), self._rate(pivot, other)) for pivot in (other, *PIVOTS)):
            if first is not None and last is not None:
                return amount * factor * first * last
        return None

    def _rate(self, one: str, other: str) -> Decimal | None:
        if one == other:
            return ONE
        if (rate := self.newest.get((one, other))) is not None:
            return rate
        inverse = self.newest.get((other, one))
        return EXACT.divide(ONE, inverse) if inverse else None

    def plan_at(self, held: PlanAssignment | None, at: datetime) -> PlanDefined | None:
        """The version of a held plan that counts at `at`."""
        return as_of(self.versions_of.get(held.plan_id or "", ()), at) if held else None

    def uplines(self, partner: PartnerDefined) -> Iterator[tuple[datetime, tuple[Held, ...]]]:
        """The IB and those above it, lowest first, as often as something about them changes."""
        at: datetime | None = BEGINNING
        while at is not None:
            chain = self._upline(partner, at)
            yield at, tuple(h for h in chain if not _is_terminated(h.partner, at))
            at = min((t for h in chain for t in self._changes(h.partner) if t > at), default=None)

    def _upline(self, partner: PartnerDefined, at: datetime) -> list[Held]:
        chain: list[Held] = []
        seen: set[str] = set()
        current: PartnerDefined | None = partner
        while current is not None and current.ib_id not in seen and len(chain) < MAX_UPLINE_DEPTH:
            seen.add(current.ib_id)
            held = as_of(current.schedule, at)
            chain.append(Held(current, held or PlanAssignment(), self.plan_at(held, at)))
            link = as_of(current.parents, at)
            current = self.partner_of.get(link.ib_id or "") if link else None
        return chain

    def _changes(self, partner: PartnerDefined) -> Iterator[datetime]:
        """When something of the IB or of its plans begins."""
        sinces = [link.since for link in partner.parents]
        sinces += [held.since for held in partner.schedule]
        sinces += [change.since for change in partner.statuses]
        for held in partner.schedule:
            sinces += [version.since for version in self.versions_of.get(held.plan_id or "", ())]
        return (since for since in sinces if since is not None)


def _is_terminated(partner: PartnerDefined, at: datetime) -> bool:
    status = as_of(partner.statuses, at)
    return status is not None and status.status == "terminated"


def as_of(entries: Sequence[Dated], at: datetime) -> Dated | None:
    """The last entry that has begun by `at`."""
    begun = [entry for entry in entries if (entry.since or BEGINNING) <= at]
    return begun[-1] if begun else None


def check_order(place: Subject, sinces: Sequence[datetime | None]) -> Iterator[TermsProblem]:
    """Find entries of a schedule that do not begin after the one before."""
    for index in range(1, len(sinces)):
        since, before = sinces[index], sinces[index - 1]
        if since is None or since <= (before or BEGINNING):
            text = f"entry {index + 1} does not begin after entry {index}; list them oldest first"
            yield TermsProblem((*place, str(index)), "not_increasing", text)


def check_currency(place: Subject, currency: str) -> Iterator[TermsProblem]:
    """Find what is no currency."""
    if not CURRENCY.fullmatch(currency):
        text = f"{currency!r} is not a currency; write three or four capitals, such as USD or USDT"
        yield TermsProblem(place, "bad_currency", text)


def is_positive(number: Decimal) -> bool:
    """Whether it is a number above 0."""
    return number.is_finite() and number > 0


def is_share(number: Decimal) -> bool:
    """Whether it is from 0 to 1."""
    return number.is_finite() and 0 <= number <= 1


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def meant(word: str, names: Iterable[str]) -> str:
    """`did you mean entry? `, to be put before what to do; "" if no name is close."""
    spelt = {name.casefold(): name for name in names if name != word}
    close = get_close_matches(word.casefold(), spelt, n=1)
    # People misspell within a word; one that begins otherwise is another word.
    return f"did you mean {spelt[close[0]]}? " if close and close[0][:1] == word[:1].casefold() else ""
