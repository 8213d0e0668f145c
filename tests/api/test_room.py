"""An IB's own room: its figures, its payments and details, its plan; nobody else's."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from api.desks import Desks
from api.ledger import Ledger
from api.portal.room import payments
from api.scope import Scope
from infra.connect.sealing import new_key
from infra.payees.desk import PayeeDesk
from infra.payees.sealing import PayeeKeys
from infra.statement_documents.desk import DocumentDesk
from schemas.payouts import BatchRequest
from schemas.settings import Settings
from tests.api.conftest import insert, milestone_row, partner_row, utc
from tests.api.people_world import World
from tests.build import ended, partner
from tests.commission.books.partner_rows import MONTHS, earned
from tests.memory_logs import MemoryLog
from tests.payout_world import ANN, BEN
from tests.payout_world import World as Paying

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
BANK = {"type": "bank", "holder": "Jane Doe", "iban": "DE89370400440532013000"}


def payee_desk() -> PayeeDesk:
    keys = PayeeKeys.from_text(new_key())
    return PayeeDesk(MemoryLog([]), lambda: keys, lambda: NOON)


@pytest.fixture
def world(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """Iris is the IB A."""
    documents = DocumentDesk(Settings(_env_file=None, data_dir=tmp_path))
    return World(ledger, monkeypatch, desks=Desks(payees=payee_desk(), documents=documents))


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def tile_of(page: str, label: str) -> str:
    found = re.search(rf"<h2>{label}</h2><p class=\"big\">(.*?)</p>", page)
    assert found is not None, label
    return text_of(found[1]).strip()


def test_the_first_page_of_an_ib_has_its_own_figures(world: World) -> None:
    """By the ledger's docstring: 222.25 earned, 14 held, 208.25 payable, nothing pending or paid."""
    iris = world.signed_in("iris")
    page = iris.page("/?period=2026-09")
    tiles = {name: tile_of(page, name) for name in ("Earned", "Pending", "Held", "Payable", "Paid")}
    assert tiles == {
        "Earned": "222.25 USD", "Pending": "0.00 USD", "Held": "14.00 USD", "Payable": "208.25 USD",
        "Paid": "0.00 USD",
    }  # fmt: skip
    text = text_of(page)
    assert "Active: paid for a deal 2" in text, "c1 and c2 traded"
    assert "Newly registered 2" in text
    assert "Boreal" not in text
    assert "Meridian" not in text
    assert "closed 2026-10-01 00:00" in text
    assert 'href="/statements/st-A' in page
    october = iris.page("/?period=2026-10")
    assert tile_of(october, "Earned") == "0.00 USD"
    assert tile_of(october, "Payable") == "208.25 USD", "what is owed is of no period"


@pytest.mark.parametrize("chosen", ["2026-09", "2026-10", ""])
def test_the_next_closing_is_of_the_period_without_a_statement(world: World, chosen: str) -> None:
    """September is stated, so October is next, which begins where it ended: whichever period is looked at."""
    text = text_of(world.signed_in("iris").page(f"/?period={chosen}"))
    assert "Next closing Period 2026-10 Ends 2026-11-01 00:00" in text


def test_the_menu_has_what_its_reader_may_open(world: World) -> None:
    def menu(name: str) -> list[str]:
        page = world.signed_in(name).page("/")
        return re.findall(r">([^<]+)</a>", page[page.index('id="menu"') : page.index("</nav>")])

    assert menu("iris") == [
        "Home", "IBs", "Clients", "Links", "Reports", "Statements", "Payments", "Plan", "Unpaid",
        "Postbacks",
    ]  # fmt: skip
    assert menu("max") == ["Overview", "IBs", "Clients", "Links", "Reports", "Statements", "Unpaid"]
    assert menu("ned") == ["Overview"]
    assert {"Payouts", "Plans", "Operations", "People"} <= {*menu("anna")}


def test_the_rooms_pages_are_of_ibs_alone(world: World) -> None:
    mary = world.signed_in("mary")
    assert [mary.ask("GET", path).status_code for path in ("/payments", "/plan")] == [404, 404]
    assert "No plan is known" in world.signed_in("iris").page("/plan")


