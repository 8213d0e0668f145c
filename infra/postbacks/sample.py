"""A sample event of each kind, for previews and tests: a network can tell it by its ids."""

from datetime import datetime
from decimal import Decimal

from commission.outputs import Milestone, MilestoneKind
from commission.postbacks.records import Delivery, Endpoint
from commission.postbacks.routing import status_of

CLICK = {"click_id": "test-click", **{f"sub{number}": f"sub-{number}" for number in range(1, 11)}}


def sample(endpoint: Endpoint, kind: MilestoneKind, now: datetime) -> Delivery:
    """A delivery to the endpoint that nothing happened for."""
    taken = "test-cpa" if kind == "cpa.clawback" else ""
    event = Milestone(
        milestone_id=f"test-{kind.replace('.', '-')}",
        kind=kind,
        client_id="test-client",
        ib_id=next(iter((*endpoint.ibs, *endpoint.subtrees)), "test-ib"),
        occurred_at=now,
        amount=Decimal("100") if kind not in ("registration", "kyc.approved", "first_trade") else None,
        currency="USD" if kind not in ("registration", "kyc.approved", "first_trade") else "",
        click=CLICK,
        takes_back=taken,
        country=next(iter(endpoint.countries), "CY"),
    )
    return Delivery(
        delivery_id=f"test-{endpoint.endpoint_id}-{event.milestone_id}",
        endpoint_id=endpoint.endpoint_id,
        event=event,
        sequence=1,
        txid=taken if taken and endpoint.reversal == "same" else event.milestone_id,
        status=status_of(endpoint, kind),
        replay="test",
    )
