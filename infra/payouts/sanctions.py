"""Names of a list that nobody is paid by without a person having looked: plain text, one name a line.

Compared are the words of a name in Latin letters, without accents, case and order: a listed name hits if
all of its words are in the payee's. It knows no spellings, no dates of birth and no aliases that the list has
not, and a name of one word hits that word wherever it stands: a hit is for a person to look at, and no hit is
no clearance.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from anyascii import anyascii

from schemas.errors import Unusable

MAX_BYTES = 64_000_000
_WORD = re.compile(r"[a-z0-9]+")


class SanctionList:
    """The names of a file, found by their longest word."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._by_word: dict[str, list[tuple[frozenset[str], int]]] = defaultdict(list)
        for number, name in enumerate(names, 1):
            words = _words(name)
            if words and not name.lstrip().startswith("#"):
                self._by_word[max(sorted(words), key=len)].append((words, number))

    @classmethod
    def read(cls, path: Path | None) -> "SanctionList":
        """The list of a file, an empty one of None; lines that begin with # are remarks. Raise `Unusable`."""
        if path is None:
            return cls()
        try:
            if path.stat().st_size > MAX_BYTES:
                raise Unusable(f"{path.name} is larger than {MAX_BYTES:,} bytes")
            return cls(path.read_text(encoding="utf-8-sig").splitlines())
        except OSError as error:
            raise Unusable(f"{path.name} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise Unusable(f"{path.name} is not UTF-8") from None

    def line_of(self, name: str) -> int | None:
        """The first line that a name hits; None if there is none."""
        words = _words(name)
        found = [
            number for word in words for listed, number in self._by_word.get(word, ()) if listed <= words
        ]
        return min(found, default=None)


def _words(name: str) -> frozenset[str]:
    return frozenset(_WORD.findall(anyascii(name).casefold()))
