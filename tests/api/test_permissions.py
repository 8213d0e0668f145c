"""All routes, asked by all roles: who is answered, who is refused, and that a new route is closed.

The table is written by hand from the issue: an auditor reads all and changes nothing, finance pays, a manager
proposes, an IB and a manager of some IBs see what has a scope, a network its own attempts.
"""

import re
from html import unescape
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.operators import Operator
from api.people import Wanted
from api.permissions import why_not
from tests.api.conftest import SOURCE, insert, routes_of, utc
from tests.api.people_world import ROLES, World

WHOLE = {
    "/balance", "/payouts", "/payouts/{batch_id}", "/balance-changes", "/payees", "/metrics",
    "/v1/trial-balance", "/v1/payouts", "/v1/payouts/{batch_id}",
    "/v1/payouts/{batch_id}/lines",
    "/v1/payouts/{batch_id}/warnings", "/v1/balance-changes", "/v1/balance-changes/{change_id}",
    "/v1/dead-letters", "/v1/dead-letters/counts", "/v1/dead-letters/{dead_letter_id}", "/v1/completeness",
    "/v1/reconciliations", "/v1/native-payments", "/v1/native-payments/days",
    "/v1/native-payments/twice", "/v1/proposals",
    "/v1/proposals/{proposal_id}", "/v1/proposals/{proposal_id}/rows", "/completeness", "/proposals",
    "/proposals/{proposal_id}", "/v1/transfers/{transfer_id}/audit",
    "/v1/endpoints", "/v1/endpoints/{endpoint_id}", "/v1/endpoints/{endpoint_id}/preview",
    "/endpoints", "/endpoints/{endpoint_id}",
    "/plans", "/plans/{plan_id}", "/plans/{plan_id}/cases", "/plans/{plan_id}/changes", "/v1/plans/what-if",
    "/v1/plans/{plan_id}/check", "/v1/plans/{plan_id}/changes",
    "/operations", "/dead-letters", "/dead-letters/{dead_letter_id}", "/reports/margin", "/v1/reports/margin",
    "/deals/bytes",
}  # fmt: skip
"""Of the whole broker: refused to whoever sees a part."""
ADMINS = {"/v1/users", "/v1/sessions", "/v1/keys", "/users", "/keys"}
LOG = {"/v1/audit-log", "/audit-log"}
NETWORKS = {"/", "/health", "/docs", "/docs/problems", "/docs/reference",
            "/account", "/v1/me", "/v1/postbacks/attempts", "/sign-in", "/first-run",
            "/sign-in/oidc", "/sign-in/oidc/back",
            "/set-password"}  # fmt: skip
FILL = {"transfer_id": "t1", "statement_id": "st-A", "ib_id": "A", "client_id": "c1"}


