"""IBs' own endpoints over the API and on pages: each has its own, and what is sent names nobody."""

import re
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace

from api.caller_limits import Rates
from api.desks import Desks
from api.endpoints import EndpointRefused, Own
from api.ledger import Ledger
from api.postbacks.form import EndpointForm
from api.postbacks.request import facts_of
from api.postbacks.secrets import new_secrets
from commission.postbacks.records import MAX_OWN, Endpoint
from infra.postbacks import desk as desk_module
from infra.postbacks.desk import EndpointDesk
from schemas.people import Access
from schemas.wire import encode
from tests.api.conftest import SOURCE, insert, utc
from tests.api.people_world import HERE, WORDS, Visitor, World
from tests.endpoint_world import ANNA, NOON, SECRET, delivery, form, keys, memory_log

TRACKER = {"name": "tracker", "url": "https://t.example/?c={click_id}&r={client_ref}"}


@pytest.fixture
def desk() -> EndpointDesk:
    """Endpoints in memory."""
    return EndpointDesk(memory_log(), keys, now=lambda: NOON)


@pytest.fixture
def world(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, desk: EndpointDesk) -> World:
    """Everybody, and bea, who is the IB B."""
    world = World(ledger, monkeypatch, desks=Desks(endpoints=desk))
    access = Access(role="ib", ibs=("B",))
    world.sign_ins.set_password("bea", WORDS, world.desk.add("bea", access, "x"), HERE)
    return world


