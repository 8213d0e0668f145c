"""Revisions of a deal: which of its records tell something new. None is forgotten, however many there are."""

from datetime import datetime

from commission.client import keys
from commission.client.state import DealState, OldRevision
from commission.draft import Draft
from commission.events import SERVICE_MARK, Deal, is_seen

ENDINGS = ("cancelled", "deleted")
"""Kinds after which a deal is no longer one."""
RECENT_REVISIONS = 16
"""Replaced revisions in a deal's own state; older ones move to keys of their own: none is forgotten."""


def is_stale(draft: Draft, client_id: str, known: DealState, deal: Deal) -> bool:
    """Whether the record tells nothing new: seen before, or older than the deal's end."""
    if is_seen(deal.revision, (known.revision, *known.replaced)):
        return True
    if known.ended and deal.kind not in ENDINGS:
        return True
    same = (deal.revision, f"{deal.revision}{SERVICE_MARK}")
    return any(was_replaced(draft, client_id, known, deal.deal_key, revision) for revision in same)


def was_replaced(draft: Draft, client_id: str, known: DealState, deal_key: str, revision: str) -> bool:
    """Whether a revision of the deal gave way to a newer one, however long ago."""
    if revision in known.replaced:
        return True
    has_older = len(known.replaced) >= RECENT_REVISIONS
    return has_older and draft.get(keys.old_revision(client_id, deal_key, revision)) is not None


def replaced_by(draft: Draft, client_id: str, known: DealState | None, deal: Deal) -> tuple[str, ...]:
    """The newest revisions that a new record of a deal leaves behind; those before go to their own keys."""
    if known is None:
        return ()
    if known.revision in ("", deal.revision):
        return known.replaced
    return left_behind(draft, client_id, deal, known.at, (*known.replaced, known.revision))


def left_behind(
    draft: Draft, client_id: str, deal: Deal, at: datetime | None, listed: tuple[str, ...]
) -> tuple[str, ...]:
    """The newest of these revisions of a deal; those before go to their own keys."""
    for revision in listed[:-RECENT_REVISIONS]:
        old = keys.old_revision(client_id, deal.deal_key, revision)
        draft.put(old, OldRevision(at=at or deal.occurred_at))
    return listed[-RECENT_REVISIONS:]
