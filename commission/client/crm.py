"""CRM events in the client book: registration, deposits and their losses, KYC, verdicts."""

from collections.abc import Callable

from msgspec.structs import replace

from commission.client import keys
from commission.client.accruals import release, release_posted
from commission.client.attribution import attribute
from commission.client.clawback import claw_back, clawed_of, reaches_deals, settle_anew
from commission.client.cpa_grants import weigh
from commission.client.deals import fold_deal
from commission.client.deposit_losses import ZERO, TakenBack, Won
from commission.client.deposits import every, find, keep
from commission.client.kyc_gate import released
from commission.client.milestones import milestone
from commission.client.repeats import Refusal, remember, verdict
from commission.client.state import (
    Cause,
    ClawedBack,
    ClientState,
    DealState,
    Deposit,
    Grant,
    IbLink,
    KycMark,
    Withdrawal,
)
from commission.client.tallies import release_tallies
from commission.draft import Draft
from commission.events import (
    ChargebackReceived,
    ChargebackWon,
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


def apply_event(draft: Draft, client: ClientState, event: ClientEvent, terms: Terms) -> ClientState | None:
    """The client after the event; None if it changes nothing: it says nothing new, or is refused."""
    found = verdict(draft, client, event)
    if isinstance(found, Refusal):
        draft.refuse(event, found.code, found.reason)
        return None
    remember(draft, event)
    if found == "repeat":
        draft.repeated += 1
        return None
    after = _EFFECTS[type(event)](draft, client, event, terms)
    touched = _touched(draft, client, after, event, terms)
    anew = after.identity != client.identity and client.registered_at is not None and _is_ib(after, terms)
    return weigh(draft, after, Cause(event.event_id, event.occurred_at), terms, anew=anew, only=touched)


def _is_ib(client: ClientState, terms: Terms) -> bool:
    """Whether the client is an IB, which may earn nothing on itself."""
    return any(partner.identity == client.identity for partner in terms.partners.values())


def _touched(
    draft: Draft, before: ClientState, after: ClientState, event: ClientEvent, terms: Terms
) -> tuple[str, ...] | None:
    """The deposits and withdrawals the event may change; None where that may be any."""
    if isinstance(event, WithdrawalPaid):
        return (event.event_id,)
    if not isinstance(event, DepositCleared | ChargebackReceived | ChargebackWon):
        return None
    deposit = find(draft, event.client_id, event.deposit_id)
    if any(
        taken.reason != "withdrawal" and reaches_deals(taken.reason, terms) for taken in deposit.taken_back
    ):
        return None
    first, now = before.deposits[:1], after.deposits[:1]
    return (event.deposit_id, *(d.deposit_id for d in first if d.deposit_id != now[0].deposit_id))


def _register(draft: Draft, client: ClientState, event: ClientRegistered, terms: Terms) -> ClientState:
    """Deals that waited for it are folded in the order of their time.

    Told once more it says who the client is: what its CPAs were granted for becomes a claim of that person.
    """
    if client.registered_at is not None:
        return replace(client, identity=event.identity)
    came = attribute(event, terms)
    ib_id = event.ib_id if came is None else came.ib_id
    links = (IbLink(since=event.occurred_at, ib_id=ib_id), *client.links)
    client = replace(
        client,
        registered_at=event.occurred_at,
        attribution=came,
        country=event.country,
        identity=event.identity,
        click=event.click,
        links=tuple(sorted(links, key=lambda link: link.since)),
    )
    milestone(draft, client, "registration", client.client_id, event.occurred_at, terms)
    slots = [keys.waiting(client.client_id, number) for number in range(client.waiting)]
    waiting = [draft.take(slot, RoutedDeal) for slot in slots if draft.get(slot) is not None]
    client = replace(client, waiting=0)
    for routed in sorted(waiting, key=lambda routed: (routed.deal.occurred_at, routed.deal.deal_key)):
        known: DealState | None = draft.get(keys.deal(client.client_id, routed.deal.deal_key))
        client = fold_deal(draft, client, routed, known, terms)
    return client


def _reassign(draft: Draft, client: ClientState, event: ClientReassigned, terms: Terms) -> ClientState:
    del draft, terms
    links = (*client.links, IbLink(since=event.occurred_at, ib_id=event.ib_id))
    return replace(client, links=tuple(sorted(links, key=lambda link: link.since)))


def _deposit(draft: Draft, client: ClientState, event: DepositCleared, terms: Terms) -> ClientState:
    is_first = not client.deposits
    deposit = replace(
        find(draft, client.client_id, event.deposit_id),
        amount=event.amount,
        currency=event.currency,
        cleared_at=event.occurred_at,
    )
    client = keep(draft, client, deposit)
    money = Money(event.amount, event.currency)
    milestone(draft, client, "deposit", event.deposit_id, event.occurred_at, terms, money=money)
    if is_first:
        milestone(draft, client, "ftd", event.deposit_id, event.occurred_at, terms, money=money)
    for clawed in clawed_of(deposit).values():
        client = claw_back(draft, client, clawed, terms)
    return client


def _charge_back(draft: Draft, client: ClientState, event: ChargebackReceived, terms: Terms) -> ClientState:
    """A chargeback known before its deposit takes effect when the deposit arrives."""
    known = find(draft, client.client_id, event.deposit_id)
    taken = TakenBack(event.event_id, event.occurred_at, event.reason, event.amount, event.chargeback_id)
    deposit = replace(known, taken_back=(*known.taken_back, taken))
    return _lose(draft, client, known, deposit, Cause(event.event_id, event.occurred_at), terms)


def _win(draft: Draft, client: ClientState, event: ChargebackWon, terms: Terms) -> ClientState:
    """A win known before its chargeback has its effect when the chargeback arrives."""
    known = find(draft, client.client_id, event.deposit_id)
    won = Won(event.event_id, event.occurred_at, event.amount, event.chargeback_id)
    deposit = replace(known, won=(*known.won, won))
    return _lose(draft, client, known, deposit, Cause(event.event_id, event.occurred_at), terms)


def _lose(
    draft: Draft, client: ClientState, known: Deposit, deposit: Deposit, cause: Cause, terms: Terms
) -> ClientState:
    """Take back of deals what the deposit's losses now take, and give back what they no longer do."""
    client = keep(draft, client, deposit)
    if deposit.cleared_at is None:
        return client
    before, after = clawed_of(known), clawed_of(deposit)
    gone = {event_id: clawed._replace(share=ZERO) for event_id, clawed in before.items()}
    changed = [now for event_id, now in {**gone, **after}.items() if now != before.get(event_id)]
    if set(after) - set(before) == {cause.key} and len(changed) == 1:
        return claw_back(draft, client, changed[0], terms)
    return settle_anew(draft, client, changed, cause, terms) if changed else client


def _withdraw(draft: Draft, client: ClientState, event: WithdrawalPaid, terms: Terms) -> ClientState:
    del terms
    withdrawal = Withdrawal(
        event_id=event.event_id, amount=event.amount, currency=event.currency, at=event.occurred_at
    )
    draft.put(keys.withdrawal(client.client_id, event.event_id), withdrawal)
    return replace(client, withdrawn=True)


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
    client = replace(client, kyc=tuple(marks))
    if event.status == "approved":
        milestone(draft, client, "kyc.approved", event.occurred_at.isoformat(), event.occurred_at, terms)
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
        first = tuple(released(entry, client) for entry in state.first_posted)
        client, posted = release_posted(draft, client, state.posted, cause)
        if (first, posted) != (state.first_posted, state.posted):
            draft.put(key, replace(state, first_posted=first, posted=posted))
    grants: dict[str, Grant] = {}
    for name, grant in client.grants.items():
        client, posted = release_posted(draft, client, grant.posted, cause)
        grants[name] = replace(grant, posted=posted)
    for deposit in every(draft, client):
        client, posted = release_posted(draft, client, deposit.posted, cause)
        if posted != deposit.posted:
            draft.put(keys.deposit(client.client_id, deposit.deposit_id), replace(deposit, posted=posted))
    release_tallies(draft, client)
    return replace(client, grants=grants)


_EFFECTS: dict[type, Callable[..., ClientState]] = {
    ClientRegistered: _register,
    ClientReassigned: _reassign,
    DepositCleared: _deposit,
    ChargebackReceived: _charge_back,
    ChargebackWon: _win,
    WithdrawalPaid: _withdraw,
    ClientFlagged: _flag,
    KycChanged: _kyc,
}
