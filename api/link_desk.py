"""What the API asks of whoever keeps tracking links: `infra` does, for it has the log and the key."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from api.operators import Operator
from commission.links.records import Conflict, LinkPlan, LinkSaved
from schemas.errors import Unusable


class LinkRefused(Unusable):
    """It cannot be done now; the message says what to do instead."""


class UnknownLink(Unusable):
    """There is no such link."""


@dataclass(frozen=True, slots=True)
class KnownLink:
    """A link as it stands."""

    saved: LinkSaved
    created_by: str
    created_at: datetime
    told: int = 0
    """The newest version that the books have; one without is not clicked yet."""


@dataclass(frozen=True, slots=True)
class NewLink:
    """What a link is made of; None and "" are the broker's usual."""

    ib_id: str
    landing: str
    code: str = ""
    campaign: str = ""
    plans: tuple[LinkPlan, ...] = ()
    expires_at: datetime | None = None
    window_days: int | None = None
    conflict: Conflict | None = None
    passes_query: bool = True


@dataclass(frozen=True, slots=True)
class LinkChange:
    """What is to be otherwise of a link; None leaves it."""

    landing: str | None = None
    plan: LinkPlan | None = None
    """An assignment more, later than those there are."""
    expires_at: datetime | None = None


class Links(Protocol):
    """Tracking links."""

    def listed(self) -> Mapping[str, KnownLink]:
        """Every link by its code, in the order in which they were made."""

    def create(self, new: NewLink, by: Operator, key: str) -> KnownLink:
        """Make a link; the same `key` of the same person again makes the same link."""

    def change(self, code: str, change: LinkChange, by: Operator) -> KnownLink:
        """Another version of a link."""

    def end(self, code: str, by: Operator) -> KnownLink:
        """Let its clicks count no more; those before count for their window."""

    def address(self, code: str) -> str:
        """The path of its redirect, behind the public address where that is known."""
