"""Requests nobody thought of, made from the OpenAPI document, as somebody signed in."""

from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.caller_limits import Rates
from api.ledger import Ledger
from api.people import Wanted
from tests.api.conftest import ENDLESS
from tests.api.people_world import ORIGIN, World
from tests.effort import tries

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
EXAMPLES = tries(1)
"""Of each operation, kind and role."""
SOAK_EXAMPLES = 60
KEY = "a key"
NOT_HERE = "not_in_this_process"


def described(name: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The document as somebody of `ROLES` gets it, or a machine's key, and the app behind it."""
    monkeypatch.setattr("api.gate.Rates", lambda: Rates(10**9))  # these are more than anybody asks
    world = World(ledger, monkeypatch)
    if name == KEY:
        wanted = Wanted("robot", ("read", "payouts"), 30)
        headers = {"Authorization": f"Bearer {world.desk.create_key(wanted, 'anna')[1]}"}
    else:
        visitor = world.signed_in(name)
        me = visitor.ask("GET", "/v1/me", {"Accept": "application/json"}).json()
        cookie = "; ".join(f"{one}={value}" for one, value in visitor.cookies.items())
        headers = {"Cookie": cookie, "Origin": ORIGIN, "X-CSRF-Token": me["csrf"]}
    headers["Host"] = "127.0.0.1:8080"
    # Who may not read the document is shown it by whom may: the routes are the same.
    schema = schemathesis.openapi.from_dict(world.app.openapi())
    schema.app = world.app
    schema.headers = headers
    return schema


def ask_everything(schema: Any, mode: GenerationMode, examples: int = EXAMPLES) -> None:
    """Send requests to every operation, valid or invalid ones; each answer is one that is told."""
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 70
    for operation in operations:
        if operation.path != ENDLESS:
            _ask(operation, mode, examples)


def _ask(operation: Any, mode: GenerationMode, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def told(case: Any) -> None:
        answer = case.call()
        is_told = answer.status_code == 503 and answer.json()["code"] == NOT_HERE
        case.validate_response(answer, checks=CHECKS[1:] if is_told else CHECKS)

    with suppress(Unsatisfiable):  # an operation without parameters has no invalid request
        told()
