"""Payee details through the API: masked, by two people, page by page."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from infra.connect.sealing import new_key
from infra.payees.desk import PayeeDesk
from infra.payees.sealing import PayeeKeys
from schemas.settings import Settings
from tests.api.conftest import Browser
from tests.memory_logs import MemoryLog

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
BANK = {"type": "bank", "holder": "Jane Doe", "iban": "DE89370400440532013000"}
TOKENS = {"anna": "operator", "ben": "operator", "vic": "viewer"}


class Api:
    """The API over the hand-written ledger, with a desk over a log in memory."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        people = (
            f"  - {{name: {name}, role: {role}, token_sha256: {sha256(name.encode()).hexdigest()}}}"
            for name, role in TOKENS.items()
        )
        path = folder / "operators.yaml"
        path.write_text("\n".join(["operators:", *people, ""]), encoding="utf-8")
        keys = PayeeKeys.from_text(new_key())
        desk = PayeeDesk(MemoryLog([]), lambda: keys, lambda: NOON)
        settings = Settings(_env_file=None, operators_file=path)
        self.http = Browser(create_app(ledger, settings, desks=Desks(payees=desk)))

    def ask(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status, and the answer's items or the whole of it."""
        headers = {"Authorization": f"Bearer {who}"}
        if method == "GET":
            answer = self.http.get(f"/v1{path}", headers=headers)
        else:
            answer = self.http.post(f"/v1{path}", headers=headers, json=body or {})
        return answer.status_code, answer.json()

    def propose(self, who: str, ib_id: str, **changed: str) -> tuple[int, Any]:
        """The details of `BANK`, or others."""
        return self.ask(who, "POST", f"/payees/{ib_id}", {"details": {**BANK, **changed}})


@pytest.fixture
def api(ledger: Ledger, tmp_path: Path) -> Api:
    """IBs M, A and B."""
    return Api(ledger, tmp_path)


def test_one_proposes_and_another_approves(api: Api) -> None:
    """The answers say who and when, and never the number."""
    status, made = api.propose("anna", "A")
    assert 201 == status
    assert {
        "ib_id": "A", "version": 1, "kind": "bank", "masked": "DE89 •••• 3000", "currency": "", "tax": "",
            "state": "proposed",
        "is_valid": False, "proposed_by": "anna", "proposed_at": "2026-10-05T12:00:00Z", "note": "",
        "decided_by": None, "decided_at": None, "rejection": "",
    } == made  # fmt: skip
    status, refused = api.ask("anna", "POST", "/payees/A/versions/1/approve")
    assert (409, "Anna proposed it; a second person approves it.") == (status, refused["detail"])
    status, valid = api.ask("ben", "POST", "/payees/A/versions/1/approve")
    assert (200, True, "ben") == (status, valid["is_valid"], valid["decided_by"])


def test_who_may_and_what_is_there(api: Api) -> None:
    """A viewer sees and does not propose; an IB or a version that is not there is 404."""
    assert 403 == api.propose("vic", "A")[0]
    assert 404 == api.propose("anna", "Z")[0]
    assert 404 == api.ask("anna", "POST", "/payees/A/versions/1/reject", {"note": ""})[0]
    assert (200, {"items": [], "next_cursor": None}) == api.ask("vic", "GET", "/payees/A")
    assert (200, {"items": [], "next_cursor": None}) == api.ask("vic", "GET", "/payees")
    assert 401 == api.ask("nobody", "GET", "/payees")[0]


@pytest.mark.parametrize(
    "changed",
    [
        {"iban": "DE89370400440532013001"},
        {"iban": "9" * 141},
        {"type": "9" * 30},
        {"9" * 31: "x"},
        {"9" * 31: "x" * 141},
    ],
)
def test_a_fault_is_said_without_the_number(api: Api, changed: dict[str, str]) -> None:
    """Whichever check finds it."""
    status, problem = api.propose("anna", "A", **changed)
    assert 422 == status
    assert not any(text in str(problem) for text in ("99999999", "37040044"))


def test_a_number_in_the_place_of_a_name_is_not_repeated(api: Api) -> None:
    """Whatever is wrong beside it."""
    status, problem = api.ask("anna", "POST", "/payees/A", {"details": {"9" * 31: 7}})
    assert (422, False) == (status, "99999999" in str(problem))


def test_pages_have_what_is_valid_and_what_waits(api: Api) -> None:
    """By IB: A's valid version and the one that waits, not the rejected one; B's on the next page."""
    for ib_id in "BA":
        api.propose("anna", ib_id)
        api.ask("ben", "POST", f"/payees/{ib_id}/versions/1/approve")
    api.propose("anna", "A", holder="Jane Roe")
    api.ask("ben", "POST", "/payees/A/versions/2/reject", {"note": "who?"})
    api.propose("anna", "A", holder="Jane Poe")
    _, first = api.ask("vic", "GET", "/payees?limit=1")
    _, second = api.ask("vic", "GET", f"/payees?limit=1&cursor={first['next_cursor']}")
    assert [("A", 1), ("A", 3)] == [(one["ib_id"], one["version"]) for one in first["items"]]
    assert [("B", 1)] == [(one["ib_id"], one["version"]) for one in second["items"]]
    assert second["next_cursor"] is None
    _, every = api.ask("vic", "GET", "/payees/A")
    assert ["approved", "rejected", "proposed"] == [one["state"] for one in every["items"]]
    assert "who?" == every["items"][1]["rejection"]


def test_a_rotation_says_how_far_it_is(api: Api) -> None:
    """Everything is under the newest key."""
    api.propose("anna", "A")
    assert (200, {"resealed": 0, "left": 0}) == api.ask("anna", "POST", "/payee-keys/rotate")
    assert 403 == api.ask("vic", "POST", "/payee-keys/rotate")[0]
