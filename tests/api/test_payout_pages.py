"""The pages of payouts over a desk in memory: what they show, to whom, and which forms they have."""

import html
import re
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import pytest

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from commission.payouts.tax import Tax
from schemas.payouts import BatchRequest
from schemas.settings import Settings
from schemas.wire import Record
from tests.api.conftest import Browser, browser
from tests.build import D, ended, exchange, partner
from tests.commission.books.partner_rows import MONTHS, earned
from tests.payout_world import World

PEOPLE = {"ann": "operator", "ben": "operator", "vic": "viewer"}


class Portal:
    """The portal and its API, as one of the people."""

    def __init__(self, app: Any) -> None:
        self._browser = Browser(app)

    def get(self, path: str, who: str = "ann") -> str:
        """A page."""
        answer = self._browser.get(path, headers={"Authorization": f"Bearer of-{who}"})
        assert answer.status_code == 200, answer.text
        return answer.text

    def post(self, path: str, body: dict[str, Any], who: str = "ann") -> Any:
        """What a form sends."""
        return self._browser.post(path, json=body, headers={"Authorization": f"Bearer of-{who}"}).json()


def forms(page: str) -> list[str]:
    """Where its forms send what is filled in, below the batch's id."""
    return re.findall(r'data-(?:api|upload)="/v1/([^"]+)"', page)


def payable(*more: Record) -> World:
    """September's 12.34 of a.a and 9 of b.b are payable."""
    world = World(*MONTHS, partner("a.a USD"), partner("b.b USD"), *more)
    for ib_id, amount in (("a.a", "12.34"), ("b.b", "9")):
        world.feed([earned(amount, ib_id=ib_id, credit=f"ib:{ib_id}:pending", transfer_id=ib_id)])
    world.feed([ended("2026-09")])
    return world


def of_world(world: World, ledger: Ledger, folder: Path) -> Portal:
    """The portal over its desk, for these people."""
    people = "\n".join(
        f"  - {{name: {name}, role: {role}, token_sha256: {sha256(f'of-{name}'.encode()).hexdigest()}}}"
        for name, role in PEOPLE.items()
    )
    path = folder / "operators.yaml"
    path.write_text(f"operators:\n{people}\n", encoding="utf-8")
    settings = Settings(_env_file=None, operators_file=path)
    desks = Desks(payouts=world.desk(), changes=world.change_desk())
    return Portal(create_app(ledger, settings, desks=desks))


@pytest.fixture
def portal(ledger: Ledger, tmp_path: Path) -> Portal:
    """Of what is payable."""
    return of_world(payable(), ledger, tmp_path)


def test_the_form_of_a_batch_asks_for_all_that_one_can_have(portal: Portal) -> None:
    """Each field of the request, and each method that it takes; nothing else."""
    page = portal.get("/payouts")
    form = page[page.index('data-api="/v1/payouts"') :].split("</form>")[0]
    assert set(re.findall(r'name="([a-z_]+)"', form)) == set(BatchRequest.model_fields)
    methods = form.split('name="method"')[1].split("</select>")[0]
    assert tuple(re.findall(r'value="([a-z_]*)"', methods)) == get_args(
        BatchRequest.model_fields["method"].annotation
    )


def test_a_batch_says_whether_the_bank_has_answered(portal: Portal) -> None:
    """Given out: its answer is what comes next. Every line settled or back: nothing has to be done."""
    made = portal.post("/v1/payouts", {"period": "2026-09", "currency": "USD"})
    path, of = f"/payouts/{made['batch_id']}", f"/v1/payouts/{made['batch_id']}"
    portal.post(f"{of}/submit", {})
    portal.post(f"{of}/approve", {}, "ben")
    assert main_button(portal.get(path)) == "Give the file out"
    portal.post(f"{of}/export", {})
    page = portal.get(path)
    assert "Its file was given out" in page
    assert main_button(page) == "Import"
    lines = re.findall(r'<td class="mono">([A-Z0-9]+)</td>', page)
    assert len(lines) == 2
    for line, outcome in zip(lines, ("settled", "rejected"), strict=True):
        assert "Its file was given out" in portal.get(path)
        told = [{"line_id": line, "outcome": outcome, "reason": "AC04"}]
        portal.post("/v1/payouts/results", {"source": "camt", "results": told})
    page = portal.get(path)
    assert "Every line is settled or came back" in page
    assert main_button(page) is None


