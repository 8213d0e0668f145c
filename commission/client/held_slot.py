"""Where held money waits: a sum for each IB, component, currency and day on which the hold expires."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from commission.client.kyc_gate import end_of_day
from commission.client.state import Posted
from commission.rating.values import ZERO

_BY_IB = "_by_ib"


class HeldSlot(NamedTuple):
    """One of a client's sums of held money; as a key it is `ib|component|currency|expiry`."""

    ib_id: str
    kind: str
    """The component's, with a mark for a rebate that the IB pays for."""
    currency: str
    expires_at: datetime | None

    @classmethod
    def of(cls, entry: Posted) -> "HeldSlot":
        """Where an accrual waits; holds expire by the day."""
        kind = f"{entry.component}{_BY_IB}" if entry.by_ib else entry.component
        return cls(
            entry.ib_id, kind, entry.currency, end_of_day(entry.expires_at) if entry.expires_at else None
        )

    @classmethod
    def read(cls, key: str) -> "HeldSlot":
        """The slot of a key."""
        ib_id, kind, currency, expiry = key.rsplit("|", 3)
        return cls(ib_id, kind, currency, datetime.fromisoformat(expiry) if expiry else None)

    @property
    def key(self) -> str:
        """As the client's state has it."""
        expiry = self.expires_at.isoformat() if self.expires_at else ""
        return f"{self.ib_id}|{self.kind}|{self.currency}|{expiry}"

    @property
    def component(self) -> str:
        """What kind of component it was earned by."""
        return self.kind.removesuffix(_BY_IB)


def with_more(held: dict[str, Decimal], entry: Posted, amount: Decimal) -> dict[str, Decimal]:
    """A client's held money with more of an accrual in its slot, or less; a slot at 0 is none."""
    slot = HeldSlot.of(entry).key
    total = held.get(slot, ZERO) + amount
    rest = {key: value for key, value in held.items() if key != slot}
    return {**rest, slot: total} if total else rest
