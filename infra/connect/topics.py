"""Create the topics a broker lacks, and tell how many partitions each has."""

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # it is exported

from schemas.kafka import client_config
from schemas.topics import MAX_MESSAGE_BYTES, TOPICS

DELIVERY_SECONDS = 30

LOG = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "max.message.bytes": str(MAX_MESSAGE_BYTES),
    "message.timestamp.type": "CreateTime",
}
"""The books are the truth: nothing in them expires or is compacted."""

STATE = {**LOG, "cleanup.policy": "compact"}


def ensure_topics(kafka: str, partitions: int, replication: int) -> dict[str, int]:
    """Create what is missing; return each topic's partitions as the broker has them.

    An existing topic keeps its partitions: changing them would move keys away from their state.
    """
    admin = AdminClient(client_config(kafka))
    existing = partition_counts(kafka)
    wanted = []
    for topic in TOPICS:
        count = topic.partitions or partitions
        if topic.name not in existing:
            wanted.append(NewTopic(topic.name, count, replication, config=LOG))
        if topic.changelog and topic.changelog not in existing:
            count = existing.get(topic.name, count)
            wanted.append(NewTopic(topic.changelog, count, replication, config=STATE))
    if wanted:
        for future in admin.create_topics(wanted, operation_timeout=DELIVERY_SECONDS).values():
            try:
                future.result(DELIVERY_SECONDS)
            except KafkaException as error:
                if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                    raise
    return partition_counts(kafka)


def partition_counts(kafka: str) -> dict[str, int]:
    """Every topic's partitions."""
    metadata = AdminClient(client_config(kafka)).list_topics(timeout=DELIVERY_SECONDS)
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}
