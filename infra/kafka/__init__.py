"""A local, single-node Apache Kafka that needs neither Docker nor Java nor Maven installed."""

from infra.kafka.errors import KafkaUnavailable
from infra.kafka.local import LocalKafka, RunningKafka

__all__ = ["KafkaUnavailable", "LocalKafka", "RunningKafka"]
