"""The ledger as a whole: balances, the trial balance, and a hash two ledgers can be compared by."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256

from commission import accounts
from commission.money import plain
from commission.outputs import Transfer


def unique(transfers: Iterable[Transfer]) -> dict[str, Transfer]:
    """Each id once: the same cause sent again is the same row."""
    return {transfer.transfer_id: transfer for transfer in transfers}


def balances(transfers: Iterable[Transfer]) -> dict[tuple[str, str], Decimal]:
    """(account, currency) → credits minus debits."""
    totals: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for transfer in transfers:
        totals[transfer.debit, transfer.currency] -= transfer.amount
        totals[transfer.credit, transfer.currency] += transfer.amount
    return dict(totals)


def ledger_hash(transfers: Iterable[Transfer]) -> str:
    """Hash what moved where and why, independent of the order in which it became known.

    Every row has two legs: at the broker's expense for one deal or event, and at the IB for one
    client and component. Legs of the same place are added up and zeros dropped, so a deal that was
    accrued, reversed and accrued again equals the deal accrued once.
    """
    rows = unique(transfers)
    legs: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for row in rows.values():
        original = rows.get(row.reverses, row) if row.reverses else row
        for account, sign in ((row.debit, -1), (row.credit, 1)):
            subject = original.caused_by if accounts.is_of_broker(account) else row.client_id
            legs[account, subject, row.ib_id, row.component, row.period, row.currency] += sign * row.amount
    lines = sorted("\x1f".join((*place, plain(amount))) for place, amount in legs.items() if amount)
    return sha256("\n".join(lines).encode()).hexdigest()
