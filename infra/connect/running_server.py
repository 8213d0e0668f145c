"""The server that runs on this machine, if one does."""

import json
from pathlib import Path
from typing import Any

import httpx

from schemas.errors import Unavailable
from schemas.settings import Settings

STATE_FILE = "serve.json"
"""In the data folder: where the running server answers, for commands that need its database."""
START_SECONDS = 20.0


def running_url(settings: Settings) -> str | None:
    """Where the server that owns this data folder answers, if one runs."""
    try:
        state: dict[str, Any] = json.loads(_state_file(settings).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return str(state["url"])


def _state_file(settings: Settings) -> Path:
    return settings.data_dir / STATE_FILE


def live_url(settings: Settings) -> str | None:
    """Where the server that owns this data folder answers; None if it does not, its note left behind."""
    url = running_url(settings)
    if url is None:
        return None
    try:
        httpx.get(f"{url}/health", timeout=START_SECONDS)
    except httpx.ConnectError:
        return None  # it was killed; the database is free
    except httpx.HTTPError as error:
        raise Unavailable(f"the server at {url} does not answer: {error}") from None
    return url
