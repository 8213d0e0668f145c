"""What routes ask of whoever makes long files in the background: `infra` does."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from api.scope import Scope
from api.views.exported import Question

Kind = Literal["csv", "xlsx", "parquet"]
State = Literal["queued", "running", "done", "failed", "cancelled", "expired"]
UNFINISHED: tuple[State, ...] = ("queued", "running")


class Export(NamedTuple):
    """One file, asked for once: `rows` of `total` are written."""

    export_id: str
    kind: Kind
    state: State
    question: Question
    is_pseudonymous: bool
    """Whether clients and accounts have pseudonyms in it."""
    asked_at: datetime
    rows: int = 0
    total: int | None = None
    """None until they are counted."""
    size: int = 0
    """Bytes of the file."""
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    """Until when the file is kept, at the longest."""
    why: str = ""
    """Why there is no file, in words."""

    @property
    def is_unfinished(self) -> bool:
        """Whether it waits or is made."""
        return self.state in UNFINISHED

    def is_within(self, scope: Scope, *, shows_pseudonyms: bool) -> bool:
        """Whether somebody who sees this now may have all that is in it."""
        wanted = self.question.scope
        if shows_pseudonyms and not self.is_pseudonymous:
            return False
        return scope.is_whole or (wanted.ibs is not None and all(map(scope.has, wanted.ibs)))


class Exports(Protocol):
    """Files of each owner, who is the caller of a request; nobody has a file of another."""

    def ask(self, owner: str, question: Question, kind: Kind, *, is_pseudonymous: bool) -> Export:
        """Note it to be made; raise `TooManyExports`."""

    def listed(self, owner: str) -> Sequence[Export]:
        """All that are remembered, newest first."""

    def one(self, owner: str, export_id: str) -> Export:
        """One; raise `UnknownExport`."""

    def cancel(self, owner: str, export_id: str) -> Export:
        """Make it no further, or remove its file."""

    def path(self, owner: str, export_id: str) -> Path | None:
        """Its file, if there is one."""
