"""What the API asks of whoever works with plans: `infra` does, for it has the books and the files."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from commission.terms.plans import PlanDefined
from commission.terms.records import TermsRecord
from schemas.errors import Unusable


class PlanRefused(Unusable):
    """It cannot be worked out now; the message says why."""


class Changed(NamedTuple):
    """One field of a plan: what it was and what it is."""

    field: str
    old: str
    new: str


class Pay(NamedTuple):
    """What one lot of a symbol pays a chain of IBs, before and after."""

    chain: tuple[str, ...]
    symbol: str
    before: str
    after: str


class Changes(NamedTuple):
    """How a version of a plan differs from the one before."""

    fields: tuple[Changed, ...]
    pays: tuple[Pay, ...]
    same: int
    """Chains x symbols that are paid as before."""


class GoldenCase(NamedTuple):
    """A case of the folder of terms, run: [what differs] where it does not pass."""

    file: str
    line: int
    case: str
    differs: tuple[str, ...]


class WhatIfRun(NamedTuple):
    """The last comparison of the history with the folder of terms; `found` is as `ibflow what-if --json`."""

    state: Literal["running", "done", "failed"]
    by: str
    started_at: datetime
    ended_at: datetime | None
    since: datetime
    until: datetime
    found: dict[str, Any] | None
    why: str
    """Of one that failed."""


class PlanTools(Protocol):
    """Plans compared, tested and tried on the history."""

    def changes(self, records: Sequence[TermsRecord], old: PlanDefined, new: PlanDefined) -> Changes:
        """What changed, in words, and what one lot pays before and after."""

    def cases(self) -> list[GoldenCase] | None:
        """The golden cases of the server's folder of terms, run; None if it has no such folder."""

    def what_if(self) -> WhatIfRun | None:
        """The last run, or the one under way."""

    def start_what_if(self, since: datetime, until: datetime, by: str) -> WhatIfRun:
        """Fold the deals of a time under the terms of the folder; raise `PlanRefused` while one runs."""
