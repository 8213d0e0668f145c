"""Rejected rows for a terminal: rows alike in what is wrong are one line, with a count and three examples."""

import re
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from ingest.notes import Note
from schemas.dead_letters import DeadLetter

MAX_KINDS = 100
"""Beyond so many kinds of reasons those of one code are told together."""

_OF_THE_ROW = re.compile(r"`[^`]*`|[0-9]+")
"""What differs between reasons of one kind: what a cell holds, and numbers."""


@dataclass(slots=True)
class Complaints:
    """What is wrong with the rows of one file."""

    name: str
    _kinds: dict[tuple[str, str], tuple[str, Note]] = field(default_factory=dict)

    def add(self, letter: DeadLetter) -> None:
        """Note a rejected row."""
        kind = (letter.code, _OF_THE_ROW.sub("", letter.reason))
        if kind not in self._kinds and len(self._kinds) >= MAX_KINDS:
            kind = (letter.code, "")
        self._kinds.setdefault(kind, (letter.reason, Note()))[1].add(letter.position)

    def tell(self, console: Console) -> None:
        """Write a line a kind: the place of a row alone, else how many there are and the first of them."""
        for reason, note in self._kinds.values():
            place = note.examples[0] if note.count == 1 else f"{note.count:,} rows"
            others = "" if note.count == 1 else f" ({_examples(note)})"
            # No markup: a file wrote it.
            console.print(Text.assemble((f"{self.name} {place}", "red"), f"{others}: {reason}"))


def _examples(note: Note) -> str:
    such = "such as " if note.count > len(note.examples) else ""
    return f"{such}{', '.join(note.examples)}"
