"""The archive through the owner of an embedded database."""

from collections.abc import Callable, Iterator

from clickhouse_connect.driver.client import Client
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

from infra.archive.clickhouse_log import QUERIES, ask_client


def add_archive(app: FastAPI, connect: Callable[[], Client]) -> None:
    """Let the owner of an embedded database stream its archive to other processes."""

    def stream_archive(request: Request) -> StreamingResponse:
        query = request.path_params["query"]
        if query not in QUERIES:
            raise HTTPException(404, f"the archive answers {', '.join(QUERIES)}")
        # They go to the database as parameters of a type that the query names.
        parameters: dict[str, str | int] = dict(request.query_params)
        return StreamingResponse(_answer(connect, query, parameters), media_type="application/x-ndjson")

    app.add_route("/v1/archive/{query}", stream_archive, include_in_schema=False)


def _answer(connect: Callable[[], Client], query: str, parameters: dict[str, str | int]) -> Iterator[bytes]:
    with connect() as client:
        yield from ask_client(client, query, parameters)
