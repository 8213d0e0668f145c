"""Endpoints, without what is secret of them."""

from datetime import datetime
from typing import Any

from pydantic import Field

from api.endpoints import Saved
from api.shapes.base import Amount, Shape
from commission.postbacks.records import Known


class EndpointRow(Shape):
    """Where events are sent, and how it stands."""

    id: str
    version: int
    state: str = Field(description="`active`, `paused`, `disabled` or `removed`.")
    reason: str = Field(description="Why it is in this state.")
    changed_by: str
    changed_at: datetime | None
    saved_by: str
    saved_at: datetime
    url: str = Field(description="Constants of the query are hidden: they may be tokens.")
    method: str
    preset: str
    events: tuple[str, ...]
    ibs: tuple[str, ...]
    subtrees: tuple[str, ...]
    countries: tuple[str, ...]
    min_payout: Amount | None
    since: datetime | None
    delay: int
    fields: tuple[str, ...]
    statuses: dict[str, str]
    reversal: str
    success: tuple[int, ...]
    must_match: str
    must_not_match: str
    timeout: float
    concurrency: int
    rate_per_minute: int
    ordered: bool
    trades: str
    sample: int
    signing: str
    allow_http: bool
    allow_private: bool
    owner: str = Field(description="The IB that made it for itself; empty: it is the broker's.")


class EndpointPage(Shape):
    """Endpoints in the order in which they were made."""

    items: list[EndpointRow]
    next_cursor: str | None


class EndpointSecret(EndpointRow):
    """An endpoint, and what its receiver verifies with."""

    public_key: str = Field(description="`whpk_…` of ed25519; empty of HMAC.")
    secret: str = Field(
        description="One that was made just now: told this once. Empty of one that was given."
    )


class OwnEndpointRow(Shape):
    """An endpoint of an IB's own, as the IB sees it."""

    id: str
    ib: str = Field(description="Whose it is.")
    version: int
    state: str = Field(description="`active`, `paused`, `disabled` or `removed`.")
    reason: str = Field(description="Why it is in this state.")
    saved_at: datetime
    url: str = Field(description="Constants of the query are hidden: they may be tokens.")
    method: str
    preset: str
    events: tuple[str, ...]
    own_only: bool = Field(description="Whether nothing of IBs below is sent.")
    levels: int = Field(description="How many levels below events are sent of.")
    signing: str
    trades: str = Field(description="How `trade.closed` comes: `each`, or one event a client and day.")


class OwnEndpointPage(Shape):
    """The endpoints of one IB, in the order in which they were made."""

    items: list[OwnEndpointRow]


class OwnEndpointSecret(OwnEndpointRow):
    """An endpoint, and what its receiver verifies with."""

    public_key: str = Field(description="`whpk_…` of ed25519; empty of HMAC.")
    secret: str = Field(description="One that was made just now: told this once.")


class Preview(Shape):
    """What would be sent, without tokens."""

    method: str
    url: str
    headers: dict[str, str]
    body: str


class Replayed(Shape):
    """How many events are sent again."""

    replayed: int


class Resealed(Shape):
    """What a change of the sealing key did."""

    resealed: int = Field(description="Endpoints that are under the newest key now.")
    left: int = Field(description="Endpoints still under an older one: ask again.")


def to_row(known: Known) -> EndpointRow:
    """An endpoint for everybody."""
    return EndpointRow(**_fields(known))


def to_secret(saved: Saved) -> EndpointSecret:
    """An endpoint for whoever made it."""
    return EndpointSecret(**_fields(saved.known), public_key=saved.public_key, secret=saved.secret)


def to_own(known: Known) -> OwnEndpointRow:
    """An endpoint for the IB whose it is: without who of the broker did what."""
    return OwnEndpointRow(**_own_fields(known))


def to_own_secret(saved: Saved) -> OwnEndpointSecret:
    """The same for whoever made it."""
    return OwnEndpointSecret(**_own_fields(saved.known), public_key=saved.public_key, secret=saved.secret)


def _own_fields(known: Known) -> dict[str, Any]:
    one, every = known.endpoint, _fields(known)
    told = {name: every[name] for name in OwnEndpointRow.model_fields if name in every}
    return told | {"ib": one.owner, "own_only": bool(one.ibs), "levels": one.levels}


def _fields(known: Known) -> dict[str, object]:
    one = known.endpoint
    return {
        "id": one.endpoint_id,
        "version": known.saved.version,
        "state": known.state,
        "reason": known.reason,
        "changed_by": known.changed_by,
        "changed_at": known.changed_at,
        "saved_by": known.saved.by,
        "saved_at": known.saved.at,
        "url": one.shown_url,
        "delay": one.delay_s,
        "success": one.ok_statuses,
        "timeout": one.timeout_ms / 1_000,
        "ordered": one.is_ordered,
        **{
            name: getattr(one, name)
            for name in EndpointRow.model_fields
            if name in type(one).__struct_fields__
        },
    }
