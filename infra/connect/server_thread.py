"""An application served over HTTP by a thread of this process."""

import socket
import threading
import time

import uvicorn
from starlette.types import ASGIApp

from infra.connect.server_limits import BoundedHttp
from schemas.errors import Unavailable

START_SECONDS = 20.0
KEEP_ALIVE_S = 5


class HttpThread:
    """uvicorn in a thread, where it leaves signals alone: what it serves is closed after it, in order."""

    def __init__(
        self,
        app: ASGIApp,
        name: str,
        *,
        keep_alive_s: int = KEEP_ALIVE_S,
        http: type[BoundedHttp] = BoundedHttp,
    ) -> None:
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                app,
                http=http,
                ws="none",
                lifespan="on",
                # A proxy that nobody named could say that anybody asks from anywhere.
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=keep_alive_s,
                log_config=None,
                log_level="warning",
                access_log=False,
            )
        )
        self._name = name
        self._thread: threading.Thread | None = None

    def start(self, listener: socket.socket) -> None:
        """Serve on a socket that listens; return once it answers, raise `Unavailable` if it does not."""
        self._thread = threading.Thread(
            target=self._uvicorn.run, kwargs={"sockets": [listener]}, name=self._name, daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._uvicorn.started:
            if time.monotonic() > deadline or not self.is_alive():
                self.stop()
                raise Unavailable(f"the {self._name} did not start; the log above says why")
            time.sleep(0.02)

    def is_alive(self) -> bool:
        """Whether it serves."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, within_s: float | None = START_SECONDS) -> None:
        """Take no more requests and finish those under way, for as long as allowed."""
        self._uvicorn.should_exit = True
        if self._thread is not None:
            self._thread.join(within_s)
