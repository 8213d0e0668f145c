"""The buffer on disk: rows wait in their order until ibflow has acknowledged them.

A row is stored when `add` returns, also if the process is killed right after. A power failure may cost the
newest rows; the bridge reads them again from the platform when it starts.
"""

import sqlite3
import threading
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

MAX_ROWS = 20_000_000
"""Some 20 GB of deals; over it the bridge stops reading, and reads the rest from the platform later."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY AUTOINCREMENT, row TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS staged (id INTEGER PRIMARY KEY, deal TEXT NOT NULL, row TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS staged_deal ON staged (deal);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, text TEXT NOT NULL);
"""


class OutboxFull(RuntimeError):
    """There is no room; nothing of what was to be added is stored."""


class Batch(NamedTuple):
    """Rows to send together, and the key that stays theirs however often they are sent."""

    key: str
    last_id: int
    rows: Sequence[str]


class Outbox:
    """A queue in one SQLite file; two threads may use it, one adding and one sending."""

    def __init__(self, path: Path, max_rows: int = MAX_ROWS) -> None:
        self._lock = threading.Lock()
        self._max_rows = max_rows
        self._arrived = threading.Event()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)
        self._id = self.note("outbox") or uuid.uuid4().hex
        self.keep_note("outbox", self._id)

    def add(self, rows: Sequence[str]) -> None:
        """Store rows behind all others: every one of them, or none."""
        if not rows:
            return
        with self._lock:
            self._check_room(len(rows))
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO rows (row) VALUES (?)", ((row,) for row in rows))
            self._db.execute("COMMIT")
        self._arrived.set()

    def stage(self, rows: Sequence[tuple[str, str]]) -> None:
        """Put rows aside, each with its deal, until `release` knows which of them are out of date."""
        with self._lock:
            self._check_room(len(rows))
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO staged (deal, row) VALUES (?, ?)", rows)
            self._db.execute("COMMIT")

    def unstage(self) -> None:
        """Forget what was put aside."""
        with self._lock:
            self._db.execute("DELETE FROM staged")

    def release(self, newer: Sequence[tuple[str, str]]) -> int:
        """Add what was put aside but for deals that `newer` rows are of, then those; tell how many."""
        with self._lock:
            self._check_room(len(newer))
            self._db.execute("BEGIN")
            self._db.executemany("DELETE FROM staged WHERE deal = ?", {(deal,) for deal, _ in newer})
            moved = self._db.execute("INSERT INTO rows (row) SELECT row FROM staged ORDER BY id").rowcount
            self._db.executemany("INSERT INTO rows (row) VALUES (?)", ((row,) for _, row in newer))
            self._db.execute("DELETE FROM staged")
            self._db.execute("COMMIT")
        self._arrived.set()
        return moved + len(newer)

    def batch(self, max_rows: int, max_bytes: int) -> Batch | None:
        """The oldest rows. Until `done`, the same ones under the same key, also after a restart."""
        with self._lock:
            begun = self._note("sending")
            limit = "id <= ?" if begun else "1 OR ?"
            query = f"SELECT id, row FROM rows WHERE {limit} ORDER BY id LIMIT ?"  # noqa: S608 # our own words
            with closing(self._db.execute(query, (int(begun or 0), max_rows))) as found:
                rows: list[tuple[int, str]] = []
                size = 0
                for number, row in found:
                    size += len(row.encode()) + 1
                    if rows and size > max_bytes:
                        break
                    rows.append((number, row))
            if not rows:
                self._arrived.clear()
                return None
            first, last = rows[0][0], rows[-1][0]
            self._keep_note("sending", str(last))
        return Batch(f"{self._id}-{first}-{last}", last, [row for _, row in rows])

    def done(self, batch: Batch) -> None:
        """Forget rows that were acknowledged."""
        with self._lock:
            self._db.execute("BEGIN")
            self._db.execute("DELETE FROM rows WHERE id <= ?", (batch.last_id,))
            self._db.execute("DELETE FROM notes WHERE name = 'sending'")
            self._db.execute("COMMIT")

    def wait(self, seconds: float) -> None:
        """Wait until rows were added."""
        self._arrived.wait(seconds)

    def note(self, name: str) -> str:
        """What was noted under a name; "" for nothing."""
        with self._lock:
            return self._note(name)

    def keep_note(self, name: str, text: str) -> None:
        """Note a text under a name."""
        with self._lock:
            self._keep_note(name, text)

    def __len__(self) -> int:
        with self._lock:
            return self._count()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _check_room(self, rows: int) -> None:
        if self._count() + rows > self._max_rows:
            raise OutboxFull(f"the outbox holds {self._max_rows:,} rows; is ibflow reachable?")

    def _count(self) -> int:
        """Ids have no holes but at the front, where rows leave."""
        first, last = self._db.execute("SELECT min(id), max(id) FROM rows").fetchone()
        return 0 if first is None else int(last - first + 1)

    def _note(self, name: str) -> str:
        found = self._db.execute("SELECT text FROM notes WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def _keep_note(self, name: str, text: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, text))
