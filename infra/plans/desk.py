"""Plans for the API: compared in memory, tested by the folder's golden cases, tried on the history.

A what-if folds the whole history, so it runs in a process of its own: one at a time, for so long at most.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from api.plans import Changed, Changes, GoldenCase, Pay, PlanRefused, WhatIfRun
from commission.terms.plans import PlanDefined
from commission.terms.records import TermsRecord
from infra.plans import diff
from infra.plans.suite import read_cases, run_cases
from schemas.errors import Unusable
from schemas.settings import Settings

MAX_CASES = 1_000
"""Of a folder, the first; each is folded."""
MAX_WHAT_IF_S = 900
MAX_RESULT_BYTES = 8_000_000
Runner = Callable[[Sequence[str], dict[str, str]], bytes]


def run_apart(arguments: Sequence[str], environment: dict[str, str]) -> bytes:
    """What a command of ours prints; raise `PlanRefused` with its last words, or once its time is over."""
    command = [sys.executable, "-m", "infra.cli", *arguments]
    try:
        done = subprocess.run(  # noqa: S603  - our own program, arguments that are not a shell's
            command, capture_output=True, timeout=MAX_WHAT_IF_S, check=False, env=os.environ | environment
        )
    except subprocess.TimeoutExpired:
        raise PlanRefused(f"it took over {MAX_WHAT_IF_S // 60} minutes: run `ibflow what-if`") from None
    if done.returncode:
        told = done.stderr.decode("utf-8", "replace").strip()
        raise PlanRefused(told[-500:] or f"it ended with {done.returncode}")
    if len(done.stdout) > MAX_RESULT_BYTES:
        raise PlanRefused("its result is too large to show; use `ibflow what-if`")
    return done.stdout


class PlanDesk:
    """What was worked out is kept until what it was of changes."""

    def __init__(
        self,
        folder: Path | None,
        environment: dict[str, str],
        run: Runner = run_apart,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder, self._environment, self._run, self._now = folder, environment, run, now
        self._lock = threading.Lock()
        self._cases: tuple[tuple[float, ...], list[GoldenCase]] | None = None
        self._what_if: WhatIfRun | None = None

    @classmethod
    def of(cls, settings: Settings, kafka: str) -> "PlanDesk":
        """By a server's settings."""
        return cls(settings.terms_dir, {**settings.for_worker(), "IBFLOW_KAFKA": str(kafka)})

    def changes(self, records: Sequence[TermsRecord], old: PlanDefined, new: PlanDefined) -> Changes:
        """What changed, and what one lot pays; prices are the rates of exchange, or 1."""
        rest = [one for one in records if not (isinstance(one, PlanDefined) and one.plan_id == new.plan_id)]
        found = diff.diff([*rest, old], [*rest, new], diff.Lot({}))
        own = next((one for one in found if one.plan_id == new.plan_id), None)
        if own is None:
            return Changes((), (), 0)
        return Changes(
            tuple(Changed(one.field, one.old, one.new) for one in own.changes),
            tuple(Pay(one.chain, one.symbol, one.before, one.after) for one in own.pays),
            own.same,
        )

    def cases(self) -> list[GoldenCase] | None:
        """Run them, unless no file has changed since."""
        if self._folder is None:
            return None
        files = sorted(self._folder.rglob("*.yaml"))
        stamp = tuple(path.stat().st_mtime for path in files)
        with self._lock:
            if self._cases is None or self._cases[0] != stamp:
                self._cases = stamp, self._run_cases(self._folder)
            return self._cases[1]

    @staticmethod
    def _run_cases(folder: Path) -> list[GoldenCase]:
        try:
            results = run_cases(read_cases([folder]), lambda _: None)
        except Unusable as error:
            raise PlanRefused(str(error)) from None
        return [
            GoldenCase(
                str(one.file.path.relative_to(folder)),
                one.line,
                one.case.case,
                tuple(mismatch.told for mismatch in one.mismatches),
            )
            for one in results[:MAX_CASES]
        ]

    def what_if(self) -> WhatIfRun | None:
        """The last run, or the one under way."""
        return self._what_if

    def start_what_if(self, since: datetime, until: datetime, by: str) -> WhatIfRun:
        """Begin, and tell of it at once."""
        if self._folder is None:
            raise PlanRefused("this server has no folder of terms to try: set IBFLOW_TERMS_DIR")
        with self._lock:
            if self._what_if is not None and self._what_if.state == "running":
                raise PlanRefused(f"one is running, which {self._what_if.by} began; wait for it")
            begun = WhatIfRun("running", by, self._now(), None, since, until, None, "")
            self._what_if = begun
        threading.Thread(
            target=self._fold, args=(begun, str(self._folder)), daemon=True, name="what-if"
        ).start()
        return begun

    def _fold(self, begun: WhatIfRun, folder: str) -> None:
        times = ("--from", f"{begun.since:%Y-%m-%dT%H:%M:%S}", "--to", f"{begun.until:%Y-%m-%dT%H:%M:%S}")
        asked = ("what-if", "--terms", folder, *times, "--from-kafka", "--workers", "1", "--json")
        try:
            said = self._run(asked, self._environment)
            self._what_if = begun._replace(state="done", ended_at=self._now(), found=json.loads(said))
        except (Unusable, OSError, ValueError) as error:
            self._what_if = begun._replace(state="failed", ended_at=self._now(), why=str(error))
        finally:
            if self._what_if is begun:  # a defect of ours: the next may be tried all the same
                self._what_if = begun._replace(
                    state="failed",
                    ended_at=self._now(),
                    why="it ended without a result: see the server's log",
                )
