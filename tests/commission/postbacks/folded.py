"""The postback book over records of a test."""

from typing import Any

from commission.books import postback
from commission.draft import Draft
from commission.outputs import Milestone
from commission.postbacks.records import Delivery, EndpointRecord
from commission.terms.catalog import Terms


def fold(*told: EndpointRecord | Milestone) -> list[Delivery]:
    """Fold records, each as a message of its own; the deliveries."""
    state: dict[str, Any] = {}
    found: list[Delivery] = []
    for record in told:
        draft = Draft.over(state)
        postback.apply(draft, record, Terms())
        state.update(draft.writes)
        found += draft.outputs
    return found
