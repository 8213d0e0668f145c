"""What people decide about endpoints, and what becomes of an event: records behind the books."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, field
from msgspec.structs import replace

from commission.outputs import Announcement, Milestone
from commission.value import TaggedValue, Text, Time, Value

MAX_ENDPOINTS = 500
"""Each event is laid beside every endpoint."""
MAX_OWN = 5
"""Of one IB."""
MAX_OWNED = 300
"""Of all IBs together: the rest of the endpoints is the broker's, whatever IBs make."""
MAX_DELAY_S = 30 * 86_400
MAX_CONCURRENCY = 64

Sealed = Annotated[str, Meta(max_length=16_384)]
Version = Annotated[int, Meta(ge=1, le=1_000_000)]
Words = Annotated[tuple[Text, ...], Meta(max_length=200)]
State = Literal["active", "paused", "disabled", "removed"]
"""`paused` keeps what comes meanwhile; `disabled` (a 410, days of failures, a person) takes nothing new."""
Reversal = Literal["same", "event", "none"]
"""How a network hears that a conversion is void: the same txid with another status, an event of its own
with a negative payout, or not at all."""


class Endpoint(Value):
    """Where events are sent, without what is secret of it: that is sealed beside it."""

    endpoint_id: Text
    method: Literal["GET", "POST"] = "POST"
    shown_url: Annotated[str, Meta(max_length=4_096)] = ""
    """The URL without the constants of its query, which may be tokens."""
    preset: Text = ""
    events: Words = ()
    ibs: Words = ()
    subtrees: Words = ()
    """IBs with all below them."""
    countries: Words = ()
    min_payout: Decimal | None = None
    since: Time | None = None
    delay_s: Annotated[int, Meta(ge=0, le=MAX_DELAY_S)] = 0
    fields: Words = ()
    """Of a POST, and the macros of a GET that may be filled; () is all that are not personal."""
    statuses: dict[Text, Text] = field(default_factory=dict)
    """Event → what the network calls the status of such a conversion."""
    reversal: Reversal = "event"
    ok_statuses: Annotated[tuple[int, ...], Meta(max_length=50)] = ()
    """() is any 2xx."""
    must_match: Text = ""
    must_not_match: Text = ""
    timeout_ms: Annotated[int, Meta(ge=100, le=15_000)] = 15_000
    concurrency: Annotated[int, Meta(ge=1, le=MAX_CONCURRENCY)] = 8
    rate_per_minute: Annotated[int, Meta(ge=0, le=600_000)] = 0
    """0 is no limit."""
    is_ordered: bool = False
    """A client's events wait for each other."""
    trades: Literal["each", "sampled", "daily"] = "each"
    """How `trade.closed` comes: each, some by a hash of the deal's key, or one event a client and day."""
    sample: Annotated[int, Meta(ge=2, le=1_000_000)] = 100
    """Of as many closed trades one is sent, where they are sampled."""
    signing: Literal["hmac", "ed25519"] = "hmac"
    allow_http: bool = False
    allow_private: bool = False
    owner: Text = ""
    """The IB whose own it is, for ever: it hears of its sub-tree alone. "" of the broker's."""
    levels: Annotated[int, Meta(ge=0, le=10_000)] = 0
    """How many levels below its owner it hears of."""

    @property
    def is_for_some_ibs(self) -> bool:
        """Whether it is for the clients of some IBs only."""
        return bool(self.ibs or self.subtrees)


class EndpointSaved(TaggedValue, tag="endpoint_saved"):
    """A new endpoint, or another version of one; it counts if nobody wrote a version in between."""

    endpoint: Endpoint
    version: Version
    sealed: Sealed
    by: Text
    at: Time


class EndpointStateSet(TaggedValue, tag="endpoint_state_set"):
    """An endpoint is paused, resumed, disabled or removed, as it stood in `version`."""

    endpoint_id: Text
    version: Version
    state: State
    reason: Text
    by: Text
    at: Time


class DayEnded(TaggedValue, tag="day_ended"):
    """Time as a record: what closed trades of the day, and of days before, wait for it are sent."""

    day: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    """In UTC."""
    at: Time


Decision = EndpointSaved | EndpointStateSet
"""What people decide about one endpoint."""
EndpointRecord = Decision | DayEnded


class Delivery(TaggedValue, tag="delivery"):
    """An event that is due at an endpoint: made once for both."""

    delivery_id: Text
    endpoint_id: Text
    event: Milestone | Announcement
    sequence: int
    """Of the client's events, or of the IB's where no client is concerned: they count up from 1."""
    txid: Text
    """By what the network knows the conversion."""
    status: Text = ""
    delay_s: int = 0
    replay: Text = ""
    """Who asked for it again, and when; "" of the first."""


class Known(Value):
    """An endpoint as it stands."""

    saved: EndpointSaved
    state: State = "active"
    reason: Text = ""
    changed_by: Text = ""
    changed_at: Time | None = None
    created_at: datetime

    @property
    def endpoint(self) -> Endpoint:
        """What was saved last."""
        return self.saved.endpoint


class Refusal(Value):
    """A record that counts for nothing, and why."""

    why: str


def after(known: Known | None, record: Decision, count: int = 0) -> Known | Refusal:
    """The endpoint after a record of it, or why that counts for nothing; `count` endpoints stand."""
    if isinstance(record, EndpointSaved):
        return _saved(known, record, count)
    if known is None:
        return Refusal(why=f"there is no endpoint {record.endpoint_id}")
    if known.saved.version != record.version:
        return Refusal(why=f"{record.endpoint_id} is at version {known.saved.version} by now")
    if known.state == "removed":
        return Refusal(why=f"{record.endpoint_id} was removed")
    if known.state == record.state:
        return Refusal(why=f"{record.endpoint_id} is {record.state} already")
    return replace(
        known, state=record.state, reason=record.reason, changed_by=record.by, changed_at=record.at
    )


def _saved(known: Known | None, record: EndpointSaved, count: int) -> Known | Refusal:
    version = known.saved.version if known is not None else 0
    if record.version != version + 1:
        return Refusal(why=f"the next version is {version + 1}, not {record.version}; somebody was faster")
    if known is not None and known.endpoint.owner != record.endpoint.owner:
        return Refusal(why=f"whose {known.endpoint.endpoint_id} is stays as it is")
    if (known is None or known.state == "removed") and count >= MAX_ENDPOINTS:
        return Refusal(why=f"there are {MAX_ENDPOINTS} endpoints; remove one first")
    if known is None or known.state == "removed":
        return Known(saved=record, created_at=record.at)
    return replace(known, saved=record)
