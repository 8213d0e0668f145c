"""What `ibflow payees` asks: the running server alone has the keys and the log."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from infra.connect.ledger_at import ask_running
from infra.fields_file import read_fields
from schemas.errors import Unusable
from schemas.settings import Settings

PAGE_ITEMS = 1_000
MAX_BYTES = 16_384


def payees(settings: Settings) -> list[dict[str, Any]]:
    """What is valid and what waits, of every IB."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = _ask(settings, "GET", "/v1/payees", params={"limit": PAGE_ITEMS, "cursor": cursor})
        items += page["items"]
        cursor = page["next_cursor"] or ""
        if not cursor:
            return items


def history(settings: Settings, ib_id: str) -> list[dict[str, Any]]:
    """Every version of one IB's details."""
    items: list[dict[str, Any]] = _ask(settings, "GET", _path(ib_id))["items"]
    return items


def propose(settings: Settings, ib_id: str, details: Mapping[str, str], note: str) -> dict[str, Any]:
    """Propose details; the version."""
    made: dict[str, Any] = _ask(settings, "POST", _path(ib_id), json={"details": dict(details), "note": note})
    return made


def decide(settings: Settings, ib_id: str, version: int, verb: str, note: str = "") -> dict[str, Any]:
    """Approve or reject a version; what became of it."""
    body = {"note": note} if verb == "reject" else {}
    made: dict[str, Any] = _ask(settings, "POST", f"{_path(ib_id)}/versions/{version}/{verb}", json=body)
    return made


def rotate(settings: Settings) -> int:
    """Seal everything with the newest key; how many versions were."""
    resealed = 0
    while True:
        answer: dict[str, int] = _ask(settings, "POST", "/v1/payee-keys/rotate", json={})
        resealed += answer["resealed"]
        if not answer["left"]:
            return resealed


def read_details(text: bytes, name: str) -> dict[str, str]:
    """The fields, each a text: a number would lose its first zeros; raise `Unusable`."""
    found = read_fields(text, name, "type: bank", MAX_BYTES)
    if numbers := [key for key, value in found.items() if not isinstance(value, str)]:
        raise Unusable(f"{name}: put {', '.join(numbers)} in quotes: a number loses its first zeros")
    return found


def _path(ib_id: str) -> str:
    return f"/v1/payees/{quote(ib_id, safe='')}"


def _ask(settings: Settings, method: str, path: str, **options: Any) -> Any:
    return ask_running(settings, "keeps payee details", method, path, **options)
