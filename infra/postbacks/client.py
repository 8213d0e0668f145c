"""What `ibflow endpoints` reads and asks: the running server alone has the log and the keys."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ibflow_client import Client

from infra.connect.api_client import ask, running_api
from infra.fields_file import read_bytes, read_fields
from schemas.settings import Settings

DOES = "keeps endpoints"
MAX_BYTES = 64_000


def ask_endpoints(question: Callable[[Client], object]) -> Any:
    """What the running server answers, as its JSON has it."""
    return ask(Settings(), DOES, question)


def reseal(settings: Settings) -> int:
    """Seal everything with the newest key; how many endpoints were."""
    resealed = 0
    with running_api(settings, DOES) as api:
        while True:
            answer = api.post_endpoint_keys_rotate()
            resealed += answer.resealed
            if not answer.left:
                return resealed


def read_form(path: Path) -> dict[str, Any]:
    """The fields of an endpoint in YAML or JSON; times as text. Raise `Unusable`."""
    found = read_fields(read_bytes(path, MAX_BYTES), str(path), "id: tracker", MAX_BYTES)
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in found.items()
    }
