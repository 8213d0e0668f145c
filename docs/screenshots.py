"""Take pictures of the pages: `python docs/screenshots.py URL admin=… ib=… network=…`, with passwords.

Of `ibflow demo --keep`, which prints its people and their passwords.
They go to docs/portal/, wide in light and as on a phone in dark, in 64 colours. Needs what tests need, and
a Chromium.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests import chromium

FOLDER = Path(__file__).parent / "portal"
COLOURS = 64
ACCOUNT, DEAL, WHY = 'a[href^="/accounts"]', 'a[href^="/deals?"]', 'a[href^="/transfers/"]'
CLIENT = "/clients/c-014"
Way = tuple[str, ...]
"""An address, and what is pressed from there on: the first that matches."""
PAGES: dict[str, dict[str, Way]] = {
    "": {"sign-in": ("/sign-in",)},
    "admin": {
        "overview": ("/?period=2026-10",),
        "ibs": ("/ibs?period=2026-10",),
        "ib": ("/ibs/ib-north?period=2026-10",),
        "clients": ("/clients",),
        "client": (CLIENT,),
        "account": (CLIENT, ACCOUNT),
        "deal": (CLIENT, ACCOUNT, DEAL),
        "why": (CLIENT, ACCOUNT, DEAL, WHY),
        "bytes": (CLIENT, ACCOUNT, DEAL, 'a[href^="/deals/bytes"]'),
        "report": ("/reports?group_by=day&then_by=ib",),
        "exports": ("/exports",),
        "views": ("/views",),
        "acquisition": ("/reports/acquisition",),
        "margin": ("/reports/margin",),
        "movers": ("/reports/movers?period=2026-10",),
        "statements": ("/statements",),
        "statement": ("/statements", 'a[href^="/statements/"]'),
        "payouts": ("/payouts",),
        "payout": ("/payouts", 'a[href^="/payouts/"]'),
        "payees": ("/payees",),
        "balance-changes": ("/balance-changes",),
        "invoices": ("/invoices",),
        "balance": ("/balance",),
        "unpaid": ("/unpaid?kind=plan",),
        "plans": ("/plans",),
        "plan": ("/plans/silver",),
        "endpoints": ("/endpoints",),
        "endpoint": ("/endpoints/demo-network",),
        "links": ("/links",),
        "proposals": ("/proposals",),
        "proposal": ("/proposals", 'a[href^="/proposals/"]'),
        "operations": ("/operations",),
        "completeness": ("/completeness",),
        "dead-letters": ("/dead-letters",),
        "dead-letter": ("/dead-letters", 'a[href^="/dead-letters/"]'),
        "search": ("/search?q=c-0",),
        "people": ("/users",),
        "keys": ("/keys",),
        "audit-log": ("/audit-log",),
        "api": ("/docs",),
        "reference": ("/docs/reference",),
    },
    "ib": {
        "room": ("/",),
        "room-clients": ("/clients",),
        "room-payments": ("/payments",),
        "room-plan": ("/plan",),
        "room-postbacks": ("/own-endpoints",),
    },
    "network": {"network": ("/",)},
}
"""By who of the demo looks."""
LOOKS = {"wide": ((1400, 900), "light"), "phone": ((390, 844), "dark")}


def main() -> None:
    """One picture a page and look."""
    url, *given = sys.argv[1:] or sys.exit(__doc__)
    passwords = {"": ""} | dict(one.split("=", 1) for one in given)
    FOLDER.mkdir(exist_ok=True)
    with chromium.running() as browser:
        for who, password in passwords.items():
            for look, page in windows(browser, url, who, password):
                for name, (path, *steps) in PAGES[who].items():
                    page.goto(path)
                    for step in steps:
                        page.locator(f"main {step}").first.click()
                        page.wait_for_load_state()
                    if page.locator(".swagger-ui, .plot").count():
                        page.wait_for_load_state("networkidle")
                    keep(page.screenshot(), FOLDER / f"{name}-{look}.png")


def windows(browser: Browser, url: str, who: str, password: str) -> Iterator[tuple[str, Page]]:
    """One of each look, in which they signed in."""
    for look, ((width, height), scheme) in LOOKS.items():
        context = browser.new_context(
            base_url=url,
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = context.new_page()
        if who:
            page.goto("/sign-in")
            page.get_by_label("Name").fill(who)
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Sign in").click()
            page.locator("#menu").wait_for(state="attached")
        yield look, page
        context.close()


def keep(png: bytes, path: Path) -> None:
    """Write it in few colours: a fifth of the bytes."""
    with Image.open(BytesIO(png)) as picture:
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


if __name__ == "__main__":
    main()
