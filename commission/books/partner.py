"""The partner book: fold one IB's transfers into balances by period, and close statements."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import field
from msgspec.structs import replace

from commission import accounts
from commission.draft import Draft
from commission.ids import digest
from commission.money import Money, round_payable
from commission.outputs import Statement, Tally, Transfer
from commission.partner.buckets import ComponentPeriods, PeriodTotals
from commission.partner.claims import Claimed, PersonClaims
from commission.partner.statement_hash import statement_hash, total_of, with_row
from commission.partner.statement_membership import open_period
from commission.partner.true_ups import retry, settle
from commission.partner.waiting import WaitingTallies
from commission.rating.values import ZERO
from commission.terms.calendar import PeriodDefined, PeriodEnded
from commission.terms.catalog import Terms
from commission.terms.partners import PartnerDefined
from commission.value import Value


class Turnover(Value):
    """What one period brought to pending: accruals and releases, and what was taken back."""

    accrued: Decimal = ZERO
    reversed: Decimal = ZERO
    rows: int = 0
    total: int = 0
    """The sum that proves the rows, of `commission.partner.statement_hash`."""


class Balance(Value):
    """One currency of an IB: what was carried from closed statements, and what the open ones hold."""

    carried: Decimal = ZERO
    held: Decimal = ZERO
    open: dict[str, Turnover] = field(default_factory=dict)
    """Period → turnover; "" where the terms defined no period for the time of a transfer."""
    last: str = ""
    """Hash of the newest statement."""


class PartnerState(Value):
    """One IB: a balance for each currency, and what of the calendar is closed."""

    closed: datetime | None = None
    """When the newest closed period began."""
    balances: dict[str, Balance] = field(default_factory=dict)


KEYS: dict[str, type] = {
    "i": PartnerState,
    "s": ComponentPeriods,
    "f": PeriodTotals,
    "w": WaitingTallies,
    "t": Tally,
    "p": PersonClaims,
    "q": Claimed,
}
"""The first letter of a state key tells its type."""


def _partner_key(ib_id: str) -> str:
    return f"i:{ib_id}"


def apply(draft: Draft, record: Transfer | Tally, terms: Terms) -> None:
    """Book a transfer of an IB, or settle anew what a tally adds to."""
    if isinstance(record, Tally):
        _post(draft, settle(draft, record, terms), terms)
    else:
        _book(draft, record, terms)


def retry_early(draft: Draft, terms: Terms) -> None:
    """New terms are known: settle what came before them."""
    _post(draft, retry(draft, terms), terms)


def _post(draft: Draft, rows: Sequence[Transfer], terms: Terms) -> None:
    draft.emit(*rows)
    for row in rows:
        _book(draft, row, terms)


def _book(draft: Draft, record: Transfer, terms: Terms) -> None:
    """Book one transfer into the period of its own time, or the open one if that is closed."""
    key = _partner_key(record.ib_id)
    partner: PartnerState = draft.get(key) or PartnerState()
    balance = partner.balances.get(record.currency) or Balance()
    held, turnovers = balance.held, balance.open
    held_by, pending = accounts.held(record.ib_id), accounts.pending(record.ib_id)
    if pending in (record.credit, record.debit):
        period = open_period(partner.closed, record, terms)
        known = turnovers.get(period) or Turnover()
        accrued, reversed_ = known.accrued, known.reversed
        if record.credit == pending:
            accrued += record.amount
        else:
            reversed_ += record.amount
        total = with_row(known.total, record)
        turnover = Turnover(accrued=accrued, reversed=reversed_, rows=known.rows + 1, total=total)
        turnovers = {**turnovers, period: turnover}
    if record.credit == held_by:
        held += record.amount
    if record.debit == held_by:
        held -= record.amount
    balance = Balance(carried=balance.carried, held=held or ZERO, open=turnovers, last=balance.last)
    balances = {**partner.balances, record.currency: balance}
    draft.put(key, PartnerState(closed=partner.closed, balances=balances))


# Statements


def close(draft: Draft, ended: PeriodEnded, terms: Terms) -> None:
    """Close the period for every IB that has a state here; closing it again does nothing."""
    period = terms.period(ended.period)
    if period is None:
        return
    for ib_id in sorted(terms.partners):
        partner: PartnerState | None = draft.get(_partner_key(ib_id))
        if partner is None or (partner.closed is not None and partner.closed >= period.starts_at):
            continue
        least = _least_payable(terms.partners[ib_id], period, terms)
        balances = {
            currency: _close_balance(
                draft, ib_id, currency, balance, _due_names(balance, period, terms), period, least
            )
            for currency, balance in sorted(partner.balances.items())
        }
        draft.put(_partner_key(ib_id), PartnerState(closed=period.starts_at, balances=balances))


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
    draft: Draft,
    ib_id: str,
    currency: str,
    balance: Balance,
    due: Sequence[str],
    period: PeriodDefined,
    least: Decimal | None,
) -> Balance:
    accrued = sum((balance.open[name].accrued for name in due), ZERO)
    reversed_ = sum((balance.open[name].reversed for name in due), ZERO)
    total = balance.carried + accrued - reversed_
    payable = residue = ZERO
    if total > 0 and least is not None and total >= least:
        rounded, rest = round_payable(Money(total, currency))
        if rounded.amount > 0:
            payable, residue = rounded.amount, rest.amount
    closing = total - payable - residue or ZERO
    rows = tuple(_settle(ib_id, currency, period, payable, residue))
    statement = Statement(
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
        transfers=sum(balance.open[name].rows for name in due) + len(rows),
        previous=balance.last,
    )
    proof = statement_hash(statement, total_of(rows, sum(balance.open[name].total for name in due)))
    draft.emit(*rows, replace(statement, hash=proof))
    rest_open = {name: turnover for name, turnover in balance.open.items() if name not in due}
    return Balance(carried=closing, held=balance.held, open=rest_open, last=proof)


def _settle(
    ib_id: str, currency: str, period: PeriodDefined, payable: Decimal, residue: Decimal
) -> Iterator[Transfer]:
    """Move what is due to payable, and what rounding left to `rounding`, in whichever direction."""
    pending = accounts.pending(ib_id)
    moves: list[tuple[str, str, str, Decimal]] = []
    if payable:
        moves.append(("statement", pending, accounts.payable(ib_id), payable))
    if residue > 0:
        moves.append(("rounding", pending, accounts.ROUNDING, residue))
    elif residue < 0:
        moves.append(("rounding", accounts.ROUNDING, pending, -residue))
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
