"""Questions of commands to the API: to the running server, else to the same API over the database itself.

An embedded database has one owner, so while a server runs a command must ask it; without one the
application answers in this process, and a command has one way to ask.
"""

from typing import Any

import httpx

from infra.connect.ledger_at import Server, check_answer, find_server, token_of
from schemas.settings import Settings

ASK_SECONDS = 600.0
PAGE_ITEMS = 1_000


def ask(settings: Settings, path: str, **wanted: str) -> httpx.Response:
    """GET a route; what the API refuses is `Unusable` in its own words."""
    given = {name: value for name, value in wanted.items() if value}
    server = find_server(settings)
    if server is not None:
        with server.open(ASK_SECONDS) as http:
            return server.check(http.get(path, params=given))
    from infra.connect.api_here import HERE, ask_here  # noqa: PLC0415 # the whole API: a second to import

    here = Server(HERE, token_of(settings))
    answer = ask_here(settings, path, given, here.headers)
    return check_answer(answer, f"the ledger in {settings.data_dir.absolute()}", has_token=bool(here.token))


def ask_all(settings: Settings, path: str, limit: int | None = None, **wanted: str) -> list[dict[str, Any]]:
    """The items of a list, page after page; at most `limit`."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while limit is None or len(items) < limit:
        size = PAGE_ITEMS if limit is None else min(PAGE_ITEMS, limit - len(items))
        page = ask(settings, path, **wanted, limit=str(size), cursor=cursor).json()
        items += page["items"]
        cursor = page["next_cursor"] or ""
        if not cursor:
            break
    return items
