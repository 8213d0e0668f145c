"""The portal in a real Chromium: every page at two sizes, light and dark, its keys, lists and forms.

Of each page: nothing wrong on the console, no finding of axe-core that is serious, nothing beside the window,
a low header, little script. `IBFLOW_BROWSER=full` looks at every page in both sizes and both schemes.
"""

import csv
import os
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from commission.outputs import Statement, Transfer
from commission.partner.statement_hash import statement_hash, total_of
from infra.postbacks.desk import EndpointDesk
from schemas.proposals import ProposalRequest
from schemas.settings import Settings
from schemas.wire import encode
from tests import chromium
from tests.api.conftest import insert, partner_row, per_lot, statement_row, utc
from tests.api.letters import GOOD, Letters, crm_letter
from tests.api.served import served
from tests.build import ended, partner
from tests.commission.books.partner_rows import MONTHS, earned
from tests.endpoint_world import NOON, keys, memory_log
from tests.eventually import WITHIN_S
from tests.payout_world import World
from tests.proposal_desk import FixedDesk, person

SIZES = {"wide": (1400, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
MAX_HEADER_PX = 64
MAX_SCRIPT_BYTES = 150_000
MAX_READY_MS = 1_000
READY = """(() => {
    const [page] = performance.getEntriesByType("navigation");
    const scripts = performance.getEntriesByType("resource").filter(one => one.initiatorType === "script");
    return {
        html: Math.round(page.responseEnd), ready: Math.round(page.domContentLoadedEventEnd),
        script_bytes: scripts.reduce((sum, one) => sum + one.decodedBodySize, 0),
    };
})()"""
"""When a page was read, and when its scripts had run, in ms; the bytes of these."""
PEOPLE = {"ann": "operator", "ben": "operator", "vic": "viewer"}
PATHS = (
    "/?period=2026-09", "/ibs", "/ibs?q=atlas", "/ibs/M?period=2026-09", "/clients", "/clients/c1",
    "/accounts?key=live/1001",
    "/deals?key=live|1", "/deals?key=live|6", "/transfers/t1", "/reports?group_by=day&then_by=symbol",
    "/reports?group_by=ib&compare=before&period=2026-10", "/reports/margin?period=2026-09",
    "/reports/movers?period=2026-10", "/statements", "/statements/st-A",
    "/unpaid?kind=plan",
    "/balance", "/operations", "/dead-letters", "/dead-letters/d1", "/plans", "/endpoints",
    "/payouts", "/proposals", "/proposals/{proposal}", "/balance-changes", "/completeness", "/search?q=live",
    "/deals/bytes?key=live|1", "/docs", "/docs/problems", "/nope",
)  # fmt: skip
WALKS: list[list[tuple[str, Any]]] = (
    [[look] for look in product(SIZES, SCHEMES)]
    if os.environ.get("IBFLOW_BROWSER") == "full"
    else [[("wide", "light"), ("phone", "dark")]]
)
"""What a walk looks at each page in: to be loaded again costs more than to be looked at again."""
LONGEST = "/docs"
"""axe-core takes as long for it as for ten others: a walk looks at it once."""


class Portal(NamedTuple):
    """A served portal and a browser."""

    url: str
    browser: Browser

    def context(self, who: str = "ann", size: str = "wide", scheme: Any = "light") -> BrowserContext:
        """A window of somebody."""
        width, height = SIZES[size]
        return self.browser.new_context(
            base_url=self.url,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            timezone_id="Asia/Tokyo",
            extra_http_headers={"Authorization": f"Bearer of-{who}"},
        )


def people_file(folder: Path) -> Path:
    rows = "\n".join(
        f"  - {{name: {name}, role: {role}, token_sha256: {sha256(f'of-{name}'.encode()).hexdigest()}}}"
        for name, role in PEOPLE.items()
    )
    path = folder / "operators.yaml"
    path.write_text(f"operators:\n{rows}\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with chromium.running() as browser:
        yield browser


@pytest.fixture
def proposals() -> FixedDesk:
    """One waits: ann asked for six a lot."""
    desk = FixedDesk()
    desk.create(ProposalRequest(title="Own pays <6> from the 1st"), person("ann"), "asked")
    return desk


@pytest.fixture
def letters(chdb: Client) -> Iterator[Letters]:
    chdb.command("TRUNCATE TABLE dead_letter_decisions")
    yield Letters(chdb)
    chdb.command("TRUNCATE TABLE dead_letter_decisions")


@pytest.fixture
def portal(
    ledger: Ledger, letters: Letters, tmp_path: Path, chrome: Browser, proposals: FixedDesk
) -> Iterator[Portal]:
    """The hand-written ledger, and payouts of September in memory: 12.34 of a.a and 9 of b.b."""
    world = World(*MONTHS, partner("a.a USD"), partner("b.b USD"))
    for ib_id, amount in (("a.a", "12.34"), ("b.b", "9")):
        world.feed([earned(amount, ib_id=ib_id, credit=f"ib:{ib_id}:pending", transfer_id=ib_id)])
    world.feed([ended("2026-09")])
    settings = Settings(_env_file=None, operators_file=people_file(tmp_path))
    desks = Desks(
        payouts=world.desk(),
        changes=world.change_desk(),
        proposals=proposals,
        dead_letters=letters.desk,
        endpoints=EndpointDesk(memory_log(), keys, now=lambda: NOON),
    )
    app = create_app(ledger, settings, desks=desks)
    with served(app) as url:
        yield Portal(url, chrome)


def watch(page: Page) -> list[str]:
    """What goes wrong on the page from here on."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


@pytest.mark.parametrize("looks", WALKS)
def test_every_page_is_sound(portal: Portal, proposals: FixedDesk, looks: list[tuple[str, Any]]) -> None:
    """One walk over all pages, so that what is wrong anywhere is told together."""
    wrong: list[str] = []
    (proposal,) = proposals.newest(2)
    with portal.context() as context:
        page = context.new_page()
        said = watch(page)
        for path in PATHS:
            for number, (size, scheme) in enumerate(looks[:1] if path == LONGEST else looks):
                width, height = SIZES[size]
                page.set_viewport_size({"width": width, "height": height})
                page.emulate_media(color_scheme=scheme)
                if number == 0:
                    page.goto(path.format(proposal=proposal.proposal_id))
                wrong += [f"{path}, {size}, {scheme}: {finding}" for finding in findings(page)]
            wrong += [f"{path}: {line}" for line in said if path != "/nope" or "404" not in line]
            said.clear()
    assert wrong == []


def findings(page: Page) -> Iterator[str]:
    """What is wrong with how a page is built."""
    for violation in Axe().run(page).response["violations"]:
        if violation["impact"] in ("serious", "critical"):
            places = [node["html"][:100] for node in violation["nodes"][:3]]
            yield f"{violation['id']} {violation['help']}: {places}"
    header = page.locator(".bar").bounding_box()
    if header is None or header["height"] > MAX_HEADER_PX:
        yield f"the header is {header}"
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if wider > 0:
        yield f"{wider} px stand beside the window"
    script = page.evaluate(
        "performance.getEntriesByType('resource').filter(one => one.initiatorType === 'script')"
        ".reduce((sum, one) => sum + one.decodedBodySize, 0)"
    )
    if not 10_000 < script < MAX_SCRIPT_BYTES:
        yield f"{script} bytes of script"


def test_the_first_page_can_be_used_at_once(portal: Portal) -> None:
    """What the browser does with the answer until its scripts have run, nothing cached: one of five, at most.

    How long the answer takes is the ledger's, measured by `make bench`; here others use the machine as well.
    """
    found: list[dict[str, float]] = []
    for _ in range(5):
        with portal.context() as context:
            page = context.new_page()
            page.goto("/?period=2026-09")
            found.append(page.evaluate(READY))
        if found[-1]["ready"] - found[-1]["html"] < MAX_READY_MS:
            break
    print(f"the first page: {found}")  # noqa: T201  - figures for whoever looks with -s
    assert min(one["ready"] - one["html"] for one in found) < MAX_READY_MS
    assert all(10_000 < one["script_bytes"] < MAX_SCRIPT_BYTES for one in found)


def test_the_keyboard_finds_an_ib_and_leads_to_a_reason(portal: Portal) -> None:
    """`/`, a name, Enter; then the client, why, the deal: from the overview to the reason."""
    with portal.context() as context:
        page = context.new_page()
        said = watch(page)
        page.goto("/?period=2026-09")
        page.keyboard.press("/")
        page.keyboard.insert_text("atlas")  # at once: keys far apart are asked one by one
        page.locator("#found a").first.wait_for()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("=Atlas")
        expect(page).to_have_url(re.compile("period=2026-09"))
        page.get_by_role("link", name="c1").first.click()
        page.get_by_role("link", name="Why transfer t1 exists").click()
        expect(page.get_by_role("heading", name="How the amount came about")).to_be_visible()
        page.get_by_role("link", name="live|1").first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("live|1")
        assert said == []


def test_from_the_overview_to_the_bytes_of_a_deal(ledger: Ledger, chdb: Client, portal: Portal) -> None:
    """Overview, IB, client, account, deal, why, and the line as it was read, with its place in the log."""
    line = (
        '{"type":"deal","server":"live","deal_id":"1","revision":"r1","source":"live.csv:7","volume":"1.00"}'
    )
    place = {"_topic": "account-book", "_partition": 0, "_offset": 41, "source": "", "message": line}
    insert(chdb, "books", place)
    with portal.context() as context:
        page = context.new_page()
        said = watch(page)
        page.goto("/?period=2026-09")
        page.locator("#ibs").get_by_role("link", name="=Atlas").click()
        page.locator("#clients").get_by_role("link", name="c1").click()
        page.get_by_role("link", name="live/1001").first.click()
        page.get_by_role("link", name="live|1").first.click()
        page.get_by_role("link", name="Why transfer t1 exists").click()
        expect(page.get_by_role("heading", name="How the amount came about")).to_be_visible()
        page.get_by_role("link", name="bytes as they came").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Bytes of deal live|1")
        expect(page.get_by_label("Line 1 as it came")).to_have_text(line)
        facts = page.locator(".facts").first.inner_text().split()
        assert facts == ["Topic", "account-book", "Partition", "0", "Offset", "41", "Revision", "r1"]
        expect(page).to_have_url(re.compile("period=2026-09"))
        assert list(findings(page)) == []
        assert said == []


def test_a_list_is_sorted_filtered_cut_and_saved(ledger: Ledger, chdb: Client, portal: Portal) -> None:
    """IBs by what they earned, those named so, without a column, as CSV; times in the reader's zone."""
    for number in range(10):
        ib = f"I{number}"
        insert(chdb, "partners", partner_row(ib, f"={number} House", "M", kyc=True))
        way = f"broker:expense:per_lot > ib:{ib}:pending"
        row = per_lot(f"x{number}", ib, f"live|{number + 50}", str(number * 3 % 10 + 1), way)
        insert(chdb, "transfers", row | {"occurred_at": utc(7) + timedelta(minutes=number)})
    with portal.context() as context:
        page = context.new_page()
        page.goto("/reports?group_by=ib&currency=USD")
        table, tools = page.locator("[data-list=report]"), page.locator("#report [data-tools]")
        tools.locator("summary", has_text="Columns").click()
        tools.get_by_role("checkbox", name="Lots").uncheck()
        tools.get_by_role("button", name="Show").click()
        expect(table.locator("th", has_text="Lots")).to_have_count(0)
        table.get_by_role("link", name="Net").click()
        expect(table.locator("th[aria-sort=descending]")).to_contain_text("Net")
        expect(table.locator("tbody tr").first.locator("td").first).to_have_text("=Atlas")
        tools.get_by_label("Filter these rows").fill("house")
        expect(table.locator("tbody tr:visible")).to_have_count(10)
        with page.expect_download() as saving:
            tools.get_by_role("button", name="CSV").click()
        lines = Path(saving.value.path()).read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith("\ufeff"), "Excel takes it for UTF-8"
        assert lines[0][1:] == "IB,Deals,Accrued,Taken back,Net,Held,Currency"
        assert lines[1] == "'=3 House,1,10,0,10,0,USD", "no cell of a spreadsheet begins a formula"
        assert len(lines) == 11
        expect(page).to_have_url(re.compile("columns=report"))

        page.goto("/transfers/t1")
        told = page.locator(".head time").first
        assert (told.inner_text(), told.get_attribute("title")) == (
            "2026-09-01 19:00:00",
            "2026-09-01 10:00:00 UTC",
        )


def test_an_amount_in_a_file_is_a_number_beside_its_currency(portal: Portal) -> None:
    """What A's statement makes payable, 208.25 USD, can be added up: two cells, where the page has one."""
    with portal.context() as context:
        page = context.new_page()
        page.goto("/statements?period=2026-09")
        with page.expect_download() as saving:
            page.locator("[data-tools]").get_by_role("button", name="CSV").click()
        head, *rows = csv.reader(Path(saving.value.path()).read_text(encoding="utf-8-sig").splitlines())
        (atlas,) = [row for row in rows if "Atlas" in row[1]]
        at = head.index("Payable")
        assert head[at : at + 3] == ["Payable", "Payable currency", "Carried"]
        assert atlas[at : at + 2] == ["208.25", "USD"]
        assert {len(row) for row in rows} == {len(head)}


def test_a_branch_comes_when_it_is_opened(ledger: Ledger, chdb: Client, portal: Portal) -> None:
    """A's sub-IB is not on the page until A is opened."""
    insert(chdb, "partners", partner_row("A2", "Below", "A", kyc=True))
    with portal.context() as context:
        page = context.new_page()
        said = watch(page)
        page.goto("/ibs")
        assert page.get_by_text("Below", exact=True).count() == 0
        page.get_by_role("button", name="IBs below =Atlas").click()
        expect(page.get_by_role("link", name="Below")).to_be_visible()
        assert said == []


def test_what_is_loading_and_what_was_lost_say_so(ledger: Ledger, chdb: Client, portal: Portal) -> None:
    """A branch shows that it comes; without a connection what to do, and a banner until there is one."""
    insert(chdb, "partners", partner_row("A2", "Below", "A", kyc=True))
    with portal.context() as context:
        page = context.new_page()
        page.goto("/ibs")
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/ibs/branch*", hold)
        page.get_by_role("button", name="IBs below =Atlas").click()
        below = page.locator(".tree ul[aria-busy=true]")
        expect(below.locator(".skeleton")).to_be_visible()
        held_one(page, held).abort()
        expect(page.locator(".tree").get_by_role("alert")).to_contain_text("could not be reached")
        expect(page.locator("#lost")).to_contain_text("No connection to the server")
        expect(below).to_have_count(0)
        page.unroute("**/ibs/branch*")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("link", name="Below")).to_be_visible()
        expect(page.locator("#lost")).to_have_count(0)
        context.set_offline(True)
        expect(page.locator("#lost")).to_be_visible()
        assert list(findings(page)) == []
        context.set_offline(False)
        expect(page.locator("#lost")).to_have_count(0)
        leaves = (
            "document.querySelector('#menu [href^=\"/statements\"]').click(); main.getAttribute('aria-busy')"
        )
        assert page.evaluate(leaves) == "true", "a page that takes long is on its way"
        expect(page.get_by_role("heading", level=1)).to_have_text("Statements")


def test_a_payout_is_made_refused_and_approved_by_another(portal: Portal) -> None:
    """Ann makes a batch, ticks off, asks, and is refused as approver; ben approves; vic has no form."""
    with portal.context("ann") as context:
        page = context.new_page()
        page.goto("/payouts?period=2026-09")
        page.get_by_role("button", name="Make batch").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("21.34")
        for tick in page.locator("input[name=ticks]").all():
            tick.check()
        page.get_by_role("button", name="Ask for approval").click()
        expect(page.get_by_text("You made it, ann")).to_be_visible()
        for tick in page.locator("input[name=ticks]").all():
            tick.check()
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("alert")).to_contain_text("another person approves it")
        path = page.url
    with portal.context("vic") as context:
        page = context.new_page()
        page.goto(path)
        assert page.locator("form[data-api]").count() == 0
    with portal.context("ben") as context:
        page = context.new_page()
        page.goto(path)
        for tick in page.locator("input[name=ticks]").all():
            tick.check()
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("button", name="Give the file out")).to_be_visible()


