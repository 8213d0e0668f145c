"""Clawback: what a negative event takes back of a client's deals, at the frozen amounts, once."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from commission.client import keys
from commission.client.deposit_losses import ClawReason, shares
from commission.client.kyc_gate import is_forfeited
from commission.client.refunds import less_refunds
from commission.client.reversals import give_back, reverse, take
from commission.client.state import Cause, ClawedBack, ClawedPage, ClientState, DealState, Deposit, Posted
from commission.client.tallies import give_back_tallies, withdraw
from commission.draft import Draft
from commission.outputs import Tally
from commission.rating.values import ZERO
from commission.terms.catalog import Terms

MAX_CLAWED = 64
"""Negative events kept in a client's own state, and in each page of older ones."""


def clawed_of(deposit: Deposit) -> dict[str, ClawedBack]:
    """By event, what each loss of a deposit takes back of deals: as much as it took of the deposit."""
    assert deposit.amount is not None, "a cleared deposit has an amount"
    share_of, found = shares(deposit.amount, deposit.losses), dict[str, ClawedBack]()
    for taken in deposit.losses:
        assert taken.reason != "withdrawal", "a withdrawal takes no deals back"
        share = share_of[taken.event_id]
        found[taken.event_id] = ClawedBack(taken.event_id, taken.reason, taken.at, deposit.cleared_at, share)
    return found


def claw_back(draft: Draft, client: ClientState, clawed: ClawedBack, terms: Terms) -> ClientState:
    """Take back what the event reaches of the deals known so far, and remember it for later ones."""
    is_idle = not reaches_deals(clawed.reason, terms)
    client = _remember(draft, client, clawed._replace(is_idle=is_idle))
    if is_idle:
        return client
    for key in draft.scan(keys.deals(client.client_id)):
        state = draft.get(key)
        assert isinstance(state, DealState), f"{key} holds a deal"
        if any(entry.back_of for entry in state.posted):  # a share of each piece would be rounded by itself
            cause = Cause(clawed.cause, clawed.at)
            client, state = settle_deal(draft, client, state, cause, terms)
            draft.put(key, state)
        elif state.posted or state.tallied:
            client, state = _claw_deal(draft, client, clawed, state, terms)
            draft.put(key, state)
    return client


def claw_back_new(
    draft: Draft, client: ClientState, state: DealState, terms: Terms
) -> tuple[ClientState, DealState]:
    """A deal that arrives after the events, and the refunds of its charge, that take it back."""
    if state.refunds:
        refund = state.refunds[-1]
        cause = Cause(refund.cause, refund.at, effect=f"{refund.cause}|at once")
        client, state = _come_to(draft, client, state, state, less_refunds(state, terms), cause)
    for clawed in all_clawed(draft, client):
        client, state = _claw_deal(draft, client, clawed, state, terms)
    return client, state


def due_of(draft: Draft, client: ClientState, first: DealState, terms: Terms) -> DealState:
    """What refunds of its charge and negative events leave of a deal that posted this at first."""
    _, due = claw_back_new(
        Draft(draft.get, draft.scan), client, replace(less_refunds(first, terms), refunds=()), terms
    )
    return due


def settle_anew(
    draft: Draft, client: ClientState, changed: Iterable[ClawedBack], cause: Cause, terms: Terms
) -> ClientState:
    """Events are known to take other shares than they did: each deal comes to what it would have been left.

    That is worked out anew from what it had posted, for all of them at once, so that the order in which
    they became known does not matter.
    """
    for event in changed:
        clawed = event._replace(is_idle=not reaches_deals(event.reason, terms))
        if any(one.cause == clawed.cause for one in all_clawed(draft, client)):
            client = _replace_clawed(draft, client, clawed)
        else:
            client = _remember(draft, client, clawed)
    for key in draft.scan(keys.deals(client.client_id)):
        state = draft.get(key)
        assert isinstance(state, DealState), f"{key} holds a deal"
        if state.posted or state.tallied or state.first_posted or state.first_tallied:
            client, settled = settle_deal(draft, client, state, cause, terms)
            if settled != state:
                draft.put(key, settled)
    return client


def all_clawed(draft: Draft, client: ClientState) -> tuple[ClawedBack, ...]:
    """Every negative event of the client that reaches deals, in the order of their arrival."""
    if not client.clawed_pages:
        return client.clawed
    older: list[ClawedBack] = []
    for number in range(client.clawed_pages):
        older += _page(draft, client, number).clawed
    return (*older, *client.clawed)


def _remember(draft: Draft, client: ClientState, clawed: ClawedBack) -> ClientState:
    """Keep the event; a full page of the oldest moves out of the client's own state."""
    if len(client.clawed) < MAX_CLAWED:
        return replace(client, clawed=(*client.clawed, clawed))
    key = keys.clawed(client.client_id, client.clawed_pages)
    draft.put(key, ClawedPage(clawed=client.clawed))
    return replace(client, clawed=(clawed,), clawed_pages=client.clawed_pages + 1)


def _replace_clawed(draft: Draft, client: ClientState, clawed: ClawedBack) -> ClientState:
    for number in range(client.clawed_pages):
        page = _page(draft, client, number)
        if any(known.cause == clawed.cause for known in page.clawed):
            changed = ClawedPage(clawed=_replaced(page.clawed, clawed))
            draft.put(keys.clawed(client.client_id, number), changed)
    return replace(client, clawed=_replaced(client.clawed, clawed))


def _replaced(known: Iterable[ClawedBack], clawed: ClawedBack) -> tuple[ClawedBack, ...]:
    return tuple(clawed if one.cause == clawed.cause else one for one in known)


