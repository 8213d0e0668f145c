"""Questions to a broker that may have just started, or just made the topic it is asked about."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined] # it is exported

from schemas.errors import Unavailable

ASK_SECONDS = 10.0
AGAIN_SECONDS = 0.2
FETCH_WAIT_MS = 20
"""An idle client asks its broker so often; each fetch costs both less than half a millisecond."""
_SETTLING = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,  # the client's metadata and the broker's are of different moments
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError._UNKNOWN_PARTITION,  # of a topic made so recently that not every broker has heard of it
)
Answer = TypeVar("Answer")


def ask(question: Callable[[], Answer], within: float = ASK_SECONDS) -> Answer:
    """Ask again while a leader or coordinator is being found, at most `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        try:
            return question()
        except KafkaException as error:
            if error.args[0].code() not in _SETTLING or time.monotonic() > deadline:
                raise
            time.sleep(AGAIN_SECONDS)


def log_range(consumer: Consumer, topic: str, partition: int, within: float = ASK_SECONDS) -> tuple[int, int]:
    """The first offset that a partition keeps, and the one after its last."""
    place = TopicPartition(topic, partition)
    low, high = ask(lambda: consumer.get_watermark_offsets(place, timeout=within), within)
    return int(low), int(high)


def commits(group: Consumer, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """How far a group has come in each partition, 0 where it has not begun."""
    asked = [TopicPartition(*place) for place in places]
    found = ask(lambda: group.committed(asked, timeout=ASK_SECONDS))
    return {(tp.topic, tp.partition): max(tp.offset, 0) for tp in found}


def log_ends(admin: AdminClient, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """The end of each partition's log, in one request; raise `Unavailable` if Kafka does not tell."""
    asked = {TopicPartition(topic, number): OffsetSpec.latest() for topic, number in places}  # type: ignore[no-untyped-call] # it has no types

    def question() -> dict[tuple[str, int], int]:
        answers = admin.list_offsets(asked, request_timeout=ASK_SECONDS)
        return {(tp.topic, tp.partition): future.result(ASK_SECONDS).offset for tp, future in answers.items()}

    try:
        return ask(question)
    except (KafkaException, FutureTimeout) as error:
        raise Unavailable(f"Kafka does not say how far the topics go: {error}") from None
