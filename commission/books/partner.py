"""The partner book: fold one IB's transfers into balances by period."""

from collections.abc import Sequence

from commission import accounts
from commission.announcing import announced
from commission.draft import Draft
from commission.outputs import Tally, Transfer
from commission.partner.balance_changes import Changed
from commission.partner.balances import Balance, Closing, PartnerState, Turnover, partner_key
from commission.partner.buckets import ComponentPeriods, PeriodTotals
from commission.partner.claims import Claimed, PersonClaims
from commission.partner.payable import PayoutState
from commission.partner.payout_commands import decide
from commission.partner.payout_lines import LineState
from commission.partner.statement_hash import with_row
from commission.partner.statement_membership import turnover_of
from commission.partner.true_ups import retry, settle
from commission.partner.waiting import WaitingTallies
from commission.payouts.commands import AnyCommand
from commission.rating.values import ZERO
from commission.terms.catalog import Terms

KEYS: dict[str, type] = {
    "i": PartnerState,
    "r": Closing,
    "s": ComponentPeriods,
    "f": PeriodTotals,
    "w": WaitingTallies,
    "t": Tally,
    "p": PersonClaims,
    "q": Claimed,
    "y": PayoutState,
    "l": LineState,
    "c": Changed,
}
"""The first letter of a state key tells its type."""


def apply(draft: Draft, record: Transfer | Tally | AnyCommand, terms: Terms) -> None:
    """Book a transfer of an IB, settle anew what a tally adds to, or decide about its payouts."""
    if isinstance(record, Transfer):
        _book(draft, record, terms)
    elif isinstance(record, Tally):
        _post(draft, settle(draft, record, terms), terms)
    else:
        rows, answer = decide(draft, record, terms)
        _post(draft, rows, terms)
        draft.emit(*([answer] if answer is not None else ()))


def retry_early(draft: Draft, terms: Terms) -> None:
    """New terms are known: settle what came before them."""
    _post(draft, retry(draft, terms), terms)


def _post(draft: Draft, rows: Sequence[Transfer], terms: Terms) -> None:
    draft.emit(*rows, *announced(rows, terms))
    for row in rows:
        _book(draft, row, terms)


def _book(draft: Draft, record: Transfer, terms: Terms) -> None:
    """Book one transfer into the period of its own time, or the next statement's if that is closed."""
    if record.code in ("exchange", "tax"):
        return  # beside what the IB is owed, perhaps in a currency in which it earns nothing
    key = partner_key(record.ib_id)
    partner: PartnerState = draft.get(key) or PartnerState()
    balance = partner.balances.get(record.currency) or Balance()
    held, turnovers = balance.held, balance.open
    held_by, pending = accounts.held(record.ib_id), accounts.pending(record.ib_id)
    if pending in (record.credit, record.debit):
        period = turnover_of(partner.closed, record, terms)
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
