"""Start processes of this project and keep them running: `ibflow dev` is a small supervisor."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import Unavailable

log = logging.getLogger("ibflow.processes")

RESTART_SECONDS = 1.0
STOP_SECONDS = 20.0
QUICK_SECONDS = 30.0
"""A process that ends by itself before it is this old has done no work."""
MAX_QUICK_DEATHS = 3
"""So many in a row, and it is not started again: what ends it will not mend itself."""
TAIL_LINES = 12
TAIL_BYTES = 8_192


@dataclass(slots=True)
class Process:
    """One `ibflow` command in a process of its own, with a log file; restarted when it ends."""

    name: str
    arguments: Sequence[str]
    log_file: Path
    environment: dict[str, str] = field(default_factory=dict)
    module: str = "infra.cli"
    running: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restarts: int = -1
    quick_deaths_max: int = MAX_QUICK_DEATHS
    quick_deaths: int = 0
    _is_killed: bool = False

    def start(self) -> None:
        """Start it, in its own session so that Ctrl-C reaches only the supervisor.

        The folder it is started in is no place for its modules (`-P`): a project with an `api/` of its own
        would take the place of ours.
        """
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log_file:
            self.running = subprocess.Popen(  # noqa: S603 # our own command, no shell
                [sys.executable, "-P", "-m", self.module, *self.arguments],
                stdout=log_file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self.started_at = time.monotonic()
        self.restarts += 1
        self._is_killed = False

    def keep(self) -> None:
        """Start it again if it ended, not more often than once a second.

        Raise `Unavailable`, with the end of its log, if it has ended too often too soon.
        """
        if self.running is None or self.running.poll() is None:
            return
        age = time.monotonic() - self.started_at
        if age < RESTART_SECONDS:
            return
        if not self._is_killed:
            self.quick_deaths = self.quick_deaths + 1 if age < QUICK_SECONDS else 0
        if self.quick_deaths >= self.quick_deaths_max:
            raise Unavailable(
                f"{self.name} ended {self.quick_deaths} times in a row soon after its start, the last time "
                f"with {self.running.returncode}; its log {self.log_file} ends with:\n{tail(self.log_file)}"
            )
        log.warning(
            "%s ended with %s; starting it again; see %s", self.name, self.running.returncode, self.log_file
        )
        self.start()

    def kill(self) -> None:
        """End it as a crash would."""
        if self.running is not None:
            self._is_killed = True
            self.running.kill()
            self.running.wait()

    def stop(self) -> None:
        """Ask it to end, and insist after a while."""
        if self.running is None or self.running.poll() is not None:
            return
        self.running.send_signal(signal.SIGTERM)
        try:
            self.running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


def tail(log_file: Path) -> str:
    """The last lines of a log, indented."""
    with log_file.open("rb") as log_:
        log_.seek(max(0, log_.seek(0, os.SEEK_END) - TAIL_BYTES))
        lines = log_.read().decode(errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:]) or "  (nothing)"
