"""Source positions: which messages a message came from, so that its receiver knows what it has already.

A stage names in a header what it sends: `topic/partition/offset/part`. What several messages caused
for one target travels together, as segments of lines: the newest position, and after a `|` each
segment's `offset/part:lines`. A crash may group the same segments anew; a receiver takes them by
their positions, whatever they travel with.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

Position = tuple[int, int]
"""Offset of the message behind, and the part of what it caused."""
NOWHERE: Position = (-1, -1)
"""Before every position."""


class Segment(NamedTuple):
    """The lines of a message that one message behind it caused."""

    position: Position
    lines: int
    """0: all there are."""


def origin_of(source: str) -> tuple[str, Position]:
    """Split a source into its origin `topic/partition` and its newest position."""
    topic, partition, offset, part = source.partition("|")[0].rsplit("/", 3)
    return f"{topic}/{partition}", (int(offset), int(part))


def segments_of(source: str) -> list[Segment]:
    """The segments of a message, in order; one of a single cause has one."""
    newest, _, several = source.partition("|")
    if not several:
        return [Segment(origin_of(newest)[1], 0)]
    return [_segment(text) for text in several.split(",")]


def joined(origin: str, segments: Iterable[Segment]) -> str:
    """Name the source of a message that has these segments, in order."""
    told = list(segments)
    offset, part = told[-1].position
    newest = f"{origin}/{offset}/{part}"
    if len(told) == 1:
        return newest
    return f"{newest}|{','.join(f'{at}/{part}:{lines}' for (at, part), lines in told)}"


def unseen(source: str, value: bytes, known: Mapping[str, Position]) -> tuple[str, Position, bytes | None]:
    """The origin, its newest position, and what is new of the lines; None if nothing is.

    Lines that are known become empty: the others keep their numbers.
    """
    origin, newest = origin_of(source)
    reached = known.get(origin, NOWHERE)
    if newest <= reached:
        return origin, reached, None
    found = segments_of(source)
    if found[0].position > reached:
        return origin, newest, value
    skipped = sum(segment.lines for segment in found if segment.position <= reached)
    return origin, newest, b"\n" * skipped + value.split(b"\n", skipped)[-1]


def split(source: str, value: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield each segment as a message of its own: its source, and its lines."""
    found = segments_of(source)
    if len(found) == 1:
        yield source, value
        return
    origin, _ = origin_of(source)
    lines, start = value.split(b"\n"), 0
    for (offset, part), count in found:
        yield f"{origin}/{offset}/{part}", b"\n".join(lines[start : start + count])
        start += count


def position_of_line(source: str, line: int) -> Position:
    """The position behind one line of a message, counted from 0."""
    found = segments_of(source)
    for position, lines in found:
        if line < lines or not lines:
            return position
        line -= lines
    return found[-1].position


def _segment(text: str) -> Segment:
    place, lines = text.split(":")
    offset, part = place.split("/")
    return Segment((int(offset), int(part)), int(lines))
