"""A platform's truth against what we hold, deal by deal and revision by revision, in slices of one UTC day.

What comes out are deals to publish: the fold takes each up once, and rates again what has another
revision. Memory is that of one day, not of the window.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from commission.events import UNTOLD_MARK, Deal, is_seen
from commission.revision import AGAIN, revision_of, told_before
from ingest.source_items import Item
from schemas.dead_letters import DeadLetter
from schemas.errors import Unusable
from schemas.reconciliations import MAX_DAYS, MAX_EXAMPLES, DayVolume, Difference, Verdict

ENDINGS = ("cancelled", "deleted")
"""Kinds the fold does not come back from."""
LOOK_UP = 500
"""Deals asked for by number at once."""
MAX_DIFFERENT = 50_000
"""Changed deals of one window; they are kept until all is compared."""
MAX_EXTRA = 100_000
FEW_DIFFERENT = 100
SUSPECT_PERCENT = 10
"""So many changed deals beyond a few are not edits but another clock, currency or export."""
DAY = timedelta(days=1)


class Held(NamedTuple):
    """A deal as the ledger stands by it, and every revision that was ever taken up."""

    revision: str
    kind: str
    occurred_at: datetime
    volume_e8: int
    profit: Decimal
    seen: tuple[str, ...]
    is_unplaced: bool = False
    """An in/out that could not be rated without the position before it; sent again, it is tried again."""


class Holdings(Protocol):
    """What we hold of one server."""

    def between(self, since: datetime, until: datetime) -> Iterator[tuple[str, Held]]:
        """Every deal with `since <= occurred_at < until`, by its number."""

    def of(self, deal_ids: Sequence[str]) -> dict[str, Held]:
        """Those of these deals that we hold, whenever they happened."""


class PlatformDeals(Protocol):
    """What the platform says of one server; asked for one slice after another, in order of time."""

    def between(self, since: datetime, until: datetime) -> Iterator[Item]:
        """Every deal with `since <= occurred_at < until`, and what could not be read on the way."""


@dataclass(slots=True)
class Findings:
    """What a sweep found so far; complete when its deals have been read to the end."""

    theirs: int = 0
    ours: int = 0
    missing: int = 0
    different: int = 0
    disputed: int = 0
    unreadable: int = 0
    retried: int = 0
    """Deals that are the same and could not be rated whole for want of missing ones or of their position."""
    withheld: int = 0
    """Changed deals that are too many to be edits."""
    extra: dict[str, datetime] = field(default_factory=dict)
    days: list[DayVolume] = field(default_factory=list)
    examples: list[Difference] = field(default_factory=list)

    def tell(self, deal_id: str, verdict: Verdict, occurred_at: datetime, note: str = "") -> None:
        """Name a deal, as long as there is room."""
        if len(self.examples) < MAX_EXAMPLES:
            told = Difference(deal_id=deal_id, verdict=verdict, occurred_at=occurred_at, note=note)
            self.examples.append(told)


def sweep(
    truth: PlatformDeals,
    holdings: Holdings,
    since: datetime,
    until: datetime,
    findings: Findings,
    *,
    accept_many: bool = False,
) -> Iterator[Item]:
    """Yield what is to be published: what is missing at once, what differs when all has been compared."""
    comparison = _Comparison(holdings, findings)
    for start, end in slices(since, until):
        yield from comparison.slice(truth.between(start, end), start, end)
    comparison.settle()
    findings.retried = len(comparison.told)
    yield from comparison.told
    if findings.different > FEW_DIFFERENT and not accept_many:
        common = findings.theirs - findings.missing
        if findings.different * 100 > common * SUSPECT_PERCENT:
            findings.withheld = len(comparison.changed)
            return
    yield from comparison.changed
    if findings.missing or findings.different:
        findings.retried += len(comparison.unplaced)
        yield from comparison.unplaced


def slices(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Cut a window at the ends of its UTC days; raise `Unusable` if it has none or too many."""
    if until <= since:
        raise Unusable(f"the window ends ({until:%Y-%m-%d %H:%M}) before it begins ({since:%Y-%m-%d %H:%M})")
    if until - since > MAX_DAYS * DAY - DAY:
        raise Unusable(f"a window has at most {MAX_DAYS - 1} days; sweep a longer one in parts")
    start = since
    while start < until:
        midnight = datetime(start.year, start.month, start.day, tzinfo=UTC) + DAY
        yield start, min(midnight, until)
        start = midnight


