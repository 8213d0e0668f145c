"""Each role in a real Chromium: it signs in, and every entry of its menu is a page without a fault.

What somebody who sees as much has walked is not walked again, unless `IBFLOW_BROWSER=full`: that every role
is answered where its menu leads is asked without a browser, in test_permissions.py.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from api.people import People
from infra.people.oidc import Oidc
from schemas.people import Access
from schemas.settings import Settings
from tests import chromium
from tests.api.identity_provider import CLIENT, SECRET, IdentityProvider
from tests.api.people_world import ROLES, WORDS, World
from tests.api.served import at_some_port, served

ELSEWHERE = "503 (Service Unavailable)"
"""A page whose desk this world has not says so, in words."""


def test_each_role_walks_its_menu(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on the console, nothing beside a phone's screen, no JSON where a page belongs."""
    wrong: list[str] = []
    walked: dict[str, int] = {}
    seen: set[tuple[object, str]] = set()
    with served(World(ledger, monkeypatch).app) as url, chromium.running() as browser:
        for name in ROLES:
            with browser.new_context(base_url=url, viewport={"width": 390, "height": 844}) as context:
                page = context.new_page()
                said: list[str] = []
                page.on("console", lambda one, to=said: to.append(one.text) if one.type == "error" else None)
                page.on("pageerror", lambda error, to=said: to.append(str(error)))
                menu = signed_in(page, name)
                walked[name] = len(menu)
                sight = ROLES[name].ibs, ROLES[name].endpoints
                for path in menu:
                    if (sight, path) in seen and os.environ.get("IBFLOW_BROWSER") != "full":
                        continue
                    seen.add((sight, path))
                    page.goto(path)
                    if page.locator("h1").count() != 1:
                        wrong.append(f"{name} {path}: no page")
                    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                        wrong.append(f"{name} {path}: beside the screen")
                    wrong += [f"{name} {path}: {line}" for line in said if ELSEWHERE not in line]
                    said.clear()
    assert wrong == []
    assert walked["anna"] > walked["fred"] > walked["iris"] > walked["ned"] == 1


def test_somebody_signs_in_by_the_provider(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A button on the page of sign-in leads there and back, to the page that was wanted."""
    listener = at_some_port()
    back = f"http://127.0.0.1:{listener.getsockname()[1]}/sign-in/oidc/back"
    provider, world = IdentityProvider(back), World(ledger, monkeypatch)
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    settings = Settings(
        _env_file=None, oidc_issuer=provider.issuer, oidc_client_id=CLIENT, oidc_redirect_url=back,
        oidc_client_secret_file=tmp_path / "secret",
    )  # fmt: skip
    oidc = Oidc(settings, world.sign_ins)
    people = People(world.desk, world.sign_ins, world.audit, oidc)
    world.desk.add("olga@example.org", Access(role="auditor"), "anna")
    app = create_app(ledger, settings, desks=Desks(people=people))
    with served(app, listener) as url, chromium.running() as browser:
        page = browser.new_page(base_url=url, viewport={"width": 390, "height": 844})
        said: list[str] = []
        page.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
        page.goto("/statements")
        button = page.get_by_role("link", name="Sign in with your organisation")
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
        button.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Statements")
        assert "olga@example.org" in (page.locator(".me").get_attribute("title") or "")
        assert said == []
    oidc.close()
    provider.close()


def signed_in(page: Page, name: str) -> list[str]:
    """Sign in by the form; where the menu leads."""
    page.goto("/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(WORDS)
    page.get_by_role("button", name="Sign in").click()
    page.locator("#menu").wait_for(state="attached")
    return [link.get_attribute("href") or "" for link in page.locator("#menu a").all()]
