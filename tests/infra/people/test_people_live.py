"""People on a real Kafka: the command line, a server, and a browser that somebody uses."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from typer.testing import CliRunner

from api.people import Note
from infra.cli.app import app
from infra.connect.settings import prepare_topics
from infra.people.audit import AuditLog
from infra.people.log import WATCH_S
from infra.processes.server import ApiServer
from schemas.settings import Settings
from tests import services
from tests.api.conftest import insert, partner_row
from tests.chromium import running
from tests.eventually import eventually

PASSWORD = "four quiet words here"  # noqa: S105 # nobody's
PAGES = ("/users", "/keys", "/account", "/audit-log")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker with our topics."""
    with services.kafka(tmp_path_factory.mktemp("kafka")) as bootstrap:
        prepare_topics(Settings(kafka=bootstrap, partitions=1), bootstrap)
        yield bootstrap


@pytest.fixture(scope="module")
def server(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A server where nobody signs in yet, with IB A."""
    data = tmp_path_factory.mktemp("data")
    found = ApiServer(Settings(data_dir=data, kafka=kafka, partitions=1, api_port=0), kafka)
    found.start()
    insert(found.client, "partners", partner_row("A", "Atlas", None, kyc=True))
    yield found
    found.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser."""
    with running() as browser:
        yield browser


def fill(page: Page, **fields: str) -> None:
    """Fill the page's first form and send it."""
    for name, value in fields.items():
        page.fill(f"form.stack [name={name}] >> nth=0", value)
    with page.expect_navigation():
        page.click("form.stack button[type=submit] >> nth=0")


def test_the_first_admin_signs_in_and_adds_somebody(server: ApiServer, chromium: Browser) -> None:
    """By the code of the log, in light and dark, wide and narrow, without an error or a fault of access."""
    page, errors = chromium.new_page(), []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(f"{server.url}/")
    assert "/first-run" not in page.url, "this machine asks as before"
    page.goto(f"{server.url}/first-run")
    fill(page, name="anna", code=server.people.sign_ins.first_code, password=PASSWORD, again=PASSWORD)
    assert page.url == f"{server.url}/account"
    with page.expect_navigation():
        page.click("text=Sign out")
    page.goto(f"{server.url}/users")
    assert page.url == f"{server.url}/sign-in?next=%2Fusers"
    assert not errors, errors
    fill(page, name="anna", password=PASSWORD.upper())
    assert page.inner_text("[role=alert]") == "Name, password or code is wrong."
    errors.clear()  # the browser notes the 401
    fill(page, name="anna", password=PASSWORD)
    assert page.url == f"{server.url}/users"
    fill(page, name="fred")
    assert re.fullmatch(r"[0-9a-f]{16}", page.inner_text(".secret"))
    for scheme, width in (("light", 1400), ("dark", 390)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # one of its words
        page.set_viewport_size({"width": width, "height": 844})
        for path in PAGES:
            page.goto(f"{server.url}{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            serious = [
                one["id"]
                for one in Axe().run(page).response["violations"]
                if one["impact"] in ("serious", "critical")
            ]
            assert serious == [], (path, scheme, serious)
    cookie = next(one for one in page.context.cookies() if one["name"] == "ibflow_session")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert page.evaluate("document.cookie") == ""
    assert errors == []
    page.close()


def test_another_site_signs_nobody_out(server: ApiServer, chromium: Browser) -> None:
    """A form of another origin, sent by the visitor's own browser, is refused."""
    visitor = chromium.new_context()
    page, other = visitor.new_page(), visitor.new_page()
    page.goto(f"{server.url}/sign-in")
    fill(page, name="anna", password=PASSWORD)
    other.route("http://other.example/", lambda route: route.fulfill(body="<p>", content_type="text/html"))
    other.goto("http://other.example/")
    with other.expect_response(f"{server.url}/sign-out") as answered:
        other.evaluate(
            """url => { const f = document.createElement('form'); f.method = 'post'; f.action = url;
            document.documentElement.append(f); f.submit(); }""",
            f"{server.url}/sign-out",
        )
    assert answered.value.status == 401, "the session's cookie was not sent along"
    page.goto(f"{server.url}/account")
    assert page.url == f"{server.url}/account", "still signed in"
    visitor.close()


def test_the_command_line_and_a_server_agree(server: ApiServer, kafka: str, tmp_path: Path) -> None:
    """What a command writes counts at the server within two seconds, and the other way round."""

    def ibflow(*arguments: str, code: int = 0) -> str:
        known = {"IBFLOW_KAFKA": kafka, "IBFLOW_DATA_DIR": str(tmp_path), "IBFLOW_PARTITIONS": "1"}
        result = CliRunner().invoke(app, [*arguments], env=known)
        assert result.exit_code == code, (result.output, result.exception)
        return result.output

    assert {one["name"] for one in json.loads(ibflow("users", "list", "--json"))} == {"anna", "fred"}
    assert "there would be no admin left" in ibflow("users", "disable", "anna", code=2)
    assert "there is no role owner" in ibflow("users", "add", "eve", "--role", "owner", code=2)
    assert "an IB sees a sub-tree" in ibflow("users", "add", "eve", "--role", "ib", code=2)
    assert "code" in ibflow("users", "add", "iris", "--role", "ib", "--ib", "A")
    made = ibflow("keys", "create", "erp", "--right", "read", "--days", "2")
    secret, key_id = made.split()[-1], re.findall(r"key (\w+)", made)[0]

    def asked(token: str) -> int:
        return httpx.get(
            f"{server.url}/v1/partners", headers={"Authorization": f"Bearer {token}"}
        ).status_code

    def comes(token: str, status: int) -> None:
        eventually(lambda: asked(token) == status, within=2 * WATCH_S + 3, every=0.1)

    comes(secret, 200)
    new = ibflow("keys", "rotate", key_id, "--overlap-hours", "0").split()[-1]
    comes(secret, 401)
    comes(new, 200)
    ibflow("keys", "revoke", key_id)
    comes(new, 401)
    (listed,) = json.loads(ibflow("keys", "list", "--json"))
    assert (listed["state"], secret in made, "digest" in listed) == ("revoked", True, False)
    assert "every entry follows" in ibflow("users", "audit")


def test_many_write_the_audit_log_at_once(kafka: str) -> None:
    """Each entry is in the chain once; what lost a race was written again."""
    before = AuditLog.of_kafka(kafka).check()

    def write(name: str) -> None:
        log = AuditLog.of_kafka(kafka)
        for number in range(5):
            log.write(Note(name, "change", f"/{number}"))
        log.close()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(write, name) for name in ("one", "two", "three")]:
            done.result()
    after = AuditLog.of_kafka(kafka).check()
    assert (after.entries - before.entries, after.faults) == (15, ())


def test_people_without_an_admin_are_warned_of(tmp_path: Path) -> None:
    """From the first one on a command must show a token, and only an admin can add people on the portal."""
    with services.kafka(tmp_path / "kafka") as bootstrap:
        prepare_topics(Settings(kafka=bootstrap, partitions=1), bootstrap)
        known = {"IBFLOW_KAFKA": bootstrap, "IBFLOW_DATA_DIR": str(tmp_path), "IBFLOW_PARTITIONS": "1"}
        for name, role, is_warned in (("fred", "finance", True), ("anna", "admin", False)):
            result = CliRunner().invoke(app, ["users", "add", name, "--role", role], env=known)
            assert (0, is_warned) == (result.exit_code, "nobody is an admin yet" in result.stderr), (
                result.output
            )
