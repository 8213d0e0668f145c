"""Makes long files one after the other, in a thread of its own, and keeps them for a day.

What ends with the process is made from the start by the next one; what ended with three of them is given up.
"""

import logging
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api.export_desk import Export, Kind
from api.exports import TooManyExports, UnknownExport
from api.ledger import Ledger, LedgerUnavailable, Row
from api.payouts import Payouts
from api.people import Audit
from api.problems import Problem
from api.pseudonymous import PseudonymousLedger
from api.views.exported import Question, columns_of, encode_question
from api.views.exported_lists import Sources
from api.views.pseudonyms import Pseudonyms
from infra.exports.book import Entry, ExportBook
from schemas.errors import Unavailable, Unusable

log = logging.getLogger("ibflow.exports")

MAX_OF_ONE, MAX_WAITING = 5, 50
"""Exports of one owner, and of all, that wait or are made."""
MAX_ROWS: dict[Kind, int] = {"csv": 5_000_000, "parquet": 5_000_000, "xlsx": 1_000_000}
"""A sheet holds 1,048,576."""
MAX_BYTES = 2_000_000_000
"""Of one file."""
MAX_DISK_BYTES = 5_000_000_000
"""Of all files: the oldest go first."""
MIN_FREE_BYTES = 1_000_000_000
"""What is left to the ledger, whose disk it is."""
KEEP = timedelta(hours=24)
REMEMBER = timedelta(days=7)
MAX_REMEMBERED = 1_000
MAX_TRIES = 3
STOP_S = 10.0
REST_S = 60.0
"""Between two looks for files that are too old."""


class _NotMade(Exception):
    """It is made no further; the message says why, "" if somebody cancelled it."""