def test_an_ib_is_shown_where_it_is_paid_and_not_where_those_below_are(
    ledger: Ledger, chdb: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A2 is below A: iris sees its figures, proposes nothing for it, and is not told its account."""
    insert(chdb, "partners", partner_row("A2", "Below", "A", kyc=True))
    desk = payee_desk()
    world = World(ledger, monkeypatch, desks=Desks(payees=desk))
    desk.propose("A2", BANK, "", ANN)
    desk.approve("A2", 1, BEN)
    iris = world.signed_in("iris")
    assert iris.ask("GET", "/ibs/A2").status_code == 200
    assert iris.call("/v1/payees/A2", {"details": BANK}).status_code == 404
    assert iris.ask("GET", "/v1/payees/A2").status_code == 404
    assert iris.ask("GET", "/v1/payees").json()["items"] == []

    made = iris.call("/v1/payees/A", {"details": BANK, "note": "we moved"})
    assert made.status_code == 201
    page = iris.page("/payments")
    assert "DE89 •••• 3000" in page
    assert "waits for approval" in page
    assert "we moved" in page
    assert re.findall(r'data-api="([^"]+)"', page) == ["/v1/payees/A"] * 4
    assert desk.approve("A", 1, BEN).state == "approved"
    assert "paid to" in iris.page("/payments")


def test_an_ib_proposes_every_kind_of_account(world: World) -> None:
    """Each has a form, and the fields of the one in the US are what such an account is made of."""
    iris = world.signed_in("iris")
    page = iris.page("/payments")
    for kind in ("bank", "us_bank", "wallet", "trading_account"):
        assert f'name="details.type" value="{kind}"' in page
    american = {
        "type": "us_bank", "holder": "Jane Doe", "holder_type": "person", "routing": "021000021",
        "account": "7000046", "account_type": "savings",
    }  # fmt: skip
    assert {f"details.{name}" for name in american} <= {*re.findall(r'name="(details\.[a-z_]+)"', page)}
    assert iris.call("/v1/payees/A", {"details": american, "note": ""}).status_code == 201
    assert "021000021 •••• 46" in iris.page("/payments")


def test_payments_are_what_approved_batches_pay_to_these_ibs() -> None:
    """12.34 of a.a shows once the batch is approved, on its way; then it is paid. b.b is another's."""
    world = Paying(*MONTHS, partner("a.a USD"), partner("b.b USD"))
    for ib_id, amount in (("a.a", "12.34"), ("b.b", "9")):
        world.feed([earned(amount, ib_id=ib_id, credit=f"ib:{ib_id}:pending", transfer_id=ib_id)])
    world.feed([ended("2026-09")])
    desk, own = world.desk(), Scope(frozenset({"a.a"}))

    def shown() -> list[tuple[str, Decimal, str]]:
        return [(row["ib_id"], row["amount"], row["state"]) for row in payments(world.known(), own.has)]

    batch = desk.create(BatchRequest(period="2026-09", currency="USD"), ANN, "k")
    desk.submit(batch.batch_id, ANN)
    assert shown() == []
    desk.approve(batch.batch_id, BEN)
    assert shown() == [("a.a", Decimal("12.34"), "included")]


def test_clients_are_listed_by_how_far_they_came(world: World, chdb: Client) -> None:
    """c1 deposited, qualified and lost it; c2 only registered; B's c3 is not hers."""
    insert(
        chdb,
        "milestones",
        milestone_row("m1"),
        milestone_row("m2", "cpa.qualified", occurred_at=utc(5)),
        milestone_row("m3", "cpa.clawback", occurred_at=utc(9)),
    )
    iris = world.signed_in("iris")

    def rows(state: str) -> list[str]:
        return re.findall(r'class="mono" href="/clients/(\w+)', iris.page(f"/clients?state={state}"))

    assert sorted(rows("")) == ["c1", "c2"]
    assert [rows(state) for state in ("registered", "deposited", "qualified", "lost")] == [
        ["c2"], [], [], ["c1"],
    ]  # fmt: skip
    assert "2026-09-09" in iris.page("/clients?state=lost")
    assert iris.ask("GET", "/clients?ib=B").text.count('class="mono" href="/clients/') == 0


def test_a_statement_is_a_document_for_whoever_sees_it(world: World) -> None:
    """PDF and HTML of her own, with the ledger's name of her; 404 of another's; noted as taken away."""
    iris = world.signed_in("iris")
    made = iris.ask("GET", "/v1/statements/st-A/document")
    assert made.status_code == 200, made.text
    assert made.headers["content-disposition"] == 'attachment; filename="A-2026-09-USD.pdf"'
    assert made.content.startswith(b"%PDF-")
    page = iris.ask("GET", "/v1/statements/st-A/document?format=html").text
    assert "=Atlas" in page
    assert "208.25 USD" in page
    assert iris.ask("GET", "/v1/statements/st-B/document").status_code == 404
    assert ("iris", "export", "/v1/statements/st-A/document") in world.done()
    assert "/v1/statements/st-A/document?format=pdf" in iris.page("/statements/st-A")


def test_a_document_needs_the_names_that_the_file_is_to_have(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file of legal names that lacks the IB is a refusal which says so, not a name made up."""
    path = tmp_path / "parties.yaml"
    path.write_text("broker: {name: Example Broker Ltd}\nibs: {B: {name: Boreal SA}}\n", encoding="utf-8")
    documents = DocumentDesk(Settings(_env_file=None, parties_file=path, data_dir=tmp_path))
    anna = World(ledger, monkeypatch, desks=Desks(documents=documents)).signed_in("anna")
    refused = anna.ask("GET", "/v1/statements/st-A/document")
    assert refused.status_code == 409
    assert "does not say who A is" in refused.text
    made = anna.ask("GET", "/v1/statements/st-B/document?format=html")
    assert "Boreal SA" in made.text
    assert "Example Broker Ltd" in made.text
