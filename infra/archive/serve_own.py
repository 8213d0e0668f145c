"""The history of an embedded database that nobody owns, opened and streamed by this process."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.exceptions import Error
from fastapi import FastAPI

from api.gate import Gate
from api.operators import Operators
from infra.archive.clickhouse_log import ServerAt
from infra.archive.http import add_archive
from infra.connect.ledger_at import Server
from infra.connect.ports import listen
from infra.connect.server_thread import HttpThread
from infra.connect.settings import clickhouse_client, connect
from schemas.errors import Unavailable
from schemas.settings import Settings


@contextmanager
def serve_own(settings: Settings) -> Iterator[ServerAt]:
    """Open it here and stream it to the worker processes; `Unavailable` if it cannot be opened."""
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
