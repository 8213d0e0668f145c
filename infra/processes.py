"""Start processes of this project and keep them running: `ibflow dev` is a small supervisor."""

import gc
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger("ibflow.processes")

GC_THRESHOLDS = (50_000, 20, 100)
RESTART_SECONDS = 1.0
STOP_SECONDS = 20.0


def collect_rarely() -> None:
    """Let the garbage collector look less often: frozen values make no cycles, and the default
    thresholds cost a quarter of the fold's time (measured by `make bench`)."""
    gc.set_threshold(*GC_THRESHOLDS)


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

    def start(self) -> None:
        """Start it, in its own session so that Ctrl-C reaches only the supervisor."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log_file:
            self.running = subprocess.Popen(  # noqa: S603 # our own command, no shell
                [sys.executable, "-m", self.module, *self.arguments],
                stdout=log_file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self.started_at = time.monotonic()
        self.restarts += 1

    def keep(self) -> None:
        """Start it again if it ended, not more often than once a second."""
        if self.running is None or self.running.poll() is None:
            return
        if time.monotonic() - self.started_at >= RESTART_SECONDS:
            log.warning("%s ended with %s; starting it again", self.name, self.running.returncode)
            self.start()

    def kill(self) -> None:
        """End it as a crash would."""
        if self.running is not None:
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
