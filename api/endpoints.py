"""What the API asks of whoever keeps endpoints: `infra` does, for it has the log and the keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from api.operators import Operator
from api.postbacks.form import EndpointForm
from api.postbacks.request import OutgoingRequest
from commission.postbacks.records import Known, State
from schemas.attempts import Attempt
from schemas.errors import Unusable

MAX_REPLAYED = 10_000
OWN_PREFIX = "own-"
"""Of the ids of endpoints that IBs make: no other has it."""


class EndpointRefused(Unusable):
    """It cannot be done now; the message says what to do instead."""


class UnknownEndpoint(Unusable):
    """There is no such endpoint."""


@dataclass(frozen=True, slots=True)
class Saved:
    """An endpoint as it stands, and what its receiver needs once."""

    known: Known
    public_key: str = ""
    secret: str = ""
    """Of a secret that was made for it; told this once. "" of one that was given."""


@dataclass(frozen=True, slots=True)
class ReplayWanted:
    """Which events are to be sent again."""

    milestone_id: str
    since: datetime
    until: datetime
    most: int = MAX_REPLAYED
    """More than so many are refused."""


@dataclass(frozen=True, slots=True)
class Own:
    """Whose own an endpoint is, and how many levels below itself that IB sees."""

    ib_id: str
    levels: int


class Endpoints(Protocol):
    """Where events are sent."""

    def listed(self) -> Mapping[str, Known]:
        """Every endpoint by its id, in the order in which they were made."""

    def get(self, endpoint_id: str) -> Saved:
        """One, or `UnknownEndpoint`."""

    def save(
        self, form: EndpointForm, secret: str, by: Operator, *, is_new: bool, own: Own | None = None
    ) -> Saved:
        """Keep a new endpoint, or another version of one; without a secret it keeps its own or gets one.

        `own` is of a new one of an IB; another version keeps whose it is, whoever writes it.
        """

    def rotate(self, endpoint_id: str, secret: str, by: Operator) -> Saved:
        """Sign with another secret; the one before signs as well for a day."""

    def reseal(self, by: Operator) -> tuple[int, int]:
        """Seal with the newest key what is under an older one: how many were, and how many are left."""

    def set_state(self, endpoint_id: str, state: State, reason: str, by: Operator) -> Known:
        """Pause, resume, disable or remove."""

    def preview(self, endpoint_id: str, event: str) -> OutgoingRequest:
        """What would be sent for a sample event, without tokens."""

    def test(self, endpoint_id: str, event: str, by: Operator) -> Attempt:
        """Send a sample event now; what came of it."""

    def replay(self, endpoint_id: str, wanted: ReplayWanted, by: Operator) -> int:
        """Send again what was due there; how many."""
