"""Tracking links over the API: made, listed by whoever sees their IB, drawn, and counted."""

import re
from hashlib import sha256
from html import unescape
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from api.operators import Operator, Operators
from infra.links.desk import LinkDesk
from infra.links.log import LinkLog
from schemas.settings import OwnSettings
from tests.api.conftest import SOURCE, Browser, client_row, insert, milestone_row, utc
from tests.link_world import click, memory_log

LANDING = "https://broker.test/open?ref={click_id}"
SPRING = {"ib": "A", "landing": LANDING, "campaign": "spring", "code": "spring"}


def desk(log: LinkLog) -> LinkDesk:
    """A desk whose links are at https://go.test."""
    return LinkDesk(log, "broker.test", public_url="https://go.test")


@pytest.fixture
def log() -> LinkLog:
    """What was decided."""
    return memory_log()


@pytest.fixture
def http(ledger: Ledger, log: LinkLog) -> Browser:
    """The API over the ledger written by hand, for whoever sees everything."""
    return Browser(create_app(ledger, OwnSettings(), desks=Desks(links=desk(log))))


class OfIb(Browser):
    """The same for an IB that signed in."""

    def __init__(self, ledger: Ledger, log: LinkLog, *ibs: str) -> None:
        who = Operator("ib", is_person=True, ibs=ibs, role="ib")
        known = Operators("", [(sha256(b"secret").hexdigest(), who)])
        super().__init__(create_app(ledger, OwnSettings(), operators=known, desks=Desks(links=desk(log))))

    async def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": "Bearer secret"}
        return await super()._request(method, path, headers=headers, **options)


def test_a_link_is_made_shown_and_ended(http: Browser) -> None:
    """With its address; ended, it is listed only if that is asked."""
    made = http.post("/v1/links", json=SPRING)
    assert made.status_code == 201
    link = made.json()
    assert (link["url"], link["ib_id"], link["version"]) == ("https://go.test/go/spring", "A", 1)
    assert (link["window_days"], link["conflict"], link["pass_query"], link["plans"]) == (30, "crm", True, [])
    assert http.get("/v1/links/spring").json() == link
    assert http.get("/v1/links", params={"ib": "A", "campaign": "spring"}).json()["items"] == [link]
    assert http.get("/v1/links", params={"campaign": "other"}).json()["items"] == []
    assert http.post("/v1/links/spring/end", json={}).json()["expires_at"] is not None
    assert http.get("/v1/links").json()["items"] == []
    assert len(http.get("/v1/links", params={"ended": True}).json()["items"]) == 1


