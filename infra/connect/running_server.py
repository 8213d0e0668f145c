"""The server that runs on this machine, if one does: the owner of the embedded database."""

import json
from pathlib import Path
from typing import Any

import httpx

from schemas.errors import Unavailable
from schemas.settings import Settings

STATE_FILE = "serve.json"
"""In the data folder: where the running server answers, for commands that need its database."""
ANSWER_SECONDS = 30.0


def running_url(settings: Settings) -> str | None:
    """Where the server that owns this data folder answers; None if none runs.

    Raise `Unavailable` if one runs and does not answer: the database is its own, and nobody else may open it.
    """
    try:
        state: dict[str, Any] = json.loads(_state_file(settings).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    url = str(state["url"])
    try:
        httpx.get(f"{url}/health", timeout=ANSWER_SECONDS)
    except httpx.ConnectError:
        return None  # it was killed and left its note behind; the database is free
    except httpx.HTTPError as error:
        raise Unavailable(f"the server at {url} does not answer: {error}") from None
    return url


def note_running(settings: Settings, url: str) -> None:
    """Leave a note of where this process answers."""
    _state_file(settings).write_text(json.dumps({"url": url}), encoding="utf-8")


def note_stopped(settings: Settings) -> None:
    """Take the note away."""
    _state_file(settings).unlink(missing_ok=True)


def _state_file(settings: Settings) -> Path:
    return settings.data_dir / STATE_FILE
