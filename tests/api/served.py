"""An app behind a real socket, for browsers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket

import uvicorn
from fastapi import FastAPI


def at_some_port() -> socket:
    """A socket at a port that is free."""
    listener = socket()
    listener.bind(("127.0.0.1", 0))
    return listener


@contextmanager
def served(app: FastAPI, listener: socket | None = None) -> Iterator[str]:
    """Its address, while the block runs; that of a listener, where the app has to know it."""
    listener = listener or at_some_port()
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
