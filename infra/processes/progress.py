"""How far the pipeline has come: what is written, what is applied, what is stored."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from schemas.errors import Unavailable
from schemas.kafka import client_config
from schemas.topics import TOPICS
from streams.broker import commits, log_ends
from streams.stages import STAGES

LOOK_SECONDS = 0.1
GROUP = "ibflow"
"""The workers' consumer group: the name of the Faust app."""
STAGE_TOPICS = tuple(stage.topic for stage in STAGES)
"""What workers apply; what waits for others' servers is not under way here."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Messages written to all topics, and how many of them are still to be applied or stored."""

    written: int
    to_apply: int
    to_store: int

    @property
    def is_drained(self) -> bool:
        """Nothing is under way."""
        return self.to_apply == 0 and self.to_store == 0


class Watch:
    """Compares the ends of the topics with the worker's commits and the sink's positions."""

    def __init__(self, kafka: str) -> None:
        self._workers = Consumer({**client_config(kafka), "group.id": GROUP})
        self._admin = AdminClient(client_config(kafka))
        metadata = self._workers.list_topics(timeout=30)
        self._places = [
            (topic.name, partition)
            for topic in TOPICS
            for partition in metadata.topics[topic.name].partitions
        ]

    def progress(self, stored: Mapping[tuple[str, int], int]) -> Progress:
        """Measure; `stored` is the sink's next offset of each partition."""
        ends = log_ends(self._admin, self._places)
        applied = commits(self._workers, [place for place in self._places if place[0] in STAGE_TOPICS])
        return Progress(
            written=sum(ends.values()),
            to_apply=sum(ends[key] - offset for key, offset in applied.items()),
            to_store=sum(end - stored.get(key, 0) for key, end in ends.items()),
        )

    def wait(
        self,
        stored: Callable[[], Mapping[tuple[str, int], int]],
        timeout_s: float,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> Progress:
        """Wait until nothing is under way; raise `Unavailable` if it takes too long."""
        return until_drained(lambda: self.progress(stored()), timeout_s, on_progress)

    def close(self) -> None:
        """Leave the broker."""
        self._workers.close()
        del self._admin


def until_drained(
    measure: Callable[[], Progress],
    timeout_s: float,
    on_progress: Callable[[Progress], None] = lambda _: None,
    *,
    calm_s: float = 0.0,
) -> Progress:
    """Measure until nothing is under way, twice and for `calm_s`; `Unavailable` if it takes too long."""
    deadline = time.monotonic() + timeout_s
    drained_at: float | None = None
    while True:
        progress, now = measure(), time.monotonic()
        on_progress(progress)
        if not progress.is_drained:
            drained_at = None
        elif drained_at is None:
            drained_at = now
        elif now - drained_at >= calm_s:
            return progress
        if now > deadline:
            raise Unavailable(
                f"after {timeout_s:.0f} s {progress.to_apply} messages are not applied and "
                f"{progress.to_store} not stored; see the logs of the worker and of the server"
            )
        time.sleep(LOOK_SECONDS)
