"""Take pictures of the portal's pages: `python docs/screenshots.py URL [TOKEN]`.

They go to docs/portal/, wide in light and as on a phone in dark; of `ibflow demo --keep`, for example.
Needs the packages of the tests, and a Chromium.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests import chromium

FOLDER = Path(__file__).parent / "portal"
PAGES = {
    "overview": "/",
    "ibs": "/ibs",
    "report": "/reports?group_by=day&then_by=ib",
    "statements": "/statements",
    "payouts": "/payouts",
    "unpaid": "/unpaid?kind=plan",
    "operations": "/operations",
    "completeness": "/completeness",
    "search": "/search?q=c-0",
}
LOOKS = {"wide": ((1400, 900), "light"), "phone": ((390, 844), "dark")}


def main() -> None:
    """One picture a page and look."""
    url, *token = sys.argv[1:] or sys.exit(__doc__)
    FOLDER.mkdir(exist_ok=True)
    headers = {"Authorization": f"Bearer {token[0]}"} if token else {}
    with chromium.running() as browser:
        for look, ((width, height), scheme) in LOOKS.items():
            context = browser.new_context(
                base_url=url,
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                extra_http_headers=headers,
            )
            page = context.new_page()
            for name, path in PAGES.items():
                page.goto(path)
                page.screenshot(path=FOLDER / f"{name}-{look}.png")


if __name__ == "__main__":
    main()
