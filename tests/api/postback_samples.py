"""A delivery and an endpoint, for tests of what is sent."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from api.postbacks.delivery import Target
from api.postbacks.form import EndpointForm
from api.postbacks.secrets import new_secrets
from commission.outputs import Milestone, MilestoneKind
from commission.postbacks.records import Delivery

AT = datetime(2026, 9, 1, 10, tzinfo=UTC)
KEY = bytes(range(32))
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # noqa: S105 # of a test


def target(url: str, secret: str = SECRET, **fields: Any) -> Target:
    """An endpoint with its secrets; a GET unless it says otherwise."""
    form = EndpointForm.model_validate({"id": "e", "url": url, "method": "GET", **fields})
    return Target(form.to_endpoint(), new_secrets(form.whole_url, secret))


def delivery(kind: MilestoneKind = "cpa.qualified", **more: Any) -> Delivery:
    """A CPA of 250 USD of a Cypriot client, or another event of the same."""
    event = Milestone(
        milestone_id="m1",
        kind=kind,
        client_id="client-77",
        ib_id="A",
        occurred_at=AT,
        amount=Decimal("250.00"),
        currency="USD",
        country="CY",
        takes_back="m0" if kind == "cpa.clawback" else "",
        click=more.pop("click", {"clickid": "k 1&2", "sub1": "s/ü", "evil": "x", "utm_campaign": "autumn"}),
    )
    given: dict[str, Any] = {"sequence": 7, "txid": "m1", "status": "approved", **more}
    return Delivery(delivery_id="d1", endpoint_id="e", event=event, **given)
