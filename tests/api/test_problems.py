"""Every problem has a code that stays, and a link to a place where it is told."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.ledger import Ledger
from api.problems import CODES
from schemas.errors import Unusable
from schemas.problems import GENERAL, KINDS, problem_body
from tests.api.conftest import Browser, browser
from tests.api.people_world import World

ROOT = Path(__file__).parent.parent.parent
ANSWERS = {"Problem", "problem_response", "Refused", "HTTPException"}


def raised() -> Iterator[tuple[str, int, str]]:
    """Where a problem is made, with which status and code, by the source alone."""
    for path in sorted([*(ROOT / "api").rglob("*.py"), *(ROOT / "ingest/push").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(getattr(node, "func", None), "id", "")
            if not isinstance(node, ast.Call) or name not in ANSWERS:
                continue
            if not isinstance(node.args[0], ast.Constant):
                continue
            code = [word.value for word in node.keywords if word.arg == "code"]
            assert all(isinstance(one, ast.Constant | ast.Name) for one in code), (path, node.lineno)
            if not code or isinstance(code[0], ast.Constant):
                yield f"{path.name}:{node.lineno}", node.args[0].value, code[0].value if code else ""


def test_every_problem_that_is_raised_is_of_a_kind_that_is_told() -> None:
    """Read in the source: a status that has a code, and a code that has this status."""
    found = list(raised())
    assert len(found) > 90
    for where, status, code in found:
        assert status in GENERAL, where
        assert KINDS[code or GENERAL[status]].status == status, where


def test_no_kind_is_told_that_is_never_raised() -> None:
    """A code is raised by name, by its status, or by what a desk refuses with."""
    used = {code or GENERAL[status] for _, status, code in raised()} | {*GENERAL.values()} | {*CODES.values()}
    used |= {"unknown_route"}  # of HTTPException, in `problems.py`
    assert used == KINDS.keys()


def test_a_status_and_its_general_code_agree() -> None:
    """Each status that the document tells has one, and no code has another status than its own."""
    for status, code in GENERAL.items():
        assert KINDS[code].status == status
    assert problem_body(418, "x")["code"] == "bad_request"
    assert problem_body(507, "x")["code"] == "internal_error"


def test_every_refusal_of_a_desk_has_a_code() -> None:
    """Of the classes of `api/` alone; settings that are wrong are no answer to anybody."""
    ours = {one for one in subclasses(Unusable) if one.__module__.startswith("api.")}
    of_settings = {"ExposureError", "OperatorsError", "EndpointsError"}
    assert {one.__name__ for one in ours} - of_settings == {one.__name__ for one in CODES}


def subclasses(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


ASKED: list[tuple[str, str, dict[str, Any], str]] = [
    ("GET", "/none", {}, "unknown_route"),
    ("POST", "/v1/statements", {"json": {}}, "method_not_allowed"),
    ("GET", "/v1/transfers?x=1", {}, "unknown_parameter"),
    ("GET", "/v1/transfers?ib=A&ib=B", {}, "repeated_parameter"),
    ("GET", "/v1/transfers?ib=%07", {}, "not_text"),
    ("GET", "/v1/transfers?limit=0", {}, "invalid_request"),
    ("GET", "/v1/transfers?cursor=zz", {}, "invalid_cursor"),
    ("GET", "/v1/transfers/none", {}, "unknown_transfer"),
    ("GET", "/v1/statements/none/export", {}, "unknown_statement"),
    ("GET", "/v1/reports/commissions?period=none", {}, "unknown_period"),
    ("GET", "/v1/reports/commissions?scope=none", {}, "unknown_ib"),
    ("GET", "/v1/dead-letters/none", {}, "unknown_dead_letter"),
    ("GET", "/v1/terms?plan=none", {}, "unknown_plan"),
    ("GET", "/v1/payouts", {}, "not_in_this_process"),
    ("GET", "/v1/me", {"headers": {"Ibflow-Version": "2020-01-01"}}, "unknown_version"),
    ("POST", "/v1/proposals", {"content": b"x", "headers": {"Content-Type": "text/plain"}},
     "unsupported_media_type"),
    ("POST", "/v1/proposals", {"content": b" " * 70_000, "headers": {"Content-Type": "application/json"}},
     "body_too_large"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "options", "code"), ASKED)
def test_a_problem_leads_to_where_its_code_is_told(
    http: Browser, method: str, path: str, options: dict[str, Any], code: str
) -> None:
    """The link of each is an anchor that the page has."""
    answer = http.get(path, **options) if method == "GET" else http.post(path, **options)
    problem = answer.json()
    assert (problem["code"], answer.status_code) == (code, KINDS[code].status), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["X-Frame-Options"] == "DENY"
    page, _, anchor = problem["type"].partition("#")
    assert anchor == code
    assert f'id="{anchor}"' in http.get(page).text


def test_the_page_has_every_code(http: Browser) -> None:
    """Each with its status, in the order of `KINDS`."""
    page = http.get("/docs/problems").text
    assert re.findall(r'<tr id="([a-z_]+)">', page) == list(KINDS)


def test_whoever_asks_without_a_right_is_told_by_code(ledger: Ledger) -> None:
    """No token, a wrong one, a header twice, a form of elsewhere."""
    guarded = browser(ledger, api_token="secret")  # noqa: S106
    assert guarded.get("/v1/me").json()["code"] == "unauthenticated"
    right = {"Authorization": "Bearer secret"}
    twice = [("Authorization", "Bearer secret"), ("Authorization", "Bearer other")]
    assert guarded.get("/v1/me", headers=twice).json()["code"] == "repeated_header"
    basic = {"Authorization": "Basic OnNlY3JldA==", "Content-Type": "application/json"}
    assert guarded.post("/v1/proposals", content=b"{}", headers=basic).json()["code"] == "bearer_needed"
    far = guarded.get("/v1/me", headers=right | {"Host": "elsewhere"})
    assert far.status_code == 200
    open_to_all = browser(ledger).get("/v1/me", headers={"X-Forwarded-For": "1.2.3.4"})
    assert open_to_all.json()["code"] == "not_local"


def test_roles_are_refused_by_code(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An IB asks for what is of the whole broker, an auditor changes something, a form has no token."""
    world = World(ledger, monkeypatch)
    plain = {"Accept": "application/json"}
    iris, audrey = world.signed_in("iris"), world.signed_in("audrey")
    assert iris.ask("GET", "/v1/dead-letters", plain).json()["code"] == "whole_broker_only"
    assert audrey.call("/v1/proposals", {}).json()["code"] == "forbidden"
    stolen = audrey.ask("POST", "/v1/proposals", plain | {"Origin": "https://evil.example"}, json={})
    assert stolen.json()["code"] == "not_from_this_session"
    assert world.signed_in("anna").call("/v1/users/none/disable", {}).json()["code"] == "unknown_person"
