"""A dead letter: input that could not be used, with its bytes, its place and a reason to act on.

What people do about it are records of the same topic, so that its order tells which letters are open.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from schemas.stops import MAX_REASON_CHARS, Name

MAX_PAYLOAD_BYTES = 64_000
"""Bytes kept of one bad row, as many as a record may have; what is longer is cut, and `payload_bytes` tells
the full length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Bad input as a value.

    `source` names the kind and the file or topic, `position` the line, row or offset inside it.
    `code` is a fixed word, `reason` says what is wrong and what to do. The id is a digest of
    place and bytes, so the same bad row read twice is one dead letter. `server` is the one whose profile
    it was read by, `header` the line that names a row's cells: with them it can be read again.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    type: Literal["dead_letter"] = "dead_letter"
    dead_letter_id: str
    source: str
    position: str
    code: str
    reason: str
    payload_base64: str
    payload_bytes: int
    received_at: datetime
    server: str = ""
    header: str = ""
    is_blanked: bool = False
    """Cells a reader needs were blanked, for a person's name may have been in them."""

    @property
    def payload(self) -> bytes:
        """The bytes as they were read, up to `MAX_PAYLOAD_BYTES`."""
        return base64.b64decode(self.payload_base64)


Action = Literal["edited", "replayed", "buried_again", "dismissed"]
CLOSING: tuple[Action, ...] = ("replayed", "dismissed")
"""After these a letter is no longer open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterDecision:
    """Who did what about a dead letter, and when.

    `edited` gives other bytes to read in its place; `replayed` tells what it `became`, by type and id;
    `buried_again` says in `note` why not; `dismissed` that it will never be used, and why.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    type: Literal["dead_letter_decision"] = "dead_letter_decision"
    dead_letter_id: Name
    action: Action
    by: Name
    at: AwareDatetime
    note: Annotated[str, Field(max_length=MAX_REASON_CHARS)] = ""
    payload_base64: str = ""
    became: tuple[str, ...] = ()


DEAD_LETTER: TypeAdapter[DeadLetter] = TypeAdapter(DeadLetter)
DECISION: TypeAdapter[DeadLetterDecision] = TypeAdapter(DeadLetterDecision)
DEAD_LETTER_RECORD: TypeAdapter[DeadLetter | DeadLetterDecision] = TypeAdapter(
    Annotated[DeadLetter | DeadLetterDecision, Field(discriminator="type")]
)
"""What the topic holds."""


def to_dead_letter(
    payload: bytes,
    *,
    source: str,
    position: str,
    code: str,
    reason: str,
    received_at: datetime,
    server: str = "",
    header: str = "",
    is_blanked: bool = False,
) -> DeadLetter:
    """Make the dead letter of `payload`, read at `position` of `source`."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (source.encode(), position.encode(), payload):
        digest.update(len(part).to_bytes(8, "big") + part)
    return DeadLetter(
        dead_letter_id=digest.hexdigest(),
        source=source,
        position=position,
        code=code,
        reason=reason,
        payload_base64=base64.b64encode(payload[:MAX_PAYLOAD_BYTES]).decode(),
        payload_bytes=len(payload),
        received_at=received_at,
        server=server,
        header=header,
        is_blanked=is_blanked,
    )
