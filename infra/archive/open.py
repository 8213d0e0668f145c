"""Where the history is read: Kafka, a ClickHouse server, or the process that owns the embedded database."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from clickhouse_connect.driver.exceptions import Error
from fastapi import FastAPI

from api.gate import Gate
from api.operators import Operators
from infra.archive.clickhouse_log import ClickHouseAt, ServerAt
from infra.archive.http import add_archive
from infra.archive.kafka_log import KafkaAt
from infra.archive.log import LogAt
from infra.connect.ports import listen
from infra.connect.running_server import START_SECONDS, live_url
from infra.connect.settings import clickhouse_client, connect, kafka_servers
from schemas.errors import Unavailable
from schemas.settings import Settings


@contextmanager
def open_history(settings: Settings, *, from_kafka: bool) -> Iterator[tuple[LogAt, str]]:
    """Where the books are read, and in words; an embedded database nobody owns is served meanwhile."""
    if from_kafka:
        yield KafkaAt(kafka_servers(settings)), "Kafka"
    elif settings.clickhouse:
        yield ClickHouseAt(settings.clickhouse), "the archive"
    elif (url := live_url(settings)) is not None:
        yield ServerAt(url, settings.token), "the archive, through the running server"
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
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + START_SECONDS
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise Unavailable("the archive could not be served to the workers; use --from-kafka")
            time.sleep(0.02)
        yield ServerAt(f"http://127.0.0.1:{listener.getsockname()[1]}", token)
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        owner.close()
