"""How a page is rendered: its template, what every page has, and the marks of values."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.portal import marks
from api.portal.navigation import Links, current, places_of, places_of_admins
from commission.money import plain

HERE = Path(__file__).parent
FIRST = 7
"""Entries of the menu beside each other; the rest is behind one more."""


def mount(app: FastAPI) -> None:
    """Serve the static files, and keep the templates and the page of errors with the app."""
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.state.templates = _environment()
    app.state.error_page = error_page


def render(request: Request, template: str, **values: Any) -> HTMLResponse:
    """Render one page, or part of one.

    Every page has `who` asks, the token of its session for its forms, links that keep what is chosen.
    """
    environment = request.app.state.templates
    assert isinstance(environment, Environment)
    who = getattr(request.state, "operator", None)
    role = getattr(who, "role", None)
    places = places_of(role, sees_all=getattr(who, "ibs", None) is None)
    every = {
        "who": who,
        "csrf": getattr(request.state, "csrf", ""),
        "link": Links(request),
        "places": places,
        "admin_places": places_of_admins(role),
        "first_places": FIRST if len(places) > FIRST + 1 else len(places),
        "stalled": request.app.state.stalled(),
        "place": current(request.url.path, places),
        "views": None,
    }
    return HTMLResponse(environment.get_template(template).render(**(every | values)))


IN_WORDS = {
    403: ("This is not yours to see", "Whoever gave you your account can change what it may."),
    404: ("Nothing is here", "The address may have been cut. Search finds everything that you may see."),
    409: ("Somebody was faster", "Go back, load the page again, and look at what it is now."),
    422: ("That could not be understood", "Go back and correct it."),
    429: ("Too much at once", "Wait a minute, then try again."),
    500: ("Something broke on our side", "Try again. If it stays, tell who runs this server when it was."),
    503: (
        "Not available just now",
        "The server is busy, or another process does this. Try again in a moment.",
    ),
}
"""What an error means to a person, and what to do next, by its status."""
WORTH_AGAIN = (409, 429, 500, 503)


def error_page(request: Request, status: int, title: str, detail: str) -> HTMLResponse:
    """What a person sees instead of a problem's JSON: what it means, what it says, and what to do next."""
    words, following = IN_WORDS.get(status, (title, ""))
    here = f"/{request.url.path.lstrip('/')}" + (f"?{request.url.query}" if request.url.query else "")
    page = render(
        request,
        "error.html",
        code=status,
        title=words,
        detail=detail,
        following=following,
        again=here if request.method == "GET" and status in WORTH_AGAIN else "",
    )
    page.status_code = status
    return page


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "rounded": marks.rounded,
        "lots": marks.lots,
        "lots_e8": marks.lots_e8,
        "count": marks.count,
        "at": marks.at,
        "decimal": Decimal,
        "plain": plain,
        "prose": marks.prose,
        "timed": marks.timed,
        "when": marks.when,
        "volume": marks.volume,
        "money": marks.money,
        "of_columns": marks.of_columns,
    }
    return environment
