"""CRM events in the client book: registration, deposits and their losses, KYC, verdicts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from commission.client import keys
from commission.client.accruals import release, release_posted
from commission.client.clawback import claw_back
from commission.client.cpa_grants import weigh
from commission.client.deals import fold_deal
from commission.client.milestones import milestone
from commission.client.state import (
    Cause,
    ClawedBack,
    ClientState,
    DealState,
    Deposit,
    EventState,
    Grant,
    IbLink,
    KycMark,
    TakenBack,
    Withdrawal,
)
from commission.client.tallies import release_tallies
from commission.draft import Draft
from commission.events import (
    ChargebackReceived,
    ClientEvent,
    ClientFlagged,
    ClientReassigned,
    ClientRegistered,
    DepositCleared,
    KycChanged,
    RoutedDeal,
    WithdrawalPaid,
)
from commission.money import Money
from commission.terms.catalog import Terms

MAX_KYC_MARKS = 64
MAX_DEPOSITS = 64
"""The earliest are kept: a CPA looks at the first deposits only."""
MAX_TAKEN_BACK = 16
"""Partial chargebacks of one deposit."""

_NEVER = datetime.max.replace(tzinfo=UTC)


def apply_event(draft: Draft, client: ClientState, event: ClientEvent, terms: Terms) -> ClientState | None:
    """The client after the event; None if it has had its effect before."""
    key = keys.event(event.client_id, event.event_id)
    if draft.get(key) is not None:
        return None
    draft.put(key, EventState(at=event.occurred_at))
    effect = _EFFECTS[type(event)]
    client = effect(draft, client, event, terms)
    return weigh(draft, client, Cause(event.event_id, event.occurred_at), terms)


def _register(draft: Draft, client: ClientState, event: ClientRegistered, terms: Terms) -> ClientState:
    """The first registration stands; deals that waited for it are folded in the order of their time."""
    if client.registered_at is not None:
        return client
    links = (IbLink(since=event.occurred_at, ib_id=event.ib_id), *client.links)
    client = replace(
        client,
        registered_at=event.occurred_at,
        country=event.country,
        identity=event.identity,
        click=event.click,
        links=tuple(sorted(links, key=lambda link: link.since)),
    )
    milestone(draft, client, "registration", event.event_id, event.occurred_at)
    slots = [keys.waiting(client.client_id, number) for number in range(client.waiting)]
    waiting = [draft.take(slot, RoutedDeal) for slot in slots]
    client = replace(client, waiting=0)
    for routed in sorted(waiting, key=lambda routed: (routed.deal.occurred_at, routed.deal.deal_key)):
        known: DealState | None = draft.get(keys.deal(client.client_id, routed.deal.deal_key))
        client = fold_deal(draft, client, routed.deal, known, terms)
    return client


def _reassign(draft: Draft, client: ClientState, event: ClientReassigned, terms: Terms) -> ClientState:
    del draft, terms
    links = (*client.links, IbLink(since=event.occurred_at, ib_id=event.ib_id))
    return replace(client, links=tuple(sorted(links, key=lambda link: link.since)))


def _deposit(draft: Draft, client: ClientState, event: DepositCleared, terms: Terms) -> ClientState:
    is_first = all(deposit.cleared_at is None for deposit in client.deposits)
    deposit = replace(
        _deposit_of(client, event.deposit_id),
        amount=event.amount,
        currency=event.currency,
        cleared_at=event.occurred_at,
    )
    client = _with_deposit(client, deposit)
    money = Money(event.amount, event.currency)
    milestone(draft, client, "deposit", event.event_id, event.occurred_at, money=money)
    if is_first:
        milestone(draft, client, "ftd", event.event_id, event.occurred_at, money=money)
    for taken in deposit.taken_back:
        client = _claw_deposit(draft, client, deposit, taken, terms)
    return client


def _charge_back(draft: Draft, client: ClientState, event: ChargebackReceived, terms: Terms) -> ClientState:
    """A chargeback known before its deposit takes effect when the deposit arrives."""
    deposit = _deposit_of(client, event.deposit_id)
    taken = TakenBack(event.event_id, event.occurred_at, event.reason, event.amount)
    deposit = replace(deposit, taken_back=(*deposit.taken_back, taken)[:MAX_TAKEN_BACK])
    client = _with_deposit(client, deposit)
    return client if deposit.cleared_at is None else _claw_deposit(draft, client, deposit, taken, terms)


def _claw_deposit(
    draft: Draft, client: ClientState, deposit: Deposit, taken: TakenBack, terms: Terms
) -> ClientState:
    share = Decimal(1)
    if taken.amount is not None and deposit.amount:
        share = min(share, taken.amount / deposit.amount)
    clawed = ClawedBack(taken.event_id, taken.reason, taken.at, deposit.cleared_at, share)
    return claw_back(draft, client, clawed, terms)


def _withdraw(draft: Draft, client: ClientState, event: WithdrawalPaid, terms: Terms) -> ClientState:
    del draft, terms
    withdrawal = Withdrawal(
        event_id=event.event_id, amount=event.amount, currency=event.currency, at=event.occurred_at
    )
    return replace(client, withdrawals=(*client.withdrawals, withdrawal))


def _flag(draft: Draft, client: ClientState, event: ClientFlagged, terms: Terms) -> ClientState:
    """A verdict; after fraud the client earns nobody anything any more."""
    if event.verdict == "fraud":
        first = min(client.fraud_at or event.occurred_at, event.occurred_at)
        client = replace(client, fraud_at=first)
    return claw_back(draft, client, ClawedBack(event.event_id, event.verdict, event.occurred_at), terms)


def _kyc(draft: Draft, client: ClientState, event: KycChanged, terms: Terms) -> ClientState:
    marks = sorted(
        [*client.kyc, KycMark(at=event.occurred_at, status=event.status)], key=lambda mark: mark.at
    )
    was_approved = client.is_kyc_approved
    client = replace(client, kyc=tuple(marks[-MAX_KYC_MARKS:]))
    if event.status == "approved":
        milestone(draft, client, "kyc.approved", event.event_id, event.occurred_at)
    if event.status == "revoked":
        client = claw_back(draft, client, ClawedBack(event.event_id, "kyc_revoked", event.occurred_at), terms)
    cause = Cause(event.event_id, event.occurred_at)
    if client.is_kyc_approved and not was_approved:
        client = release(draft, client, cause)
    elif event.status == "approved" and not client.is_kyc_approved:
        client = _release_earlier(draft, client, cause)
    return client


def _release_earlier(draft: Draft, client: ClientState, cause: Cause) -> ClientState:
    """An approval is told after what took it back: what was earned by then is released all the same."""
    for key in draft.scan(keys.deals(client.client_id)):
        state = draft.get(key)
        assert isinstance(state, DealState), f"{key} holds a deal"
        client, posted = release_posted(draft, client, state.posted, cause)
        if posted != state.posted:
            draft.put(key, replace(state, posted=posted))
    grants: dict[str, Grant] = {}
    for name, grant in client.grants.items():
        client, posted = release_posted(draft, client, grant.posted, cause)
        grants[name] = replace(grant, posted=posted)
    deposits: list[Deposit] = []
    for deposit in client.deposits:
        client, posted = release_posted(draft, client, deposit.posted, cause)
        deposits.append(replace(deposit, posted=posted))
    release_tallies(draft, client)
    return replace(client, grants=grants, deposits=tuple(deposits))


def _deposit_of(client: ClientState, deposit_id: str) -> Deposit:
    known = (deposit for deposit in client.deposits if deposit.deposit_id == deposit_id)
    return next(known, Deposit(deposit_id=deposit_id))


def _with_deposit(client: ClientState, deposit: Deposit) -> ClientState:
    others = [known for known in client.deposits if known.deposit_id != deposit.deposit_id]
    ordered = sorted([*others, deposit], key=lambda d: (d.cleared_at or _NEVER, d.deposit_id))
    return replace(client, deposits=tuple(ordered[:MAX_DEPOSITS]))


_EFFECTS: dict[type, Callable[..., ClientState]] = {
    ClientRegistered: _register,
    ClientReassigned: _reassign,
    DepositCleared: _deposit,
    ChargebackReceived: _charge_back,
    WithdrawalPaid: _withdraw,
    ClientFlagged: _flag,
    KycChanged: _kyc,
}
