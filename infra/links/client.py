"""What `ibflow links` asks: the running server alone has the log and the key."""

from typing import Any
from urllib.parse import quote

from infra.connect.ledger_at import find_server
from schemas.errors import Unusable
from schemas.settings import Settings

SECONDS = 60.0


def ask(settings: Settings, method: str, path: str, **options: Any) -> Any:
    """What the server answers under `/v1/links`."""
    return _answer(settings, method, path, **options).json()


def image(code: str, kind: str) -> bytes:
    """A link's QR code."""
    found: bytes = _answer(Settings(), "GET", path_of(code, "/qr"), params={"format": kind}).content
    return found


def path_of(code: str, rest: str = "") -> str:
    """The path of one link."""
    return f"/{quote(code, safe='')}{rest}"


def _answer(settings: Settings, method: str, path: str, **options: Any) -> Any:
    server = find_server(settings)
    if server is None:
        raise Unusable("only a running server keeps links: start `ibflow serve` first")
    with server.open(SECONDS) as http:
        return server.check(http.request(method, f"/v1/links{path}", **options))
