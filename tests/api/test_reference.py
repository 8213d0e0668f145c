"""The interactive reference of the API in a real Chromium: it keeps its policy, and calls can be tried."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser as Chromium

from api.app import create_app
from api.ledger import Ledger
from infra.connect.ports import listen
from infra.connect.server_thread import HttpThread
from schemas.settings import Settings
from tests.api.conftest import Browser
from tests.chromium import running


@pytest.fixture
def address(ledger: Ledger) -> Iterator[str]:
    """A server with a token."""
    app = create_app(ledger, Settings(_env_file=None, api_token="secret"))  # noqa: S106
    listener, server = listen("127.0.0.1", 0), HttpThread(app, "reference")
    server.start(listener)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.stop()


@pytest.fixture
def chromium() -> Iterator[Chromium]:
    with running() as found:
        yield found


def test_a_call_is_tried_with_a_key(address: str, chromium: Chromium) -> None:
    """Authorise, open a route, send it: the answer of the ledger stands there, and nothing was refused."""
    context = chromium.new_context(http_credentials={"username": "", "password": "secret"})
    page, faults = context.new_page(), []
    page.on("console", lambda one: faults.append(one.text) if one.type == "error" else None)
    page.on("request", lambda one: None if one.url.startswith((address, "data:")) else faults.append(one.url))
    page.goto(f"{address}/docs/reference")
    page.locator(".opblock-summary-path").first.wait_for()
    page.get_by_role("button", name="Authorize").click()
    page.locator("input[type=text]#auth-bearer-value, .auth-container input").first.fill("secret")
    page.locator(".auth-btn-wrapper .authorize").first.click()
    page.locator(".btn-done").first.click()
    page.locator(".operation-filter-input").fill("people")  # of many operations only those in view are there
    block = page.locator(".opblock", has=page.locator('[data-path="/v1/me"]'))
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    block.locator(".live-responses-table .response-col_status", has_text="200").first.wait_for()
    assert "shared token" in block.locator(".live-responses-table").inner_text()
    assert faults == []
    context.close()


def test_its_policy_is_as_strict_as_everywhere(http: Browser) -> None:
    """But for pictures in its style, and nothing of it on another page."""
    policy = http.get("/docs/reference").headers["content-security-policy"]
    usual = http.get("/docs").headers["content-security-policy"]
    assert policy == usual.replace("img-src 'self'", "img-src 'self' data:")
    assert "unsafe" not in policy
    assert "swagger" not in http.get("/docs").text