class ExportDesk:
    """The files lie in a folder of their own, under names that nobody guesses."""

    def __init__(
        self,
        ledger: Ledger,
        book: ExportBook,
        folder: Path,
        pseudonyms: Pseudonyms | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        payouts: Payouts | None = None,
        audit: Audit | None = None,
    ) -> None:
        self.payouts, self.audit = payouts, audit
        self._ledger, self._book, self._folder = ledger, book, folder
        self._pseudonyms, self._now = pseudonyms, now
        self._asked, self._stopping = threading.Event(), threading.Event()
        self._adding = threading.Lock()
        self._thread: threading.Thread | None = None

    # What routes ask

    def ask(self, owner: str, question: Question, kind: Kind, *, is_pseudonymous: bool) -> Export:
        """Note it to be made; raise `TooManyExports`."""
        export = Export(f"ex-{secrets.token_hex(16)}", kind, "queued", question, is_pseudonymous, self._now())
        with self._adding:
            waiting = [entry for entry in self._book.all() if entry.export.is_unfinished]
            if sum(entry.owner == owner for entry in waiting) >= MAX_OF_ONE or len(waiting) >= MAX_WAITING:
                raise TooManyExports(
                    f"at most {MAX_OF_ONE} exports of one and {MAX_WAITING} of all wait or are made; "
                    "cancel one, or ask again once one is done"
                )
            self._book.add(owner, export, encode_question(question))
        self._asked.set()
        return export

    def listed(self, owner: str) -> Sequence[Export]:
        """All that are remembered, newest first."""
        return [_shown(entry) for entry in self._book.of_owner(owner)]

    def one(self, owner: str, export_id: str) -> Export:
        """One; raise `UnknownExport`."""
        return _shown(self._entry(owner, export_id))

    def cancel(self, owner: str, export_id: str) -> Export:
        """Make it no further, or remove its file."""
        entry = self._entry(owner, export_id)
        if not self._book.end(export_id, "cancelled", self._now()) and entry.export.state == "done":
            self._remove(entry, "it was removed")
        return self.one(owner, export_id)

    def path(self, owner: str, export_id: str) -> Path | None:
        """Its file, if there is one."""
        entry = self._entry(owner, export_id)
        path = self._path(entry.export)
        is_old = entry.export.ended_at is not None and self._now() - entry.export.ended_at >= KEEP
        return path if entry.export.state == "done" and not is_old and path.exists() else None

    def _entry(self, owner: str, export_id: str) -> Entry:
        found = self._book.one(export_id)
        if found is None or found.owner != owner:
            raise UnknownExport(f"you have no export {export_id[:64]}; /v1/exports lists yours")
        return found

    # The thread

    def start(self) -> None:
        """Take up what the process before left, and make files until `stop`."""
        self.take_up()
        self._thread = threading.Thread(target=self._run, name="exports", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave what is being made to the next process."""
        self._stopping.set()
        self._asked.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
        if self._thread is None or not self._thread.is_alive():
            self._book.close()

    def take_up(self) -> None:
        """What was being made waits again; files that belong to nothing go."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = set()
        for entry in self._book.all():
            if entry.export.state == "running":
                if entry.tries >= MAX_TRIES:
                    self._book.end(entry.export.export_id, "failed", self._now(), why=_ENDED)
                else:
                    self._book.wait_again(entry.export.export_id)
            elif entry.export.state == "done":
                kept.add(self._path(entry.export))
        for path in set(self._folder.iterdir()) - kept:
            path.unlink()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                while not self._stopping.is_set() and self.make_next():
                    pass
                self.tidy()
            except Exception:
                log.exception("exports are not made; it is tried again")
            self._asked.wait(REST_S)
            self._asked.clear()

    def make_next(self) -> bool:
        """Make the one that waits longest; False if none waits."""
        entry = next((one for one in self._book.all() if one.export.state == "queued"), None)
        if entry is None:
            return False
        if self._book.begin(entry.export.export_id):
            self._make(entry.export)
        return True

    def _make(self, export: Export) -> None:
        path = self._path(export)
        partial = path.with_suffix(".partial")
        try:
            self._make_room()
            from infra.exports.files import write  # noqa: PLC0415  # slow to import, rarely needed

            write(export.kind, partial, columns_of(export.question), self._blocks(export, partial))
            partial.rename(path)
            if not self._book.end(export.export_id, "done", self._now(), size=path.stat().st_size):
                path.unlink()
        except _NotMade as given:
            if str(given):
                self._book.end(export.export_id, "failed", self._now(), why=str(given))
        except (LedgerUnavailable, Problem, OSError, Unusable, Unavailable) as error:
            log.warning("the export %s was not made: %s", export.export_id, error)
            why = "the ledger or the disk did not answer"
            if isinstance(error, Problem | Unusable):
                why = error.detail if isinstance(error, Problem) else str(error)
            self._book.end(export.export_id, "failed", self._now(), why=why)
        except Exception:
            log.exception("the export %s was not made", export.export_id)
            self._book.end(export.export_id, "failed", self._now(), why="a defect; the log holds the reason")
        finally:
            for left in self._folder.glob(f"{export.export_id}.*"):
                if left != path:
                    left.unlink()

    def _blocks(self, export: Export, path: Path) -> Iterator[list[Row]]:
        """The rows, as long as they fit and nobody cancels it."""
        ledger = self._ledger
        if export.is_pseudonymous and self._pseudonyms is not None:
            ledger = PseudonymousLedger(self._ledger, self._pseudonyms)
            ledger.scope = export.question.scope
        elif export.is_pseudonymous:
            raise _NotMade("there is no key of pseudonyms any more")
        sources = Sources(ledger, self.payouts, self.audit)
        total, most, rows = export.question.count(sources), MAX_ROWS[export.kind], 0
        if total is not None and total > most:
            raise _NotMade(
                f"it has {total:,} rows, more than {most:,}: ask for a shorter time, or less of it"
            )
        for block in export.question.blocks(sources):
            rows += len(block)
            if self._stopping.is_set() or not self._book.note(export.export_id, rows, total):
                raise _NotMade
            if rows > most:
                raise _NotMade(f"it has more than {most:,} rows")
            self._check_disk(path)
            yield block
        self._book.note(export.export_id, rows, rows)

    def _check_disk(self, path: Path) -> None:
        size = sum(one.stat().st_size for one in path.parent.glob(f"{path.stem}.*"))
        if size > MAX_BYTES:
            raise _NotMade(
                f"its file has more than {MAX_BYTES:,} bytes: ask for a shorter time, or less of it"
            )
        if shutil.disk_usage(self._folder).free < MIN_FREE_BYTES:
            raise _NotMade("the disk is nearly full")

    def _make_room(self) -> None:
        """Remove the oldest files until one of any size has room."""
        done = [entry for entry in self._book.all() if entry.export.state == "done"]
        used = sum(entry.export.size for entry in done)
        for entry in done:
            if used + MAX_BYTES <= MAX_DISK_BYTES:
                break
            used -= entry.export.size
            self._remove(entry, "newer files needed its room")

    def tidy(self) -> None:
        """Remove files that are too old, and forget what was long ago."""
        now = self._now()
        for entry in self._book.all():
            ended_at = entry.export.ended_at
            if entry.export.state == "done" and ended_at is not None and now - ended_at >= KEEP:
                self._remove(entry, "a file is kept for a day")
        self._book.forget(now - REMEMBER, MAX_REMEMBERED)

    def _remove(self, entry: Entry, why: str) -> None:
        self._book.expire(entry.export.export_id, why)
        self._path(entry.export).unlink(missing_ok=True)

    def _path(self, export: Export) -> Path:
        return self._folder / f"{export.export_id}.{export.kind}"


_ENDED = f"the process ended {MAX_TRIES} times while it was made"


def _shown(entry: Entry) -> Export:
    export = entry.export
    until = export.ended_at + KEEP if export.state == "done" and export.ended_at else None
    return export._replace(expires_at=until)