def _page(draft: Draft, client: ClientState, number: int) -> ClawedPage:
    page = draft.get(keys.clawed(client.client_id, number))
    assert isinstance(page, ClawedPage), f"{client.client_id} lacks page {number} of its negative events"
    return page


def reaches_deals(reason: ClawReason, terms: Terms) -> bool:
    """Whether any plan lets such an event reach deals: looking through a client's deals takes time."""
    return reason == "fraud" or any(
        getattr(plan.clawback, reason) in ("activity", "all")
        for versions in terms.plans.values()
        for plan in versions
    )


def _claw_deal(
    draft: Draft, client: ClientState, clawed: ClawedBack, state: DealState, terms: Terms
) -> tuple[ClientState, DealState]:
    cause = Cause(clawed.cause, clawed.at)
    reached = [p for p in state.posted if _is_reached(clawed, state, p.plan_id, p.plan_version, terms)]
    tallies = [t for t in state.tallied if _is_reached(clawed, state, t.plan_id, t.plan_version, terms)]
    if (not reached and not tallies) or not clawed.share:
        return client, state
    if not state.first_posted and not state.first_tallied:
        state = replace(state, first_posted=state.posted, first_tallied=state.tallied)
    client, left = reverse(draft, client, reached, cause, clawed.share)
    tallies_left = withdraw(draft, client, tallies, cause, clawed.share)
    return client, replace(
        state,
        posted=(*_others(state.posted, reached), *left),
        tallied=(*_other_tallies(state.tallied, tallies), *tallies_left),
    )


def settle_deal(
    draft: Draft, client: ClientState, state: DealState, cause: Cause, terms: Terms
) -> tuple[ClientState, DealState]:
    """Other events, or refunds of its charge, are known: the deal comes to what they leave of it."""
    first = before_clawback(state)
    return _come_to(draft, client, state, first, due_of(draft, client, first, terms), cause)


def _come_to(
    draft: Draft, client: ClientState, state: DealState, first: DealState, wanted: DealState, cause: Cause
) -> tuple[ClientState, DealState]:
    """Give back and take until what is left of what the deal posted at first is what is wanted."""
    if (wanted.posted, wanted.tallied) == (state.posted, state.tallied):
        return client, state
    due = {entry.transfer_id: entry for entry in wanted.posted}
    posted: list[Posted] = []
    for one in first.posted:
        own = left_of(state, one)
        want = due.get(one.transfer_id)
        is_left = ZERO if want is None else want.amount - want.taken
        missing = is_left - sum((entry.amount - entry.taken for entry in own), ZERO)
        if missing > 0 and not is_forfeited(one, client):
            flags = own[0] if own else one
            flags = flags._replace(transfer_id=one.transfer_id)
            client, back = give_back(draft, client, flags, missing, cause)
            own = [*own, back]
        elif missing < 0:
            client, own = _take(draft, client, own, -missing, cause)
        posted += own if want is None or not missing else shared_out(own, want)
    tallied = give_back_tallies(draft, client, state.tallied, wanted.tallied, cause)
    return client, replace(
        state,
        posted=tuple(posted),
        tallied=tallied,
        first_posted=first.posted,
        first_tallied=first.tallied,
    )


def _take(
    draft: Draft, client: ClientState, entries: Iterable[Posted], amount: Decimal, cause: Cause
) -> tuple[ClientState, list[Posted]]:
    """Take so much of what is left of an accrual; what is left then."""
    name = "refunded" if cause.effect else "taken"
    left: list[Posted] = []
    for entry in entries:
        rest = entry.amount - entry.taken
        part = min(rest, amount)
        if is_forfeited(entry, client):
            part = ZERO
        if part:
            client = take(draft, client, entry, part, cause, {name: part})
            amount -= part
        if part != rest:
            left.append(entry._replace(taken=entry.taken + part))
    return client, left


def shared_out(entries: list[Posted], whole: Posted) -> list[Posted]:
    """Let a later share of the accrual be taken of all that is left of it, in proportion."""
    left, base = whole.amount - whole.taken, whole.amount if whole.base is None else whole.base
    return [
        entry._replace(base=base * (entry.amount - entry.taken) / left, share_taken=whole.share_taken)
        for entry in entries
    ]


def before_clawback(state: DealState) -> DealState:
    """The deal with all it had posted, before anything of it was taken for a dispute or a verdict."""
    if not state.first_posted and not state.first_tallied:
        return state
    return replace(state, posted=state.first_posted, tallied=state.first_tallied)


def left_of(state: DealState, one: Posted) -> list[Posted]:
    """What is left of an accrual by now, and what of it came back by itself."""
    return [entry for entry in state.posted if one.transfer_id in (entry.transfer_id, entry.back_of)]


def _others(all_posted: Iterable[Posted], taken: list[Posted]) -> list[Posted]:
    return [entry for entry in all_posted if entry not in taken]


def _other_tallies(all_tallies: Iterable[Tally], taken: list[Tally]) -> list[Tally]:
    return [entry for entry in all_tallies if entry not in taken]


def _is_reached(clawed: ClawedBack, state: DealState, plan_id: str, version: int, terms: Terms) -> bool:
    """Whether the plan's clawback lets the event reach a deal of that time.

    After fraud a client earns nothing: a later deal that was posted before the verdict came goes back.
    """
    plan = terms.plan_version(plan_id, version)
    assert state.at is not None, "a deal that was posted has a time"
    if state.at >= clawed.at and clawed.reason == "fraud":
        return True
    if plan is None or state.at > clawed.at:
        return False
    if state.at < clawed.at - timedelta(days=plan.clawback.window_days):
        return False
    scope = getattr(plan.clawback, clawed.reason)
    if scope == "activity":
        return clawed.since is not None and state.at >= clawed.since
    return bool(scope == "all")