def test_a_form_is_served_before_the_page_is_whole_and_never_put_into_an_address(portal: Portal) -> None:
    """What is sent while other scripts still come is asked for; without a script nothing is sent."""
    with portal.context("ann") as context:
        page = context.new_page()
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/static/portal.js", hold)
        page.goto("/endpoints", wait_until="commit")
        send_endpoint(page)
        expect(page.get_by_role("alert")).to_contain_text("URL")
        held_one(page, held).continue_()  # until here the page was not whole
        page.unroute("**/static/portal.js")
        page.route("**/static/forms.js", lambda route: route.abort())
        page.goto("/endpoints")
        send_endpoint(page)
        page.wait_for_timeout(100)
        assert page.url == f"{portal.url}/endpoints"


def held_one(page: Page, held: list[Route]) -> Route:
    """The first request that is held back: the browser tells of it later than it shows that it waits."""
    deadline = time.monotonic() + WITHIN_S
    while not held:
        assert time.monotonic() < deadline, "nothing was asked"
        page.wait_for_timeout(50)  # which also lets the handlers of requests run
    return held[0]


def send_endpoint(page: Page) -> None:
    page.locator("input[name=id]").fill("e1")
    page.locator("input[name=url]").fill("https://user:secret@partner.example/")
    page.get_by_role("button", name="Make endpoint").click()