def main_button(page: str) -> str | None:
    """What the page asks for most."""
    found = re.search(r'<button class="button main">([^<]+)</button>', page)
    return found[1] if found else None


def test_a_batch_offers_what_its_state_allows(portal: Portal) -> None:
    """Made: ask for approval, leave out, cancel. Asked for: approve. Approved: give the file out."""
    made = portal.post("/v1/payouts", {"period": "2026-09", "currency": "USD"})
    path = f"/payouts/{made['batch_id']}"
    assert f'href="{path}"' in portal.get("/payouts")
    page, of = portal.get(path), f"payouts/{made['batch_id']}"
    assert "21.34" in page
    assert forms(page) == [f"{of}/submit", f"{of}/exclude", f"{of}/cancel"]
    portal.post(f"/v1/{of}/submit", {})
    page = portal.get(path)
    assert forms(page) == [f"{of}/approve", f"{of}/cancel"]
    assert "You made it, ann" in page
    assert "You made it" not in portal.get(path, "ben")
    portal.post(f"/v1/{of}/approve", {}, "ben")
    assert forms(portal.get(path)) == [f"{of}/export", f"{of}/resume", f"{of}/cancel"]
    assert [*re.findall(r"<td>(\w+)</td><td>(\w+)</td><td class=\"text\">", portal.get(path))] == [
        ("created", "ann"), ("submitted", "ann"), ("approved", "ben")
    ]  # fmt: skip


def test_whoever_only_reads_has_no_form(portal: Portal) -> None:
    """A viewer sees batches and changes, and nothing to decide."""
    made = portal.post("/v1/payouts", {"period": "2026-09", "currency": "USD"})
    for path in ("/payouts", f"/payouts/{made['batch_id']}", "/balance-changes"):
        assert forms(portal.get(path, "vic")) == []
    assert forms(portal.get("/payouts", "ben")) == ["payouts"]


def test_a_change_waits_on_its_page_for_another_person(portal: Portal) -> None:
    """Asked for by ann, it can be approved or rejected; what it says is escaped; then the forms are gone."""
    asked = {"kind": "adjustment", "ib": "a.a", "currency": "USD", "amount": "-5", "reason": "<b>late</b>"}
    change = portal.post("/v1/balance-changes", asked)["change_id"]
    page = portal.get("/balance-changes", "ben")
    assert "&lt;b&gt;late&lt;/b&gt;" in page
    assert "\u22125.00" in page
    assert forms(page)[:2] == [f"balance-changes/{change}/approve", f"balance-changes/{change}/reject"]
    portal.post(f"/v1/balance-changes/{change}/reject", {"reason": "no"}, "ben")
    assert f"balance-changes/{change}/approve" not in portal.get("/balance-changes")


def test_what_the_books_refuse_is_not_shown_as_approved(portal: Portal) -> None:
    """A.a owes nothing, so what two people write off is refused, with the reason."""
    wanted = {"kind": "write_off", "ib": "a.a", "currency": "USD", "amount": "5", "reason": "gone"}
    made = portal.post("/v1/balance-changes", wanted)
    assert "requested" in words(portal.get("/balance-changes"))
    portal.post(f"/v1/balance-changes/{made['change_id']}/approve", {}, "ben")
    page = words(portal.get("/balance-changes"))
    assert "ann refused ben the balance of a.a is not below zero: no more is written off" in page
    assert "approved" not in page.partition("The books")[2].partition("Ask for a change")[0]


