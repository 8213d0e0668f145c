"""What the API asks of whoever works dead letters off: `infra` does, for it has the readers and the log."""

from typing import Any, NamedTuple, Protocol

from api.operators import Operator
from schemas.errors import Unusable

Letter = dict[str, Any]
"""As `GET /v1/dead-letters/{id}` shows it, with what was decided."""


class LetterRefused(Unusable):
    """It is closed, or would become nothing; the message says why."""


class Became(NamedTuple):
    """What bytes would be, or were, read as: records by type and id; or why they are nothing."""

    records: tuple[str, ...]
    why: str = ""


class DeadLetters(Protocol):
    """Input that could not be used, corrected and read again. The letter itself stays as it was."""

    def preview(self, letter: Letter, payload: bytes) -> Became:
        """What these bytes would become in its place. Nothing is written."""

    def edit(self, letter: Letter, payload: bytes, note: str, by: Operator) -> Became:
        """Keep other bytes for it, on record; raise `LetterRefused` where they would become nothing."""

    def replay(self, letter: Letter, by: Operator) -> Became:
        """Send what its newest bytes become to where it was going; raise `LetterRefused` if it is closed."""

    def dismiss(self, letter: Letter, note: str, by: Operator) -> None:
        """Never use it, and say why."""
