"""`python -m tests.simulation SEED` tells one seed step by step; without a seed it runs many and counts."""

import argparse
import itertools
import logging
import sys
import time
from collections import Counter

from tests.simulation.checks import complete, simulate
from tests.simulation.plants import BUGS, Bug
from tests.simulation.simulation import Simulation
from tests.simulation.world import Finding


def main() -> int:
    """Replay, or search."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="tell this seed step by step")
    parser.add_argument("--seeds", type=int, default=1_000, help="how many to run without a seed")
    parser.add_argument("--first", type=int, default=0, help="where to begin")
    parser.add_argument("--bug", choices=[bug.name for bug in BUGS], help="plant this bug")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)  # the sink tells of the bad line in every seed
    bug = next((bug for bug in BUGS if bug.name == chosen.bug), None)
    world = bug or Bug("none")
    if chosen.seed is not None:
        return replay(Simulation(chosen.seed, world.parts, world.hazards, is_traced=True))
    return search(range(chosen.first, chosen.first + chosen.seeds), world)


def replay(simulation: Simulation) -> int:
    """Print what happens, and what was found."""
    found = None
    try:
        complete(simulation)
    except Finding as finding:
        found = finding
    say("\n".join(simulation.world.trace or ()))
    say(f"FOUND: {found}" if found else f"every promise held; {simulation.happened}")
    return int(found is not None)


def search(seeds: range, bug: Bug) -> int:
    """Print every finding, and how fast it went."""
    began, busy, found, happened = time.monotonic(), time.process_time(), 0, Counter[str]()
    for number, seed in zip(itertools.count(1), seeds, strict=False):
        try:
            happened.update(simulate(seed, parts=bug.parts, hazards=bug.hazards).happened)
        except Finding as finding:
            found += 1
            say(f"FOUND {finding}")
        if number % 500 == 0:
            say(f"{number:,} seeds, {found} findings")
    rate = 60 * len(seeds) / (time.monotonic() - began)
    per_cpu = 60 * len(seeds) / (time.process_time() - busy)
    say(f"{len(seeds):,} seeds, {found} findings; {rate:,.0f} a minute, {per_cpu:,.0f} a minute of CPU time")
    say(", ".join(f"{kind} {count:,}" for kind, count in happened.most_common()))
    return int(found > 0)


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
