"""One process for everything that touches the database: sink, API, portal and postbacks."""

import json
import logging
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from clickhouse_connect.driver.client import Client
from fastapi import FastAPI

from api.app import create_app
from api.exposure import check_exposure
from api.ledger import Ledger
from api.postbacks.dispatcher import Dispatcher
from infra.bootstrap import clickhouse_client, connect
from infra.verify import verify
from schemas.settings import Settings
from streams.sink import Sink

log = logging.getLogger("ibflow.serve")

READY_SECONDS = 20.0
STATE_FILE = "serve.json"
"""In the data folder: where the running server answers, for commands that need its database."""


@dataclass(slots=True)
class Server:
    """The database's one owner; the embedded ClickHouse has a folder that no second process opens."""

    settings: Settings
    kafka: str
    url: str = ""

    def start(self) -> None:
        """Start every part in a thread of its own; return once the API answers."""
        check_exposure(self.settings)
        self.client = clickhouse_client(self.settings)
        self.sink = Sink(connect(self.settings), self.kafka)
        self._sink_thread = threading.Thread(target=self.sink.run, name="sink", daemon=True)
        self._sink_thread.start()
        self._start_api()
        self.dispatcher = Dispatcher.from_settings(self.settings, lambda: connect(self.settings))
        self.dispatcher.start()

    def _start_api(self) -> None:
        app = create_app(Ledger(lambda: connect(self.settings)), self.settings)
        _add_verify(app, self.client)
        listener = socket.create_server((self.settings.api_host, self.settings.api_port))
        self.url = f"http://{self.settings.api_host}:{listener.getsockname()[1]}"
        config = uvicorn.Config(app, log_level="warning", lifespan="on")
        self._uvicorn = uvicorn.Server(config)
        self._api_thread = threading.Thread(
            target=self._uvicorn.run, kwargs={"sockets": [listener]}, name="api", daemon=True
        )
        self._api_thread.start()
        deadline = time.monotonic() + READY_SECONDS
        while not self._uvicorn.started:
            if time.monotonic() > deadline or not self._api_thread.is_alive():
                raise RuntimeError("the API did not start; its log says why")
            time.sleep(0.02)
        state = {"url": self.url}
        _state_file(self.settings).write_text(json.dumps(state), encoding="utf-8")

    def stop(self) -> None:
        """Stop taking requests, finish the batch at hand, close the database."""
        _state_file(self.settings).unlink(missing_ok=True)
        self.dispatcher.stop()
        self._uvicorn.should_exit = True
        self._api_thread.join(READY_SECONDS)
        self.sink.stop()
        self._sink_thread.join(READY_SECONDS)
        self.client.close()


def running_url(settings: Settings) -> str | None:
    """Where the server that owns this data folder answers, if one runs."""
    try:
        state: dict[str, Any] = json.loads(_state_file(settings).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return str(state["url"])


def _state_file(settings: Settings) -> Path:
    return settings.data_dir / STATE_FILE


def _add_verify(app: FastAPI, client: Client) -> None:
    lock = threading.Lock()

    @app.get("/v1/verify", tags=["ledger"], summary="Check every invariant of the ledger")
    def verify_ledger() -> dict[str, Any]:
        with lock:  # one client, one query at a time
            return verify(client).to_json()
