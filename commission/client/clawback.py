"""Clawback: what a negative event takes back of a client's deals, at the frozen amounts, once."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from commission.client import keys
from commission.client.accruals import reverse
from commission.client.state import Cause, ClawedBack, ClientState, DealState, Posted
from commission.client.tallies import withdraw
from commission.draft import Draft
from commission.outputs import Tally
from commission.terms.catalog import Terms

MAX_CLAWED = 64
"""Negative events of one client that later deals are compared with; the newest are kept."""


def claw_back(draft: Draft, client: ClientState, clawed: ClawedBack, terms: Terms) -> ClientState:
    """Take back what the event reaches of the deals known so far, and remember it for later ones."""
    if not _reaches_deals(clawed, terms):
        return client
    client = replace(client, clawed=(*client.clawed, clawed)[-MAX_CLAWED:])
    for key in draft.scan(keys.deals(client.client_id)):
        state = draft.get(key)
        assert isinstance(state, DealState), f"{key} holds a deal"
        if state.posted or state.tallied:
            client, state = _claw_deal(draft, client, clawed, state, terms)
            draft.put(key, state)
    return client


def claw_back_new(
    draft: Draft, client: ClientState, state: DealState, terms: Terms
) -> tuple[ClientState, DealState]:
    """A deal that arrives after the events that take it back."""
    for clawed in client.clawed:
        client, state = _claw_deal(draft, client, clawed, state, terms)
    return client, state


def _reaches_deals(clawed: ClawedBack, terms: Terms) -> bool:
    """Whether any plan lets the event reach deals: looking through a client's deals takes time."""
    return clawed.reason == "fraud" or any(
        getattr(plan.clawback, clawed.reason) in ("activity", "all")
        for versions in terms.plans.values()
        for plan in versions
    )


def _claw_deal(
    draft: Draft, client: ClientState, clawed: ClawedBack, state: DealState, terms: Terms
) -> tuple[ClientState, DealState]:
    cause = Cause(clawed.cause, clawed.at)
    reached = [p for p in state.posted if _is_reached(clawed, state, p.plan_id, p.plan_version, terms)]
    tallies = [t for t in state.tallied if _is_reached(clawed, state, t.plan_id, t.plan_version, terms)]
    if not reached and not tallies:
        return client, state
    client, left = reverse(draft, client, reached, cause, clawed.share)
    tallies_left = withdraw(draft, client, tallies, cause, clawed.share)
    return client, replace(
        state,
        posted=(*_others(state.posted, reached), *left),
        tallied=(*_other_tallies(state.tallied, tallies), *tallies_left),
    )


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