def test_a_proposal_is_refused_to_whoever_asked_and_approved_by_another(
    portal: Portal, proposals: FixedDesk
) -> None:
    """Ann reads what it changes and may not approve; vic has no form; ben approves, and it is posted."""
    (proposal,) = proposals.newest(2)
    path = f"/proposals/{proposal.proposal_id}"
    with portal.context("ann") as context:
        page = context.new_page()
        page.goto("/proposals")
        page.get_by_role("link", name="Own pays <6> from the 1st").click()
        expect(page.get_by_text("1 IB gets 4.00 USD more: 20.00 taken back, 24.00 given.")).to_be_visible()
        expect(page.get_by_text("Of it +3.00 USD for closed periods")).to_be_visible()
        expect(page.get_by_text("You proposed it, ann: somebody else approves it.")).to_be_visible()
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("alert").first).to_contain_text("a second person approves it")
        assert proposals.get(proposal.proposal_id).state == "created"
    with portal.context("vic") as context:
        page = context.new_page()
        page.goto(path)
        assert page.locator("form[data-api]").count() == 0
        expect(page.get_by_text(f"ibflow proposals approve {proposal.proposal_id}")).to_be_visible()
    with portal.context("ben") as context:
        page = context.new_page()
        page.goto(path)
        page.get_by_label("Note, for its history").fill("seen with the desk")
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("heading", name="Posted", exact=True)).to_be_visible()
        expect(page.get_by_role("row", name="approved ben")).to_contain_text("seen with the desk")
        assert page.locator("form[data-api]").count() == 0
    assert len(proposals.published) == 1


