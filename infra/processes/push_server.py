"""The push endpoint put together: beside the API under its port, or alone as `ibflow receive`."""

import threading
from collections.abc import Callable

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from api.openapi import describe
from api.operators import Operator
from infra.connect.broker_name import check_broker
from infra.connect.ports import listen, url_at
from infra.connect.server_thread import HttpThread
from infra.links.keys import click_keys
from infra.sources.profiles import profile_of
from ingest.publish.request_publisher import RequestPublisher
from ingest.push.app import PREFIX, Desk, create_push_app
from ingest.push.senders import HOW_TO_CONFIGURE, Sender, Senders
from ingest.terms.folder import load_terms
from schemas.errors import Unusable
from schemas.settings import Settings

WATCH_S = 0.5
KEEP_ALIVE_S = 75
"""Longer than a quiet bridge waits between two batches."""


class KeySenders(Senders):
    """Those of the file, and machines' keys with the right `ingest`: each of these pushes as a CRM does."""

    def __init__(self, senders: Senders, of_key: Callable[[str], Operator | None]) -> None:
        self._file, self._of_key = senders, of_key

    def of_token(self, token: str) -> Sender | None:
        """Whose token or key it is."""
        key = self._of_key(token)
        if key is not None and "ingest" in (key.rights or ()):
            return Sender(f"key {key.name}")
        return self._file.of_token(token)


def open_desk(
    settings: Settings, kafka: str, of_key: Callable[[str], Operator | None] = lambda _: None
) -> Desk | None:
    """The desk that takes pushes; None if nobody may push. Raise `Unusable` for settings that contradict."""
    if settings.bridges_file is None:
        return None
    if settings.terms_dir is None:
        raise Unusable(
            "IBFLOW_BRIDGES_FILE is set, but not IBFLOW_TERMS_DIR: the folder of terms whose broker.yaml "
            "has the clocks of the bridges' servers"
        )
    broker = load_terms(settings.terms_dir)
    check_broker(kafka, broker.name)
    profiles = {name: profile_of(server) for name, server in broker.servers.items()}
    senders = KeySenders(Senders.read(settings.bridges_file, profiles), of_key)
    return Desk(senders, RequestPublisher(kafka, click_keys=click_keys(settings)))


def with_push(api: FastAPI, desk: Desk) -> ASGIApp:
    """The API and the push endpoint under one port; each asks for tokens of its own."""
    push = create_push_app(desk)
    describe(api, push)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        is_push = scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/")
        await (push if is_push else api)(scope, receive, send)

    return front


def receive(settings: Settings, kafka: str, stop: threading.Event, on_ready: Callable[[str], None]) -> None:
    """Take pushes until `stop`; `on_ready` hears the address."""
    desk = open_desk(settings, kafka)
    if desk is None:
        raise Unusable(f"IBFLOW_BRIDGES_FILE is not set, so nobody may push. {HOW_TO_CONFIGURE}")
    try:
        app = create_push_app(desk)
        _add_health(app)
        listener = listen(settings.push_host, settings.push_port, "IBFLOW_PUSH_PORT")
        http = HttpThread(app, "push endpoint", keep_alive_s=KEEP_ALIVE_S)
        http.start(listener)
        on_ready(url_at(settings.push_host, listener.getsockname()[1]))
        while http.is_alive() and not stop.wait(WATCH_S):
            pass
        http.stop(within_s=None)
    finally:
        desk.close()


def _add_health(app: FastAPI) -> None:
    @app.get("/health", summary="Whether the process answers")
    async def health() -> dict[str, str]:
        return {"status": "ok"}