@pytest.fixture
def world(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> World:
    """People of all roles over the hand-written ledger."""
    return World(ledger, monkeypatch)


def is_refused(name: str, path: str) -> bool:
    role = ROLES[name].role
    if path in ADMINS:
        return role != "admin"
    if path in LOG:
        return role not in ("admin", "auditor")
    if role == "network":
        return path not in NETWORKS
    return path in WHOLE and ROLES[name].ibs is not None


@pytest.mark.parametrize("name", ROLES)
def test_who_reads_what(world: World, name: str) -> None:
    visitor = world.signed_in(name)
    known = routes_of("GET")
    assert set(known) >= WHOLE | ADMINS | LOG | NETWORKS
    wrong = []
    for path in known:
        filled = re.sub(r"{(\w+)(?::path)?}", lambda found: FILL.get(found[1], "x"), path)
        status = visitor.ask("GET", filled).status_code
        if (status == 403) is not is_refused(name, path):
            wrong.append((path, status))
        assert status < 500 or status == 503, (name, path, status)
    assert wrong == []


@pytest.mark.parametrize("name", ROLES)
def test_who_changes_what(world: World, name: str) -> None:
    """An empty body: whoever may change it is told what is wrong with it, or that its desk is not here."""
    visitor, role = world.signed_in(name), ROLES[name].role
    may = {
        "admin": lambda _: True,
        "finance": lambda path: path.startswith(
            (
                "/v1/payouts",
                "/v1/balance-changes",
                "/v1/payees/",
                "/v1/proposals",
                "/v1/plans",
                "/v1/dead-letters",
            )
        ),
        "manager": lambda path: (
            path.startswith("/v1/links")
            or (path.startswith(("/v1/proposals", "/v1/endpoints", "/v1/plans")) and ROLES[name].ibs is None)
        ),
        "auditor": lambda _: False,
        "ib": lambda path: (
            path == "/v1/payees/{ib_id}" or path.startswith(("/v1/links", "/v1/own-endpoints"))
        ),
        "network": lambda _: False,
    }[role]
    changing = [path for path in routes_of("POST") if path.startswith("/v1/")]
    assert len(changing) > 20
    for path in changing:
        filled = re.sub(r"{(\w+)(?::path)?}", lambda found: FILL.get(found[1], "x"), path)
        status = visitor.call(filled, {}).status_code
        is_own = path.startswith(("/v1/exports", "/v1/views")) and role != "network"
        assert (status != 403) is (is_own or may(path)), (name, path, status)


def test_a_route_that_forgets_the_scope_shows_a_part_nothing(world: World) -> None:
    """Whoever sees everything is answered; a manager of one IB, an IB and a network are not."""
    world.app.add_api_route("/v1/forgetful", lambda: {"secret": "of all"}, dependencies=[])
    statuses = {name: world.signed_in(name).ask("GET", "/v1/forgetful").status_code for name in ROLES}
    refused = {name for name, status in statuses.items() if status == 403}
    assert refused == {"max", "iris", "ned"}
    assert {status for name, status in statuses.items() if name not in refused} == {200}


def test_an_ib_proposes_where_it_is_paid_itself_and_nobody_else(world: World) -> None:
    """404 for another IB, as for one that there is not; 503 for its own, as no details are kept here."""
    iris = world.signed_in("iris")
    body = {"details": {"type": "bank"}}
    assert iris.call("/v1/payees/A", body).status_code == 503
    assert iris.call("/v1/payees/A/versions/1/approve", {}).status_code == 403


def test_what_each_key_opens(world: World) -> None:
    secrets = {
        name: world.desk.create_key(Wanted(name, rights, 9, ibs), "anna")[1]
        for name, rights, ibs in (
            ("reader", ("read",), None),
            ("of A", ("read",), ("A",)),
            ("payer", ("payouts",), None),
            ("feeder", ("ingest",), None),
        )
    }

    def ask(name: str, path: str, body: Any = None) -> int:
        headers = {"Authorization": f"Bearer {secrets[name]}"}
        if body is None:
            return world.browser().get(path, headers=headers).status_code
        return world.browser().post(path, headers=headers, json=body).status_code

    assert [ask("reader", path) for path in ("/v1/partners", "/v1/users", "/v1/audit-log")] == [200, 403, 403]
    assert ask("reader", "/v1/payouts", {}) == 403
    exports = {name: ask(name, "/v1/exports/transfers", {}) for name in secrets}
    assert exports == {"reader": 503, "of A": 503, "payer": 403, "feeder": 403}, "503: it makes none here"
    assert [ask("of A", path) for path in ("/v1/transfers/t1", "/v1/transfers/t7", "/v1/trial-balance")] == [
        200, 404, 403,
    ]  # fmt: skip
    assert [ask("payer", "/v1/payouts", {}), ask("payer", "/v1/payouts/b/approve", {})] == [503, 403]
    assert [ask("payer", "/v1/partners"), ask("feeder", "/v1/partners")] == [403, 403]
    (found,) = [key for key in world.desk.all_keys() if key.name == "reader"]
    assert found.used_at is None, "it is written by the thread that reads the log"
    world.sign_ins.write_uses()
    (found,) = [key for key in world.desk.all_keys() if key.name == "reader"]
    assert found.used_at == world.now
    world.later(days=9)
    assert ask("reader", "/v1/partners") == 401, "it has ended"


def test_what_is_written_to_the_audit_log(world: World) -> None:
    """A change, a file taken away, a look at payee details, in and out; not what was refused."""
    fred = world.signed_in("fred")
    before = len(world.done())
    fred.ask("GET", "/v1/partners")
    fred.ask("GET", "/v1/statements/st-A/export")
    fred.ask("GET", "/v1/reports/commissions?format=csv")
    fred.call("/v1/users", {"name": "eve", "role": "admin"})
    anna = world.signed_in("anna")
    anna.call("/v1/users", {"name": "eve", "role": "auditor"})
    anna.send("/account", "/sign-out")
    found = [one for one in world.done()[before:] if one[0] in ("fred", "anna")]
    assert found == [
        ("fred", "export", "/v1/reports/commissions"),
        ("anna", "sign_in", ""),
        ("anna", "change", "POST /v1/users"),
        ("anna", "sign_out", ""),
    ]


def test_tokens_of_the_settings_and_this_machine_may_what_they_did() -> None:
    shared, viewer = Operator("shared token"), Operator("vic", is_person=True, may_write=False)
    for path in ("/v1/payouts", "/v1/users", "/v1/anything"):
        assert why_not(shared, "POST", path) == ""
        assert why_not(viewer, "GET", path) == ""
        assert "is a viewer" in why_not(viewer, "POST", path)


@pytest.mark.parametrize("name", ROLES)
def test_a_menu_leads_nowhere_that_refuses(world: World, name: str) -> None:
    """Every link of the first page's header, and of the tabs and heads of the pages behind them."""
    visitor = world.signed_in(name)
    menu = links_of(visitor.page("/"), "header")
    assert "/" in menu
    refused = []
    for path in sorted(menu):
        answer = visitor.ask("GET", path)
        if answer.status_code not in (200, 503):  # 503: its desk is not here
            refused.append((path, answer.status_code))
        for inner in sorted(
            links_of(answer.text, 'nav class="tabs"') | links_of(answer.text, 'div class="head"')
        ):
            status = visitor.ask("GET", inner).status_code
            if status not in (200, 503):
                refused.append((inner, status))
    assert refused == []


def links_of(page: str, begin: str) -> set[str]:
    """Where the links of the page's elements that begin so lead, without what leads elsewhere."""
    parts = re.findall(rf"<{begin}.*?</{begin.split(maxsplit=1)[0]}>", page, re.DOTALL)
    return {unescape(one) for part in parts for one in re.findall(r'<a [^>]*?href="(/[^"]*)"', part)}


def test_who_may_not_see_a_page_reads_why_on_a_page(world: World) -> None:
    """In words, with the menu, not as JSON; a program is answered as before."""
    answer = world.signed_in("ned").ask("GET", "/search")
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")
    assert "ned signs in as network, and that does not read this." in unescape(answer.text)
    assert links_of(answer.text, "header") == {"/", "/account"}
    answer = world.signed_in("ned").ask("GET", "/v1/transfers")
    assert answer.json()["code"] == "forbidden"


def test_a_network_reads_what_its_endpoints_were_sent(world: World, chdb: Client) -> None:
    """Of its own, and of no other."""
    row = {"attempt": 1, "attempted_at": utc(1), "outcome": "delivered", "http_status": 200, "error": ""}
    row |= {"duration_ms": 5, "next_attempt_at": None, "replay": "", "answer": ""}
    for endpoint in ("net-1", "net-2"):
        row |= {"milestone_id": f"of-{endpoint}", "endpoint": endpoint, "delivery_id": endpoint}
        insert(chdb, "postback_attempts", row | SOURCE)
    page = world.signed_in("ned").page("/")
    assert "openapi" in world.signed_in("ned").ask("GET", "/openapi.json").json(), "the reference reads it"
    chdb.command("TRUNCATE TABLE postback_attempts")
    assert "of-net-1" in page
    assert "net-2" not in page
