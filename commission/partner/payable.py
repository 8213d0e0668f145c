"""What an IB may be paid: what closed statements and advances made payable and no line has taken."""

from decimal import Decimal
from typing import NamedTuple

from msgspec import field
from msgspec.structs import replace

from commission.draft import Draft
from commission.outputs import Transfer
from commission.partner.balances import ClosedBalance, Closing
from commission.rating.values import ZERO
from commission.value import Value


class Due(Value):
    """What one statement, or an advance, made payable."""

    currency: str
    amount: Decimal
    is_advance: bool = False


class Hold(Value):
    """Why nothing is taken, and who said so."""

    reason: str
    by: str


class PayoutState(Value):
    """An IB's money that may be paid."""

    due: dict[str, Due] = field(default_factory=dict)
    """By statement, or by the change that advanced it."""
    holds: dict[str, Hold] = field(default_factory=dict)
    """By statement; "" holds all of the IB."""


class Decision(NamedTuple):
    """What comes of a command: rows to post, or why it is refused."""

    rows: tuple[Transfer, ...] = ()
    why: str = ""


def state_key(ib_id: str) -> str:
    """Where an IB's payable money is."""
    return f"y:{ib_id}"


def state_of(draft: Draft, ib_id: str) -> PayoutState:
    """An IB's payable money; nothing if there never was any."""
    found: PayoutState | None = draft.get(state_key(ib_id))
    return found or PayoutState()


def put_due(draft: Draft, ib_id: str, more: dict[str, Due]) -> None:
    """Let lines take these as well."""
    if more:
        state = state_of(draft, ib_id)
        draft.put(state_key(ib_id), replace(state, due={**state.due, **more}))


def drop_due(draft: Draft, ib_id: str, names: frozenset[str]) -> None:
    """Let no line take these any more."""
    state = state_of(draft, ib_id)
    if not names.isdisjoint(state.due):
        due = {name: one for name, one in state.due.items() if name not in names}
        draft.put(state_key(ib_id), replace(state, due=due))


def move_holds(draft: Draft, ib_id: str, replaced: dict[str, str]) -> None:
    """Hold the statements in whose place others are by those: nobody has released them."""
    state = state_of(draft, ib_id)
    if not replaced.keys().isdisjoint(state.holds):
        holds = {replaced.get(name, name): hold for name, hold in state.holds.items()}
        draft.put(state_key(ib_id), replace(state, holds=holds))


def due_of(balances: dict[str, ClosedBalance]) -> dict[str, Due]:
    """What statements made payable, by currency as they closed."""
    payable = {
        one.statement_id: Due(
            currency=currency, amount=sum((r.amount for r in one.rows if r.code == "statement"), ZERO)
        )
        for currency, one in balances.items()
    }
    return {name: due for name, due in payable.items() if due.amount}


def is_taken(draft: Draft, ib_id: str, closing: Closing) -> bool:
    """Whether a line has, or has paid, some of what a closing made payable."""
    return not due_of(closing.balances).keys() <= state_of(draft, ib_id).due.keys()
