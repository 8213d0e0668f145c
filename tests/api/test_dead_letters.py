"""Dead letters worked off through the API: tried, corrected, replayed once, dismissed; the letter stays."""

import re
from base64 import b64decode
from collections.abc import Iterator
from decimal import Decimal

import pytest
from clickhouse_connect.driver.client import Client

from api.desks import Desks
from api.ledger import Ledger
from commission.events import DepositCleared
from tests.api.letters import BAD, GOOD, Letters, crm_letter
from tests.api.people_world import Visitor, World


@pytest.fixture
def letters(ledger: Ledger, chdb: Client) -> Iterator[Letters]:
    chdb.command("TRUNCATE TABLE dead_letter_decisions")
    yield Letters(chdb)
    chdb.command("TRUNCATE TABLE dead_letter_decisions")


@pytest.fixture
def world(ledger: Ledger, letters: Letters, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(ledger, monkeypatch, desks=Desks(dead_letters=letters.desk))


def decided(visitor: Visitor, name: str) -> list[tuple[str, str, str]]:
    found = visitor.ask("GET", f"/v1/dead-letters/{name}").json()["decisions"]
    return [(one["action"], one["by"], one["note"]) for one in found]


def test_a_letter_is_tried_corrected_and_replayed_once(world: World, letters: Letters) -> None:
    """Tried, nothing is written; corrected, it is kept with who and why; replayed, one event goes out."""
    name, fred = letters.add(crm_letter()), world.signed_in("fred")
    path = f"/v1/dead-letters/{name}"
    tried = fred.call(f"{path}/preview", {"text": GOOD}).json()
    assert tried == {"records": ["deposit_cleared c1 e1"], "why": ""}
    assert fred.call(f"{path}/preview", {"text": BAD}).json()["why"].startswith("bad_amount")
    assert (decided(fred, name), letters.sent) == ([], [])

    refused = fred.call(f"{path}/edit", {"text": BAD + "x"})
    assert refused.status_code == 409
    assert "still be nothing" in refused.json()["detail"]
    assert fred.call(f"{path}/edit", {"text": GOOD, "note": "an O for a zero"}).status_code == 200
    assert decided(fred, name) == [("edited", "fred", "an O for a zero")]
    assert letters.sent == []

    assert fred.call(f"{path}/replay", {}).json()["records"] == ["deposit_cleared c1 e1"]
    (event,) = letters.sent
    assert isinstance(event, DepositCleared)
    assert (event.amount, event.client_id) == (Decimal(250), "c1")
    again = fred.call(f"{path}/replay", {})
    assert again.status_code == 409
    assert "replayed by fred" in again.json()["detail"]
    assert len(letters.sent) == 1
    assert fred.call(f"{path}/edit", {"text": GOOD.replace("250", "9")}).status_code == 409
    kept = fred.ask("GET", path).json()
    assert b64decode(kept["payload_base64"]).decode() == BAD, "the letter is as it was"
    changes = [on for _, what, on in world.done() if what == "change"]
    assert changes.count(f"POST {path}/replay") >= 1


def test_pressed_twice_before_the_database_knows_it_is_sent_once(world: World, letters: Letters) -> None:
    name, fred = letters.add(crm_letter(GOOD.encode())), world.signed_in("fred")
    letters.is_stored = False
    assert fred.call(f"/v1/dead-letters/{name}/replay", {}).status_code == 200
    again = fred.call(f"/v1/dead-letters/{name}/replay", {})
    assert again.status_code == 409
    assert "just now" in again.json()["detail"]
    assert len(letters.sent) == 1


def test_replayed_as_it_is_it_is_buried_again_and_open(world: World, letters: Letters) -> None:
    name, fred = letters.add(crm_letter()), world.signed_in("fred")
    told = fred.call(f"/v1/dead-letters/{name}/replay", {}).json()
    assert told["records"] == []
    assert told["why"].startswith("bad_amount")
    assert [one[0] for one in decided(fred, name)] == ["buried_again"]
    assert fred.call(f"/v1/dead-letters/{name}/dismiss", {"note": "a test of theirs"}).status_code == 200
    assert decided(fred, name)[-1] == ("dismissed", "fred", "a test of theirs")


def test_line_ends_of_a_browser_are_the_letters(world: World, letters: Letters) -> None:
    """A text field sends line feeds alone: where the letter has CR LF, so has its correction."""
    name, fred = letters.add(crm_letter(BAD.encode() + b"\r\n")), world.signed_in("fred")
    path = f"/v1/dead-letters/{name}"
    assert fred.call(f"{path}/edit", {"text": GOOD + "\n"}).status_code == 200
    (edit,) = fred.ask("GET", path).json()["decisions"]
    assert b64decode(edit["payload_base64"]) == GOOD.encode() + b"\r\n"


def test_who_may_decide(world: World, letters: Letters) -> None:
    """Finance and admins; an auditor sees it without forms; whoever sees a part does not."""
    name = letters.add(crm_letter())
    for who, status in (("audrey", 403), ("mary", 403), ("iris", 403), ("anna", 200)):
        asked = world.signed_in(who).call(f"/v1/dead-letters/{name}/preview", {"text": GOOD})
        assert asked.status_code == status, who

    def forms(who: str) -> list[str]:
        return re.findall(r'<form[^>]*data-api="([^"]+)"', world.signed_in(who).page(f"/dead-letters/{name}"))

    assert [path.rpartition("/")[2] for path in forms("fred")] == ["edit", "replay", "dismiss"]
    assert forms("audrey") == []
    page = world.signed_in("fred").page(f"/dead-letters/{name}")
    assert "25O" in page
    assert "line 3" in page


def test_what_is_no_text_is_not_put_into_a_field(world: World, letters: Letters) -> None:
    name = letters.add(crm_letter(b"\xff\x00,deposit"))
    page = world.signed_in("fred").page(f"/dead-letters/{name}")
    assert "<textarea" not in page
    assert "ibflow dead-letters edit" in page
    script = letters.add(crm_letter(b"</textarea><script>alert(1)</script>"))
    assert "<script>alert" not in world.signed_in("fred").page(f"/dead-letters/{script}")
