"""The protocol holds for every seed and through a crash at every step; every planted bug is found."""

import os
from collections.abc import Iterator

import pytest

from streams.stages import STAGES
from tests.effort import EFFORT
from tests.simulation import scenario
from tests.simulation.checks import complete, simulate
from tests.simulation.plants import BUGS, REMEDIES, Bug
from tests.simulation.simulation import Simulation
from tests.simulation.world import Finding

SEEDS = int(os.environ.get("IBFLOW_SEEDS", "40"))
FIRST_SEED = int(os.environ.get("IBFLOW_SEED", "0"))
"""IBFLOW_SEED=n IBFLOW_SEEDS=1 runs one; `python -m tests.simulation n` tells it step by step."""
PATIENCE = 600
"""A planted bug has to be found within so many seeds."""
REMEDY_SEEDS = 25


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def test_every_promise_holds_for_every_seed() -> None:
    """Crashes, holes, rebalances, zombies, lost answers, repeats: fold, tables and ledger hold."""
    happened: set[str] = set()
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        happened |= simulate(seed).happened.keys()
    if SEEDS > 20:
        assert {"crash", "hole", "rebalance", "pause", "ingester", "sink crash", "sink failure"} <= happened


@pytest.mark.parametrize("arrives", [True, False], ids=["wire-arrives", "wire-is-lost"])
def test_a_crash_at_every_step_changes_nothing(*, arrives: bool) -> None:
    """One schedule, and a worker killed before each of its steps: in every stage, around every effect.

    Before every other step what is on the wire arrives, before those between it is lost; with more effort
    both before each.
    """
    calm = short(None, arrives)
    points, books = calm.points, [calm.world.logs["client-book", number] for number in (0, 1)]
    assert any(b'"type":"deal_moved"' in message.value for book in books for message in book)
    assert {f"{stage.name}: {what}" for stage in STAGES for what in STEPS} <= set(points)
    for step in range(len(points)) if EFFORT > 1 else range(int(arrives), len(points), 2):
        crashed = short(step, arrives)
        assert crashed.points[: step + 1] == points[: step + 1]
        assert crashed.happened["crash"] == 1


STEPS = (
    "assigned",
    "end of the changelog read",
    "recovered",
    "fetch",
    "delivered",
    "append of output",
    "acknowledgement of output",
    "append of state",
    "acknowledgement of state",
)
"""What every stage does, each a point to crash before."""


def short(crash_at: int | None, arrives: bool) -> Simulation:  # noqa: FBT001 # one flag of one schedule
    return simulate(8, is_calm=True, story_number=scenario.SHORT, crash_at=crash_at, arrives=arrives)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    """Take one guard of the protocol away, and a seed shows the damage."""
    seed = next(findings(bug, range(bug.near, bug.near + PATIENCE)), None)
    assert seed is not None, f"{bug.name}: not found within {PATIENCE} seeds"
    simulate(seed)  # without the bug, nothing is found there


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.name)
def test_a_remedy_closes_its_hole(remedy: Bug) -> None:
    """What a rebalance could break is not broken with either guard in place."""
    hole = next(bug for bug in BUGS if bug.hazards == remedy.hazards)
    seed = next(findings(hole, range(hole.near, hole.near + PATIENCE)))
    assert not list(findings(remedy, range(seed, seed + REMEDY_SEEDS)))


def findings(bug: Bug, seeds: range) -> Iterator[int]:
    """The seeds that find it."""
    for seed in seeds:
        try:
            simulate(seed, parts=bug.parts, hazards=bug.hazards)
        except Finding:
            yield seed


def test_the_same_seed_tells_the_same_story() -> None:
    """A finding can be replayed: nothing but the seed decides what happens."""
    first, second = (Simulation(11, is_traced=True) for _ in range(2))
    for simulation in (first, second):
        complete(simulation)
    assert first.world.trace == second.world.trace
    assert first.world.trace
