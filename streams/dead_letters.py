"""What a stage cannot use → dead letters with its bytes and its place: lines, and records a book refused."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from commission.draft import RecordRefused
from schemas.dead_letters import DeadLetter, to_dead_letter
from schemas.wire import Record, encode


class Place(NamedTuple):
    """Where a message stands: its topic, its partition and offset."""

    source: str
    position: str


def line_letter(
    line: bytes, number: int, place: Place, code: str, reason: str, received_at: datetime
) -> DeadLetter:
    """The letter of a line of a message."""
    return to_dead_letter(
        line,
        source=place.source,
        position=f"{place.position} line {number}",
        code=code,
        reason=reason,
        received_at=received_at,
    )


def refused_letters(
    refused: Iterable[RecordRefused], records: Sequence[Record], place: Place, received_at: datetime
) -> list[DeadLetter]:
    """The letters of what was refused of a message's records."""
    numbers = {id(record): number for number, record in enumerate(records, 1)}
    return [
        to_dead_letter(
            encode([one.record])[0],
            source=place.source,
            position=f"{place.position} record {numbers[id(one.record)]}",
            code=one.code,
            reason=one.reason,
            received_at=received_at,
        )
        for one in refused
    ]
