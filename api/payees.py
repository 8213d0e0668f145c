"""What the API asks of whoever keeps payee details: `infra` does, for it has the log and the keys."""

from collections.abc import Mapping
from typing import Protocol

from api.operators import Operator
from schemas.errors import Unusable
from schemas.payees import PayeeVersion, Versions


class PayeeRefused(Unusable):
    """It may not be done now, or not by this person; the message says what to do instead."""


class UnknownPayee(Unusable):
    """The IB has no such version."""


class Payees(Protocol):
    """Where IBs are paid, masked: nothing here gives a number out in full."""

    def listed(self) -> Mapping[str, Versions]:
        """Every IB that has details, with all their versions."""

    def versions(self, ib_id: str) -> Versions:
        """Those of one IB, the first one first; () if it has none."""

    def propose(self, ib_id: str, fields: Mapping[str, str], note: str, by: Operator) -> PayeeVersion:
        """Check what a person gives, seal it, and keep it for a second person to approve."""

    def approve(self, ib_id: str, version: int, by: Operator) -> PayeeVersion:
        """Make it the valid one, if another person proposed it."""

    def reject(self, ib_id: str, version: int, note: str, by: Operator) -> PayeeVersion:
        """Never pay to it."""

    def rotate(self, by: Operator) -> tuple[int, int]:
        """Seal anew what is under an older key: how many versions were, and how many are left."""
