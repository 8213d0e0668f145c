"""What `ibflow payees` asks: the running server alone has the keys and the log."""

from collections.abc import Mapping
from typing import Any

from ibflow_client import models

from infra.connect.api_client import ask, every_item, running_api
from infra.fields_file import read_fields
from schemas.errors import Unusable
from schemas.settings import Settings

DOES = "keeps payee details"
MAX_BYTES = 16_384


def payees(settings: Settings) -> list[dict[str, Any]]:
    """What is valid and what waits, of every IB."""
    return every_item(settings, DOES, lambda api, size, after: api.get_payees(limit=size, cursor=after))


def history(settings: Settings, ib_id: str) -> list[dict[str, Any]]:
    """Every version of one IB's details."""
    items: list[dict[str, Any]] = ask(settings, DOES, lambda api: api.get_payee(ib_id))["items"]
    return items


def propose(settings: Settings, ib_id: str, details: Mapping[str, str], note: str) -> dict[str, Any]:
    """Propose details; the version."""
    wanted = models.Proposed(details=dict(details), note=note)
    made: dict[str, Any] = ask(settings, DOES, lambda api: api.post_payee(ib_id, wanted))
    return made


def approve(settings: Settings, ib_id: str, version: int) -> dict[str, Any]:
    """Approve a version; what became of it."""
    made: dict[str, Any] = ask(settings, DOES, lambda api: api.post_payee_version_approve(ib_id, version))
    return made


def reject(settings: Settings, ib_id: str, version: int, note: str) -> dict[str, Any]:
    """Reject a version; what became of it."""
    why = models.Rejection(note=note)
    made: dict[str, Any] = ask(settings, DOES, lambda api: api.post_payee_version_reject(ib_id, version, why))
    return made


def rotate(settings: Settings) -> int:
    """Seal everything with the newest key; how many versions were."""
    resealed = 0
    with running_api(settings, DOES) as api:
        while True:
            answer = api.post_payee_keys_rotate()
            resealed += answer.resealed
            if not answer.left:
                return resealed


def read_details(text: bytes, name: str) -> dict[str, str]:
    """The fields, each a text: a number would lose its first zeros; raise `Unusable`."""
    found = read_fields(text, name, "type: bank", MAX_BYTES)
    if numbers := [key for key, value in found.items() if not isinstance(value, str)]:
        raise Unusable(f"{name}: put {', '.join(numbers)} in quotes: a number loses its first zeros")
    return found