class _Comparison:
    """Compares slice by slice, and keeps what only the whole window can tell."""

    def __init__(self, holdings: Holdings, findings: Findings) -> None:
        self._holdings = holdings
        self._findings = findings
        self._elsewhere: set[str] = set()
        """Held deals that theirs tells at another time."""
        self.changed: list[Deal] = []
        self.unplaced: list[Deal] = []
        self.told: list[Deal] = []
        """The same as held, with the position that was not told before."""

    def slice(self, items: Iterator[Item], since: datetime, until: datetime) -> Iterator[Item]:
        """Yield the dead letters and the missing deals of one slice."""
        found = self._findings
        ours = dict(self._holdings.between(since, until))
        alive = [held for held in ours.values() if held.kind != "deleted"]
        ours_e8 = sum(held.volume_e8 for held in alive if held.kind == "trade")
        theirs_e8, before = 0, found.theirs
        told: dict[str, str] = {}
        unknown: list[Deal] = []
        for item in items:
            if isinstance(item, DeadLetter):
                found.unreadable += 1
                yield item
            elif isinstance(item, Deal) and self._is_new(told, item):
                found.theirs += 1
                theirs_e8 += item.volume_e8 if item.kind == "trade" else 0
                held = ours.pop(item.deal_id, None)
                if held is not None:
                    self._compare(item, held)
                else:
                    unknown.append(item)
                    if len(unknown) >= LOOK_UP:
                        yield from self._look_up(unknown)
                        unknown = []
        yield from self._look_up(unknown)
        self._keep_extra(ours)
        found.ours += len(alive)
        found.days.append(
            DayVolume(
                day=since.date(),
                theirs=found.theirs - before,
                ours=len(alive),
                theirs_e8=theirs_e8,
                ours_e8=ours_e8,
            )
        )

    def settle(self) -> None:
        """Take out of the extra deals what turned up elsewhere in the window."""
        for deal_id in self._elsewhere & self._findings.extra.keys():
            del self._findings.extra[deal_id]
        for deal_id, occurred_at in self._findings.extra.items():
            self._findings.tell(deal_id, "extra", occurred_at)

    def _is_new(self, told: dict[str, str], deal: Deal) -> bool:
        """Whether theirs tells the deal for the first time; one told in two ways is nobody's truth."""
        known = told.setdefault(deal.deal_id, "")
        if not known:
            told[deal.deal_id] = deal.revision
            return True
        if known != deal.revision:
            self._dispute(deal, "the source has this deal twice, in two ways; read the newer export alone")
        return False

    def _compare(self, deal: Deal, held: Held) -> None:
        if is_seen(deal.revision, (told_before(held.revision),)):
            if held.is_unplaced and len(self.unplaced) < MAX_DIFFERENT:
                self.unplaced.append(replace(deal, revision=held.revision))
            return
        if told_before(held.revision) == revision_of(replace(deal, position_id=None)):
            self.told.append(deal)
            return
        if deal.position_id is None and UNTOLD_MARK not in held.revision and _is_alike(deal, held):
            return
        if held.kind in ENDINGS and deal.kind not in ENDINGS:
            note = f"the ledger has it as {held.kind}, which is final, and the platform has it again"
            self._dispute(deal, note)
            return
        self._findings.different += 1
        self._findings.tell(deal.deal_id, "different", deal.occurred_at)
        if len(self.changed) >= MAX_DIFFERENT:
            raise Unusable(
                f"more than {MAX_DIFFERENT:,} deals differ: look whether the server's time zone and currency"
                " are those of the source, or sweep a shorter window"
            )
        self.changed.append(_to_publish(deal, held))

    def _look_up(self, deals: list[Deal]) -> Iterator[Deal]:
        """Yield those we hold nowhere; the others are held at another time."""
        if not deals:
            return
        held = self._holdings.of([deal.deal_id for deal in deals])
        for deal in deals:
            if (known := held.get(deal.deal_id)) is not None:
                self._elsewhere.add(deal.deal_id)
                self._compare(deal, known)
            else:
                self._findings.missing += 1
                self._findings.tell(deal.deal_id, "missing", deal.occurred_at)
                yield deal

    def _dispute(self, deal: Deal, note: str) -> None:
        self._findings.disputed += 1
        self._findings.tell(deal.deal_id, "disputed", deal.occurred_at, note)

    def _keep_extra(self, ours: dict[str, Held]) -> None:
        extra = self._findings.extra
        extra.update((number, held.occurred_at) for number, held in ours.items() if held.kind != "deleted")
        if len(extra) > MAX_EXTRA:
            raise Unusable(
                f"the source lacks more than {MAX_EXTRA:,} deals that we hold: it is of a part of the"
                " server, of another server, or of a shorter time; name the accounts with --login, or"
                " sweep only what it covers"
            )


def tombstone(deal: Deal, source: str) -> Deal:
    """The deal as deleted at the platform: the fold takes back what it caused, for good."""
    gone = replace(deal, kind="deleted", source=source)
    return replace(gone, revision=revision_of(gone))


def _is_alike(deal: Deal, held: Held) -> bool:
    """Whether a source without positions tells the deal as it is held; its revision cannot say so."""
    theirs = (deal.kind, deal.occurred_at.replace(microsecond=0), deal.volume_e8, deal.profit)
    return theirs == (held.kind, held.occurred_at.replace(microsecond=0), held.volume_e8, held.profit)


def _to_publish(deal: Deal, held: Held) -> Deal:
    """A revision that was replaced once is stale to the fold; as the truth again it has a name of its own."""
    if not is_seen(deal.revision, held.seen):
        return deal
    return replace(deal, revision=f"{deal.revision}{AGAIN}{len(held.seen)}")