def made(visitor: Visitor, **more: Any) -> dict[str, Any]:
    answer = visitor.call("/v1/own-endpoints", TRACKER | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_ib_makes_one_for_itself(world: World, desk: EndpointDesk) -> None:
    """It is the IB's whose session it is, so deep as IBs see, slow and small; its secret is told once."""
    iris = world.signed_in("iris")
    own = made(iris, events=["ftd"])
    assert own["secret"].startswith("whsec_")
    kept = desk.listed()[own["id"]].endpoint
    assert (kept.owner, kept.levels, kept.events) == ("A", 64, ("ftd",))
    assert (kept.timeout_ms, kept.concurrency, kept.rate_per_minute) == (5_000, 2, 300)
    assert (kept.allow_http, kept.allow_private) == (False, False)
    page = iris.page("/own-endpoints")
    assert "tracker</a>" in page
    assert own["secret"] not in page + iris.page(f"/own-endpoints/{own['id']}")
    alone = made(iris, name="mine", own_only=True)
    assert (alone["own_only"], desk.listed()[alone["id"]].endpoint.ibs) == (True, ("A",))


def test_to_everybody_else_it_is_not_there(world: World, desk: EndpointDesk) -> None:
    """Another IB is answered as about one that nobody has, and may take the same name for its own."""
    iris, bea = world.signed_in("iris"), world.signed_in("bea")
    own = made(iris)
    for path in ("", "/preview", "/attempts"):
        statuses = []
        for name in (own["id"], "own-nobody"):
            answer = bea.ask("GET", f"/v1/own-endpoints/{name}{path}", {"Accept": "application/json"})
            statuses.append((answer.status_code, answer.text.replace(name, "")))
        assert statuses[0] == statuses[1]
        assert statuses[0][0] == 404
    for path in ("pause", "resume", "remove", "secret", "deliveries/test"):
        assert bea.call(f"/v1/own-endpoints/{own['id']}/{path}", {}).status_code == 404
    assert bea.ask("GET", f"/own-endpoints/{own['id']}").status_code == 404
    assert own["id"] not in bea.page("/own-endpoints")
    assert made(bea)["id"] != own["id"]
    assert bea.call("/v1/own-endpoints", TRACKER | {"name": "x", "ib": "A"}).status_code == 422
    assert desk.listed()[own["id"]].state == "active"
    assert world.signed_in("mary").call("/v1/own-endpoints", TRACKER).status_code == 403
    assert world.signed_in("anna").call("/v1/own-endpoints", TRACKER).status_code == 404
    assert iris.call("/v1/endpoints", {"id": "x", "url": "https://t.example/"}).status_code == 403


def test_what_it_may_not_ask(world: World) -> None:
    """A client's id, a count of others' events, an address that is private or not encrypted, a sixth."""
    iris = world.signed_in("iris")
    for more, told in (
        ({"url": "https://t.example/?c={client_id}"}, "is not sent to IBs"),
        ({"url": "https://t.example/?c={sequence}"}, "is not sent to IBs"),
        ({"url": "http://t.example/"}, "scheme"),
        ({"url": "https://127.0.0.1/"}, "address"),
        ({"events": ["payday"]}, "is unknown"),
        ({"allow_private": True}, "allow_private"),
        ({"fields": ["client_id"]}, "fields"),
    ):
        answer = iris.call("/v1/own-endpoints", TRACKER | more)
        assert (answer.status_code, told in answer.text) == (422, True), answer.text
    for number in range(MAX_OWN):
        made(iris, name=f"n{number}")
    answer = iris.call("/v1/own-endpoints", TRACKER)
    assert (answer.status_code, answer.json()["code"]) == (409, "endpoint_refused")
    assert "remove one to make another" in iris.page("/own-endpoints")


def test_the_broker_sees_it_pauses_it_and_cannot_widen_it(world: World, desk: EndpointDesk) -> None:
    """A version that a manager writes is the IB's still; what the broker paused, the IB does not resume."""
    iris, mary = world.signed_in("iris"), world.signed_in("mary")
    own = made(iris)
    assert "own</span>" in mary.page("/endpoints")
    body = {"id": own["id"], "url": "https://u.example/", "subtrees": ["M"]}
    desk.save(EndpointForm.model_validate(body), "", ANNA, is_new=False)  # as PUT does
    kept = desk.listed()[own["id"]].endpoint
    assert (kept.owner, kept.levels) == ("A", 64)
    path = f"/v1/own-endpoints/{own['id']}"
    assert iris.call(f"{path}/pause", {}).json()["state"] == "paused"
    assert iris.call(f"{path}/resume", {}).json()["state"] == "active"
    assert mary.call(f"/v1/endpoints/{own['id']}/pause", {"reason": "too slow"}).status_code == 200
    refused = iris.call(f"{path}/resume", {})
    assert (refused.status_code, "the broker paused it" in refused.json()["detail"].lower()) == (409, True)
    assert not re.search(r"\bmary\b", iris.page(f"/own-endpoints/{own['id']}"))
    assert iris.call(f"{path}/remove", {"reason": "done"}).json()["state"] == "removed"
    assert iris.ask("GET", f"/own-endpoints/{own['id']}").status_code == 404


def test_an_ib_changes_the_address_and_nothing_that_the_broker_narrowed(
    world: World, desk: EndpointDesk
) -> None:
    """The new one is written whole; secret, state, and the broker's limits and fields stay."""
    iris, bea = world.signed_in("iris"), world.signed_in("bea")
    own = made(iris)
    body = {
        "id": own["id"],
        "url": "https://t.example/",
        "rate_per_minute": 10,
        "fields": ["event", "country"],
    }
    desk.save(EndpointForm.model_validate(body), "", ANNA, is_new=False)
    desk.set_state(own["id"], "paused", "too slow", ANNA)
    secret = desk.target(desk.listed()[own["id"]]).secrets.signing[0]
    path = f"/v1/own-endpoints/{own['id']}"
    wanted = {"url": "https://new.example/?r={client_ref}", "events": ["trade.closed"], "trades": "daily"}
    assert bea.call(path, wanted, method="PUT").status_code == 404
    for more, status in (({}, 200), ({"url": "https://x.example/?c={client_id}"}, 422), ({"rate": 9}, 422)):
        answer = iris.call(path, wanted | more, method="PUT")
        assert answer.status_code == status, answer.text
    known = desk.listed()[own["id"]]
    kept = known.endpoint
    assert (known.state, known.changed_by, kept.owner, kept.levels) == ("paused", "anna", "A", 64)
    assert (kept.rate_per_minute, kept.fields) == (10, ("event", "country"))
    assert (kept.events, kept.trades) == (("trade.closed",), "daily")
    assert desk.target(known).secrets.url == wanted["url"]
    assert desk.target(known).secrets.signing[0] == secret
    assert iris.call(f"{path}/resume", {}).status_code == 409, "the broker paused it"
    page = iris.page(f"/own-endpoints/{own['id']}")
    assert 'data-method="PUT"' in page
    assert "new.example" in page


def test_an_ib_sends_again_what_was_its_own(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """One event or those of a time; of 300 at the most, and once a minute; nobody else's endpoint."""
    due = [encode([delivery(number, endpoint="")])[0].decode() for number in range(301)]
    sent: list[bytes] = []
    desk = EndpointDesk(
        memory_log(),
        keys,
        stored=lambda _, wanted, limit: due[: 1 if wanted.milestone_id else limit],
        publish=sent.extend,
        now=lambda: NOON,
    )
    world = World(ledger, monkeypatch, desks=Desks(endpoints=desk))
    iris = world.signed_in("iris")
    path = f"/v1/own-endpoints/{made(iris)['id']}/deliveries/replay"
    assert iris.call(path, {}).status_code == 422
    assert iris.call(path, {"milestone": "m1"}).json() == {"replayed": 1}
    assert len(sent) == 1
    refused = iris.call(path, {"milestone": "m1"})
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    world.app.state.own_replays = Rates(9)
    many = iris.call(path, {"since": "2026-09-01T00:00:00Z"})
    assert (many.status_code, "over 300 events" in many.text.lower()) == (409, True)
    assert iris.call("/v1/own-endpoints/own-nobody/deliveries/replay", {"milestone": "m1"}).status_code == 404


def test_tests_are_few(world: World) -> None:
    """Each is a request to wherever the IB says."""
    iris = world.signed_in("iris")
    own = made(iris)
    world.app.state.own_tests = Rates(0)
    refused = iris.call(f"/v1/own-endpoints/{own['id']}/deliveries/test", {})
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")


def test_the_log_of_deliveries_is_its_own(world: World, chdb: Client) -> None:
    """What was sent there, and nothing of another endpoint."""
    iris = world.signed_in("iris")
    own = made(iris)
    row = {"attempt": 1, "attempted_at": utc(1), "outcome": "delivered", "http_status": 200, "error": ""}
    row |= {"duration_ms": 5, "next_attempt_at": None, "replay": "", "answer": ""}
    for name, of in ((own["id"], "mine"), ("net-1", "theirs")):
        row |= {"milestone_id": of, "endpoint": name, "delivery_id": of}
        insert(chdb, "postback_attempts", row | SOURCE)
    found = iris.ask("GET", f"/v1/own-endpoints/{own['id']}/attempts").json()["items"]
    page = iris.page(f"/own-endpoints/{own['id']}")
    chdb.command("TRUNCATE TABLE postback_attempts")
    assert [one["milestone_id"] for one in found] == ["mine"]
    assert ("mine" in page, "theirs" in page) == (True, False)


def test_what_is_sent_names_no_client(desk: EndpointDesk) -> None:
    """No id though `fields` had it, no sequence, and clicks only of what the owner itself is paid for."""
    secrets = new_secrets("https://t.example/", SECRET)
    own = Endpoint(endpoint_id="own-x-t", owner="north", fields=("client_id", "sequence", "click_id", "sub1"))
    happened = delivery(1)
    event = replace(happened.event, click={"click_id": "k", "sub1": "jane@example.org"})
    assert facts_of(replace(happened, event=event), own, secrets) == {
        "click_id": "k",
        "sub1": "jane@example.org",
    }
    below = replace(event, ib_id="south", upline=("north",))
    assert facts_of(replace(happened, event=below), own, secrets) == {"click_id": "", "sub1": ""}
    every = facts_of(replace(happened, event=below), replace(own, fields=()), secrets)
    assert {"client_id", "sequence"} & set(every) == set()
    assert every["client_ref"] not in ("", "c-1")


def test_the_desk_keeps_the_limits(desk: EndpointDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prefix of ids is for owned ones alone; all IBs together have a bound; depth follows the setting."""
    with pytest.raises(EndpointRefused, match="begin with own-"):
        desk.save(of_id(form(), "own-x"), "", ANNA, is_new=True)
    with pytest.raises(EndpointRefused, match="begin with own-"):
        desk.save(form(), "", ANNA, is_new=True, own=Own("A", 3))
    desk.save(of_id(form(), "own-1"), "", ANNA, is_new=True, own=Own("A", 3))
    monkeypatch.setattr(desk_module, "MAX_OWNED", 1)
    with pytest.raises(EndpointRefused, match="ask the broker"):
        desk.save(of_id(form(), "own-2"), "", ANNA, is_new=True, own=Own("B", 3))
    assert (desk.relevel(1), desk.relevel(1)) == (1, 0)
    kept = desk.listed()["own-1"]
    assert (kept.endpoint.levels, kept.endpoint.owner, kept.saved.version) == (1, "A", 2)


def of_id(known: EndpointForm, endpoint_id: str) -> EndpointForm:
    return known.model_copy(update={"id": endpoint_id})
