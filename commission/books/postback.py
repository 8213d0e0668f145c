"""The postback book: what happened to clients, numbered, becomes deliveries for endpoints that want it."""

from commission.draft import Draft
from commission.ids import digest
from commission.outputs import Announcement, Milestone
from commission.postbacks import days
from commission.postbacks.records import (
    DayEnded,
    Decision,
    Delivery,
    Endpoint,
    EndpointRecord,
    EndpointSaved,
    EndpointStateSet,
    Known,
    Refusal,
    after,
)
from commission.postbacks.routing import may_follow, status_of, wants
from commission.terms.catalog import Terms
from commission.value import Value


class Registry(Value):
    """Every endpoint, as each partition heard of it."""

    endpoints: dict[str, Known] = {}  # noqa: RUF012 # msgspec gives each value its own


class Counter(Value):
    """How many events of one client there were."""

    last: int = 0


class Conversion(Value):
    """A conversion that a network was told of, and how it stands there."""

    status: str


KEYS: dict[str, type] = {"r": Registry, "s": Counter, "x": Conversion, "b": days.Batch}
"""The first letter of a state key tells its type."""
REGISTRY = "r"
OPEN = ("active", "paused")
"""States of an endpoint that takes new events."""


def apply(draft: Draft, record: EndpointRecord | Milestone, terms: Terms) -> None:
    """Fold one record; the order of the log alone says which endpoints an event meets."""
    del terms
    if isinstance(record, EndpointSaved | EndpointStateSet):
        _decide(draft, record)
    elif isinstance(record, DayEnded):
        _end_day(draft, record)
    else:
        _deliver(draft, record)


def delivery_id_of(endpoint_id: str, milestone_id: str, replay: str = "") -> str:
    """The id of an event's delivery to an endpoint."""
    return digest("delivery", endpoint_id, milestone_id, replay)


def standing(endpoints: dict[str, Known]) -> int:
    """How many were not removed."""
    return sum(known.state != "removed" for known in endpoints.values())


def _end_day(draft: Draft, record: DayEnded) -> None:
    """Send what waited for it to the endpoints that still take something."""
    registry: Registry = draft.get(REGISTRY) or Registry()
    for batch in days.take(draft, record.day):
        known = registry.endpoints.get(batch.endpoint)
        if known is not None and known.state in OPEN:
            event = days.event_of(batch, record.day)
            _send(draft, batch.endpoint, known.endpoint, event, _number(draft, event))


def _decide(draft: Draft, record: Decision) -> None:
    registry = draft.get(REGISTRY) or Registry()
    name = record.endpoint.endpoint_id if isinstance(record, EndpointSaved) else record.endpoint_id
    found = after(registry.endpoints.get(name), record, standing(registry.endpoints))
    if not isinstance(found, Refusal):
        draft.put(REGISTRY, Registry(endpoints={**registry.endpoints, name: found}))


def _deliver(draft: Draft, event: Milestone) -> None:
    sequence = _number(draft, event)
    registry: Registry = draft.get(REGISTRY) or Registry()
    for name, known in registry.endpoints.items():
        if known.state not in OPEN or not wants(known.endpoint, event):
            continue
        if isinstance(event, Announcement) and event.trades and known.endpoint.trades == "daily":
            days.add(draft, name, event)
        else:
            _send(draft, name, known.endpoint, event, sequence)


def _number(draft: Draft, event: Milestone) -> int:
    """The next number of the client's events, or of the IB's where no client is concerned."""
    owner = f"s:c:{event.client_id}" if event.client_id else f"s:i:{event.ib_id}"
    counter = draft.get(owner) or Counter()
    draft.put(owner, Counter(last=counter.last + 1))
    return int(counter.last) + 1


def _send(draft: Draft, name: str, endpoint: Endpoint, event: Milestone, sequence: int) -> None:
    """Make the delivery, unless the network cannot take it: a reversal has a conversion before it, once."""
    status, txid = status_of(endpoint, event.kind), event.milestone_id
    if event.takes_back and event.kind == "cpa.clawback":
        place = f"x:{event.client_id}:{event.takes_back}:{name}"
        told: Conversion | None = draft.get(place)
        if told is None or endpoint.reversal == "none" or not may_follow(endpoint, told.status, status):
            return
        draft.put(place, Conversion(status=status))
        txid = event.takes_back if endpoint.reversal == "same" else txid
    elif event.kind == "cpa.qualified":
        draft.put(f"x:{event.client_id}:{event.milestone_id}:{name}", Conversion(status=status))
    draft.emit(
        Delivery(
            delivery_id=delivery_id_of(name, event.milestone_id),
            endpoint_id=name,
            event=event,
            sequence=sequence,
            txid=txid,
            status=status,
            delay_s=endpoint.delay_s,
        )
    )
