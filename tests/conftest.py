"""For every test: a slow machine is not a failure, so random tests have no deadline each.

They try the same examples each time, so that a failure is the change's; `IBFLOW_FUZZ=random` tries others.

`make test` runs tests in several processes (pytest-xdist). Tests that share a service stay in one process, so
that it is started once; of those that share nothing each goes where there is room.
"""

import os

import pytest
from hypothesis import settings

from infra.kafka import ports

settings.register_profile("ibflow", deadline=None, derandomize=os.environ.get("IBFLOW_FUZZ") != "random")
settings.load_profile("ibflow")

PROCESSES_MAX = 8
"""Each may have a Kafka and a ClickHouse of its own."""
LONGEST = (
    "tests/e2e/test_pipeline.py",
    "tests/e2e/test_any_order.py",
    "tests/chaos/test_chaos.py",
    "tests/e2e/test_reconcile_live.py",
    "tests/ingest/test_poll_command.py",
    "tests/streams/test_corrections.py",
    "tests/test_oracle.py",
    "tests/ingest/test_bridge.py",
    "tests/e2e/test_ingest_killed.py",
    "tests/e2e/test_two_exports.py",
    "tests/streams/test_failures.py",
    "tests/infra/test_replay.py",
    "tests/infra/test_local_kafka.py",
)
"""What takes longest begins first: at the end nobody waits for it alone."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: two for a core, for much of the time a test waits for another process.

    A Kafka that was named is one for all tests, and their topics have the same names: one at a time.
    """
    if os.environ.get("IBFLOW_TEST_KAFKA"):
        return 1
    return min(2 * (os.cpu_count() or 1), PROCESSES_MAX)


def pytest_configure(config: pytest.Config) -> None:
    """Give each process ports of its own, for a port that is found free is taken only seconds later."""
    if number := getattr(config, "workerinput", {}).get("workerid", "").removeprefix("gw"):
        ports.AUTO_PORTS //= config.workerinput["workercount"]  # type: ignore[attr-defined] # xdist's
        ports.AUTO_PORT_FIRST += int(number) * ports.AUTO_PORTS


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tell xdist what stays together, and let the longest begin; a run in one process stays as it is."""
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        if shared := shared_place(item):
            item.add_marker(pytest.mark.xdist_group(shared))
    items.sort(key=turn)


def shared_place(item: pytest.Item) -> str:
    """The file or folder whose fixtures outlive this test, the widest of them; empty if there is none."""
    fixtures = item._fixtureinfo.name2fixturedefs.values()  # type: ignore[attr-defined] # of every function
    outliving = [defined[-1] for defined in fixtures if defined[-1].scope != "function"]
    return min((fixture.baseid for fixture in outliving if fixture.baseid), key=len, default="")


def turn(item: pytest.Item) -> int:
    """When a test begins: the longest in their order, then what shares a service, then the rest."""
    path = item.nodeid.split("::")[0]
    if path in LONGEST:
        return LONGEST.index(path)
    return len(LONGEST) + (not any(item.iter_markers("xdist_group")))
