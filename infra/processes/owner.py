"""One process at a time owns a data folder: its workers, its server, its embedded database."""

import fcntl
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from schemas.errors import Unavailable

log = logging.getLogger("ibflow.processes")

LOCK = "owner.lock"


@dataclass(slots=True)
class Owner:
    """The lock of a data folder, held; the kernel frees it when the process ends, however it ends."""

    descriptor: int

    @classmethod
    def take(cls, data_dir: Path) -> Self:
        """Become the owner, making the folder; raise `Unavailable`, naming who is."""
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(data_dir / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Unavailable(
                f"the data folder {data_dir.absolute()} cannot be written: {error.strerror}; "
                "name another in IBFLOW_DATA_DIR"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise Unavailable(
                f"another ibflow{f' (process {pid})' if pid else ''} runs in {data_dir.absolute()}; "
                "end that one, or give this one a folder of its own with IBFLOW_DATA_DIR"
            ) from None
        if data_dir.stat().st_mode & 0o077:
            # It is not closed here: a folder named by mistake may be everybody's, such as /tmp.
            log.warning(
                "others can look into the data folder %s; close it with `chmod 700 %s`", data_dir, data_dir
            )
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        return cls(descriptor)

    def leave(self) -> None:
        """Let others in."""
        with suppress(OSError):  # left before
            os.close(self.descriptor)


def owner_of(data_dir: Path) -> str:
    """The process that owns a folder; "" if none does. Nothing is made or written."""
    try:
        descriptor = os.open(data_dir / LOCK, os.O_RDONLY)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
    finally:
        os.close(descriptor)
    return ""
