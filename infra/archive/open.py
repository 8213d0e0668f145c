"""Where the history is read: Kafka, a ClickHouse server, or the process that owns the embedded database."""

from collections.abc import Iterator
from contextlib import contextmanager

from infra.archive.clickhouse_log import ClickHouseAt, ServerAt
from infra.archive.kafka_log import KafkaAt
from infra.archive.log import LogAt
from infra.clickhouse.cluster import settings_of
from infra.connect.ledger_at import find_server
from infra.connect.settings import kafka_servers
from schemas.settings import Settings


@contextmanager
def open_history(settings: Settings, *, from_kafka: bool) -> Iterator[tuple[LogAt, str]]:
    """Where the books are read, and in words; an embedded database nobody owns is served meanwhile."""
    if from_kafka:
        yield KafkaAt(kafka_servers(settings)), "Kafka"
    elif (server := find_server(settings)) is not None:
        yield ServerAt(server), "the archive, through the running server"
    elif settings.clickhouse:
        given = settings_of(settings.clickhouse_cluster)
        yield ClickHouseAt(settings.clickhouse, settings.clickhouse_files(), given), "the archive"
    else:
        from infra.archive.serve_own import serve_own  # noqa: PLC0415 # half a second to import, rarely needed

        with serve_own(settings) as where:
            yield where, "the archive"
