"""From settings to the things a process stands on: Kafka, its topics, ClickHouse."""

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error
from confluent_kafka import KafkaException

from infra.clickhouse import cluster
from infra.clickhouse.migrations import migrate
from infra.connect.topics import ensure_topics
from infra.local_kafka.errors import KafkaUnavailable
from infra.local_kafka.local import LocalKafka
from schemas.errors import Unavailable, Unusable
from schemas.settings import Settings, TlsFiles

TLS_SCHEMES = ("clickhouses", "https")
_numbers = count(1)
"""Of the clients of this process."""


def kafka_servers(settings: Settings) -> str:
    """The bootstrap servers: those of the settings, or the local broker, which must be running."""
    if settings.kafka:
        return settings.kafka_address()
    running = LocalKafka().status(settings.kafka_dir)
    if running is None:
        raise KafkaUnavailable(
            f"no Kafka runs in {settings.kafka_dir}; start one with `ibflow kafka start`, "
            "or name your own in IBFLOW_KAFKA"
        )
    return running.bootstrap_servers


def prepared_kafka(settings: Settings) -> str:
    """The bootstrap servers of a Kafka that has every topic."""
    kafka = kafka_servers(settings)
    prepare_topics(settings, kafka)
    return kafka


def prepare_topics(settings: Settings, kafka: str) -> dict[str, int]:
    """Create the topics that are missing; every topic's partitions."""
    try:
        return ensure_topics(kafka, settings.partitions, settings.replication)
    except (KafkaException, TimeoutError) as error:
        reason = error.args[0].str() if isinstance(error, KafkaException) else "it creates no topics in time"
        raise KafkaUnavailable(
            f"the Kafka at {kafka} cannot be used: {reason}; IBFLOW_KAFKA says which it is"
        ) from None


def clickhouse_client(settings: Settings) -> Client:
    """A client of the configured ClickHouse, or of the embedded one; the schema is up to date."""
    client = connect(settings)
    migrate(client, cluster=settings.clickhouse_cluster)
    return client


def connect(settings: Settings) -> Client:
    """A client for one thread, which waits for no other's questions; migrations are not looked at."""
    try:
        if settings.clickhouse:
            return dsn_client(
                settings.clickhouse,
                settings.clickhouse_files(),
                cluster.settings_of(settings.clickhouse_cluster),
            )
        settings.chdb_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return embedded(settings.chdb_dir)
    except Error as error:
        where = "the one of IBFLOW_CLICKHOUSE" if settings.clickhouse else f"the one in {settings.chdb_dir}"
        raise Unavailable(f"ClickHouse, {where}, cannot be opened: {str(error).splitlines()[0]}") from None


def embedded(folder: Path) -> Client:
    """A client of the embedded ClickHouse in a folder, with a connection of its own."""
    # Those of the same options share one: they wait for each other to an answer's last row.
    options = {"log_comment": f"client {next(_numbers)}"}
    return clickhouse_connect.get_client(interface="chdb", path=str(folder), chdb_options=options)


def dsn_client(dsn: str, files: TlsFiles, given: Mapping[str, Any] = MappingProxyType({})) -> Client:
    """A client of a ClickHouse server; with TLS, its certificate and name are checked.

    `given` are settings of its queries.

    A certificate of ours proves the user of a DSN without a password; beside a password both are shown.
    """
    parts = urlsplit(dsn)
    has_tls = parts.scheme in TLS_SCHEMES
    if files.cert_file is not None and not has_tls:
        raise Unusable("IBFLOW_CLICKHOUSE_CERT needs a DSN `clickhouses://…`: without TLS nobody asks for it")
    ca_cert, client_cert, client_key = (str(path) if path and has_tls else None for path in files)
    return clickhouse_connect.get_client(
        dsn=dsn,
        autogenerate_session_id=False,
        settings=dict(given),
        secure=has_tls,
        ca_cert=ca_cert,
        client_cert=client_cert,
        client_cert_key=client_key,
        tls_mode=None if client_cert is None else "strict" if parts.password else "mutual",
    )
