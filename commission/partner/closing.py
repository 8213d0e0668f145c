"""Statements: an IB's period closes in each currency, and may be opened again while it is the newest."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from msgspec.structs import replace

from commission import accounts
from commission.draft import Draft
from commission.ids import digest
from commission.money import Money, round_payable
from commission.outputs import Statement, StatementWithdrawn, Transfer
from commission.partner.balances import (
    Balance,
    ClosedBalance,
    Closing,
    PartnerState,
    Turnover,
    closing_key,
    partner_key,
)
from commission.partner.payable import drop_due, due_of, is_taken, move_holds, put_due
from commission.partner.statement_hash import statement_hash, total_of
from commission.rating.values import ZERO
from commission.terms.calendar import PeriodDefined, PeriodEnded, PeriodReopened
from commission.terms.catalog import Terms
from commission.terms.partners import PartnerDefined

MAX_NAMED = 3
"""IBs that one refusal names."""


class _Place(NamedTuple):
    """What is closed: an IB's period in a currency, after so many statements of it were withdrawn."""

    ib_id: str
    currency: str
    period: PeriodDefined
    withdrawn: int

    def id_of(self, what: str, fewer: int = 0) -> str:
        """The id of the statement, or of one of its rows."""
        number = self.withdrawn - fewer
        times = (str(number),) if number else ()
        return digest(what, self.ib_id, self.period.period, self.currency, *times)

    @property
    def replaces(self) -> str:
        """The id of the statement in whose place it is."""
        return self.id_of("statement", 1) if self.withdrawn else ""


def close(draft: Draft, ended: PeriodEnded, terms: Terms) -> None:
    """Close the period for every IB that has a state here; closing it again does nothing."""
    period = terms.period(ended.period)
    if period is None:
        return
    for ib_id in sorted(terms.partners):
        partner: PartnerState | None = draft.get(partner_key(ib_id))
        if partner is None or (partner.closed is not None and partner.closed >= period.starts_at):
            continue
        before: Closing | None = draft.get(closing_key(ib_id))
        withdrawn = before.withdrawn if before is not None and before.period == period.period else {}
        least = _least_payable(terms.partners[ib_id], period, terms)
        closed: dict[str, ClosedBalance] = {}
        balances: dict[str, Balance] = {}
        replaced: dict[str, str] = {}
        for currency, balance in sorted(partner.balances.items()):
            due = _due_names(balance, period, terms)
            place = _Place(ib_id, currency, period, withdrawn.get(currency, 0))
            closed[currency], balances[currency] = _close_balance(draft, place, balance, due, least)
            if place.replaces:
                replaced[place.replaces] = closed[currency].statement_id
        closing = Closing(period=period.period, before=partner.closed, balances=closed, withdrawn=withdrawn)
        draft.put(closing_key(ib_id), closing)
        put_due(draft, ib_id, due_of(closed))
        move_holds(draft, ib_id, replaced)
        draft.put(partner_key(ib_id), PartnerState(closed=period.starts_at, balances=balances))


def _least_payable(partner: PartnerDefined, period: PeriodDefined, terms: Terms) -> Decimal | None:
    """The least that is paid by the IB's plan at the period's last instant; None while a gate is shut."""
    plan = terms.plan_of(partner, period.last_instant)
    if plan is None:
        return ZERO
    is_approved, has_agreed = terms.gates_of(partner.ib_id, period.last_instant)
    if (plan.ib_kyc_gate and not is_approved) or (plan.agreement_gate and not has_agreed):
        return None
    return plan.min_payout


def _due_names(balance: Balance, period: PeriodDefined, terms: Terms) -> list[str]:
    """The open periods that a statement of this one takes up: itself, those before, and what has none."""
    starts = {name: terms.period(name) for name in balance.open}
    return [name for name, known in starts.items() if known is None or known.starts_at <= period.starts_at]


def _close_balance(
    draft: Draft, place: _Place, balance: Balance, due: Sequence[str], least: Decimal | None
) -> tuple[ClosedBalance, Balance]:
    """State what is due; what that was, and what it leaves."""
    accrued = sum((balance.open[name].accrued for name in due), ZERO)
    reversed_ = sum((balance.open[name].reversed for name in due), ZERO)
    total = balance.carried + accrued - reversed_
    payable = residue = ZERO
    if total > 0 and least is not None and total >= least:
        rounded, rest = round_payable(Money(total, place.currency))
        if rounded.amount > 0:
            payable, residue = rounded.amount, rest.amount
    closing = total - payable - residue or ZERO
    rows = tuple(_settle(place, payable, residue))
    statement = Statement(
        statement_id=place.id_of("statement"),
        ib_id=place.ib_id,
        period=place.period.period,
        starts_at=place.period.starts_at,
        ends_at=place.period.ends_at,
        currency=place.currency,
        opening=balance.carried,
        accrued=accrued,
        reversed=reversed_,
        payable=payable,
        rounding=residue,
        closing=closing,
        held=balance.held,
        transfers=sum(balance.open[name].rows for name in due) + len(rows),
        previous=balance.last,
        replaces=place.replaces,
    )
    proof = statement_hash(statement, total_of(rows, sum(balance.open[name].total for name in due)))
    draft.emit(*rows, replace(statement, hash=proof))
    taken = ClosedBalance(
        statement_id=statement.statement_id,
        carried=balance.carried,
        last=balance.last,
        open={name: balance.open[name] for name in due},
        rows=rows,
    )
    rest_open = {name: turnover for name, turnover in balance.open.items() if name not in due}
    return taken, Balance(carried=closing, held=balance.held, open=rest_open, last=proof)


