"""Rejections, dead letters and what became of them, clients' events."""

from datetime import datetime

from pydantic import Field

from api.shapes.base import Amount, Shape


class RejectionRow(Shape):
    """A deal that pays nothing, or nothing yet, and why."""

    deal_key: str
    revision: str
    status: str
    code: str
    text: str
    account_key: str
    client_id: str
    occurred_at: datetime


class RejectionPage(Shape):
    """Rejections, newest first."""

    items: list[RejectionRow]
    next_cursor: str | None


class DeadLetterRow(Shape):
    """Input that could not be used, where it was and what to do about it."""

    dead_letter_id: str
    source: str
    position: str
    code: str
    reason: str
    payload: str
    received_at: datetime
    state: str
    """`open`, or the newest decision about it."""


class ClientEventRow(Shape):
    """One thing the CRM reported of a client; what its type does not have is empty or null."""

    client_id: str
    type: str
    event_id: str
    occurred_at: datetime
    deposit_id: str
    status: str
    amount: Amount | None
    currency: str
    reason: str
    verdict: str
    ib_id: str | None
    jurisdiction: str
    expires_at: datetime | None
    source: str


class ClientEventPage(Shape):
    """What the CRM reported of clients, newest first."""

    items: list[ClientEventRow]
    next_cursor: str | None


class DeadLetterCount(Shape):
    """How often one thing was wrong."""

    code: str
    letters: int
    oldest: datetime
    newest: datetime


class LetterDecision(Shape):
    """Who did what about a dead letter."""

    action: str
    by: str
    at: datetime
    note: str
    payload_base64: str
    became: list[str]


class FullDeadLetter(Shape):
    """A dead letter with its bytes and what became of it."""

    dead_letter_id: str
    source: str
    position: str
    code: str
    reason: str
    payload_base64: str
    payload_bytes: int
    server: str
    header: str
    is_blanked: bool
    received_at: datetime
    decisions: list[LetterDecision]


class DeadLetterPage(Shape):
    """Dead letters, newest first."""

    items: list[DeadLetterRow]
    next_cursor: str | None


class AttemptRow(Shape):
    """One try to deliver a milestone to an endpoint."""

    milestone_id: str
    endpoint: str
    attempt: int
    attempted_at: datetime
    outcome: str
    http_status: int | None
    error: str
    duration_ms: int
    next_attempt_at: datetime | None
    replay: str = Field(description="Who asked for the event again, and when; empty: nobody.")
    delivery_id: str
    request: str = Field(description="Method and address, without tokens.")
    answer: str = Field(description="The beginning of what came back.")


class AttemptPage(Shape):
    """Postback attempts, newest first."""

    items: list[AttemptRow]
    next_cursor: str | None
