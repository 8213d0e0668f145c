"""What `ibflow endpoints` asks: the running server alone has the log and the keys."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from infra.connect.ledger_at import find_server
from schemas.errors import Unusable
from schemas.settings import Settings

SECONDS = 120.0
MAX_BYTES = 64_000


def ask(settings: Settings, method: str, path: str, **options: Any) -> Any:
    """What the server answers under `/v1/endpoints`."""
    server = find_server(settings)
    if server is None:
        raise Unusable("only a running server keeps endpoints: start `ibflow serve` first")
    with server.open(SECONDS) as http:
        return server.check(http.request(method, f"/v1/endpoints{path}", **options)).json()


def path_of(endpoint_id: str, rest: str = "") -> str:
    """The path of one endpoint."""
    return f"/{quote(endpoint_id, safe='')}{rest}"


def read_form(path: Path) -> dict[str, Any]:
    """The fields of an endpoint in YAML or JSON; raise `Unusable`, in words that repeat nothing of it."""
    try:
        text = path.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None
    if len(text) > MAX_BYTES:
        raise Unusable(f"{path} is larger than {MAX_BYTES:,} bytes")
    try:
        found = YAML(typ="safe", pure=True).load(text.decode())
    except (YAMLError, UnicodeDecodeError) as error:
        raise Unusable(f"{path} is not YAML: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise Unusable(f"{path} has no fields such as `id: tracker`")
    return {
        str(name): value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in found.items()
    }