def test_the_same_key_makes_one_link(http: Browser) -> None:
    """A client that heard no answer asks again."""
    wanted = {"ib": "A", "landing": LANDING}
    first, again = (http.post("/v1/links", json=wanted, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json() == again.json()
    assert len(http.get("/v1/links").json()["items"]) == 1


def test_what_is_wrong_is_said_with_the_nearest_name(http: Browser) -> None:
    """An unknown macro, host, IB and plan; a code that is taken; a link that nobody knows."""
    for change, told in (
        ({"landing": "https://broker.test/?a={clickid}"}, "did you mean {click_id}?"),
        ({"landing": "https://evil.test/"}, "allowed are broker.test"),
        ({"ib": "nobody"}, "There is no IB nobody"),
        ({"plan": "nobody"}, "There is no plan nobody"),
        ({"window_days": 0}, "window_days"),
    ):
        refused = http.post("/v1/links", json=SPRING | change)
        assert (refused.status_code, told in refused.json()["detail"]) == (422, True), refused.text
    http.post("/v1/links", json=SPRING)
    assert http.post("/v1/links", json=SPRING).status_code == 409
    assert http.get("/v1/links/nobody").status_code == 404
    assert http.put("/v1/links/nobody/landing", json={"landing": LANDING}).status_code == 404
    moved = http.put("/v1/links/spring/landing", json={"landing": "https://broker.test/new"}).json()
    assert (moved["landing"], moved["version"]) == ("https://broker.test/new", 2)


def test_a_link_is_drawn_as_a_qr_code(http: Browser) -> None:
    """As SVG and PNG of the whole address."""
    http.post("/v1/links", json=SPRING)
    svg, png = http.get("/v1/links/spring/qr"), http.get("/v1/links/spring/qr", params={"format": "png"})
    assert svg.headers["content-type"] == "image/svg+xml"
    assert b"<svg" in svg.content
    assert (png.headers["content-type"], png.content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")


def test_an_ib_sees_and_makes_its_own_links_and_decides_no_terms(
    http: Browser, ledger: Ledger, log: LinkLog
) -> None:
    """Those of its sub-tree; that others are there it is not told. What a link pays is the broker's."""
    http.post("/v1/links", json=SPRING)
    http.post("/v1/links", json=SPRING | {"ib": "M", "code": "master"})
    ib = OfIb(ledger, log, "A")
    assert [one["code"] for one in ib.get("/v1/links").json()["items"]] == ["spring"]
    for path in ("/v1/links/master", "/v1/links/master/qr", "/v1/links/master/funnel", "/v1/links/nobody"):
        assert ib.get(path).status_code == 404
    assert ib.post("/v1/links/master/end", json={}).status_code == 404
    assert ib.post("/v1/links", json=SPRING | {"code": "autumn"}).status_code == 201
    assert ib.post("/v1/links", json=SPRING | {"ib": "M", "code": "stolen"}).status_code == 422
    for terms in ({"plan": "gold"}, {"window_days": 90}, {"conflict": "click"}):
        refused = ib.post("/v1/links", json=SPRING | {"code": "winter"} | terms)
        assert (refused.status_code, "the broker's to decide" in refused.text) == (403, True)
    assert ib.post("/v1/links/spring/plans", json={"plan": None}).status_code == 403
    assert [one["link"] for one in ib.get("/v1/link-funnels").json()["items"]] == ["autumn", "spring"]


def click_row(number: int, link: str, **more: Any) -> dict[str, Any]:
    """A click of a day on a link of A."""
    row = {"click_id": f"{link}-{number}", "link": link, "ib_id": "A", "campaign": "spring"}
    row |= {"occurred_at": utc(2), "network": "203.0.113.0/24", "bot": "", "is_duplicate": False}
    return row | {"params": {}, "dropped": 0} | SOURCE | more


def registration(client: str, day: int = 3, **more: Any) -> dict[str, Any]:
    """A registration of a client of A by the link `spring`."""
    row = milestone_row(f"reg-{client}", "registration", "A", client_id=client, occurred_at=utc(day))
    return row | {"link": "spring", "attribution": "click", "click_id": "k", "crm_ib": ""} | more


def test_clicks_become_a_funnel(http: Browser, chdb: Client) -> None:
    """Five clicks, one stored twice: a bot's, a duplicate, three visitors; two registered, one paid in."""
    http.post("/v1/links", json=SPRING)
    http.post("/v1/links", json=SPRING | {"code": "spring_2"})
    clicks = [click_row(number, "spring") for number in range(3)]
    clicks += [click_row(3, "spring", bot="bot"), click_row(4, "spring", is_duplicate=True)]
    insert(chdb, "clicks", *clicks, click_row(0, "spring"), click_row(9, "spring_2"))
    found = [registration("c-1"), registration("c-2")]
    found += [registration("c-1", 4, milestone_id="ftd-1", kind="ftd", attribution="", click_id="")]
    insert(chdb, "milestones", *found)
    funnel = {"clicks": 5, "bots": 1, "duplicates": 1, "visitors": 3, "registrations": 2}
    funnel |= {"first_deposits": 1, "qualified": 0}
    assert http.get("/v1/links/spring/funnel").json() == funnel
    none = http.get("/v1/links/spring/funnel", params={"from": "2026-09-05T00:00:00Z"}).json()
    assert set(none.values()) == {0}
    (campaign,) = http.get("/v1/link-funnels", params={"by": "campaign"}).json()["items"]
    assert (campaign["link"], campaign["campaign"], campaign["clicks"], campaign["visitors"]) == (
        "",
        "spring",
        6,
        4,
    )


def test_conflicts_are_listed(http: Browser, ledger: Ledger, log: LinkLog, chdb: Client) -> None:
    """Where the CRM and the click named two IBs; each is seen by whose client it became."""
    rows = [
        registration("c-1"),
        registration("c-2", 4, attribution="click_wins", crm_ib="M"),
        registration("c-3", 5, attribution="crm_wins", crm_ib="M", ib_id="M", link=""),
    ]
    insert(chdb, "milestones", *rows)
    every = http.get("/v1/attributions").json()["items"]
    assert [one["client_id"] for one in every] == ["c-3", "c-2", "c-1"]
    found = http.get("/v1/attributions", params={"conflicts": True}).json()["items"]
    assert [(one["client_id"], one["ib_id"], one["decision"]) for one in found] == [
        ("c-3", "M", "crm_wins"), ("c-2", "A", "click_wins"),
    ]  # fmt: skip
    seen = OfIb(ledger, log, "A").get("/v1/attributions").json()["items"]
    assert [one["client_id"] for one in seen] == ["c-2", "c-1"]
    page = http.get("/v1/attributions", params={"limit": 2}).json()
    rest = http.get("/v1/attributions", params={"cursor": page["next_cursor"]}).json()["items"]
    assert [one["client_id"] for one in rest] == ["c-1"]


def test_a_process_without_links_says_so(ledger: Ledger) -> None:
    """And what to set."""
    refused = Browser(create_app(ledger, OwnSettings())).get("/v1/links")
    assert (refused.status_code, "IBFLOW_CLICK_KEYS" in refused.text) == (503, True)


def rows_of(page: httpx.Response, name: str) -> list[list[str]]:
    """The cells of a list of the page, as text."""
    found = re.search(rf'data-list="{name}".*?<tbody>(.*?)</tbody>', page.text, re.DOTALL)
    rows = re.findall(r"<tr.*?</tr>", found[1] if found else "", re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]
    return [[unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in row] for row in cells]


def test_the_portal_lists_links_with_their_funnels(http: Browser, chdb: Client) -> None:
    """A row of the link as it was worked out above, the conflict below it, and the form of a new one."""
    http.post("/v1/links", json=SPRING)
    insert(chdb, "clicks", click_row(0, "spring"), click_row(1, "spring", bot="bot"))
    insert(chdb, "milestones", registration("c-1", attribution="click_wins", crm_ib="M"))
    page = http.get("/links")
    (row,) = rows_of(page, "links")
    assert row[:1] + row[2:10] == ["spring", "spring", LANDING, "", "2", "1", "1", "0", "0"]
    (conflict,) = rows_of(page, "conflicts")
    assert (conflict[1], conflict[3:]) == ("c-1", ["M", "the click", "spring"])
    assert 'data-api="/v1/links/spring/end"' in page.text
    assert 'name="conflict"' in page.text


def test_an_ib_is_shown_its_links_and_a_form_without_terms(
    http: Browser, ledger: Ledger, log: LinkLog
) -> None:
    """It begins with its own id, and says nothing of plans."""
    http.post("/v1/links", json=SPRING | {"ib": "M", "code": "master"})
    page = OfIb(ledger, log, "A").get("/links")
    assert page.status_code == 200
    assert "master" not in page.text
    assert 'name="ib" value="A"' in page.text
    assert 'name="conflict"' not in page.text


def test_the_page_of_a_client_tells_the_click_that_decided(
    http: Browser, ledger: Ledger, log: LinkLog, chdb: Client
) -> None:
    """c-9 is M's by the CRM and A's by the click, which won: A sees it, with the time of the click."""
    clicked = click("spring", day=2)
    insert(chdb, "clients", client_row("c-9", "M"))
    insert(chdb, "milestones", registration("c-9", attribution="click_wins", crm_ib="M", click_id=clicked))
    ib = OfIb(ledger, log, "A")
    for browser in (http, ib):
        page = browser.get("/clients/c-9").text
        assert "came by link" in page
        assert 'datetime="2026-09-02T00:00:00Z"' in page
        assert "which counts before the CRM" in page
    insert(chdb, "clients", client_row("c-8", "M"))
    assert ib.get("/clients/c-8").status_code == 404


def test_a_registration_the_crm_decided_is_told_too(http: Browser, chdb: Client) -> None:
    """The CRM's IB counts; the click's link is not the client's."""
    insert(chdb, "clients", client_row("c-7", "M"))
    decided = {"attribution": "crm_wins", "crm_ib": "M", "ib_id": "M", "link": ""}
    insert(chdb, "milestones", registration("c-7", **decided))
    page = http.get("/clients/c-7").text
    assert "IB counts, a click named another" in page
    assert "came by link" not in page
