"""A local, single-node Apache Kafka that needs neither Docker nor Java nor Maven installed."""

from infra.local_kafka.errors import KafkaUnavailable
from infra.local_kafka.local import LocalKafka, RunningKafka

__all__ = ["KafkaUnavailable", "LocalKafka", "RunningKafka"]