def test_a_hold_has_a_form_to_release_it_until_it_is_released(portal: Portal) -> None:
    """Of an IB that is held; not of a client that the books do not know, where nothing is held."""
    form = '<input type="hidden" name="ib" value="a.a">'
    asked = {"client": "anna", "reason": "churning?", "since": "2026-09-01T00:00:00Z"}
    made = portal.post("/v1/balance-changes/holds", asked)
    assert (made["client_id"], made["ib_id"], made["since"]) == ("anna", "", "2026-09-01T00:00:00Z")
    page = portal.get("/balance-changes", "ben")
    assert "anna</a> for all IBs" in page
    assert "no client is called anna" in page
    assert '<input type="hidden" name="client" value="anna">' not in page
    for _ in range(2):
        portal.post("/v1/balance-changes/holds", {"ib": "a.a", "reason": "disputed"})
        assert portal.get("/balance-changes", "ben").count(form) == 1, "the hold before it is over"
        portal.post("/v1/balance-changes/releases", {"ib": "a.a", "reason": "it was not"}, "ben")
        assert form not in portal.get("/balance-changes", "ben")


def test_without_a_desk_the_page_says_who_has_one(ledger: Ledger) -> None:
    """A process that makes no payouts answers 503, as its API does."""
    for path in ("/payouts", "/payees", "/balance-changes"):
        page = browser(ledger).get(path, headers={"Accept": "text/html"})
        assert page.status_code == 503
        assert "ibflow serve" in page.text


def test_a_batch_shows_what_its_file_pays(ledger: Ledger, tmp_path: Path) -> None:
    """To whoever approves: 12.34 with 19 % VAT of 2.34 is 14.68, 9.00 less 10 % is 8.10; in all 22.78.

    At 1.2 dollars to the euro 12.34 is 10.28 EUR. Where what is owed is what is paid, its page says it once.
    """
    taxes = {"a.a": Tax(kind="vat", percent=D(19)), "b.b": Tax(kind="withholding", percent=D(10))}
    taxed, of_owed = shown(ledger, tmp_path, {ib_id: ("", tax) for ib_id, tax in taxes.items()})
    assert "Its file pays 22.78 USD, with taxes added or kept back." in taxed
    assert "12.34 USD 2.34 14.68 USD included" in taxed
    assert "9.00 USD \u22120.90 8.10 USD included" in taxed
    assert "21.34 USD 22.78 USD 2 included" in of_owed
    exchanged, of_owed = shown(ledger, tmp_path, {"a.a": ("EUR", None)}, pay_in="EUR")
    assert "Its file pays 10.28 EUR, at 1 / EUR/USD 1.2 (2026-09-01)." in exchanged
    assert "12.34 USD 0.00 10.28 EUR included" in exchanged
    assert "12.34 USD 10.28 EUR 1" in of_owed
    plainly, of_owed = shown(ledger, tmp_path, {})
    assert "Its file pays" not in plainly
    assert "21.34 USD 21.34 USD 2 included" in of_owed


def shown(
    ledger: Ledger, tmp_path: Path, billing: dict[str, tuple[str, Tax | None]], **wanted: str
) -> tuple[str, str]:
    """The words of a new batch's page, and those of the list."""
    world = payable(exchange("EUR/USD 1.2"))
    world.now = MONTHS[1].starts_at
    for ib_id, (currency, tax) in billing.items():
        world.pay_in(ib_id, currency, tax)
    portal = of_world(world, ledger, tmp_path)
    made = portal.post("/v1/payouts", {"period": "2026-09", "currency": "USD", **wanted})
    one, all_of_them = (words(portal.get(path)) for path in (f"/payouts/{made['batch_id']}", "/payouts"))
    return one, all_of_them


def words(page: str) -> str:
    """Its text without tags, in single spaces."""
    return (
        " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split()).replace(" .", ".").replace(" ,", ",")
    )
