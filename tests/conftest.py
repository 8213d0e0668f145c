"""For every test: a slow machine is not a failure, so random tests have no deadline each.

They try the same examples each time, so that a failure is the change's; `IBFLOW_FUZZ=random` tries others.

`make test` runs files of tests in several processes (pytest-xdist); schedule.py says which goes where.
"""

import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import settings

from infra.gc_tuning import collect_rarely
from infra.local_kafka import ports
from tests import java_archive

settings.register_profile("ibflow", deadline=None, derandomize=os.environ.get("IBFLOW_FUZZ") != "random")
settings.load_profile("ibflow")

PROCESSES_MAX = 8
"""Each may have a Kafka and a ClickHouse of its own."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: two for a core, for much of the time a test waits for another process.

    A Kafka that was named is one for all tests, and their topics have the same names: one at a time.
    """
    if os.environ.get("IBFLOW_TEST_KAFKA"):
        return 1
    return min(2 * (os.cpu_count() or 1), PROCESSES_MAX)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out the tests as `tests/schedule.py` says."""
    from tests.schedule import Schedule  # noqa: PLC0415 # a run in one process does without xdist

    return Schedule(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Give each process ports of its own, for a port that is found free is taken only seconds later.

    Garbage is collected as rarely as in our own processes: to import all tests takes a fifth less CPU.
    """
    collect_rarely()
    if number := getattr(config, "workerinput", {}).get("workerid", "").removeprefix("gw"):
        count = config.workerinput["workercount"]  # type: ignore[attr-defined] # xdist's
        ports.AUTO_PORTS //= count
        ports.AUTO_PORT_FIRST += int(number) % count * ports.AUTO_PORTS


_ARCHIVING: list[subprocess.Popen[bytes]] = []


def pytest_sessionstart(session: pytest.Session) -> None:
    """Make what lets a Kafka start sooner, beside the first tests of a parallel run."""
    if session.config.getoption("numprocesses", None) and not java_archive.path().exists():
        command = [sys.executable, "-m", "tests.java_archive"]
        _ARCHIVING.append(subprocess.Popen(command, cwd=session.config.rootpath))


def pytest_runtest_setup() -> None:
    """Use it from when it is there."""
    java_archive.use()


def pytest_sessionfinish() -> None:
    """Leave nothing running."""
    for process in _ARCHIVING:
        process.wait(java_archive.STOP_S)
