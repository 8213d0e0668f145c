"""Lists of the portal: each can be ordered, searched, paged, cut to columns and taken away, in one way."""

import re
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from html import unescape
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from starlette.datastructures import URL, QueryParams

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from api.pages.lists import of_memory
from api.portal import render
from api.portal.navigation import Links
from api.problems import Problem
from api.queries.ordered import Asked, Listing, Order
from infra.postbacks.desk import EndpointDesk
from schemas.proposals import ProposalRequest
from schemas.settings import Settings
from tests.api.conftest import Browser, browser, insert, utc
from tests.build import ended, partner
from tests.commission.books.partner_rows import MONTHS, earned
from tests.endpoint_world import NOON, keys, memory_log
from tests.payout_world import World
from tests.proposal_desk import FixedDesk, person

PAGED = {
    # what grows: the server orders and searches all of it, a page at a time
    "/audit-log": "audit-log", "/accounts?key=live/1001": "deals", "/balance": "accounts",
    "/balance-changes": "changes", "/dead-letters": "dead-letters", "/endpoints/net": "attempts",
    "/invoices": "invoices", "/links": "links", "/own-endpoints/A-x": "attempts", "/payees": "valid",
    "/payouts": "batches", "/payouts/{batch}": "lines", "/proposals": "proposals",
    "/proposals/{proposal}": "rows", "/reports/margin": "margin", "/statements": "statements",
    "/unpaid": "unpaid",
}  # fmt: skip
OWN_WAY = {"clients.html": "client-list", "reports.html": "report"}
"""Paged by queries of their own, whose order is a parameter; their forms filter."""
WHOLE = {
    # short by nature, or the first of a longer one, which says so: the script orders and searches it
    "account.html": {"sessions"}, "acquisition.html": {"cohorts"}, "balance.html": {"currencies", "checks"},
    "client.html": {"earned", "accounts", "milestones", "events"},
    "completeness.html": {"days-", "twice", "native"},
    "dead_letter.html": {"decisions"}, "endpoints.html": {"endpoints"}, "explanation.html": {"chain"},
    "exports_list.html": {"exports"},
    "ib.html": {"sub-ibs", "clients", "components", "symbols", "statements"}, "keys.html": {"keys"},
    "links.html": {"conflicts"}, "movers.html": {"movers"}, "network.html": {"attempts-"},
    "operations.html": {"servers", "waiting", "letters", "partitions"},
    "overview.html": {"ibs", "statements"},
    "own_endpoints.html": {"own-endpoints"}, "parts.html": {"transfers"}, "payees.html": {"waiting"},
    "payments.html": {"payments", "details"}, "payout.html": {"steps"}, "people.html": {"people", "sessions"},
    "plan_cases.html": {"golden-cases"}, "plan_changes.html": {"plan-fields", "plan-pays"},
    "plan_one.html": {"findings", "versions", "holders"}, "plans.html": {"plans", "what-if-"},
    "proposal.html": {"history"}, "proposal_parts.html": {"by-ib"}, "room.html": {"sub-ibs", "statements"},
    "statements.html": {"withdrawn"}, "unpaid.html": {"reasons"}, "views.html": {"views"},
}  # fmt: skip
NO_LISTS = {
    # sums and prose in rows: nothing to order
    "docs.html", "plan_parts.html", "problems.html", "proposal.html", "statement.html",
}  # fmt: skip


def test_every_table_is_a_list_of_one_kind() -> None:
    """Only `parts.list` makes tables of rows: so each has its columns chosen, a sticky header and CSV."""
    paged: set[str] = set()
    whole: dict[str, set[str]] = {}
    raw = set()
    for path in (render.HERE / "templates").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        if "<table" in text and path.name != "parts.html":
            raw.add(path.name)
        for call in re.findall(r"call (?:parts\.)?list\((.*?)\) %}", text):
            name = call.split('"')[1] if call[0] == '"' else "transfers"
            if "of=of" in call:
                paged.add(name)
            elif OWN_WAY.get(path.name) == name:
                assert "next=next" in call
                assert "sorts=" in call
            else:
                whole.setdefault(path.name, set()).add(name)
    assert raw == NO_LISTS
    assert paged == {*PAGED.values()}
    assert whole == WHOLE


