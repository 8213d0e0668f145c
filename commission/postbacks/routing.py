"""Which event goes to which endpoint, and as what of a conversion."""

from commission.outputs import ON_DEMAND, Milestone
from commission.postbacks.presets import preset_of
from commission.postbacks.records import Endpoint


def wants(endpoint: Endpoint, event: Milestone) -> bool:
    """Whether the endpoint's filters and conditions let the event through."""
    if not _is_named(endpoint, event):
        return False
    if endpoint.countries and event.country not in endpoint.countries:
        return False
    if endpoint.since is not None and event.occurred_at < endpoint.since:
        return False
    if endpoint.min_payout is not None and _is_paid(event) and (event.amount or 0) < endpoint.min_payout:
        return False
    return _is_for(endpoint, event)


def _is_named(endpoint: Endpoint, event: Milestone) -> bool:
    """Whether its kind is wanted. Of closed trades those of a sample are the same on every replay:
    the event's id is a digest of the deal's key."""
    if event.kind not in endpoint.events:
        return not endpoint.events and event.kind not in ON_DEMAND
    if event.kind == "trade.closed" and endpoint.trades == "sampled":
        return int(event.milestone_id, 16) % endpoint.sample == 0
    return event.kind != "commission.reversed" or endpoint.reversal != "none"


def _is_for(endpoint: Endpoint, event: Milestone) -> bool:
    """Whether it is the endpoint's IB that is concerned; of those paid for one conversion the lowest.

    An IB's own endpoint hears of what each IB that it sees is paid, so of what itself is paid too.
    """
    if endpoint.owner:
        return _is_seen(endpoint, event) and (not endpoint.ibs or event.ib_id in endpoint.ibs)
    is_in_tree = bool({event.ib_id, *event.upline} & set(endpoint.subtrees))
    if endpoint.is_for_some_ibs and not is_in_tree and event.ib_id not in endpoint.ibs:
        return False
    if not endpoint.is_for_some_ibs or is_in_tree:
        return not event.paid_below  # whoever is below is the endpoint's as well
    return not set(event.paid_below) & set(endpoint.ibs)


def _is_seen(endpoint: Endpoint, event: Milestone) -> bool:
    """Whether the event is of the owner, or of who stood so few levels below it when it happened."""
    return endpoint.owner in (event.ib_id, *event.upline)[: endpoint.levels + 1]


def _is_paid(event: Milestone) -> bool:
    return event.kind.startswith("cpa.")


def may_follow(endpoint: Endpoint, before: str, status: str) -> bool:
    """Whether the network takes a status of a conversion that it has under another."""
    changes = preset_of(endpoint.preset).changes
    return before != status and (changes is None or (before, status) in changes)


def status_of(endpoint: Endpoint, kind: str) -> str:
    """What the network calls the status of such an event; "" if it has none."""
    return endpoint.statuses.get(kind) or preset_of(endpoint.preset).statuses.get(kind, "")
