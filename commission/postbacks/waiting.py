"""Deliveries that are to be sent: what a dispatcher keeps of each until it is delivered or given up."""

from datetime import datetime, timedelta

from commission.draft import Draft
from commission.postbacks.records import Delivery
from commission.terms.catalog import Terms
from commission.value import Value


class Waiting(Value):
    """A delivery, how often it was tried, and when it is due next."""

    delivery: Delivery
    attempts: int = 0
    due_at: datetime


class Failing(Value):
    """An endpoint has answered nothing but failures since."""

    since: datetime


KEYS: dict[str, type] = {"d": Waiting, "f": Failing}
"""The first letter of a state key tells its type."""


def waiting_key(delivery_id: str) -> str:
    """Where a delivery waits."""
    return f"d:{delivery_id}"


def failing_key(endpoint_id: str) -> str:
    """Where it is kept since when an endpoint fails."""
    return f"f:{endpoint_id}"


def keep(draft: Draft, delivery: Delivery, terms: Terms) -> None:
    """Take in a delivery: its delay counts from when the event was."""
    del terms
    due_at = delivery.event.occurred_at + timedelta(seconds=delivery.delay_s)
    draft.put(waiting_key(delivery.delivery_id), Waiting(delivery=delivery, due_at=due_at))
