"""The list of clients equals one made by hand of all rows, whatever is asked for and wherever pages end."""

import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.queries import client_list
from api.queries.client_list import ORDERS, SORTS, STATES, ClientFilter, listed
from api.scope import EVERYTHING, Scope
from tests.api.conftest import SOURCE, Browser, client_row, insert, utc

KINDS = ("ftd", "cpa.qualified", "cpa.clawback")
START = datetime(2026, 9, 1, tzinfo=UTC)
IBS = ("A", "B", "M")


class Told:
    """Random clients; some are told twice, some came by a click, many share a time."""

    def __init__(self, client: Client, seed: int, count: int = 40) -> None:
        dice = random.Random(seed)
        self.clients: dict[str, dict[str, Any]] = {}
        self.milestones: list[dict[str, Any]] = []
        for number in range(count):
            name = f"c{number}"
            for version in range(dice.choice((1, 1, 1, 2))):
                row = client_row(name, dice.choice((*IBS, None)))
                row |= {"occurred_at": START + timedelta(hours=dice.randrange(30)), "_offset": version}
                insert(client, "clients", row)
                self.clients[name] = row
            if dice.random() < 0.2:
                self._add(name, "registration", dice.choice(IBS), 0, attribution="click")
            for kind in KINDS:
                for _ in range(dice.choice((0, 1, 1, 2))):
                    self._add(name, kind, dice.choice(IBS), dice.randrange(60))
            self._take_back(dice, [one for one in self.milestones if one["client_id"] == name])
        for row in self.milestones:
            for _ in range(dice.choice((1, 2))):
                insert(client, "milestones", row)

    def _take_back(self, dice: random.Random, own: list[dict[str, Any]]) -> None:
        """Each clawback takes back another of what qualified, of the same IB, as far as there are."""
        qualified = [one for one in own if one["kind"] == "cpa.qualified"]
        dice.shuffle(qualified)
        lost = (one for one in own if one["kind"] == "cpa.clawback")
        for clawback, taken in zip(lost, qualified, strict=False):
            clawback |= {"takes_back": taken["milestone_id"], "ib_id": taken["ib_id"]}

    def _add(self, client: str, kind: str, ib: str, hours: int, attribution: str = "") -> None:
        at = START + timedelta(hours=hours)
        self.milestones.append(
            {"milestone_id": f"m{len(self.milestones)}", "kind": kind, "client_id": client, "ib_id": ib,
             "occurred_at": at, "currency": "", "click": {}, "attribution": attribution, "takes_back": "",
             **SOURCE}
        )  # fmt: skip

    def wanted(self, asked: ClientFilter) -> list[tuple[str, str]]:
        """Id and state, in the order asked for."""
        found = []
        for name, row in self.clients.items():
            own = [one for one in self.milestones if one["client_id"] == name]
            seen = [one for one in own if asked.scope.has(one["ib_id"])]
            by_click = [one["ib_id"] for one in own if one["attribution"]]
            ib = by_click[0] if by_click else row["ib_id"] or ""
            at = {
                kind: max((one["occurred_at"] for one in seen if one["kind"] == kind), default=None)
                for kind in KINDS
            }
            ftd, qualified, lost = (at[kind] for kind in KINDS)
            taken_ids = {one["takes_back"] for one in own}
            stand = [
                one["occurred_at"]
                for one in seen
                if one["kind"] == "cpa.qualified" and one["milestone_id"] not in taken_ids
            ]
            qualified = max(stand, default=qualified)
            granted, taken = (sum(one["kind"] == kind for one in seen) for kind in KINDS[1:])
            if lost and taken >= granted:
                state = "lost"
            else:
                state = "qualified" if qualified else "deposited" if ftd else "registered"
            when = {"registered": row["occurred_at"], "deposited": ftd, "qualified": qualified, "lost": lost}
            if not asked.scope.has(ib) or asked.ib not in ("", ib) or asked.state not in ("", state):
                continue
            if when[asked.sort]:
                found.append((when[asked.sort], name, state))
        return [(name, state) for _, name, state in sorted(found, reverse=asked.order == "newest")]


