"""Saved views: parameters under a name; of one's own, or shared with who sees as much or more."""

from typing import Any

import pytest

from api.ledger import Ledger
from schemas import views
from schemas.people import decode_people, encode_people
from schemas.people_book import PeopleBook
from schemas.views import ViewRemoved, ViewSaved
from tests.api.people_world import START, World

JSON = {"Accept": "application/json"}
HERS = {"name": "Gold by symbol", "page": "/reports", "query": "group_by=symbol&plan=gold"}


@pytest.fixture
def world(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(ledger, monkeypatch)


def save(who: Any, **more: Any) -> dict[str, Any]:
    answer = who.call("/v1/views", HERS | more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def names(who: Any, query: str = "") -> list[str]:
    return [one["name"] for one in who.ask("GET", f"/v1/views{query}", JSON).json()["items"]]


def test_a_view_is_kept_opened_renamed_and_removed(world: World) -> None:
    """Its address is the page it was saved on; where somebody was on it is left out."""
    mary = world.signed_in("mary")
    saved = save(mary, query="group_by=symbol&plan=gold&cursor=abc&currency=")
    assert saved["address"] == "/reports?group_by=symbol&plan=gold"
    assert "Commissions by symbol" in mary.page(saved["address"])
    assert ">Gold by symbol</a>" in mary.page("/reports")
    path = f"/v1/views/{saved['view_id']}"
    assert mary.call(path, {"name": "Gold"}).json()["name"] == "Gold"
    assert mary.call(path, {"query": "group_by=ib"}).json()["address"] == "/reports?group_by=ib"
    assert (names(mary), names(mary, "?page=/clients")) == (["Gold"], [])
    assert "Gold" in mary.page("/views")
    assert mary.call(f"{path}/remove", {}).json()["items"] == []
    assert mary.call(path, {"name": "Gold"}).status_code == 404
    entries = [on for by, what, on in world.done() if (by, what) == ("mary", "change") and "views" in on]
    assert entries == ["POST /v1/views", f"POST {path}", f"POST {path}", f"POST {path}/remove"]


def test_nobody_changes_the_view_of_another(world: World) -> None:
    """Not even an admin: to them it is one that there is not."""
    mary, anna = world.signed_in("mary"), world.signed_in("anna")
    path = f"/v1/views/{save(mary)['view_id']}"
    assert names(anna) == []
    assert anna.call(path, {"is_shared": True}).status_code == 404
    assert anna.call(f"{path}/remove", {}).status_code == 404
    assert names(mary) == ["Gold by symbol"]


def test_a_shared_view_is_for_who_sees_as_much_or_more(world: World) -> None:
    """mary sees all, max and iris the sub-tree of A, iris by pseudonyms; ned, of a network, has none."""
    people = {name: world.signed_in(name) for name in ("anna", "audrey", "mary", "max", "iris")}
    for name in ("mary", "max", "iris"):
        save(people[name], name=f"of {name}", is_shared=True)
    assert {name: names(who) for name, who in people.items()} == {
        "anna": ["of iris", "of mary", "of max"],
        "audrey": ["of iris", "of mary", "of max"],
        "mary": ["of iris", "of mary", "of max"],
        "max": ["of iris", "of max"],
        "iris": ["of iris"],
    }
    assert world.signed_in("ned").call("/v1/views", HERS).status_code == 403


def test_a_shared_view_widens_nothing(world: World) -> None:
    """An IB's view that asks for another IB shows its manager what the manager may see, and no more."""
    save(world.signed_in("iris"), query="ib=B&group_by=ib", is_shared=True)
    limited = world.signed_in("max")
    assert names(limited) == ["Gold by symbol"]
    assert "2.01" not in limited.page("/reports?ib=B&group_by=ib")
    world.desk.disable("iris", "anna")
    assert names(limited) == [], "nor is there any of somebody who is let in no more"


def test_only_pages_of_ours_are_opened(world: World) -> None:
    mary = world.signed_in("mary")
    for page in ("https://evil.example/", "//evil.example", "/users", "/reports/../users"):
        assert mary.call("/v1/views", HERS | {"page": page}).status_code == 422
    odd = save(mary, name="odd", query="group_by=ib#//evil.example&x=%3Cscript%3E")
    assert odd["address"] == "/reports?group_by=ib%23%2F%2Fevil.example&x=%3Cscript%3E"
    assert "<script>" not in mary.page("/views").partition("<main")[2]
    assert mary.call("/v1/views", HERS | {"query": "a=%00"}).json()["code"] == "not_text"
    assert mary.call("/v1/views", HERS | {"query": "&".join(f"a{n}=1" for n in range(61))}).status_code == 422
    assert mary.call("/v1/views", HERS | {"query": "a=" + "é" * 400}).status_code == 422, "2,400 characters"
    for name in ("", " x", "x\n", "x" * 81):
        assert mary.call("/v1/views", HERS | {"name": name}).status_code == 422, name


def test_one_has_so_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a name once a page, whatever its letters' case."""
    monkeypatch.setattr(views, "MAX_OF_ONE", 2)
    mary = world.signed_in("mary")
    first = save(mary)
    again = mary.call("/v1/views", HERS | {"name": "GOLD by symbol"})
    assert (again.status_code, again.json()["detail"]) == (
        409,
        "You have a view GOLD by symbol of this page.",
    )
    save(mary, page="/clients", query="state=lost")
    assert mary.call("/v1/views", HERS | {"name": "third"}).status_code == 409
    assert mary.call(f"/v1/views/{first['view_id']}", {"name": "Gold by symbol"}).status_code == 200


def test_a_machine_has_no_views(world: World) -> None:
    """A key with the name of a person is somebody else."""
    anna = world.signed_in("anna")
    save(world.signed_in("mary"))
    secret = anna.call("/v1/keys", {"name": "mary", "rights": ["read"]}).json()["secret"]
    machine = world.browser().ask("GET", "/v1/views", JSON | {"Authorization": f"Bearer {secret}"})
    assert machine.status_code == 403


def test_what_counts_of_the_log() -> None:
    """The order says it: of somebody else's id nothing, of an unknown one no removal."""
    saved = ViewSaved(view_id="v", owner="a", name="n", page="/reports", query="", at=START)
    book = PeopleBook()
    assert book.add(ViewRemoved(view_id="v", owner="a", at=START)) == "you have no such view"
    assert book.add(saved) == ""
    other = ViewSaved(view_id="v", owner="b", name="n", page="/reports", query="", at=START)
    assert book.add(other) == "you have no such view"
    assert book.add(ViewRemoved(view_id="v", owner="b", at=START)) == "you have no such view"
    assert decode_people(encode_people(saved)) == saved
    assert book.add(ViewRemoved(view_id="v", owner="a", at=START)) == ""
    assert book.views.views == {}
