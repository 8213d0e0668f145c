"""Answers that never change, kept while there is room: those used last stay."""

from collections import OrderedDict
from hashlib import sha256
from threading import Lock
from typing import Any

MAX_ROWS = 60_000
"""Of all answers together, some 60 MB."""
MAX_ROWS_OF_ONE = 10_000
"""As many as a tree has IBs: its sums and names are remembered."""

Row = dict[str, Any]


class KeptAnswers:
    """By question and values; safe to use from several threads."""

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self._max_rows = max_rows
        self._rows: OrderedDict[bytes, list[Row]] = OrderedDict()
        self._count = 0
        self._lock = Lock()

    @staticmethod
    def key(sql: str, values: dict[str, object]) -> bytes:
        """Of a question: values that its SQL does not name are no part of it."""
        named = sorted((name, repr(value)) for name, value in values.items() if f"{{{name}:" in sql)
        return sha256(repr((sql, named)).encode()).digest()

    def get(self, key: bytes) -> list[Row] | None:
        """The answer, rows of the caller's own; None if it is not kept."""
        with self._lock:
            found = self._rows.get(key)
            if found is None:
                return None
            self._rows.move_to_end(key)
        return [dict(row) for row in found]

    def keep(self, key: bytes, rows: list[Row]) -> None:
        """Keep it, unless it is large; what was used least recently goes."""
        if len(rows) > MAX_ROWS_OF_ONE:
            return
        with self._lock:
            self._count += _weight(rows) - _weight(self._rows.pop(key, None))
            self._rows[key] = [dict(row) for row in rows]
            while self._count > self._max_rows:
                _, gone = self._rows.popitem(last=False)
                self._count -= _weight(gone)


def _weight(rows: list[Row] | None) -> int:
    """An answer without rows has a weight as well."""
    return 0 if rows is None else len(rows) + 1
