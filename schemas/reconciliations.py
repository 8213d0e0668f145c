"""What a reconciliation found: a platform's truth against what we hold, and the holes that stay open."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from schemas.models import read_or_none

MAX_NAME_CHARS = 256
MAX_SOURCE_CHARS = 500
MAX_NOTE_CHARS = 300
MAX_LOGINS = 10_000
MAX_DAYS = 400
"""Of one window; a longer one is swept in parts."""
MAX_EXAMPLES = 100
"""Deals named in a record; the counts count all."""

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Verdict = Literal["missing", "different", "extra", "disputed"]
"""Of a deal that is not the same on both sides. *Disputed*: it must not be taken over; a person decides."""

_STRICT: dict[str, Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DayVolume:
    """Deals and traded volume of one UTC day, at the platform and with us before anything was taken over."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    day: date
    theirs: Count
    ours: Count
    theirs_e8: Count
    """In 1e-8 lots, every trade once, openings and closings."""
    ours_e8: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One deal that is not the same on both sides, and what was made of it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    deal_id: Name
    verdict: Verdict
    occurred_at: AwareDatetime
    note: Annotated[str, Field(max_length=MAX_NOTE_CHARS)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """One sweep of a window of a server's deals: `starts_at <= occurred_at < ends_at`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    type: Literal["reconciliation"] = "reconciliation"
    reconciliation_id: Name
    server: Name
    source: Annotated[str, Field(max_length=MAX_SOURCE_CHARS)]
    logins: Annotated[tuple[int, ...], Field(max_length=MAX_LOGINS)] = ()
    """The accounts looked at; empty: all of the server."""
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    started_at: AwareDatetime
    finished_at: AwareDatetime
    theirs: Count
    ours: Count
    missing: Count
    """In theirs, not in ours."""
    different: Count
    """In both, with another revision; also those whose time was moved."""
    extra: Count
    """In ours, not in theirs."""
    disputed: Count
    unreadable: Count
    """Rows of the source that could not be used."""
    ingested: Count
    deleted: Count
    days: Annotated[tuple[DayVolume, ...], Field(max_length=MAX_DAYS)] = ()
    examples: Annotated[tuple[Difference, ...], Field(max_length=MAX_EXAMPLES)] = ()

    @property
    def unresolved(self) -> int:
        """Deals that stay different, and rows that may be deals."""
        found = self.missing + self.different + self.extra + self.disputed + self.unreadable
        return found - self.ingested - self.deleted


RECONCILIATION: TypeAdapter[Reconciliation] = TypeAdapter(Reconciliation)


def decode_reconciliation(message: bytes | str) -> Reconciliation | None:
    """Read one message of the topic; None if it is no reconciliation, for everyone alike."""
    return read_or_none(RECONCILIATION, message)


@dataclass(frozen=True, slots=True)
class CoverageGap:
    """A stretch of a server's deals that is not known to be complete."""

    server: str
    starts_at: datetime
    ends_at: datetime
    reconciliation: Reconciliation
    """The newest sweep of it, which left something unresolved."""

    def overlaps(self, starts_at: datetime, ends_at: datetime) -> bool:
        """Whether a deal of the hole may belong into this interval."""
        return self.starts_at < ends_at and starts_at < self.ends_at


def open_gaps(reconciliations: Iterable[Reconciliation]) -> list[CoverageGap]:
    """What sweeps left unresolved and no later sweep of the same stretch and accounts has closed."""
    newest = sorted(reconciliations, key=lambda found: found.finished_at, reverse=True)
    holes: list[CoverageGap] = []
    for number, found in enumerate(newest):
        if found.unresolved <= 0:
            continue
        stretches = [(found.starts_at, found.ends_at)]
        for later in newest[:number]:
            if _covers_accounts(later, found):
                stretches = _without(stretches, later.starts_at, later.ends_at)
        holes += [CoverageGap(found.server, *stretch, found) for stretch in stretches]
    return sorted(holes, key=lambda hole: (hole.server, hole.starts_at, hole.ends_at))


def _covers_accounts(later: Reconciliation, found: Reconciliation) -> bool:
    if later.server != found.server:
        return False
    return not later.logins or (bool(found.logins) and set(found.logins) <= set(later.logins))


def _without(
    stretches: list[tuple[datetime, datetime]], starts_at: datetime, ends_at: datetime
) -> list[tuple[datetime, datetime]]:
    """What is left of stretches when one interval is taken out of them."""
    cut = [
        part
        for since, until in stretches
        for part in ((since, min(until, starts_at)), (max(since, ends_at), until))
    ]
    return [(since, until) for since, until in cut if since < until]
