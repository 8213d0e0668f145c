"""What tests of tracking links share: links, clicks on them, registrations that carry their ids."""

from datetime import UTC, datetime, timedelta
from typing import Any

from api.link_desk import KnownLink
from commission.events import ClientRegistered
from commission.links.click_id import is_genuine, make
from commission.links.records import LinkSaved
from infra.links.log import LinkLog
from tests.build import at, registered
from tests.endpoint_world import MemoryLog

KEY = b"0123456789abcdef0123456789abcdef"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def link(code: str, ib_id: str, **fields: Any) -> LinkSaved:
    """A link of the first day, whose clicks count for 30 days."""
    values: dict[str, Any] = {"version": 1, "landing": "https://broker.test/open", "by": "olga", "at": at(1)}
    return LinkSaved(code=code, ib_id=ib_id, **(values | fields))


def click(code: str, *, day: int, hour: int = 0, is_bot: bool = False, number: int = 0) -> str:
    """The id of a click on a link."""
    at_ms = (at(day, hour) - _EPOCH) // timedelta(milliseconds=1)
    return make(at_ms, number.to_bytes(10), code, KEY, is_bot=is_bot)


def came(text: str, *click_ids: str, day: int, **fields: Any) -> ClientRegistered:
    """`came("anna ib-north", click, day=5)`: a registration as it enters the books."""
    genuine = tuple(click_id for click_id in click_ids if is_genuine(click_id, (KEY,)))
    return registered(text, day=day, click_ids=click_ids, genuine_clicks=genuine, **fields)


def known(saved: LinkSaved) -> KnownLink:
    """A link as it stands."""
    return KnownLink(saved, saved.by, saved.at, saved.version)


def memory_log(messages: list[bytes] | None = None) -> LinkLog:
    """A log of links in memory, whose books hear of everything."""
    return LinkLog(MemoryLog([] if messages is None else messages), lambda _: None)
