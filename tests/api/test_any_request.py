"""Requests nobody thought of, made from the OpenAPI document: no 5xx, no answer that it does not tell.

As whoever reads and as whoever writes; `IBFLOW_FUZZ=random` for other requests than every time the same.
"""

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
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

from api.app import create_app
from api.ledger import Ledger
from schemas.settings import Settings
from tests.api.conftest import ENDLESS

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
EXAMPLES = int(os.environ.get("IBFLOW_REQUESTS", "6"))
"""Of each operation, kind and role; a release is worth more."""


DESKS = ("/v1/proposals", "/v1/payouts", "/v1/payees", "/v1/payee-keys", "/v1/endpoint-keys")
TOKENS = {"operator": "of-anna", "viewer": "of-vic"}


@pytest.fixture(params=list(TOKENS))
def described(request: pytest.FixtureRequest, ledger: Ledger, tmp_path: Path) -> Any:
    """The document as an operator and as a viewer gets it, and the app behind it."""
    people = "\n".join(
        f"  - {{name: {role}, role: {role}, token_sha256: {sha256(token.encode()).hexdigest()}}}"
        for role, token in TOKENS.items()
    )
    path = tmp_path / "operators.yaml"
    path.write_text(f"operators:\n{people}\n", encoding="utf-8")
    headers = {"Authorization": f"Bearer {TOKENS[request.param]}"}
    app = create_app(ledger, Settings(_env_file=None, operators_file=path))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=headers)
    schema.headers = headers
    return schema


@pytest.mark.parametrize("mode", GenerationMode)
def test_no_request_is_answered_otherwise_than_told(described: Any, mode: GenerationMode) -> None:
    """Valid and invalid ones. The desks are not there: their 503 is told, and the one allowed."""
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) > 25
    for operation in operations:
        if operation.path == ENDLESS:
            continue
        ask(operation, mode)


def ask(operation: Any, mode: GenerationMode) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def told(case: Any) -> None:
        answer = case.call()
        is_told = answer.status_code == 503 and operation.path.startswith(DESKS)
        case.validate_response(answer, checks=CHECKS[1:] if is_told else CHECKS)

    with suppress(Unsatisfiable):  # an operation without parameters has no invalid request
        told()
