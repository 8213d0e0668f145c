"""`ibflow replay --from-kafka` on a real Kafka: without ClickHouse, and soon done."""

import time
from pathlib import Path

from confluent_kafka import Producer

from commission.terms.calendar import PeriodEnded
from infra.archive.kafka_log import KafkaAt
from infra.connect.topics import ensure_topics
from infra.local_kafka.local import LocalKafka
from infra.replay.compare import replay
from schemas import topics
from tests.history import history
from tests.synthetic import Synthetic


def test_kafka_gives_what_memory_gives(tmp_path: Path) -> None:
    """The same messages on two partitions: the same hashes, in seconds; a re-sent one counts once."""
    broker = Synthetic(clients=6, deals=30)
    log = history(
        [*broker.terms(), *broker.crm(), *broker.trades(), PeriodEnded(period="2026-09")], partitions=2
    )
    expected = replay(log, "", workers=0)
    assert expected.holds
    with LocalKafka().running(tmp_path) as running:
        servers = running.bootstrap_servers
        ensure_topics(servers, 2, 1)
        producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True})
        for topic, partitions in log.topics.items():
            for number, messages in enumerate(partitions):
                again = messages[-1:] if topic == topics.SETTLEMENTS else []
                for message in [*messages, *again]:
                    headers = {topics.SOURCE_HEADER: message.source.encode()}
                    producer.produce(topic, message.value, partition=number, headers=headers)
        producer.flush()
        started = time.monotonic()
        found = replay(KafkaAt(servers), "", workers=0)
        assert time.monotonic() - started < 30
    assert expected == found