def test_a_proposal_is_rejected_with_a_reason(portal: Portal, proposals: FixedDesk) -> None:
    """Ann takes it back; the reason is required, and stands in its history; nothing is posted."""
    (proposal,) = proposals.newest(2)
    with portal.context("ann") as context:
        page = context.new_page()
        page.goto(f"/proposals/{proposal.proposal_id}")
        page.get_by_text("Reject", exact=True).click()
        page.get_by_role("button", name="Reject it for good").click()
        assert proposals.get(proposal.proposal_id).state == "created"
        page.get_by_label("Why").fill("a typo")
        page.get_by_role("button", name="Reject it for good").click()
        expect(page.get_by_role("row", name="rejected ann")).to_contain_text("a typo")
    assert proposals.published == []


def test_the_menu_opens_on_a_phone(portal: Portal) -> None:
    """Its targets are large, and it leads on."""
    with portal.context(size="phone") as context:
        page = context.new_page()
        page.goto("/?period=2026-09")
        link = page.locator("#menu").get_by_role("link", name="Statements")
        assert not link.is_visible()
        page.get_by_role("button", name="Menu").click()
        expect(link).to_be_visible()
        box = link.bounding_box()
        assert box is not None
        assert box["height"] >= 40
        link.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Statements")
        page.locator("summary", has_text="Columns").first.click()
        box = page.locator(".columns:visible").bounding_box()
        assert box is not None
        assert (box["x"] >= 0, box["x"] + box["width"] <= 390, box["y"] + box["height"] <= 844) == (True,) * 3