@pytest.mark.parametrize("seed", [1, 2])
def test_every_page_is_that_of_all_rows(
    empty_ledger: Ledger, chdb: Client, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whoever sees all, and of who sees A; pages of 7 rows, so that many end between equal times."""
    monkeypatch.setattr(client_list, "MORE", 1)
    told, dice = Told(chdb, seed), random.Random(seed)
    for _ in range(24):
        asked = ClientFilter(
            dice.choice((EVERYTHING, Scope(frozenset({"A"})))),
            dice.choice(("", "", "A", "B")),
            dice.choice(STATES),
            dice.choice(SORTS),
            dice.choice(ORDERS),
        )
        found, cursor = [], ""
        while cursor is not None:
            page = listed(empty_ledger, asked, 7, cursor)
            assert len(page["items"]) <= 7
            found += [(row["client_id"], row["state"]) for row in page["items"]]
            cursor = page["next_cursor"]
        assert found == told.wanted(asked), asked


def test_qualified_is_by_what_stands(empty_ledger: Ledger, chdb: Client) -> None:
    """Qualified on the 2nd and, for another stage, on the 5th; the newer is taken back, then both."""
    insert(chdb, "clients", client_row("c1", "A"))
    row = {"client_id": "c1", "ib_id": "A", "currency": "USD", "click": {}} | SOURCE

    def tell(name: str, kind: str, day: int, takes_back: str = "") -> None:
        told = {"milestone_id": name, "kind": kind, "takes_back": takes_back, "occurred_at": utc(day)}
        insert(chdb, "milestones", row | told)

    def said() -> tuple[str, datetime, datetime]:
        (found,) = listed(empty_ledger, ClientFilter(EVERYTHING, sort="qualified"), 7)["items"]
        return found["state"], found["qualified_at"], found["lost_at"]

    tell("q1", "cpa.qualified", 2)
    tell("q2", "cpa.qualified", 5)
    assert said() == ("qualified", utc(5), None)
    tell("l2", "cpa.clawback", 7, "q2")
    assert said() == ("qualified", utc(2), utc(7))
    tell("l1", "cpa.clawback", 8, "q1")
    assert said() == ("lost", utc(5), utc(8)), "of what is lost, when it was reached last"


def test_the_api_and_the_page_sort_the_whole_list(http: Browser) -> None:
    """By the header's links; a state or order that there is not is refused."""
    newest = [row["client_id"] for row in http.get("/v1/clients").json()["items"]]
    oldest = [row["client_id"] for row in http.get("/v1/clients?order=oldest").json()["items"]]
    assert oldest == newest[::-1]
    page = http.get("/clients?sort=registered&ib=A").text
    assert '<th scope="col" aria-sort="descending"><a class="sort" href="/clients?ib=A&amp;sort=' in page
    assert "/clients?ib=A&amp;sort=registered&amp;order=asc" in page
    assert "No row has “no-such”" in http.get("/clients?find=no-such").text
    assert http.get("/clients?find=C1").text.count('class="mono" href="/clients/') == 1


def test_columns_are_chosen_on_the_server(http: Browser) -> None:
    """Of one list by its name, in the address, so that a saved view keeps them; the first is always there."""
    page = http.get("/clients?columns=client-list:&columns=client-list:State&columns=other:IB").text
    assert re.findall(r'<th scope="col"[^>]*>(?:<a[^>]*>)?(\w[\w ]*)', page) == ["Client", "State"]
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    assert {row.count("<td") for row in table.split("</tr>")[:-1]} == {2}
    assert table.count("<tr") == table.count("</tr>") == 3
    assert page.count('name="columns" value="client-list:State" checked') == 1
    assert page.count('type="checkbox"') == 9
    assert http.get("/v1/clients?columns=client-list:State").status_code == 422
    assert http.get("/v1/clients?sort=name").status_code == 422
