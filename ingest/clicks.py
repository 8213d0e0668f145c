"""Which click ids of a registration are genuine: looked at where it enters, for only there is the key."""

from collections.abc import Sequence

from msgspec.structs import replace

from commission.events import ClientRegistered
from commission.links.click_id import is_genuine
from ingest.source_items import Event


def with_genuine_clicks(event: Event, keys: Sequence[bytes]) -> Event:
    """The event with its genuine click ids; what a sender itself says of them counts for nothing.

    Without keys no click is genuine.
    """
    if not isinstance(event, ClientRegistered) or not (event.click_ids or event.genuine_clicks):
        return event
    found = [click_id for click_id in dict.fromkeys(event.click_ids) if is_genuine(click_id, keys)]
    return replace(event, genuine_clicks=tuple(found))
