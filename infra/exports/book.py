"""What exports there are, in a file of the data folder: each row is one, from when it is asked for."""

import sqlite3
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from api.export_desk import Export, Kind, State
from api.views.exported import decode_question

_TABLE = """
CREATE TABLE IF NOT EXISTS exports (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, question BLOB NOT NULL,
    pseudonymous INTEGER NOT NULL, asked_at REAL NOT NULL, row_count INTEGER NOT NULL DEFAULT 0,
    total INTEGER, size INTEGER NOT NULL DEFAULT 0, ended_at REAL, why TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0
)
"""
_COLUMNS = (
    "id, owner, kind, state, question, pseudonymous, asked_at, row_count, total, size, ended_at, why, tries"
)
_ALL = f"SELECT {_COLUMNS} FROM exports"  # noqa: S608  - constants
_KINDS: dict[str, Kind] = {name: name for name in get_args(Kind)}
_STATES: dict[str, State] = {name: name for name in get_args(State)}


class Entry:
    """An export, whose it is, and how often it was begun."""

    def __init__(self, row: Sequence[Any]) -> None:
        self.owner: str = row[1]
        self.tries: int = row[12]
        self.export = Export(
            export_id=row[0],
            kind=_KINDS[row[2]],
            state=_STATES[row[3]],
            question=decode_question(row[4]),
            is_pseudonymous=bool(row[5]),
            asked_at=_time(row[6]),
            rows=row[7],
            total=row[8],
            size=row[9],
            ended_at=None if row[10] is None else _time(row[10]),
            why=row[11],
        )


class ExportBook:
    """The file; without a path it is in memory. Threads share it."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute(_TABLE)

    def add(self, owner: str, export: Export, question: bytes) -> None:
        """A new one."""
        values = (
            export.export_id, owner, export.kind, export.state, question, export.is_pseudonymous,
            export.asked_at.timestamp(),
        )  # fmt: skip
        self._ask(
            "INSERT INTO exports (id, owner, kind, state, question, pseudonymous, asked_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            *values,
        )

    def of_owner(self, owner: str) -> list[Entry]:
        """All of one, newest first."""
        return self._entries("WHERE owner = ? ORDER BY asked_at DESC, id", owner)

    def all(self) -> list[Entry]:
        """All of everybody, the oldest first."""
        return self._entries("ORDER BY asked_at, id")

    def one(self, export_id: str) -> Entry | None:
        """The one of an id."""
        found = self._entries("WHERE id = ?", export_id)
        return found[0] if found else None

    def begin(self, export_id: str) -> bool:
        """Note that it is being made, once more; False if it waits no longer."""
        return bool(
            self._ask(
                "UPDATE exports SET state = 'running', tries = tries + 1, row_count = 0, total = NULL"
                " WHERE id = ? AND state = 'queued' RETURNING id",
                export_id,
            )
        )

    def note(self, export_id: str, rows: int, total: int | None) -> bool:
        """How far it is; False if it is to be made no further."""
        return bool(
            self._ask(
                "UPDATE exports SET row_count = ?, total = ? WHERE id = ? AND state = 'running' RETURNING id",
                rows,
                total,
                export_id,
            )
        )

    def end(self, export_id: str, state: State, at: datetime, *, size: int = 0, why: str = "") -> bool:
        """What became of it; False if it had ended before."""
        return bool(
            self._ask(
                "UPDATE exports SET state = ?, ended_at = ?, size = ?, why = ?"
                " WHERE id = ? AND state IN ('queued', 'running') RETURNING id",
                state,
                at.timestamp(),
                size,
                why,
                export_id,
            )
        )

    def wait_again(self, export_id: str) -> None:
        """The process ended while it was made: it is made from the start."""
        self._ask("UPDATE exports SET state = 'queued', row_count = 0 WHERE id = ?", export_id)

    def expire(self, export_id: str, why: str) -> None:
        """Its file is gone."""
        self._ask("UPDATE exports SET state = 'expired', size = 0, why = ? WHERE id = ?", why, export_id)

    def forget(self, before: datetime, keep: int) -> None:
        """Drop what ended so long ago, and all but the newest of what has no file."""
        self._ask(
            "DELETE FROM exports WHERE state IN ('failed', 'cancelled', 'expired') AND (ended_at < ?"
            " OR id IN (SELECT id FROM exports ORDER BY asked_at DESC LIMIT -1 OFFSET ?))",
            before.timestamp(),
            keep,
        )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def _entries(self, which: str, *values: object) -> list[Entry]:
        return [Entry(row) for row in self._ask(f"{_ALL} {which}", *values)]

    def _ask(self, sql: str, *values: object) -> list[Any]:
        with self._lock:
            return self._file.execute(sql, values).fetchall()


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
