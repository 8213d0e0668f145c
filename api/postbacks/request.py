"""What is sent: an event as a filled template, or as a signed body."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from api.postbacks import signing
from api.postbacks.macros import FACTS, PERSONAL, SUBS, canonical_query, fill
from api.postbacks.secrets import Secrets
from commission.ids import digest
from commission.money import plain
from commission.outputs import Announcement, Milestone
from commission.postbacks.records import Delivery, Endpoint

CLICK_NAMES = ("click_id", "clickid", "affclickid", "subid", "cid", "tid")
"""What trackers call their click id, in the order we look."""
CAMPAIGN_NAMES = ("campaign", "utm_campaign", "campaign_id")
NOT_OF_IBS = PERSONAL | {"sequence"}
"""Facts that an IB's own endpoint is never sent."""
USER_AGENT = "ibflow-postbacks/2"


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A postback ready to send."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def to_request(
    delivery: Delivery, endpoint: Endpoint, secrets: Secrets, now: datetime, attempt: int = 1
) -> OutgoingRequest:
    """The request of a delivery: only the timestamp, its signature and `{rand}` differ between attempts."""
    values = facts_of(delivery, endpoint, secrets)
    keys = secrets.at(now)
    random = digest("rand", delivery.delivery_id, str(attempt))[:12]
    unsigned = fill(secrets.url.replace("{sig}", "\x00"), values | {"rand": random}).replace("\x00", "{sig}")
    url = unsigned.replace("{sig}", signing.sign_query(keys[0], canonical_query(unsigned)))
    body = _body(delivery.event, values) if endpoint.method == "POST" else b""
    headers = signing.headers(keys, webhook_id_of(delivery.event), int(now.timestamp()), body)
    headers |= {"user-agent": USER_AGENT, "accept-encoding": "identity"}
    if body:
        headers["content-type"] = "application/json"
    return OutgoingRequest(endpoint.method, url, headers, body)


def webhook_id_of(event: Milestone) -> str:
    """The receiver's dedupe key: the same for every attempt, and for every time it is asked for again."""
    return f"msg_{event.milestone_id.replace('.', '_')}"


def facts_of(delivery: Delivery, endpoint: Endpoint, secrets: Secrets) -> dict[str, str]:
    """Every fact the endpoint may have. `payout` is what the IB earns, a client's deposit is `amount`.

    An IB's own endpoint is sent no client's id, whatever its fields, no number that counts what others hear,
    and no clicks of what another IB is paid for: that one's tracker may name people in them.
    """
    event = delivery.event
    allowed = set(endpoint.fields) or set(FACTS) - PERSONAL
    allowed -= NOT_OF_IBS if endpoint.owner else set()
    is_foreign = bool(endpoint.owner) and event.ib_id != endpoint.owner
    found = _of_event(event) | _of_click({} if is_foreign else event.click)
    found |= {
        "sequence": str(delivery.sequence),
        "txid": delivery.txid,
        "payout": _payout(delivery, found["amount"]),
        "original_txid": event.takes_back,
        "status": delivery.status,
        "client_ref": signing.client_ref(secrets.pseudonym_key, event.client_id) if event.client_id else "",
    }
    return {name: found.get(name, "") for name in FACTS if name in allowed}


def _of_event(event: Milestone) -> dict[str, str]:
    amount = plain(event.amount) if event.amount is not None else ""
    return {
        "event_id": event.milestone_id,
        "event": event.kind,
        "goal": event.kind,
        "amount": amount,
        "currency": event.currency,
        "amount_usd": amount if event.currency == "USD" else "",
        "ib_id": event.ib_id,
        "client_id": event.client_id,
        "country": event.country,
        **_of_trades(event),
        "event_time_unix": str(int(event.occurred_at.timestamp())),
        "event_time_iso": event.occurred_at.isoformat().replace("+00:00", "Z"),
    }


def _of_trades(event: Milestone) -> dict[str, str]:
    if not isinstance(event, Announcement):
        return {}
    lots = plain(event.lots) if event.lots is not None else ""
    return {"symbol": event.symbol, "lots": lots, "trades": str(event.trades or "")}


def _of_click(click: Mapping[str, str]) -> dict[str, str]:
    found = {name: click.get(name, "") for name in SUBS}
    for fact, names in (("click_id", CLICK_NAMES), ("campaign", CAMPAIGN_NAMES)):
        found[fact] = next((click[name] for name in names if click.get(name)), "")
    return found


def _payout(delivery: Delivery, amount: str) -> str:
    """Of a CPA or a commission; negative where its end has a txid of its own, for else the status says it."""
    event = delivery.event
    if not event.kind.startswith(("cpa.", "commission.")):
        return ""
    if event.kind == "commission.reversed":
        return f"-{amount}"
    return f"-{amount}" if event.takes_back and delivery.txid != event.takes_back else amount


def _body(event: Milestone, values: Mapping[str, str]) -> bytes:
    facts = {name: value for name, value in values.items() if name not in ("event", "event_time_unix")}
    facts.pop("event_time_iso", None)
    timestamp = event.occurred_at.isoformat().replace("+00:00", "Z")
    payload: dict[str, Any] = {"type": event.kind, "timestamp": timestamp, "data": facts}
    return msgspec.json.encode(payload)
