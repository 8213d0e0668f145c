"""Lines of batches in the book of an IB: out, paid, back, each once."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from msgspec import field
from msgspec.structs import replace

from commission import accounts
from commission.draft import Draft
from commission.ids import digest
from commission.money import plain
from commission.outputs import Transfer, TransferCode
from commission.partner.balances import PartnerState, partner_key
from commission.partner.payable import Decision, Due, PayoutState, drop_due, put_due, state_of
from commission.payouts.commands import MAX_AMOUNT, LineCommand, LockLine, ReturnLine, SettleLine, UnlockLine
from commission.payouts.exchange import Exchange
from commission.payouts.tax import Tax
from commission.rating.values import ZERO
from commission.two_people import are_two_people
from commission.value import Value

MAX_NAMED = 3
"""Statements that one refusal names."""


class LineState(Value):
    """What became of a line. It is kept: its result may be told again after years."""

    lock: str = ""
    """The id of the command that locked it; empty if it was cancelled before that came."""
    state: Literal["out", "paid", "back", "refused"]
    currency: str = ""
    items: dict[str, Due] = field(default_factory=dict)
    """What it took."""
    exchange: Exchange | None = None
    """How it is paid in another currency; it comes back by the same rate."""
    done: tuple[str, ...] = ()
    """The ids of the commands that changed it since."""

    tax: Tax | None = None

    @property
    def amount(self) -> Decimal:
        """What it took, in all."""
        return sum((due.amount for due in self.items.values()), ZERO)

    @property
    def tax_amount(self) -> Decimal:
        """What is paid besides, or below zero kept back."""
        return ZERO if self.tax is None else self.tax.of(self.amount, self.currency)


def line_key(ib_id: str, line_id: str) -> str:
    """Where a line of an IB is."""
    return f"l:{ib_id}:{line_id}"


def of_line(draft: Draft, command: LineCommand) -> Decision | None:
    """What comes of it; None if it was done before."""
    line: LineState | None = draft.get(line_key(command.ib_id, command.line_id))
    if isinstance(command, LockLine):
        return _lock(draft, command, line)
    if line is not None and command.command_id in line.done:
        return None
    if isinstance(command, UnlockLine):
        return _unlock(draft, command, line)
    state = "" if line is None else line.state
    if line is None or state not in (("out",) if isinstance(command, SettleLine) else ("out", "paid")):
        return Decision(why=f"the line is not out: it {_STATES[state]}")
    if isinstance(command, SettleLine):
        return _settle(draft, command, line)
    return _give_back(draft, command, line)


_STATES = {
    "": "was never locked",
    "paid": "is paid",
    "back": "was returned or cancelled",
    "refused": "was refused when it was to be locked",
}


def _lock(draft: Draft, command: LockLine, line: LineState | None) -> Decision | None:
    if line is not None:
        if line.lock == command.command_id:
            return None
        why = "cancelled before it was locked" if not line.lock else "commanded before, with other content"
        return Decision(why=f"the line was {why}")
    state = state_of(draft, command.ib_id)
    why = _why_not_locked(draft, command, state)
    key, lock = line_key(command.ib_id, command.line_id), command.command_id
    if why:
        draft.put(key, LineState(lock=lock, state="refused"))
        return Decision(why=why)
    items = {name: state.due[name] for name in command.statement_ids}
    drop_due(draft, command.ib_id, frozenset(items))
    line = LineState(
        lock=lock,
        state="out",
        currency=command.currency,
        items=items,
        exchange=command.exchange,
        tax=command.tax,
    )
    draft.put(key, line)
    payable, in_payout = accounts.payable(command.ib_id), accounts.in_payout(command.ib_id)
    return Decision((_row(command, line, "payout", payable, in_payout),))


def _why_not_locked(draft: Draft, command: LockLine, state: PayoutState) -> str:
    """Why the line may not take what it names; "" if it may."""
    if not are_two_people(command.created_by, command.approved_by):
        return "a batch is created by one person and approved by another"
    return (
        _why_held(command, state)
        or _why_not_due(command, state)
        or _why_not_paid(command)
        or _why_owing(draft, command, state)
    )


def _why_held(command: LockLine, state: PayoutState) -> str:
    for name in ("", *command.statement_ids):
        if (hold := state.holds.get(name)) is not None:
            what = f"the statement {name}" if name else f"payouts to {command.ib_id}"
            return f"{hold.by} holds {what}: {hold.reason}"
    return ""


def _why_not_due(command: LockLine, state: PayoutState) -> str:
    names = command.statement_ids
    if lacking := [name for name in names if name not in state.due]:
        return f"{', '.join(lacking[:MAX_NAMED])} is not payable: in another line, paid, withdrawn or unknown"
    if not names or len(set(names)) < len(names):
        return "a line names each statement that it pays, once"
    found = [state.due[name] for name in names]
    if any(due.currency != command.currency for due in found):
        return f"what is payable is not in {command.currency}"
    payable = sum((due.amount for due in found), ZERO)
    if payable != command.amount:
        asked = plain(command.amount) if abs(command.amount) < MAX_AMOUNT else "more"
        return f"{asked} {command.currency} is not the {plain(payable)} that is payable"
    return ""


def _why_not_paid(command: LockLine) -> str:
    """Why the amount cannot be paid with its tax, by its rate; "" if it can."""
    exchange, tax, due = command.exchange, command.tax, command.amount
    if tax is not None:
        if why := tax.why_not():
            return why
        due += tax.of(due, command.currency)
    if exchange is not None:
        if why := exchange.why_not(command.currency):
            return why
        due = exchange.of(due)
    return "" if due > 0 else f"{plain(command.amount)} {command.currency} comes to nothing"


def _why_owing(draft: Draft, command: LockLine, state: PayoutState) -> str:
    """A balance below zero is worked off before anything is paid; an advance is what it is below zero for."""
    partner: PartnerState | None = draft.get(partner_key(command.ib_id))
    balance = partner.balances.get(command.currency) if partner is not None else None
    is_advance = all(state.due[name].is_advance for name in command.statement_ids)
    if balance is None or balance.carried >= 0 or is_advance:
        return ""
    owed = f"{plain(-balance.carried)} {command.currency}"
    return f"{command.ib_id} owes {owed} from closed statements, which is worked off first"


def _unlock(draft: Draft, command: UnlockLine, line: LineState | None) -> Decision:
    """Whatever became of the lock, nothing of it stands afterwards; one that comes later is refused."""
    key = line_key(command.ib_id, command.line_id)
    if line is None:
        draft.put(key, LineState(state="back", done=(command.command_id,)))
        return Decision()
    if line.state == "refused":
        draft.put(key, replace(line, done=(*line.done, command.command_id)))
        return Decision()
    if line.state != "out":
        return Decision(why=f"the line is not out: it {_STATES[line.state]}")
    return _give_back(draft, command, line)


def _settle(draft: Draft, command: SettleLine, line: LineState) -> Decision:
    done = (*line.done, command.command_id)
    draft.put(line_key(command.ib_id, command.line_id), replace(line, state="paid", done=done))
    paid = _row(command, line, "paid", accounts.in_payout(command.ib_id), _through(command, line))
    return Decision((paid, *_besides(command, line, is_back=False)))


def _give_back(draft: Draft, command: ReturnLine | UnlockLine, line: LineState) -> Decision:
    put_due(draft, command.ib_id, line.items)
    done = (*line.done, command.command_id)
    draft.put(line_key(command.ib_id, command.line_id), replace(line, state="back", done=done))
    payable = accounts.payable(command.ib_id)
    if line.state == "out":
        return Decision((_row(command, line, "returned", accounts.in_payout(command.ib_id), payable),))
    returned = _row(command, line, "returned", _through(command, line), payable)
    return Decision((*_besides(command, line, is_back=True), returned))


def _through(command: LineCommand, line: LineState) -> str:
    """Where what is owed meets its tax, and is exchanged or paid."""
    return accounts.paid(command.ib_id) if line.exchange is None else accounts.EXCHANGE


def _besides(command: LineCommand, line: LineState, *, is_back: bool) -> Iterator[Transfer]:
    """The tax of a payment and its half in another currency; turned round, of one that comes back."""
    tax, exchange = line.tax_amount, line.exchange
    if line.tax is not None and tax:
        ends = (accounts.tax(line.tax.kind), _through(command, line))
        row = _turned(command, line, "tax", ends, is_back=is_back is (tax > 0))
        yield replace(row, amount=abs(tax), factors={"gross": line.amount, "tax": line.tax.label})
    if exchange is not None:
        ends = (accounts.EXCHANGE, accounts.paid(command.ib_id))
        row = _turned(command, line, "exchange", ends, is_back=is_back)
        due = line.amount + tax
        factors = {"gross": due, "gross_currency": line.currency, "payout_rate": exchange.path}
        yield replace(row, amount=exchange.of(due), currency=exchange.currency, factors=factors)


def _turned(
    command: LineCommand, line: LineState, code: TransferCode, ends: tuple[str, str], *, is_back: bool
) -> Transfer:
    """A row beside the payment's own, in whichever direction; the direction is a part of its id."""
    debit, credit = ends[::-1] if is_back else ends
    row = _row(command, line, code, debit, credit)
    return replace(row, transfer_id=digest(code, credit, command.ib_id, command.line_id))


def _row(command: LineCommand, line: LineState, code: TransferCode, debit: str, credit: str) -> Transfer:
    return Transfer(
        transfer_id=digest(code, command.ib_id, command.line_id),
        code=code,
        debit=debit,
        credit=credit,
        amount=line.amount,
        currency=line.currency,
        ib_id=command.ib_id,
        occurred_at=command.at,
        caused_by=f"payout|{command.batch_id}|{command.line_id}",
    )