LETTERS = Listing(
    "SELECT deal_key, code, occurred_at, toDecimal64(_offset, 8) - 2 AS amount, _offset AS number"
    " FROM rejections FINAL",
    {
        "time": ("occurred_at", "time"),
        "code": ("code", "text"),
        "amount": ("amount", "amount"),
        "no": ("number", "number"),
    },
    ("deal_key",),
    ("deal_key", "code"),
)


@pytest.mark.parametrize(("sort", "order"), [*product(LETTERS.sorts, ("desc", "asc"))])
def test_pages_of_a_query_are_the_whole_list_in_order(
    empty_ledger: Ledger, chdb: Client, sort: str, order: Order
) -> None:
    """Seven rows by pages of two, by each column, either way: all of them, once; alike ones by their key."""
    rows = [
        {"deal_key": f"live|{n}", "revision": "", "status": "rejected", "code": "ab"[n % 2], "text": "",
         "account_key": "", "client_id": "", "occurred_at": utc(2) + timedelta(seconds=n // 3),
         "_topic": "t", "_partition": 0, "_offset": n // 2}
        for n in range(7)
    ]  # fmt: skip
    insert(chdb, "rejections", *rows)
    keys = {"time": "occurred_at", "code": "code", "amount": "_offset", "no": "_offset"}
    wanted = sorted(rows, key=lambda row: row[keys[sort]], reverse=order == "desc")  # a stable sort
    asked, found = Asked(sort, order), []
    while True:
        page = LETTERS.page(empty_ledger, asked, 2)
        found += [row["deal_key"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        asked = asked._replace(cursor=page["next_cursor"])
    assert found == [row["deal_key"] for row in wanted]
    assert [row["deal_key"] for row in LETTERS.page(empty_ledger, Asked(find="LIVE|3"), 9)["items"]] == [
        "live|3"
    ]
    assert "sort_place" not in page["items"][0]
    with pytest.raises(Problem):
        LETTERS.page(empty_ledger, asked._replace(sort="no" if sort != "no" else "code"), 2)


class NamesHidden(Ledger):
    """As an IB reads the ledger where clients have pseudonyms."""

    hides_clients = True


def test_nobody_finds_out_who_a_pseudonym_is(empty_ledger: Ledger, chdb: Client) -> None:
    """Where clients are hidden, a search does not look at them: it would confirm a guess."""
    row = {
        "deal_key": "live|1", "revision": "", "status": "rejected", "code": "a", "text": "",
        "account_key": "", "client_id": "crm-7", "occurred_at": utc(2),
        "_topic": "t", "_partition": 0, "_offset": 1,
    }  # fmt: skip
    insert(chdb, "rejections", row)
    listing = Listing(
        "SELECT * FROM rejections FINAL", {"time": ("occurred_at", "time")}, ("deal_key",), ("client_id",)
    )
    hidden = NamesHidden(empty_ledger._connect)
    assert len(listing.page(empty_ledger, Asked(find="rm-7"), 9)["items"]) == 1
    assert listing.page(hidden, Asked(find="rm-7"), 9)["items"] == []
    hidden.close()


class Request:
    """As much of a request as links need."""

    def __init__(self, query: str = "") -> None:
        self.query_params, self.url = QueryParams(query), URL(f"http://x/list?{query}")


def test_pages_of_what_is_in_memory() -> None:
    """Ordered, searched and paged over all rows; a row that came meanwhile moves none; unknown last."""
    rows: list[tuple[str, Any]] = [("a", 2), ("b", None), ("c", 9), ("d", 1), ("e", 5)]
    columns = {"Name": lambda row: row[0], "How much": lambda row: row[1]}

    def page(asked: Asked) -> Any:
        return of_memory(Links(Request()), asked, rows, columns, 2, key=lambda row: row[0])  # type: ignore[arg-type]

    first = page(Asked("how_much"))
    assert ([row[0] for row in first.rows], first.count) == (["c", "e"], 5)
    cursor = re.search("cursor=([^&]+)", first.next)
    assert cursor is not None
    rows.insert(0, ("z", 7))
    assert [row[0] for row in page(Asked("how_much", cursor=cursor[1])).rows] == ["a", "d"]
    assert [row[0] for row in page(Asked("how_much", "asc")).rows] == ["d", "a"]
    found = page(Asked(find="9"))
    assert (found.rows, found.count, found.is_part) == ([("c", 9)], 1, True)
    rows.remove(("e", 5))
    with pytest.raises(Problem):
        page(Asked("how_much", cursor=cursor[1]))
    with pytest.raises(Problem):
        page(Asked("nothing"))


def addresses(page: str, name: str) -> Iterator[str]:
    """Where the heads of a list's columns lead."""
    section = page.partition(f'id="{name}"')[2].partition("</section>")[0]
    for link in re.findall(r'class="sort" href="([^"]+)"', section):
        yield unescape(link)


@pytest.fixture
def everything(ledger: Ledger, tmp_path: Path) -> Browser:
    """The hand-written ledger, a payout, a change, a proposal and an endpoint, as ann."""
    people = tmp_path / "operators.yaml"
    people.write_text(
        f"operators:\n  - {{name: ann, role: operator, token_sha256: {sha256(b'of-ann').hexdigest()}}}\n",
        encoding="utf-8",
    )
    world = World(*MONTHS, partner("a.a USD"))
    world.feed([earned("12.34", ib_id="a.a", credit="ib:a.a:pending", transfer_id="a.a"), ended("2026-09")])
    proposals = FixedDesk()
    proposals.create(ProposalRequest(title="Six a lot"), person("ann"), "asked")
    desks = Desks(
        payouts=world.desk(),
        changes=world.change_desk(),
        proposals=proposals,
        endpoints=EndpointDesk(memory_log(), keys, now=lambda: NOON),
    )
    return Browser(create_app(ledger, Settings(_env_file=None, operators_file=people), desks=desks))


def test_every_order_that_is_offered_works(everything: Browser) -> None:
    """Each head of a paged list leads to the list in that order, and back; a search of nothing says so."""
    headers = {"Authorization": "Bearer of-ann", "Accept": "text/html"}

    def get(path: str, status: int = 200) -> str:
        answer = everything.get(path, headers=headers)
        assert answer.status_code == status, (path, answer.text[-2000:])
        return answer.text

    api = {"Authorization": "Bearer of-ann"}
    made = everything.post("/v1/payouts", json={"period": "2026-09", "currency": "USD"}, headers=api).json()
    wanted = {"id": "net", "url": "https://t.example/p?c={click_id}", "preset": "keitaro"}
    everything.post("/v1/endpoints", json=wanted, headers=api)
    change = {"kind": "adjustment", "ib": "a.a", "amount": "1", "currency": "USD", "reason": "x"}
    assert everything.post("/v1/balance-changes", json=change, headers=api).status_code == 201
    (proposal,) = re.findall('href="/proposals/([^"]+)"', get("/proposals"))
    rowless = {"/audit-log", "/payees", "/own-endpoints/A-x", "/invoices"}  # desks that this world has not
    offered = {}
    for place, name in PAGED.items():
        if place in rowless:
            continue
        path = place.format(batch=made["batch_id"], proposal=proposal)
        links = [*addresses(get(path), name)]
        offered[path] = len(links)
        for link in links:
            way = "descending" if "order=desc" in link else "ascending"
            assert f'aria-sort="{way}"' in get(link).partition(f'id="{name}"')[2], link
            get(link.replace("order=desc", "order=asc"))
        mark = "&" if "?" in path else "?"
        assert "No row has “zz-no-such”" in get(f"{path}{mark}find=zz-no-such")
        get(f"{path}{mark}sort=nothing", 422)
        get(f"{path}{mark}cursor=bm90aGluZw", 400)
    empty = {"/links", "/endpoints/net"}  # no table, and so no heads
    assert {path for path, count in offered.items() if count == 0} == empty
    assert sum(offered.values()) >= 50


def test_an_empty_list_offers_nothing_to_choose(empty_ledger: Ledger) -> None:
    """It says what would fill it; there is no table, no choice of columns and no search."""
    for path in ("/unpaid", "/statements", "/clients", "/dead-letters", "/links"):
        page = browser(empty_ledger).get(path).text
        said = [unescape(re.sub("<[^>]+>", "", one)) for one in re.findall('<p class="none">(.*?)</p>', page)]
        assert said, path
        assert all(len(one) > 20 for one in said), (path, said)
        assert "Columns</summary>" not in page, path
        assert "<table" not in page, path
