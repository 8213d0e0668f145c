"""Sums of days built again from the rows when a person asks: in the server that owns them, or here."""

from collections.abc import Callable
from contextlib import closing

from clickhouse_connect.driver.client import Client
from fastapi import FastAPI

from infra.connect.ledger_at import find_server
from infra.connect.settings import clickhouse_client, connect
from infra.sums.builder import SumsBuilder
from schemas.settings import Settings

PATH = "/v1/sums/rebuild"
REBUILD_SECONDS = 3_600.0


def add_rebuild(app: FastAPI, connect_client: Callable[[], Client]) -> None:
    """Let an operator ask for it; reports go by the old sums of a day until the new ones are whole."""

    @app.post(PATH, tags=["ledger"], summary="Build all sums of days again from the rows")
    def rebuild_sums() -> dict[str, int]:
        return {"days": _rebuild(connect_client)}


def rebuild(settings: Settings) -> int:
    """Through the running server, if there is one; how many days have new sums."""
    server = find_server(settings)
    if server is None:
        clickhouse_client(settings).close()  # brings the schema up to date
        return _rebuild(lambda: connect(settings))
    with server.open(REBUILD_SECONDS) as http:
        return int(server.check(http.post(PATH, json={})).json()["days"])


def _rebuild(connect_client: Callable[[], Client]) -> int:
    with closing(SumsBuilder(connect_client)) as builder:
        days = builder.rebuild()
        builder.build_months()
        return days
