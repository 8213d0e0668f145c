"""The ingester under chaos: publishes a broker's deals in small batches, some twice, some out of turn.

It remembers its place only after Kafka has acknowledged, so a kill in between publishes a batch again.
What it does at a place follows from the seed and the place alone, however often it is killed.
"""

import argparse
import json
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from commission.events import Deal
from infra.local_kafka.jars import write_whole
from ingest.publish.publisher import publish
from tests.synthetic import Synthetic

BATCH_DEALS = 20
"""Even, as an open and its close follow each other: none is swapped with the other."""
REPEAT_SHARE = 0.15
PAUSE_S = 0.25
CURSOR, STOP = "feeder.json", "feeder.stop"


@dataclass(slots=True)
class Cursor:
    """How far the input is published, and what was done to it on purpose."""

    next: int = 0
    repeated: int = 0
    swapped: int = 0
    is_done: bool = False

    @classmethod
    def load(cls, folder: Path) -> "Cursor":
        """Where the last run of the feeder stopped."""
        path = folder / CURSOR
        return cls(**json.loads(path.read_text())) if path.exists() else cls()

    def save(self, folder: Path) -> None:
        """Write it down, whole."""
        write_whole(folder / CURSOR, json.dumps(asdict(self)))


def batches_in_turn(deals: list[Deal], seed: int) -> tuple[list[list[Deal]], int]:
    """The input as it is sent: neighbours that share no account change places half of the time."""
    chance = random.Random(f"{seed}/order")
    batches = [deals[i : i + BATCH_DEALS] for i in range(0, len(deals), BATCH_DEALS)]
    swapped = 0
    for i in range(0, len(batches) - 1, 2):
        accounts = [{deal.account_key for deal in batch} for batch in batches[i : i + 2]]
        if accounts[0].isdisjoint(accounts[1]) and chance.random() < 0.5:
            batches[i], batches[i + 1] = batches[i + 1], batches[i]
            swapped += 1
    return batches, swapped


def feed(kafka: str, folder: Path, deals: list[Deal], seed: int) -> None:
    """Publish everything; then repeat old batches, so that there is traffic, until told to stop."""
    batches, swapped = batches_in_turn(deals, seed)
    cursor, stop = Cursor.load(folder), folder / STOP
    cursor.swapped = swapped
    while cursor.next < len(batches) or not stop.exists():
        is_new = cursor.next < len(batches)
        chance = random.Random(f"{seed}/{cursor.next}/{cursor.repeated}")
        if not is_new or (cursor.next and chance.random() < REPEAT_SHARE):
            publish(batches[chance.randrange(min(cursor.next, len(batches)))], kafka)
            cursor.repeated += 1
        if is_new:
            publish(batches[cursor.next], kafka)
            cursor.next += 1
        cursor.save(folder)
        time.sleep(0.0 if stop.exists() else PAUSE_S)
    cursor.is_done = True
    cursor.save(folder)


def main() -> None:
    """Run as a process of its own, for the driver to kill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kafka")
    parser.add_argument("folder", type=Path)
    for name in ("clients", "deals", "seed"):
        parser.add_argument(name, type=int)
    given = parser.parse_args()
    broker = Synthetic(clients=given.clients, deals=given.deals, seed=given.seed)
    feed(given.kafka, given.folder, broker.trades(), given.seed)


if __name__ == "__main__":
    main()
