"""A real Chromium for tests of pages: the one of this machine, else Debian's, where root can install it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from tempfile import gettempdir
from typing import TypeVar

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.eventually import WITHIN_S

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL_S_MAX = 280
NO_GPU = ("--disable-gpu", "--disable-software-rasterizer")
"""A graphics card in software takes two fifths of a page's CPU, and here nobody looks."""
PAGE_MS = 4_000 * WITHIN_S
"""By default 5 s, and 30 s for what is looked for: a busy machine is not a failure."""
expect.set_options(timeout=PAGE_MS)
Waits = TypeVar("Waits", BrowserContext, Page)
MISSING = (
    "the tests of the portal's pages need a Chromium: `apt-get install chromium`, "
    "or name one in IBFLOW_TEST_CHROMIUM=/path/to/chromium"
)


def program() -> str:
    """Its path; raise RuntimeError that says what to install."""
    named = os.environ.get("IBFLOW_TEST_CHROMIUM", "")
    if found := named or _installed():
        return found
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise RuntimeError(MISSING)
    with (Path(gettempdir()) / "ibflow-chromium.lock").open("w") as lock:
        flock(lock, LOCK_EX)  # two runs at a time wait for each other
        if not _installed():
            _install(apt)
    if found := _installed():
        return found
    raise RuntimeError(MISSING)


def _installed() -> str:
    return next((path for name in NAMES if (path := shutil.which(name))), "")


def _install(apt: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (
        ("update",),
        ("install", "--yes", "--no-install-recommends", "chromium", "fonts-dejavu-core"),
    ):
        try:
            subprocess.run(
                [apt, "-q", *arguments], check=True, capture_output=True, text=True, env=environment,
                timeout=INSTALL_S_MAX,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise RuntimeError(f"{MISSING}. It failed: {getattr(error, 'stderr', '') or error}") from None


@contextmanager
def running() -> Iterator[Browser]:
    """Start it without a window; it ends with the block."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=[*sandbox, *NO_GPU])
        new_context, new_page = browser.new_context, browser.new_page
        browser.new_context = lambda **options: _patient(new_context(**options))  # type: ignore[method-assign] # a test has its own
        browser.new_page = lambda **options: _patient(new_page(**options))  # type: ignore[method-assign] # as above
        try:
            yield browser
        finally:
            browser.close()


def _patient(one: Waits) -> Waits:
    one.set_default_timeout(PAGE_MS)
    return one
