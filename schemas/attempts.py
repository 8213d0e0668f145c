"""Attempts: each try to deliver an event to an endpoint, as the database keeps them."""

from typing import Literal

from commission.value import TaggedValue, Text, Time

MAX_REQUEST = 500
MAX_ANSWER = 200
"""Characters that are kept of a request's line and of an answer."""

Outcome = Literal["delivered", "retry", "failed", "disabled"]


class Attempt(TaggedValue, tag="attempt"):
    """One try. Secrets, and what a receiver echoes of them, are cut out of its texts."""

    milestone_id: Text
    endpoint: Text
    attempt: int
    attempted_at: Time
    outcome: Outcome
    http_status: int | None = None
    error: Text = ""
    """Why it failed, with the beginning of the answer."""
    duration_ms: int = 0
    next_attempt_at: Time | None = None
    replay: Text = ""
    """Who asked for the event again; "" of the first delivery."""
    delivery_id: Text = ""
    request: Text = ""
    """Method and address with its path and query."""
    answer: Text = ""
