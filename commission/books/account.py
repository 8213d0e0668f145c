"""The account book: find whose account a deal belongs to, and keep the deal until that is known."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from commission.draft import Draft
from commission.events import AccountEvent, AccountLinked, Deal, RoutedDeal
from commission.outputs import Rejection
from commission.terms.catalog import Terms
from commission.value import Time, Value


class Owner(Value):
    """From `since` on the account belongs to `client_id`; the first owner also before."""

    since: Time
    client_id: str
    event_id: str
    told: Time | None = None
    """From when on by its event, which deals that were routed already may have delayed."""


class AccountState(Value):
    """Who owns the account when, and how many deals wait for an owner."""

    owners: tuple[Owner, ...] = ()
    waiting: int = 0
    routed_until: Time | None = None
    """The newest time of a deal that has an owner; no later link reaches back before it."""
    numbered: int = 0
    """Records of deals since the account has had several owners."""


MAX_OWNERS = 1_000
"""Owners of one account, one after another."""
INSTANT = timedelta(microseconds=1)
"""The unit of every time here."""

KEYS: dict[str, type] = {"a": AccountState, "w": Deal}
"""The first letter of a state key tells its type."""


def _account_key(account: str) -> str:
    return f"a:{account}"


def _waiting_key(account: str, slot: int) -> str:
    return f"w:{account}:{slot}"


def apply(draft: Draft, record: AccountEvent, terms: Terms) -> None:
    """Fold one record. Terms play no part: who owns an account is not a term."""
    del terms
    if isinstance(record, Deal):
        _route(draft, record)
    else:
        _link(draft, record)


def _route(draft: Draft, deal: Deal) -> None:
    key = _account_key(deal.account_key)
    account: AccountState = draft.get(key) or AccountState()
    if account.owners:
        after, routed = account, RoutedDeal(client_id=_owner(account, deal.occurred_at), deal=deal)
        if len(account.owners) > 1 and (others := _others(account, routed.client_id)):
            after = replace(after, numbered=after.numbered + 1)
            routed = replace(routed, others=others, number=after.numbered)
        draft.emit(routed)
        if account.routed_until is None or deal.occurred_at > account.routed_until:
            after = replace(after, routed_until=deal.occurred_at)
        if after is not account:
            draft.put(key, after)
        return
    draft.put(_waiting_key(deal.account_key, account.waiting), deal)
    draft.put(key, replace(account, waiting=account.waiting + 1))
    draft.emit(
        Rejection(
            deal_key=deal.deal_key,
            revision=deal.revision,
            status="waiting",
            code="unknown_account",
            text=f"no client owns account {deal.account_key}; the deal is rated when the CRM links it",
            account_key=deal.account_key,
            occurred_at=deal.occurred_at,
        )
    )


def _link(draft: Draft, link: AccountLinked) -> None:
    """Learn an owner; the first one releases the deals that waited, in the order of their time.

    Revisions of one deal stay together, in the order of their arrival. A later owner begins after
    the deals that are routed already: the same deal sent again must find the same client.
    """
    key = _account_key(link.account_key)
    account: AccountState = draft.get(key) or AccountState()
    known = next((owner for owner in account.owners if owner.event_id == link.event_id), None)
    same = account.owners if known is None else (known,)
    if any((owner.client_id, owner.told) == (link.client_id, link.occurred_at) for owner in same):
        draft.repeated += 1  # under another event id as well: it must not take the account back
        return
    if known is not None or len(account.owners) >= MAX_OWNERS:
        draft.refuse(link, *_why_refused(link, known))
        return
    since = link.occurred_at
    if account.routed_until is not None:
        since = max(since, account.routed_until + INSTANT)
    owner = Owner(since=since, client_id=link.client_id, event_id=link.event_id, told=link.occurred_at)
    owners = tuple(sorted((*account.owners, owner), key=lambda owner: owner.since))
    account = replace(account, owners=owners)
    slots = [_waiting_key(link.account_key, number) for number in range(account.waiting)]
    waiting = [draft.take(slot, Deal) for slot in slots]
    newest = {deal.deal_key: deal.occurred_at for deal in waiting}
    for deal in sorted(waiting, key=lambda deal: (newest[deal.deal_key], deal.deal_key)):
        draft.emit(RoutedDeal(client_id=_owner(account, deal.occurred_at), deal=deal))
    if waiting:
        account = replace(account, routed_until=max(deal.occurred_at for deal in waiting))
    draft.put(key, replace(account, waiting=0))


def _why_refused(link: AccountLinked, known: Owner | None) -> tuple[str, str]:
    """A fixed word, and what to do."""
    if known is None:
        text = (
            f"account {link.account_key} has had {MAX_OWNERS:,} owners, the most that is kept; give its new"
            " owner another account"
        )
        return "too_many", text
    text = (
        f"event {link.event_id} came with another content before: it gave account {link.account_key} to"
        f" client {known.client_id}, this one to {link.client_id} from {link.occurred_at:%Y-%m-%d %H:%M} UTC"
        " on; give each event an id of its own"
    )
    return "event_id_taken", text


def _others(account: AccountState, client_id: str) -> tuple[str, ...]:
    return tuple(sorted({owner.client_id for owner in account.owners} - {client_id}))


def _owner(account: AccountState, at: datetime) -> str:
    client_id = account.owners[0].client_id
    for owner in account.owners:
        if owner.since <= at:
            client_id = owner.client_id
    return client_id
