"""Money of IBs as events on demand: what a row of the ledger says to a partner network."""

from collections.abc import Iterable, Iterator

from commission import accounts
from commission.outputs import Announcement, MilestoneKind, Transfer, milestone_id_of
from commission.terms.catalog import Terms
from commission.terms.upline import above

EARNINGS = ("accrual", "true_up", "reversal", "forfeit")
"""Codes of what an IB earns, and loses of it again."""


def announced(rows: Iterable[Transfer], terms: Terms) -> Iterator[Announcement]:
    """What is to be said of the rows, without what only the client book knows of the client.

    A rebate is the client's, and says nothing. Held money is accrued like other: the row says when.
    """
    for row in rows if terms.events else ():
        kind = _kind_of(row)
        if kind is None or kind not in terms.events:
            continue
        taken = ""
        if kind == "commission.reversed" and row.reverses:
            taken = milestone_id_of("commission.accrued", row.client_id, row.reverses)
        yield Announcement(
            milestone_id=milestone_id_of(kind, row.client_id, row.transfer_id),
            kind=kind,
            client_id=row.client_id,
            ib_id=row.ib_id,
            occurred_at=row.occurred_at,
            amount=row.amount,
            currency=row.currency,
            takes_back=taken,
            upline=above(terms.upline(row.ib_id, row.occurred_at)),
            symbol=row.symbol,
            lots=row.lots or None,
        )


def _kind_of(row: Transfer) -> MilestoneKind | None:
    if row.code == "paid":
        return "payout.paid"
    if row.code not in EARNINGS or row.component == "rebate":
        return None
    is_more = row.credit in (accounts.pending(row.ib_id), accounts.held(row.ib_id))
    return "commission.accrued" if is_more else "commission.reversed"