def statement_text(tamper: str = "") -> tuple[Statement, str]:
    """A statement of three rows and its closing, hashed by the core; and its file, perhaps changed since."""
    own = {"ib_id": "A", "currency": "USD", "code": "accrual", "component": "per_lot", "client_id": "c1"}
    rows = [
        Transfer(
            transfer_id=f"x{number}", debit="broker:expense:per_lot", credit="ib:A:pending",
            amount=Decimal(amount),
            caused_by=f"live|{number}", occurred_at=utc(3) + timedelta(microseconds=number * 100_001),
            lots=Decimal("0.123456789"), symbol="EURUSD", rule="fx/€", plan_id="gold", plan_version=2, **own,
        )
        for number, amount in enumerate(("1E-8", "7.50", "200"))
    ]  # fmt: skip
    closing = {"ib_id": "A", "currency": "USD", "debit": "ib:A:pending", "period": "2026-09"}
    closing |= {"caused_by": "period|2026-09", "occurred_at": utc(1, 0, month=10)}
    rows += [
        Transfer(
            transfer_id="s", code="statement", credit="ib:A:payable", amount=Decimal("207.5"), **closing
        ),
        Transfer(transfer_id="r", code="rounding", credit="rounding", amount=Decimal("1E-8"), **closing),
    ]
    zero = Decimal(0)
    statement = Statement(
        statement_id="st-A", ib_id="A", period="2026-09", starts_at=utc(1, 0), ends_at=utc(1, 0, month=10),
        currency="USD", opening=zero, accrued=Decimal("207.50000001"), reversed=zero,
        payable=Decimal("207.5"), rounding=Decimal("1E-8"), closing=zero, held=zero, transfers=5,
    )  # fmt: skip
    statement = replace(statement, hash=statement_hash(statement, total_of(rows)))
    text = "\n".join(line.decode() for line in encode([statement, *rows])) + "\n"
    return statement, text.replace("live|1", tamper) if tamper else text


