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

    All of a deposit is what is there at that time. A dispute that is won may be known before its chargeback.
    """
    left: list[TakenBack] = []
    for event in _in_time(taken_back, won):
        if isinstance(event, Won):
            left = _after(left, event)
        elif event.amount is not None:
            left.append(event)
        elif (there := amount - lost(amount, left)) > 0:
            left.append(event._replace(amount=there))
    return tuple(left)


def _in_time(taken_back: Iterable[TakenBack], won: Iterable[Won]) -> list[TakenBack | Won]:
    """A win comes after the chargeback that it names, whatever their clocks say."""
    taken = tuple(taken_back)
    timed: list[tuple[datetime, int, str, TakenBack | Won]] = [(t.at, 0, t.event_id, t) for t in taken]
    for win in won:
        named = [t.at for t in taken if win.chargeback_id and t.is_named(win.chargeback_id)]
        timed.append((max([win.at, *named]), 1, win.event_id, win))
    return [event for *_, event in sorted(timed, key=lambda one: one[:3])]


def _after(losses: Iterable[TakenBack], win: Won) -> list[TakenBack]:
    left: list[TakenBack] = []
    rest = win.amount
    for taken in losses:
        assert taken.amount is not None, "all of a deposit is a number by now"
        if not taken.is_named(win.chargeback_id):
            left.append(taken)
            continue
        back = taken.amount if rest is None else min(rest, taken.amount)
        rest = None if rest is None else rest - back
        if back < taken.amount:
            left.append(taken._replace(amount=taken.amount - back))
    return left


def shares(amount: Decimal, losses: Iterable[TakenBack]) -> dict[str, Decimal]:
    """By event, the share of a deposit that each loss took: at most what those before it left.

    They add up to 1 where nothing is left.
    """
    found: dict[str, Decimal] = {}
    gone = before = ZERO
    for taken in losses:
        assert taken.amount is not None, "all of a deposit is a number by now"
        gone += taken.amount
        so_far = gone / amount if gone < amount else Decimal(1)
        found[taken.event_id] = so_far - before
        before = so_far
    return found
