"""A client rated again."""

from datetime import UTC, datetime

from commission.events import Deal, ReratingApproved

APPROVED = datetime(2026, 11, 20, 9, tzinfo=UTC)


def again(deal_: Deal, client_id: str = "anna", proposal: str = "p-1") -> ReratingApproved:
    """Rate this deal again."""
    return ReratingApproved(client_id=client_id, proposal_id=proposal, occurred_at=APPROVED, deal=deal_)
