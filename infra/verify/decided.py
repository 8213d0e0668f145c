"""What people decided, beside what the ledger has of it: figures, and whether they agree."""

from api.ledger import Ledger
from api.queries.proposals import corrections, log_of_proposals
from infra.payouts.reconcile import reconcile


def payouts_add_up(ledger: Ledger) -> tuple[str, bool]:
    """payable + in payout + paid is what statements and advances state, and each line's rows are as it is."""
    found = reconcile(ledger)
    figures = f"{found.batches} batches, {found.lines} lines, {len(found.differences)} differences"
    return "; ".join((figures, *found.differences[:3])), not found.differences


def corrections_decided(ledger: Ledger) -> tuple[str, bool]:
    """What corrects the ledger was approved by a second person: its log says so."""
    known = log_of_proposals(ledger).known
    decided = {name for name, found in known.items() if found.approved is not None}
    undecided = [name for name in corrections(ledger) if name not in decided]
    named = ": " + ", ".join(undecided[:3]) if undecided else ""
    figures = f"{len(decided)} of {len(known)} proposals approved, {len(undecided)} posted without{named}"
    return figures, not undecided
