"""How a page is rendered: templates, and the filters that write amounts, lots and times for people."""

import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from commission.events import LOT_E8
from commission.money import minor_digits, plain

HERE = Path(__file__).parent


def mount(app: FastAPI) -> None:
    """Serve the static files and keep the templates with the app."""
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.state.templates = _environment()


def render(request: Request, template: str, **values: Any) -> HTMLResponse:
    """Render one page; every page has `who` asks, and the token of its session that its forms send."""
    environment = request.app.state.templates
    assert isinstance(environment, Environment)
    operator = getattr(request.state, "operator", None)
    known = {"who": operator, "csrf": getattr(request.state, "csrf", "")}
    return HTMLResponse(environment.get_template(template).render(**(known | values)))


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "rounded": rounded,
        "lots": lots,
        "lots_e8": lots_e8,
        "count": count,
        "at": at,
        "plain": plain,
        "prose": prose,
    }
    return environment


def rounded(amount: Decimal, currency: str) -> str:
    """An amount to look at, in the currency's digits: `1,234.50`. The ledger keeps the exact one."""
    text = f"{amount:,.{minor_digits(currency)}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text.replace("-", "\u2212")


def lots(volume: Decimal) -> str:
    """Lots without needless zeros, two digits at least."""
    return f"{volume:,.2f}" if volume == round(volume, 2) else plain(volume)


def lots_e8(volume_e8: int) -> str:
    """Lots of a volume in 1e-8 lots."""
    return lots(Decimal(volume_e8) / LOT_E8)


def count(number: int) -> str:
    """A count with thousands separators."""
    return f"{number:,}"


def at(time: datetime) -> str:
    """A time to the minute, UTC."""
    return f"{time:%Y-%m-%d %H:%M}"


def prose(text: str) -> Markup:
    """Text whose `backticked` words are code."""
    escaped = str(escape(text))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))  # noqa: S704  - escaped above
