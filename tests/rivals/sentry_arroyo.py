"""The job in Sentry's Arroyo, run by a Python of its own: `python sentry_arroyo.py KAFKA FOLDER`."""

import sys
from collections.abc import Iterable, Mapping

import job
from arroyo import Partition, Topic
from arroyo.backends.kafka import KafkaConsumer, KafkaPayload, KafkaProducer
from arroyo.backends.kafka.configuration import (
    build_kafka_consumer_configuration,
    build_kafka_producer_configuration,
)
from arroyo.processing import StreamProcessor
from arroyo.processing.strategies import (
    CommitOffsets,
    ProcessingStrategy,
    ProcessingStrategyFactory,
    Produce,
    Unfold,
)
from arroyo.types import BaseValue, Commit, Value

_state: dict[str, bytes] = {}
"""Arroyo keeps none: this one is lost with the process, and another partition's owner does not have it."""


def rate(message: KafkaPayload) -> Iterable[BaseValue[KafkaPayload]]:
    """The transfers of one deal."""
    lines = job.apply(message.value, _state.get, _state.__setitem__)
    return [Value(KafkaPayload(None, line, []), {}) for line in lines]


class Job(ProcessingStrategyFactory[KafkaPayload]):
    """At least once: an offset is committed when the messages before it are produced."""

    def __init__(self, kafka: str) -> None:
        self._producer = KafkaProducer(build_kafka_producer_configuration({}, [kafka]))

    def create_with_partitions(
        self, commit: Commit, partitions: Mapping[Partition, int]
    ) -> ProcessingStrategy[KafkaPayload]:
        """What Arroyo asks for when it has been given partitions."""
        return Unfold(rate, Produce(self._producer, Topic(job.OUT), CommitOffsets(commit)))


def main(kafka: str, _folder: str) -> None:
    """Run until killed."""
    settings = build_kafka_consumer_configuration(
        {}, f"{job.GROUP}-arroyo", "earliest", bootstrap_servers=[kafka]
    )
    StreamProcessor(KafkaConsumer(settings), Topic(job.IN), Job(kafka)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
