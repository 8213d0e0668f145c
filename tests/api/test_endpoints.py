"""Endpoints over the API: kept, looked at, tried out; never with a secret."""

import pytest

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from infra.postbacks.desk import EndpointDesk
from schemas.settings import OwnSettings
from tests.api.conftest import Browser
from tests.endpoint_world import NOON, SECRET, keys, memory_log

TRACKER = {"id": "keitaro", "url": "https://t.example/key/postback", "preset": "keitaro", "subtrees": ["M"]}


@pytest.fixture
def http(ledger: Ledger) -> Browser:
    """The API over the ledger written by hand, with a desk whose log is in memory."""
    desk = EndpointDesk(memory_log(), keys, now=lambda: NOON)
    app = create_app(ledger, OwnSettings(), desks=Desks(endpoints=desk))
    return Browser(app)


def test_an_endpoint_is_kept_and_shown_without_its_secret(http: Browser) -> None:
    """The secret is told when it is made and never again."""
    made = http.post("/v1/endpoints", json=TRACKER)
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")
    shown = http.get("/v1/endpoints/keitaro").json()
    assert (shown["state"], shown["version"], shown["secret"], shown["reversal"]) == ("active", 1, "", "same")
    assert shown["url"].endswith(
        "?subid={click_id}&status={status}&payout={payout}&currency={currency}&tid={txid}"
    )
    assert secret not in http.get("/v1/endpoints").text


def test_what_is_wrong_is_said_with_the_nearest_name(http: Browser) -> None:
    """An unknown macro, an IB that nobody knows, an id that is taken, a private address."""
    for change, told in (
        ({"url": "https://t.example/?c={clickid}"}, "did you mean {click_id}?"),
        ({"subtrees": ["nobody"]}, "There is no IB nobody"),
        ({"url": "http://127.0.0.1/"}, "scheme"),
        ({"url": "https://127.0.0.1/", "allow_private": True}, "allow_private is for the file"),
        ({"secret": "whsec_c2hvcnQ="}, "24 to 64 random"),
    ):
        refused = http.post("/v1/endpoints", json=TRACKER | change)
        assert (refused.status_code, told in refused.json()["detail"]) == (422, True), refused.text
        assert "c2hvcnQ" not in refused.text
    http.post("/v1/endpoints", json=TRACKER)
    assert http.post("/v1/endpoints", json=TRACKER).status_code == 409
    assert http.get("/v1/endpoints/nobody").status_code == 404


def test_it_is_changed_paused_resumed_and_removed(http: Browser) -> None:
    """Each is a record; a removed one is listed only if that is asked."""
    http.post("/v1/endpoints", json={**TRACKER, "secret": SECRET})
    changed = http.put("/v1/endpoints/keitaro", json=TRACKER | {"events": ["cpa.qualified"]})
    assert (changed.json()["version"], changed.json()["events"]) == (2, ["cpa.qualified"])
    assert http.put("/v1/endpoints/other", json=TRACKER).status_code == 422
    for verb, state in (("pause", "paused"), ("resume", "active"), ("remove", "removed")):
        found = http.post(f"/v1/endpoints/keitaro/{verb}", json={"reason": "as agreed"}).json()
        assert (found["state"], found["reason"]) == (state, "as agreed")
    assert http.get("/v1/endpoints").json()["items"] == []
    assert len(http.get("/v1/endpoints?removed=true").json()["items"]) == 1


def test_a_preview_and_a_new_secret(http: Browser) -> None:
    """What would be sent; a rotation tells the new secret once."""
    http.post("/v1/endpoints", json={**TRACKER, "secret": SECRET})
    seen = http.get("/v1/endpoints/keitaro/preview?event=cpa.clawback").json()
    assert seen["url"].endswith("?subid=test-click&status=rejected&payout=100&currency=USD&tid=test-cpa")
    assert len(seen["headers"]["webhook-signature"].split()) == 1
    rotated = http.post("/v1/endpoints/keitaro/secret", json={}).json()
    assert rotated["secret"] not in ("", SECRET)
    seen = http.get("/v1/endpoints/keitaro/preview").json()
    assert len(seen["headers"]["webhook-signature"].split()) == 2


def test_a_change_of_the_sealing_key_is_asked_for(http: Browser) -> None:
    """Everything is under the newest already."""
    http.post("/v1/endpoints", json=TRACKER)
    assert http.post("/v1/endpoint-keys/rotate", json={}).json() == {"resealed": 0, "left": 0}


def test_a_replay_names_what_it_wants(http: Browser) -> None:
    """One event or a time; nothing was due here."""
    http.post("/v1/endpoints", json={**TRACKER, "secret": SECRET})
    path = "/v1/endpoints/keitaro/deliveries/replay"
    assert http.post(path, json={}).status_code == 422
    assert http.post(path, json={"since": "2026-09-01T00:00:00"}).json() == {"replayed": 0}
    assert http.post(path, json={"milestone": "m"}).json() == {"replayed": 0}


def test_without_a_desk_it_says_whom_to_ask(ledger: Ledger) -> None:
    """A process that only reads."""
    refused = Browser(create_app(ledger, OwnSettings())).get("/v1/endpoints")
    assert (refused.status_code, "ibflow serve" in refused.json()["detail"]) == (503, True)
