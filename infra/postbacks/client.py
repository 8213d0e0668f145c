"""What `ibflow endpoints` asks: the running server alone has the log and the keys."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from infra.connect.ledger_at import ask_running
from infra.fields_file import read_bytes, read_fields
from schemas.settings import Settings

MAX_BYTES = 64_000


def ask(settings: Settings, method: str, path: str, **options: Any) -> Any:
    """What the server answers under `/v1/endpoints`."""
    return ask_running(settings, "keeps endpoints", method, f"/v1/endpoints{path}", **options)


def reseal(settings: Settings) -> int:
    """Seal everything with the newest key; how many endpoints were."""
    resealed = 0
    while True:
        answer: dict[str, int] = ask_running(
            settings, "keeps endpoints", "POST", "/v1/endpoint-keys/rotate", json={}
        )
        resealed += answer["resealed"]
        if not answer["left"]:
            return resealed


def path_of(endpoint_id: str, rest: str = "") -> str:
    """The path of one endpoint."""
    return f"/{quote(endpoint_id, safe='')}{rest}"


def read_form(path: Path) -> dict[str, Any]:
    """The fields of an endpoint in YAML or JSON; times as text. Raise `Unusable`."""
    found = read_fields(read_bytes(path, MAX_BYTES), str(path), "id: tracker", MAX_BYTES)
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in found.items()
    }
