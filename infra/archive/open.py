"""Where the history is read: Kafka, a ClickHouse server, or the process that owns the embedded database."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.exceptions import Error
from fastapi import FastAPI

from api.gate import Gate
from api.operators import Operators
from infra.archive.clickhouse_log import ClickHouseAt, ServerAt
from infra.archive.http import add_archive
from infra.archive.kafka_log import KafkaAt
from infra.archive.log import LogAt
from infra.clickhouse.cluster import settings_of
from infra.connect.ledger_at import Server, find_server
from infra.connect.ports import listen
from infra.connect.server_thread import HttpThread
from infra.connect.settings import clickhouse_client, connect, kafka_servers
from schemas.errors import Unavailable
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
        with _serve_own(settings) as where:
            yield where, "the archive"


@contextmanager
def _serve_own(settings: Settings) -> Iterator[ServerAt]:
    """Open the embedded database here and stream it to the worker processes, on this machine only."""
    try:
        owner = clickhouse_client(settings)
    except Error as error:
        raise Unavailable(
            f"the database cannot be opened: {error}; if a server has it open, stop it"
        ) from None
    token = secrets.token_urlsafe(32)
    app = FastAPI(openapi_url=None)
    add_archive(app, lambda: connect(settings))
    app.add_middleware(Gate, operators=Operators(token))
    listener = listen("127.0.0.1", 0)
    http = HttpThread(app, "archive")
    try:
        http.start(listener)
        yield ServerAt(Server(f"http://127.0.0.1:{listener.getsockname()[1]}", token))
    finally:
        http.stop()
        owner.close()
