"""What happens in a run: a list of faults that follows from the seed alone."""

import math
import random
from dataclasses import dataclass

from streams.app import SESSION_SECONDS

WORKERS = ("worker-1", "worker-2")
SPARE = "worker-3"
DISK_KINDS = ("full disk", "full file")
OVERLAPS = 0.25
SHORT_S, SHORT_OVERLAPS = 2.0, 0.7


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault: how often it comes, what it can hit, and how long it lasts."""

    name: str
    weight: int
    targets: tuple[str, ...]
    seconds: tuple[float, float] = (0.0, 0.0)


KINDS = (
    Kind("kill -9", 6, (*WORKERS, "worker-1", "worker-2", "server", "feeder", "kafka")),
    Kind("pause", 3, (*WORKERS, "server", "feeder", "kafka"), (1.0, 8.0)),
    Kind("zombie", 1, WORKERS, (SESSION_SECONDS + 2, SESSION_SECONDS + 10)),
    Kind("drop connections", 3, ("network",)),
    Kind("delay 200 ms", 2, ("network",), (2.0, 8.0)),
    Kind("silence", 2, ("network",), (1.0, 8.0)),
    Kind("rebalance", 2, (SPARE,)),
    Kind("stop and start", 1, WORKERS, (1.0, 5.0)),
    Kind("full disk", 2, WORKERS, (2.0, 5.0)),
    Kind("full file", 2, WORKERS, (2.0, 5.0)),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what, to whom, for how long, how long after the last one, and whether the next waits."""

    number: int
    kind: str
    target: str
    seconds: float
    gap_s: float
    overlaps: bool
    """The next one does not wait until the pipeline has recovered from this one."""


def plan(seed: int, faults: int, *, has_folder: bool, is_short: bool) -> list[Fault]:
    """Faults in order; kinds come as a shuffled deck by their weights, so that none is left out for long.

    A short plan has no zombies, and most of its faults are brief and overlap.
    """
    longest_s, overlap_share = (SHORT_S, SHORT_OVERLAPS) if is_short else (math.inf, OVERLAPS)
    chance = random.Random(seed)
    kinds = [
        kind
        for kind in KINDS
        if (has_folder or kind.name not in DISK_KINDS) and (not is_short or kind.name != "zombie")
    ]
    # First one of each, for a short run; then by weight.
    deck = chance.sample(kinds, len(kinds))
    while len(deck) < faults:
        deck += _by_weight(kinds, chance)
    return [
        Fault(
            number,
            kind.name,
            chance.choice(kind.targets),
            round(min(chance.uniform(*kind.seconds), longest_s), 2),
            round(chance.uniform(0.2, 2.0), 2),
            chance.random() < overlap_share,
        )
        for number, kind in enumerate(deck[:faults], 1)
    ]


def _by_weight(kinds: list[Kind], chance: random.Random) -> list[Kind]:
    return chance.sample(kinds, sum(kind.weight for kind in kinds), counts=[kind.weight for kind in kinds])
