"""What is left of deposits of which some was taken back, for a CPA."""

from collections.abc import Iterable
from datetime import datetime

from commission.client.deposit_losses import ClearedDeposit, is_counted
from commission.terms.plans import Clawback


def kept_of(deposit: ClearedDeposit, limit: datetime, clawback: Clawback) -> ClearedDeposit:
    """The deposit without what was taken back of it by `limit`."""
    if not deposit.losses:
        return deposit
    return deposit.without(t for t in deposit.losses if t.at <= limit and is_counted(t, clawback))


def losses_between(
    deposits: Iterable[ClearedDeposit], qualified_at: datetime, limit: datetime, clawback: Clawback
) -> list[datetime]:
    """When something was taken back after qualification and not too late, in the order of time."""
    taken = (taken for deposit in deposits for taken in deposit.losses)
    return sorted({t.at for t in taken if qualified_at < t.at <= limit and is_counted(t, clawback)})
