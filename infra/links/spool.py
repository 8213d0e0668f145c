"""Clicks on their way to Kafka: files that outlive this process and an absence of Kafka, up to a size.

1. the redirect puts a click into memory; 2. every few milliseconds what is there is written and synced
together; 3. the courier sends what is written, and waits until Kafka has it; 4. it notes how far it is, and
removes files that are sent. A crash between 1 and 2 loses the clicks of those milliseconds, which only counts
miss: a registration proves its click by itself. One between 3 and 4 sends again, and the table keeps one row
for each click id.
"""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from schemas.errors import Unavailable, Unusable
from schemas.wire import MAX_BATCH_BYTES

log = logging.getLogger("ibflow.links")

SYNC_S = 0.05
MAX_WAITING = 50_000
"""Clicks in memory, while the disk is slow or full."""
FILE_BYTES = 8_000_000
RETRY_S = 2.0
"""Between two tries while Kafka is away."""
STOP_S = 15.0
SUFFIX = ".jsonl"


class Spool:
    """A folder of numbered files of lines, written by one thread and sent by another."""

    def __init__(
        self, folder: Path, max_bytes: int, send: Callable[[bytes], None], retry_s: float = RETRY_S
    ) -> None:
        """`send` returns once Kafka has a message of lines, and raises `Unavailable` if it has not."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._max_bytes, self._send, self._retry_s = folder, max_bytes, send, retry_s
        self._waiting: list[bytes] = []
        self._lock, self._written = threading.Lock(), threading.Condition()
        self._stopped = threading.Event()
        self._sizes = _left(folder)
        self._sent = _position(folder, self._sizes)
        number, self._sent_bytes = self._sent
        self._written_bytes = sum(size for other, size in self._sizes.items() if other >= number)
        self._current = max(self._sizes, default=0) + 1
        self._sizes[self._current] = 0
        self._cannot_write = ""
        self.is_kafka_away = False
        self._threads = [
            threading.Thread(target=run, name=name, daemon=True)
            for run, name in ((self._write_on, "clicks to disk"), (self._send_on, "clicks to Kafka"))
        ]

    @property
    def bytes_left(self) -> int:
        """What is on disk and Kafka has not yet."""
        return self._written_bytes - self._sent_bytes

    def keep(self, line: bytes) -> str:
        """Take a click; why not, where there is no room for it."""
        if self._cannot_write:
            return self._cannot_write
        if self.bytes_left >= self._max_bytes:
            return "clicks cannot be kept: Kafka is away, and the spool is full"
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                return "clicks cannot be kept: the disk is too slow"
            self._waiting.append(line)
        return ""

    def start(self) -> None:
        """Write and send from now on; what an earlier process left is sent first."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Write what is in memory, and send what Kafka takes now."""
        self._stopped.set()
        with self._written:
            self._written.notify()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(STOP_S)

    # The writer

    def _write_on(self) -> None:
        while True:
            is_last = self._stopped.wait(SYNC_S)
            try:
                self._write()
                self._cannot_write = ""
            except OSError as error:
                log.exception("clicks cannot be written to %s", self._folder)
                self._cannot_write = f"clicks cannot be kept: {error.strerror}"
            if is_last:
                return

    def _write(self) -> None:
        with self._lock:
            lines, self._waiting = self._waiting, []
        if not lines and not self._cannot_write:
            return
        made = b"".join(line + b"\n" for line in lines)
        path = self._path(self._current)
        try:
            with path.open("ab") as file:
                file.write(made)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            _cut(path, self._sizes[self._current])
            with self._lock:
                self._waiting[:0] = lines
            raise
        with self._written:
            self._sizes[self._current] += len(made)
            self._written_bytes += len(made)
            if self._sizes[self._current] >= FILE_BYTES:
                self._current += 1
                self._sizes[self._current] = 0
            self._written.notify()

    # The courier

    def _send_on(self) -> None:
        while True:
            with self._written:
                while not self.bytes_left and not self._stopped.is_set():
                    self._written.wait()
            is_last = not self._threads[0].is_alive()  # looked at first: it may write before it ends
            if is_last and not self.bytes_left:
                return
            try:
                self._send_next()
                self.is_kafka_away = False
            except (Unavailable, OSError) as error:
                if not self.is_kafka_away:
                    log.warning("clicks wait in %s: %s", self._folder, error)
                self.is_kafka_away = True
                if self._stopped.wait(self._retry_s):
                    return

    def _send_next(self) -> None:
        """Send a message of whole lines, and remember that it is sent."""
        number, offset = self._sent
        size = self._sizes[number]
        if offset >= size:
            if number < self._current:
                self._begin(number + 1)
            return
        with self._path(number).open("rb") as file:
            file.seek(offset)
            found = file.read(min(MAX_BATCH_BYTES, size - offset))
        message = found[: found.rfind(b"\n") + 1]
        self._send(message.rstrip(b"\n"))
        self._note(number, offset + len(message))
        self._sent_bytes += len(message)

    def _begin(self, number: int) -> None:
        """The file before is sent."""
        while number not in self._sizes:
            number += 1
        self._note(number, 0)
        for other in [other for other in list(self._sizes) if other < number]:
            self._path(other).unlink(missing_ok=True)
            del self._sizes[other]

    def _note(self, number: int, offset: int) -> None:
        temporary = self._folder / "sent.new"
        temporary.write_text(f"{number} {offset}", encoding="ascii")
        temporary.replace(self._folder / "sent")
        self._sent = number, offset

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012}{SUFFIX}"


def _left(folder: Path) -> dict[int, int]:
    """Files of an earlier process and their sizes; a line that was cut by a crash is taken off."""
    sizes: dict[int, int] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if not path.stem.isdigit():
            raise Unusable(f"{path} is none of the spool's files; move it away")
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            log.warning("%s ends within a click: %s bytes are cut off", path, len(content) - whole)
            _cut(path, whole)
        sizes[int(path.stem)] = whole
    return sizes


def _position(folder: Path, sizes: dict[int, int]) -> tuple[int, int]:
    """Up to where everything is sent; the beginning of what is there, if that is not known."""
    first = min(sizes, default=1), 0
    try:
        number, offset = map(int, (folder / "sent").read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return first
    return (number, min(offset, sizes[number])) if number in sizes else first


def _cut(path: Path, size: int) -> None:
    if path.exists():
        os.truncate(path, size)
