"""A client's deposits: each under a key of its own, with copies of the earliest in the client.

Only the first that stands and those soon after it make a CPA's FTD amount. The copies are enough for that
unless many deposits come at once or the earliest are taken back; then every deposit is read.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from commission.client import keys
from commission.client.deposit_losses import ZERO, ClearedDeposit, TakenBack, is_counted
from commission.client.state import ClientState, Deposit, Withdrawal
from commission.draft import Draft
from commission.terms.catalog import Terms
from commission.terms.plans import Clawback

MAX_COPIES = 64
"""Deposits that a client's state has copies of; more than those are read where they matter."""


def find(draft: Draft, client_id: str, deposit_id: str) -> Deposit:
    """What is known of a deposit."""
    return draft.get(keys.deposit(client_id, deposit_id)) or Deposit(deposit_id=deposit_id)


def keep(draft: Draft, client: ClientState, deposit: Deposit) -> ClientState:
    """Remember what is known of a deposit now."""
    draft.put(keys.deposit(client.client_id, deposit.deposit_id), deposit)
    copy = deposit.cleared
    if copy is None:
        return client
    others = [known for known in client.deposits if known.deposit_id != copy.deposit_id]
    if client.more_since is not None and len(others) == len(client.deposits) and copy > others[-1]:
        return replace(client, more_since=min(client.more_since, copy.cleared_at))
    copies = sorted([*others, copy])
    if len(copies) > MAX_COPIES:
        client = replace(client, more_since=copies.pop().cleared_at)
    return replace(client, deposits=tuple(copies))


def every(draft: Draft, client: ClientState) -> list[Deposit]:
    """All deposits, cleared or not, by their time."""
    found = [draft.read(key, Deposit) for key in draft.scan(keys.deposits(client.client_id))]
    return sorted(found, key=lambda deposit: (deposit.cleared_at is None, deposit.cleared))


def cleared(draft: Draft, client: ClientState) -> tuple[ClearedDeposit, ...]:
    """Every deposit that cleared, by its time."""
    if client.more_since is None:
        return client.deposits
    return tuple(deposit.cleared for deposit in every(draft, client) if deposit.cleared is not None)


def relevant(draft: Draft, client: ClientState, hours: int) -> tuple[ClearedDeposit, ...]:
    """The deposits a CPA may look at that counts those within so many hours of the first; or more of them."""
    end = _end(client, hours)
    if end is not None and client.more_since is not None and end < client.more_since:
        return client.deposits
    return cleared(draft, client)


def is_too_late(client: ClientState, deposit: Deposit, hours: int) -> bool:
    """Whether the deposit comes after all that such a CPA may look at, whatever is taken back of it."""
    end = _end(client, hours)
    return end is not None and deposit.cleared_at is not None and deposit.cleared_at > end


def _end(client: ClientState, hours: int) -> datetime | None:
    """The end of the hours after the first deposit that stands, after which none counts."""
    first = next((deposit.cleared_at for deposit in client.deposits if deposit.stands), None)
    return None if first is None else first + timedelta(hours=hours)


def withdrawals(draft: Draft, client: ClientState) -> tuple[Withdrawal, ...]:
    """All withdrawals, by their time."""
    if not client.withdrawn:
        return ()
    found = [draft.read(key, Withdrawal) for key in draft.scan(keys.withdrawals(client.client_id))]
    return tuple(sorted(found, key=lambda withdrawal: (withdrawal.at, withdrawal.event_id)))


def net_of(
    deposits: Iterable[ClearedDeposit], withdrawals: Iterable[Withdrawal], terms: Terms, clawback: Clawback
) -> tuple[ClearedDeposit, ...]:
    """The deposits with what was withdrawn as a loss, the earliest deposit first; without a rate, nothing.

    What the plan does not let be taken back is there to be withdrawn. Who waits for a rate is told by
    `lacks_rate` of the CPA's conditions.
    """
    found = list(deposits)
    for withdrawal in withdrawals:
        rest = withdrawal.amount
        for number, deposit in enumerate(found):
            rate = terms.convert(withdrawal.currency, deposit.currency, withdrawal.at)
            left = deposit.without(taken for taken in deposit.losses if is_counted(taken, clawback)).amount
            if rate is None or deposit.cleared_at > withdrawal.at or left <= 0 or rest <= 0:
                continue
            wanted = rate.of(rest)
            taken = min(wanted, left)
            loss = TakenBack(withdrawal.event_id, withdrawal.at, "withdrawal", taken)
            found[number] = deposit._replace(losses=(*deposit.losses, loss))
            rest = rest * (wanted - taken) / wanted if taken < wanted else ZERO
    return tuple(found)
