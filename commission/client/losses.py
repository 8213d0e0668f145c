"""What is taken back of deposits and won again: values, and what is left of a deposit."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from commission.terms.plans import Clawback

ClawReason = Literal["chargeback", "refund", "deposit_reversal", "kyc_revoked", "bonus_removed", "fraud"]
LossReason = Literal["chargeback", "refund", "deposit_reversal", "withdrawal"]

ZERO = Decimal(0)


class TakenBack(NamedTuple):
    """Some of a deposit was taken back; None is all of it."""

    event_id: str
    at: datetime
    reason: LossReason
    amount: Decimal | None
    chargeback_id: str = ""

    def is_named(self, name: str) -> bool:
        """Whether a won dispute means this chargeback; without a name it means any."""
        return name in ("", self.chargeback_id, self.event_id)


class Won(NamedTuple):
    """Some of what was taken back is the broker's again; None is all of it."""

    event_id: str
    at: datetime
    amount: Decimal | None
    chargeback_id: str = ""


class ClearedDeposit(NamedTuple):
    """What a CPA looks at of a deposit."""

    cleared_at: datetime
    deposit_id: str
    amount: Decimal
    currency: str
    losses: tuple[TakenBack, ...] = ()

    def without(self, losses: Iterable[TakenBack]) -> "ClearedDeposit":
        """The deposit with so much less; 0 where nothing is left."""
        left = self.amount - lost(self.amount, losses)
        return self if left == self.amount else self._replace(amount=max(ZERO, left))

    @property
    def stands(self) -> bool:
        """Whether something of it was never taken back, for whatever reason."""
        return self.amount > lost(self.amount, self.losses)


def lost(amount: Decimal, losses: Iterable[TakenBack]) -> Decimal:
    """The sum of losses of a deposit of that amount."""
    return sum((amount if taken.amount is None else taken.amount for taken in losses), ZERO)


def is_counted(taken: TakenBack, clawback: Clawback) -> bool:
    """Whether the plan lets the loss take anything."""
    return taken.reason == "withdrawal" or getattr(clawback, taken.reason) != "none"


def net_losses(amount: Decimal, taken_back: Iterable[TakenBack], won: Iterable[Won]) -> tuple[TakenBack, ...]:
    """What was taken back and not won again, in the order of its time: as if the rest had never been.

    So a dispute that is won needs no order: it may be known before the chargeback it is about.
    """
    losses = sorted(taken_back, key=lambda taken: (taken.at, taken.event_id))
    for win in sorted(won, key=lambda win: (win.at, win.event_id)):
        losses = _after(amount, losses, win)
    return tuple(losses)


def _after(amount: Decimal, losses: list[TakenBack], win: Won) -> list[TakenBack]:
    left: list[TakenBack] = []
    rest = win.amount
    for taken in losses:
        is_meant = taken.is_named(win.chargeback_id) and (win.chargeback_id or taken.at <= win.at)
        if not is_meant or (rest is not None and rest <= 0):
            left.append(taken)
            continue
        if rest is None:
            continue
        # All of a deposit is what earlier chargebacks left of it.
        size = max(ZERO, amount - lost(amount, left)) if taken.amount is None else taken.amount
        if size > rest:
            left.append(taken._replace(amount=size - rest))
        rest -= min(rest, size)
    return left
