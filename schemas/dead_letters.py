"""A dead letter: input that could not be used, with its bytes, its place and a reason to act on."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import TypeAdapter

MAX_PAYLOAD_BYTES = 64_000
"""Bytes kept of one bad row, as many as a record may have; what is longer is cut, and `payload_bytes` tells
the full length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Bad input as a value.

    `source` names the kind and the file or topic, `position` the line, row or offset inside it.
    `code` is a fixed word, `reason` says what is wrong and what to do. The id is a digest of
    place and bytes, so the same bad row read twice is one dead letter.
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

    @property
    def payload(self) -> bytes:
        """The bytes as they were read, up to `MAX_PAYLOAD_BYTES`."""
        return base64.b64decode(self.payload_base64)


DEAD_LETTER: TypeAdapter[DeadLetter] = TypeAdapter(DeadLetter)


def bury(
    payload: bytes, *, source: str, position: str, code: str, reason: str, received_at: datetime
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
    )