def test_a_statement_proves_itself_in_the_browser(ledger: Ledger, chdb: Client, portal: Portal) -> None:
    """As the core hashed it, it holds; with another cause of a row it does not; a kept file likewise."""
    statement, text = statement_text()
    _, changed = statement_text("live|9")
    figures = {
        name: getattr(statement, name) for name in ("accrued", "payable", "rounding", "transfers", "hash")
    }
    insert(chdb, "statements", statement_row("st-A", "A", "USD", "0", "0") | figures)
    with portal.context() as context:
        page = context.new_page()
        said = watch(page)
        served = [text]
        page.route("**/v1/statements/st-A/export", lambda route: route.fulfill(body=served[0]))
        page.goto("/statements/st-A")
        page.get_by_role("button", name="Verify in this browser").click()
        expect(page.get_by_text("It holds: checked by your browser.")).to_be_visible()
        expect(page.locator("#verify .yes")).to_have_count(6)
        served[0] = changed
        page.get_by_role("button", name="Verify in this browser").click()
        expect(page.get_by_text("It does not hold.")).to_be_visible()
        expect(page.locator("#verify")).to_contain_text("not so: its hash is that of its figures and rows")
        kept = {"name": "a.jsonl", "mimeType": "text/plain", "buffer": text.encode()}
        page.locator("#verify [type=file]").set_input_files([kept])
        expect(page.get_by_text("It holds: checked by your browser.")).to_be_visible()
        assert said == []


