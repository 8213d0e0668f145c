"""People, sessions, keys and the audit log as JSON; no answer but the one that makes it has a secret."""

from datetime import datetime

from pydantic import Field

from api.shapes.base import Shape
from schemas.people import MAX_NAME, NAME, KeyRight, Role


class Who(Shape):
    """Whoever asks."""

    name: str
    role: Role | None = Field(description="Of a person; null: a token, a key, or this machine.")
    ibs: list[str] | None = Field(description="The IBs whose sub-trees are seen; null: everything.")
    endpoints: list[str]
    csrf: str = Field(description="What a page sends as `X-CSRF-Token`; empty without a session.")


class PersonShown(Shape):
    """Somebody who signs in."""

    name: str
    role: Role
    ibs: list[str] | None
    endpoints: list[str]
    state: str = Field(description="`active`, `invited` (no password yet) or `disabled`.")
    has_second_factor: bool
    added_at: datetime
    seen_at: datetime | None = Field(description="When they last signed in.")


class PersonList(Shape):
    """Everybody."""

    items: list[PersonShown]
    next_cursor: str | None


class Invited(Shape):
    """What is told once: the code by which somebody sets a password, within 72 hours."""

    name: str
    code: str


class SessionShown(Shape):
    """A browser that is signed in."""

    session: str = Field(description="What ends it; it signs nobody in.")
    name: str
    at: datetime
    until: datetime
    peer: str
    agent: str
    is_this: bool


class SessionList(Shape):
    """Sessions that stand, newest first."""

    items: list[SessionShown]
    next_cursor: str | None


class KeyShown(Shape):
    """A machine's key."""

    key_id: str
    name: str
    rights: list[KeyRight]
    ibs: list[str] | None
    state: str = Field(description="`active`, `expired` or `revoked`.")
    created_by: str
    created_at: datetime
    until: datetime
    old_until: datetime | None = Field(description="Until when the secret before the last rotation counts.")
    used_at: datetime | None = Field(description="To the hour.")


class KeyList(Shape):
    """Every key there was, newest first."""

    items: list[KeyShown]
    next_cursor: str | None


class KeySecret(Shape):
    """What is told once."""

    key_id: str
    secret: str


class AuditShown(Shape):
    """An entry of the audit log."""

    number: int
    at: datetime
    by: str
    what: str
    on: str
    detail: str
    peer: str
    previous: str = Field(description="The hash of the entry before.")


class AuditPage(Shape):
    """Entries, newest first; older ones than the newest 20,000 are in the log alone."""

    items: list[AuditShown]
    next_cursor: str | None


class AccessGiven(Shape):
    """A role, and for a manager, an IB or a network whose."""

    role: Role
    ibs: list[str] | None = Field(None, max_length=1_000)
    endpoints: list[str] = Field([], max_length=1_000)


class PersonGiven(AccessGiven):
    """Somebody to add."""

    name: str = Field(pattern=NAME, max_length=MAX_NAME)


class KeyGiven(Shape):
    """A key to make."""

    name: str = Field(pattern=NAME, max_length=MAX_NAME)
    rights: list[KeyRight] = Field(min_length=1, max_length=3)
    days: int = Field(90, ge=1, le=730)
    ibs: list[str] | None = Field(None, max_length=1_000, description="Read these sub-trees alone.")


class Rotation(Shape):
    """How long the new secret counts, and the old one beside it."""

    days: int = Field(90, ge=1, le=730)
    overlap_hours: int = Field(24, ge=0, le=720)