def _settle(place: _Place, payable: Decimal, residue: Decimal) -> Iterator[Transfer]:
    """Move what is due to payable, and what rounding left to `rounding`, in whichever direction."""
    pending = accounts.pending(place.ib_id)
    moves: list[tuple[Literal["statement", "rounding"], str, str, Decimal]] = []
    if payable:
        moves.append(("statement", pending, accounts.payable(place.ib_id), payable))
    if residue > 0:
        moves.append(("rounding", pending, accounts.ROUNDING, residue))
    elif residue < 0:
        moves.append(("rounding", accounts.ROUNDING, pending, -residue))
    for code, debit, credit, amount in moves:
        yield Transfer(
            transfer_id=place.id_of(code),
            code=code,
            debit=debit,
            credit=credit,
            amount=amount,
            currency=place.currency,
            ib_id=place.ib_id,
            occurred_at=place.period.ends_at,
            caused_by=f"period|{place.period.period}",
            period=place.period.period,
        )


# Taken back


def reopen(draft: Draft, record: PeriodReopened, terms: Terms) -> None:
    """Withdraw the period's statements: every IB is as if it had not been closed; twice does nothing."""
    period, unable, taken = terms.period(record.period), list[str](), list[str]()
    for ib_id in sorted(terms.partners):
        partner: PartnerState | None = draft.get(partner_key(ib_id))
        closing: Closing | None = draft.get(closing_key(ib_id))
        if partner is None:
            continue
        if closing is not None and closing.period == record.period:
            if is_taken(draft, ib_id, closing):
                taken.append(ib_id)
            elif closing.balances:
                _reopen(draft, ib_id, partner, closing, record)
        elif period is not None and partner.closed is not None and partner.closed >= period.starts_at:
            unable.append(ib_id)
    reasons = []
    if unable:
        reasons.append(f"what the closing of {record.period} took up is not kept of {_named(unable)}")
    if taken:
        reasons.append(f"{record.period} is in a payout or paid to {_named(taken)}")
    if reasons:
        why = f"{'; '.join(reasons)}: their statements stay"
        draft.refuse(record, "refused_change", f"{why}; correct what they state with `ibflow proposals`")


def _named(ib_ids: Sequence[str]) -> str:
    return ", ".join(ib_ids[:MAX_NAMED]) + (" and others" if len(ib_ids) > MAX_NAMED else "")


def _reopen(
    draft: Draft, ib_id: str, partner: PartnerState, closing: Closing, record: PeriodReopened
) -> None:
    """Post the closing's rows the other way round, and take up what it had taken."""
    balances, withdrawn = dict(partner.balances), dict(closing.withdrawn)
    for currency, taken in closing.balances.items():
        withdrawn[currency] = withdrawn.get(currency, 0) + 1
        balance = balances[currency]
        turnovers = _merged(taken.open, balance.open)
        balances[currency] = Balance(
            carried=taken.carried, held=balance.held, open=turnovers, last=taken.last
        )
        for row in taken.rows:
            draft.emit(
                replace(
                    row,
                    transfer_id=digest("reopening", row.transfer_id),
                    code="reopening",
                    debit=row.credit,
                    credit=row.debit,
                    reverses=row.transfer_id,
                )
            )
        draft.emit(
            StatementWithdrawn(
                statement_id=taken.statement_id,
                ib_id=ib_id,
                period=record.period,
                currency=currency,
                at=record.at,
                reason=record.reason,
                proposal_id=record.proposal_id,
            )
        )
    drop_due(draft, ib_id, frozenset(due_of(closing.balances)))
    draft.put(partner_key(ib_id), PartnerState(closed=closing.before, balances=balances))
    draft.put(closing_key(ib_id), Closing(period=closing.period, withdrawn=withdrawn))


def _merged(one: dict[str, Turnover], other: dict[str, Turnover]) -> dict[str, Turnover]:
    merged = dict(one)
    for period, turnover in other.items():
        known = merged.get(period)
        merged[period] = turnover if known is None else known + turnover
    return merged
