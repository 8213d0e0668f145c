"""What is left of deposits of which some was taken back, for a CPA."""

from collections.abc import Iterable
from datetime import datetime

from commission.client.state import Deposit
from commission.terms.plans import Clawback


def kept_of(deposit: Deposit, limit: datetime, clawback: Clawback) -> Deposit:
    """The deposit without what was taken back of it by `limit`."""
    if deposit.amount is None:
        return deposit
    amount = deposit.amount
    for taken in deposit.taken_back:
        if taken.at <= limit and getattr(clawback, taken.reason) != "none":
            amount -= deposit.amount if taken.amount is None else taken.amount
    if amount == deposit.amount:
        return deposit
    left = amount if amount > 0 else None
    return Deposit(
        deposit_id=deposit.deposit_id,
        amount=left,
        currency=deposit.currency,
        cleared_at=deposit.cleared_at,
        taken_back=deposit.taken_back,
    )


def before_the_first_loss(
    deposits: Iterable[Deposit],
    kept: Iterable[Deposit],
    qualified_at: datetime,
    limit: datetime,
    clawback: Clawback,
) -> list[Deposit]:
    """Of what is left, the deposits that were there when one was taken back after qualification."""
    taken = (taken for deposit in deposits for taken in deposit.taken_back)
    lost_at = min(
        t.at for t in taken if qualified_at < t.at <= limit and getattr(clawback, t.reason) != "none"
    )
    return [deposit for deposit in kept if deposit.cleared_at is not None and deposit.cleared_at <= lost_at]
