"""The partner book: fold one IB's transfers into balances by period, and close statements."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from commission.book import Draft
from commission.ids import digest
from commission.known import Terms
from commission.money import Money, round_payable
from commission.outputs import Statement, Transfer
from commission.terms import PeriodDefined, PeriodEnded

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turnover:
    """What one period brought to pending: accruals and releases, and what was taken back."""

    accrued: Decimal = ZERO
    reversed: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One currency of an IB: what was carried from closed statements, and what the open ones hold."""

    carried: Decimal = ZERO
    held: Decimal = ZERO
    open: dict[str, Turnover] = field(default_factory=dict)
    """Period → turnover; "" where the terms defined no period for the time of a transfer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerState:
    """One IB: a balance for each currency, and the newest period that is closed."""

    closed: str = ""
    balances: dict[str, Balance] = field(default_factory=dict)


KEYS: dict[str, type] = {"i": PartnerState}
"""The first letter of a state key tells its type."""


def apply(draft: Draft, record: Transfer, terms: Terms) -> None:
    """Book one transfer of an IB into the period of its own time, or the open one if that is closed."""
    key = f"i:{record.ib_id}"
    partner: PartnerState = draft.get(key) or PartnerState()
    balance = partner.balances.get(record.currency) or Balance()
    held, turnovers = balance.held, balance.open
    credited, debited = record.credit.rpartition(":")[2], record.debit.rpartition(":")[2]
    if "pending" in (credited, debited):
        period = _open_period(partner, terms.period_of(record.occurred_at), terms)
        known = turnovers.get(period) or Turnover()
        if credited == "pending":
            turnover = Turnover(accrued=known.accrued + record.amount, reversed=known.reversed)
        else:
            turnover = Turnover(accrued=known.accrued, reversed=known.reversed + record.amount)
        turnovers = {**turnovers, period: turnover}
    if credited == "held":
        held += record.amount
    elif debited == "held":
        held = held - record.amount or ZERO  # 0E-8 would come back from the store as 0
    balance = Balance(carried=balance.carried, held=held, open=turnovers)
    balances = {**partner.balances, record.currency: balance}
    draft.put(key, PartnerState(closed=partner.closed, balances=balances))


def close(draft: Draft, ended: PeriodEnded, terms: Terms) -> None:
    """Close the period for every IB that has a state here; closing it again does nothing."""
    period = terms.period(ended.period)
    if period is None:
        return
    for ib_id in sorted(terms.partners):
        partner: PartnerState | None = draft.get(f"i:{ib_id}")
        if partner is None or partner.closed >= period.period:
            continue
        balances = {
            currency: _close_balance(draft, ib_id, currency, balance, period)
            for currency, balance in sorted(partner.balances.items())
        }
        draft.put(f"i:{ib_id}", PartnerState(closed=period.period, balances=balances))


def _open_period(partner: PartnerState, period: str, terms: Terms) -> str:
    """Each transfer belongs to exactly one statement: a closed period's late ones to the next open."""
    if not period or period > partner.closed:
        return period
    return next((p.period for p in terms.periods if p.period > partner.closed), "")


def _close_balance(
    draft: Draft, ib_id: str, currency: str, balance: Balance, period: PeriodDefined
) -> Balance:
    due = [name for name in balance.open if name <= period.period]
    accrued = sum((balance.open[name].accrued for name in due), ZERO)
    reversed_ = sum((balance.open[name].reversed for name in due), ZERO)
    total = balance.carried + accrued - reversed_
    payable = residue = ZERO
    if total > 0:
        rounded, rest = round_payable(Money(total, currency))
        if rounded.amount > 0:
            payable, residue = rounded.amount, rest.amount
    closing = total - payable - residue or ZERO
    draft.emit(
        *_settle(ib_id, currency, period, payable, residue),
        Statement(
            statement_id=digest("statement", ib_id, period.period, currency),
            ib_id=ib_id,
            period=period.period,
            starts_at=period.starts_at,
            ends_at=period.ends_at,
            currency=currency,
            opening=balance.carried,
            accrued=accrued,
            reversed=reversed_,
            payable=payable,
            rounding=residue,
            closing=closing,
            held=balance.held,
        ),
    )
    rest_open = {name: turnover for name, turnover in balance.open.items() if name not in due}
    return Balance(carried=closing, held=balance.held, open=rest_open)


def _settle(
    ib_id: str, currency: str, period: PeriodDefined, payable: Decimal, residue: Decimal
) -> Iterator[Transfer]:
    """Move what is due to payable, and what rounding left to `rounding`, in whichever direction."""
    pending = f"ib:{ib_id}:pending"
    moves: list[tuple[str, str, str, Decimal]] = []
    if payable:
        moves.append(("statement", pending, f"ib:{ib_id}:payable", payable))
    if residue > 0:
        moves.append(("rounding", pending, "rounding", residue))
    elif residue < 0:
        moves.append(("rounding", "rounding", pending, -residue))
    for code, debit, credit, amount in moves:
        yield Transfer(
            transfer_id=digest(code, ib_id, period.period, currency),
            code="statement" if code == "statement" else "rounding",
            debit=debit,
            credit=credit,
            amount=amount,
            currency=currency,
            ib_id=ib_id,
            occurred_at=period.ends_at,
            caused_by=f"period|{period.period}",
            period=period.period,
        )
