"""A sample event of each kind, for previews and tests: a network can tell it by its ids."""

from datetime import datetime
from decimal import Decimal

from commission.outputs import Announcement, MilestoneKind
from commission.postbacks.records import Delivery, Endpoint
from commission.postbacks.routing import status_of

CLICK = {"click_id": "test-click", **{f"sub{number}": f"sub-{number}" for number in range(1, 11)}}


def sample(endpoint: Endpoint, kind: MilestoneKind, now: datetime) -> Delivery:
    """A delivery to the endpoint that nothing happened for."""
    taken = {"cpa.clawback": "test-cpa", "commission.reversed": "test-accrual"}.get(kind, "")
    is_paid = kind not in ("registration", "kyc.approved", "first_trade", "trade.closed", "ib.onboarded")
    event = Announcement(
        milestone_id=f"test-{kind.replace('.', '-')}",
        kind=kind,
        client_id="test-client",
        ib_id=endpoint.owner or next(iter((*endpoint.ibs, *endpoint.subtrees)), "test-ib"),
        occurred_at=now,
        amount=Decimal("100") if is_paid else None,
        currency="USD" if is_paid else "",
        click=CLICK,
        takes_back=taken,
        country=next(iter(endpoint.countries), "CY"),
        symbol="EURUSD" if kind == "trade.closed" else "",
        lots=Decimal("0.5") if kind == "trade.closed" else None,
        trades=1 if kind == "trade.closed" else 0,
    )
    return Delivery(
        delivery_id=f"test-{endpoint.endpoint_id}-{event.milestone_id}",
        endpoint_id=endpoint.endpoint_id,
        event=event,
        sequence=1,
        txid=taken if kind == "cpa.clawback" and endpoint.reversal == "same" else event.milestone_id,
        status=status_of(endpoint, kind),
        replay="test",
    )