def test_a_dead_letter_is_corrected_and_replayed(ledger: Ledger, portal: Portal, letters: Letters) -> None:
    """Ann finds it from operations, tries a correction that is none, then one that is, and replays it."""
    name = letters.add(crm_letter())
    with portal.context("ann") as context:
        page = context.new_page()
        said = watch(page)
        page.goto("/operations")
        page.locator("#letters").get_by_role("link", name="bad amount").click()
        page.locator(f'a[href="/dead-letters/{name}"]').click()
        field = page.get_by_label("Correct the bytes")
        page.get_by_role("button", name="Try it").click()
        expect(page.get_by_text("Still nothing: bad_amount")).to_be_visible()
        field.fill(GOOD)
        page.get_by_role("button", name="Try it").click()
        expect(page.get_by_text("It would become deposit_cleared c1 e1.")).to_be_visible()
        page.get_by_role("textbox", name="Why", exact=True).fill("an O for a zero")
        page.get_by_role("button", name="Keep the correction").click()
        expect(page.locator("#decisions")).to_contain_text("an O for a zero")
        page.get_by_role("button", name="Replay the correction").click()
        expect(page.locator("#decisions")).to_contain_text("replayed")
        expect(page.locator("form.form")).to_have_count(0)  # it is closed
        assert said == []
    assert len(letters.sent) == 1


def test_an_endpoint_is_made_shown_changed_and_paused(portal: Portal) -> None:
    """Its secret is shown once; what it would be sent is on its page; a change keeps what it does not ask."""
    with portal.context("ann") as context:
        page = context.new_page()
        said = watch(page)
        page.goto("/endpoints")
        page.get_by_label("Id, for ever").fill("tracker")
        page.locator("select[name=preset]").select_option("keitaro")
        page.get_by_label("Address, with macros").fill("https://t.example/key/postback")
        page.get_by_label("ftd", exact=True).check()
        page.get_by_label("Of these and all below").fill("M")
        page.get_by_role("button", name="Make endpoint").click()
        expect(page.get_by_text("Its secret, shown this once: whsec_")).to_be_visible()
        page.goto("/endpoints/tracker")
        expect(page.get_by_label("Request")).to_contain_text("GET https://t.example/key/postback?subid=")
        assert list(findings(page)) == []
        page.get_by_label("Address").fill("https://u.example/postback?cid={click_id}")
        page.get_by_role("button", name="Save version 2").click()
        expect(page.locator(".head .sub")).to_contain_text("u.example")
        facts = page.locator(".facts").inner_text()
        assert "keitaro" in facts, "what was not asked stays"
        assert "ftd" in facts
        page.get_by_role("textbox", name="Why", exact=True).fill("they move")
        page.get_by_role("button", name="Pause").click()
        expect(page.locator(".head .badge")).to_have_text("paused")
        expect(page.get_by_text("Paused by ann: they move")).to_be_visible()
        assert said == []
