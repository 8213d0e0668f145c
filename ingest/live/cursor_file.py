"""How far each live server has been read, in one small file a server that is replaced whole."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from schemas.errors import Unavailable

MAX_FILE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """A source's cursor, and the newest time of a deal that came from it; empty at the beginning."""

    cursor: str = ""
    last_deal_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CursorFile:
    """Where one server's place is kept. Losing it costs a second reading and no cent: deals count once."""

    path: Path

    def load(self) -> Place | None:
        """The place kept; None if there is none, or what is there is none."""
        try:
            with self.path.open("rb") as file:
                kept = json.loads(file.read(MAX_FILE_BYTES))
            at = kept["last_deal_at"]
            return Place(str(kept["cursor"]), None if at is None else _moment(at))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return None

    def save(self, place: Place) -> None:
        """Keep a place: after a crash there is the old one or the new one, whole."""
        at = place.last_deal_at
        kept = {"cursor": place.cursor, "last_deal_at": None if at is None else at.isoformat()}
        fresh = self.path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(json.dumps(kept).encode())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the file for this process; raise `Unavailable` if another reads the same server."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            try:
                flock(lock, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                raise Unavailable(
                    f"another process reads this server: it holds {self.path.with_suffix('.lock')}"
                ) from None
            yield


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"`{text}` has no zone")
    return at
