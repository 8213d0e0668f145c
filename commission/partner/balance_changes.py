"""What two people change of an IB's balance, and holds of its payouts."""

from decimal import ROUND_CEILING, Decimal

from msgspec.structs import replace

from commission import accounts
from commission.draft import Draft
from commission.ids import digest
from commission.money import EXACT, payable_unit, plain
from commission.outputs import Transfer
from commission.partner.balances import PartnerState, partner_key
from commission.partner.payable import Decision, Due, Hold, put_due, state_key, state_of
from commission.payouts.commands import (
    ChangeBalance,
    HoldPayouts,
    OtherCommand,
    ReleasePayouts,
    why_no_amount,
)
from commission.rating.values import ZERO
from commission.terms.catalog import Terms
from commission.two_people import are_two_people
from commission.value import Value


class Changed(Value):
    """A change or hold that was answered, by the id of its command."""

    command_id: str


def change_key(ib_id: str, change_id: str) -> str:
    """Where it is kept that a change of an IB was answered."""
    return f"c:{ib_id}:{change_id}"


def of_change(draft: Draft, command: OtherCommand, terms: Terms) -> Decision | None:
    """What comes of it; None if it was answered before."""
    key = change_key(command.ib_id, command.change_id)
    known: Changed | None = draft.get(key)
    if known is not None:
        is_same = known.command_id == command.command_id
        return None if is_same else Decision(why="it was commanded before, with other content")
    draft.put(key, Changed(command_id=command.command_id))
    if command.ib_id not in terms.partners:
        return Decision(why=f"no IB is called {command.ib_id}")
    if not command.reason.strip():
        return Decision(why="it needs a reason")
    if isinstance(command, ChangeBalance):
        return _change(draft, command)
    return _hold(draft, command) if isinstance(command, HoldPayouts) else _release(draft, command)


def _change(draft: Draft, command: ChangeBalance) -> Decision:
    if why := _why_not_changed(draft, command):
        return Decision(why=why)
    ib_id, amount = command.ib_id, command.amount
    pending, expense = accounts.pending(ib_id), accounts.expense(command.kind)
    debit, credit = (expense, pending) if amount > 0 else (pending, expense)
    if command.kind == "advance":
        debit, credit = pending, accounts.payable(ib_id)
        put_due(
            draft, ib_id, {command.change_id: Due(currency=command.currency, amount=amount, is_advance=True)}
        )
    row = Transfer(
        transfer_id=digest("change", ib_id, command.change_id),
        code=command.kind,
        debit=debit,
        credit=credit,
        amount=abs(amount),
        currency=command.currency,
        ib_id=ib_id,
        occurred_at=command.at,
        caused_by=f"change|{command.change_id}",
        component=command.kind,
        factors={
            "change_reason": command.reason,
            "created_by": command.created_by,
            "approved_by": command.approved_by,
            **({"attachment": command.attachment} if command.attachment else {}),
        },
    )
    return Decision((row,))


def _why_not_changed(draft: Draft, command: ChangeBalance) -> str:
    amount, currency = command.amount, command.currency
    if not are_two_people(command.created_by, command.approved_by):
        return "it is created by one person and approved by another"
    if why := why_no_amount(command.kind, amount, currency):
        return why
    if command.kind == "write_off":
        below = -_pending(draft, command.ib_id, currency)
        # People see it, and write it off, in the currency's digits: what these exceed is the IB's.
        if amount > below.quantize(payable_unit(currency), ROUND_CEILING, EXACT):
            stands = f"is {plain(below)} {currency} below zero" if below > 0 else "is not below zero"
            return f"the balance of {command.ib_id} {stands}: no more is written off"
    return ""


def _pending(draft: Draft, ib_id: str, currency: str) -> Decimal:
    """What the next statement would state, gates and least payouts aside."""
    partner: PartnerState | None = draft.get(partner_key(ib_id))
    balance = partner.balances.get(currency) if partner is not None else None
    if balance is None:
        return ZERO
    return balance.carried + sum((one.accrued - one.reversed for one in balance.open.values()), ZERO)


def _hold(draft: Draft, command: HoldPayouts) -> Decision:
    state = state_of(draft, command.ib_id)
    if (known := state.holds.get(command.statement_id)) is not None:
        return Decision(why=f"{known.by} holds it already: {known.reason}")
    if command.statement_id and command.statement_id not in state.due:
        return Decision(why=f"{command.statement_id} is not payable: there is nothing to hold")
    holds = {**state.holds, command.statement_id: Hold(reason=command.reason, by=command.by)}
    draft.put(state_key(command.ib_id), replace(state, holds=holds))
    return Decision()


def _release(draft: Draft, command: ReleasePayouts) -> Decision:
    state = state_of(draft, command.ib_id)
    known = state.holds.get(command.statement_id)
    if known is None:
        return Decision(why="nothing is held")
    if not are_two_people(known.by, command.by):
        return Decision(why=f"{known.by} held it; another person releases it")
    holds = {name: hold for name, hold in state.holds.items() if name != command.statement_id}
    draft.put(state_key(command.ib_id), replace(state, holds=holds))
    return Decision()
