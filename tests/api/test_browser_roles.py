"""Each role in a real Chromium: it signs in, and every entry of its menu is a page without a fault."""

import pytest
from playwright.sync_api import Page

from api.ledger import Ledger
from tests import chromium
from tests.api.people_world import ROLES, WORDS, World
from tests.api.served import served

ELSEWHERE = "503 (Service Unavailable)"
"""A page whose desk this world has not says so, in words."""


def test_each_role_walks_its_menu(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on the console, nothing beside a phone's screen, no JSON where a page belongs."""
    wrong: list[str] = []
    walked: dict[str, int] = {}
    with served(World(ledger, monkeypatch).app) as url, chromium.running() as browser:
        for name in ROLES:
            with browser.new_context(base_url=url, viewport={"width": 390, "height": 844}) as context:
                page = context.new_page()
                said: list[str] = []
                page.on("console", lambda one, to=said: to.append(one.text) if one.type == "error" else None)
                page.on("pageerror", lambda error, to=said: to.append(str(error)))
                menu = signed_in(page, name)
                walked[name] = len(menu)
                for path in menu:
                    page.goto(path)
                    if page.locator("h1").count() != 1:
                        wrong.append(f"{name} {path}: no page")
                    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                        wrong.append(f"{name} {path}: beside the screen")
                    wrong += [f"{name} {path}: {line}" for line in said if ELSEWHERE not in line]
                    said.clear()
    assert wrong == []
    assert walked["anna"] > walked["fred"] > walked["iris"] > walked["ned"] == 1


def signed_in(page: Page, name: str) -> list[str]:
    """Sign in by the form; where the menu leads."""
    page.goto("/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(WORDS)
    page.get_by_role("button", name="Sign in").click()
    page.locator("#menu").wait_for(state="attached")
    return [link.get_attribute("href") or "" for link in page.locator("#menu a").all()]
