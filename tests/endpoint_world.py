"""What tests of endpoints share: a log in memory, forms, deliveries, people."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from api.operators import Operator
from api.postbacks.form import EndpointForm
from commission.books.postback import delivery_id_of
from commission.outputs import Milestone
from commission.postbacks.records import Delivery
from infra.connect.sealing import SealingKeys, new_key
from infra.postbacks.log import EndpointLog
from infra.postbacks.sealing import PURPOSE

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
ANNA = Operator("anna", is_person=True)
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="  # noqa: S105 # of a test
KEY = new_key()


def keys() -> SealingKeys:
    """Those of the tests."""
    return SealingKeys.from_text(PURPOSE, KEY)


class MemoryLog:
    """The topic as a list; `before_append` is somebody who is a moment sooner."""

    def __init__(self, messages: list[bytes]) -> None:
        self.messages = messages
        self.before_append: Callable[[], None] = lambda: None
        self._next = 0

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Everything not read yet."""
        while self._next < len(self.messages):
            self._next += 1
            yield self._next - 1, self.messages[self._next - 1]

    def append(self, message: bytes) -> None:
        """At the end."""
        before, self.before_append = self.before_append, lambda: None
        before()
        self.messages.append(message)

    def close(self) -> None:
        """Nothing to leave."""


def memory_log(messages: list[bytes] | None = None) -> EndpointLog:
    """A log of endpoints in memory."""
    return EndpointLog(MemoryLog([] if messages is None else messages))


def form(url: str = "https://t.example/p", **fields: Any) -> EndpointForm:
    """An endpoint `t`, or of another id."""
    return EndpointForm.model_validate({"id": "t", "url": url, **fields})


def near(url: str, **fields: Any) -> EndpointForm:
    """One on this machine."""
    return form(url, allow_http=True, allow_private=True, **fields)


def delivery(number: int = 1, endpoint: str = "t", client: str = "c-1", **more: Any) -> Delivery:
    """The client's event of a number, a CPA of 300 USD, at an endpoint."""
    event = Milestone(
        milestone_id=f"m{client}-{number}",
        kind="cpa.qualified",
        client_id=client,
        ib_id="north",
        occurred_at=NOON,
        amount=Decimal(300),
        currency="USD",
        click={"click_id": "click-7"},
        country="CY",
    )
    given: dict[str, Any] = {"txid": event.milestone_id, "status": "approved", "sequence": number, **more}
    delivery_id = delivery_id_of(endpoint, event.milestone_id, given.get("replay", ""))
    return Delivery(delivery_id=delivery_id, endpoint_id=endpoint, event=event, **given)
