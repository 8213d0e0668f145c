"""Any request of each role, and of a machine: no 5xx, no answer that the OpenAPI document does not tell.

`IBFLOW_FUZZ=random` for other requests than every time the same, `IBFLOW_EFFORT=60` for more of them.
"""

import pytest
from schemathesis import GenerationMode

from api.ledger import Ledger
from tests.api.any_request import KEY, SOAK_EXAMPLES, ask_everything, described

NAMES = ("anna", "fred", "mary", "audrey", "max", "iris", "ned", KEY)
VALID, INVALID = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
BRIEFLY = [*((name, VALID) for name in NAMES), ("anna", INVALID)]
"""Invalid ones are refused before a role is looked at, and cost five times as much: one of them here."""


@pytest.mark.parametrize(("name", "mode"), BRIEFLY)
def test_no_request_is_answered_otherwise_than_told(
    name: str, mode: GenerationMode, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Valid and invalid ones. Of the desks only that of people is there: 503 of the others is told."""
    ask_everything(described(name, ledger, monkeypatch), mode)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("name", NAMES)
def test_nor_are_many(
    name: str, mode: GenerationMode, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with as many as an hour has time for."""
    ask_everything(described(name, ledger, monkeypatch), mode, SOAK_EXAMPLES)
