"""Dead letters worked off: other bytes tried and kept, read again, or dismissed. `quality.py` shows them."""

import binascii
from base64 import b64decode
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from api.dead_letters import DeadLetters, Letter
from api.problems import Problem
from api.queries.dead_letters import dead_letter
from api.routes.context import WHOLE, Asking, LedgerHere, ScopeHere
from api.shapes.dead_letters import LetterBecame, LetterDismissed
from schemas.dead_letters import MAX_PAYLOAD_BYTES
from schemas.stops import MAX_REASON_CHARS

router = APIRouter(prefix="/v1/dead-letters", tags=["operations"], dependencies=[WHOLE])


def _desk(request: Request) -> DeadLetters:
    desk: DeadLetters | None = request.app.state.dead_letters
    if desk is None:
        raise Problem(503, "This process works no dead letters off. Ask the one that `ibflow serve` started.")
    return desk


def _letter(ledger: LedgerHere, scope: ScopeHere, dead_letter_id: Annotated[str, Path(max_length=64)]) -> Any:
    found = dead_letter(ledger, scope, dead_letter_id)
    if found is None:
        raise Problem(404, f"No dead letter {dead_letter_id} is stored. Look at /v1/dead-letters.")
    return found


Desk = Annotated[DeadLetters, Depends(_desk)]
LetterHere = Annotated[Letter, Depends(_letter)]


class Bytes(BaseModel):
    """Bytes to read in the place of the letter's own."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    text: str | None = Field(
        None, max_length=MAX_PAYLOAD_BYTES, description="As UTF-8, with line ends as the letter has them."
    )
    payload_base64: str = Field("", max_length=2 * MAX_PAYLOAD_BYTES, description="Or the bytes themselves.")

    def of(self, letter: Letter) -> bytes:
        """The bytes; a browser's text has line feeds alone, whatever the letter had."""
        if self.text is None:
            try:
                return b64decode(self.payload_base64, validate=True)
            except binascii.Error:
                raise Problem(422, "`payload_base64` is no base64.") from None
        text = self.text.replace("\r\n", "\n")
        if b"\r\n" in newest_bytes(letter):
            text = text.replace("\n", "\r\n")
        return text.encode()


class Edit(Bytes):
    """And why."""

    note: str = Field("", max_length=MAX_REASON_CHARS)


class Nothing(BaseModel):
    """No field."""

    model_config = ConfigDict(extra="forbid")


class Dismissal(BaseModel):
    """Why it is never to be used."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field(min_length=1, max_length=MAX_REASON_CHARS)


def newest_bytes(letter: Letter) -> bytes:
    """What a replay would read: the newest edit, else the letter's own bytes."""
    edits = [one["payload_base64"] for one in letter["decisions"] if one["action"] == "edited"]
    return b64decode(edits[-1] if edits else letter["payload_base64"])


@router.post("/{dead_letter_id}/preview", response_model=LetterBecame)
def preview(desk: Desk, letter: LetterHere, given: Bytes) -> Any:
    """What these bytes would become in the letter's place, or why they are nothing. Nothing is written."""
    return desk.preview(letter, given.of(letter))._asdict()


@router.post("/{dead_letter_id}/edit", response_model=LetterBecame)
def edit(desk: Desk, letter: LetterHere, by: Asking, given: Edit) -> Any:
    """Keep other bytes for the letter, which stays as it was; they are sent by a replay."""
    return desk.edit(letter, given.of(letter), given.note, by)._asdict()


@router.post("/{dead_letter_id}/replay", response_model=LetterBecame)
def replay(desk: Desk, letter: LetterHere, by: Asking, _: Nothing) -> Any:
    """Read its newest bytes again and send what they become to where they were going, once."""
    return desk.replay(letter, by)._asdict()


@router.post("/{dead_letter_id}/dismiss", response_model=LetterDismissed)
def dismiss(desk: Desk, letter: LetterHere, by: Asking, why: Dismissal) -> Any:
    """Never use it. The reason is on record."""
    desk.dismiss(letter, why.note, by)
    return {"dead_letter_id": letter["dead_letter_id"]}
