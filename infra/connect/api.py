"""Questions of commands to the API: to the running server, else to the same API over the database itself.

An embedded database has one owner, so while a server runs a command must ask it; without one the
application answers in this process, and a command has one way to ask.
"""

import asyncio
from typing import Any

import httpx
from clickhouse_connect.driver.exceptions import Error

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from api.queries.payouts import log_of_payouts
from infra.connect.ledger_at import Server, check_answer, find_server, token_of
from infra.connect.settings import clickhouse_client, connect
from schemas.errors import Unavailable
from schemas.settings import Settings

ASK_SECONDS = 600.0
PAGE_ITEMS = 1_000
HERE = "http://127.0.0.1"


def ask(settings: Settings, path: str, **wanted: str) -> httpx.Response:
    """GET a route; what the API refuses is `Unusable` in its own words."""
    given = {name: value for name, value in wanted.items() if value}
    server = find_server(settings)
    if server is not None:
        with server.open(ASK_SECONDS) as http:
            return server.check(http.get(path, params=given))
    here = Server(HERE, token_of(settings))
    answer = _ask_here(settings, path, given, here.headers)
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


def _ask_here(
    settings: Settings, path: str, given: dict[str, str], headers: dict[str, str]
) -> httpx.Response:
    try:
        clickhouse_client(settings).close()  # brings the schema up to date
    except Error as error:
        raise Unavailable(f"the database cannot be opened: {error}") from None
    ledger = Ledger(lambda: connect(settings), cluster=settings.clickhouse_cluster)
    try:
        return asyncio.run(_get(ledger, settings, path, given, headers))
    finally:
        ledger.close()


async def _get(
    ledger: Ledger, settings: Settings, path: str, given: dict[str, str], headers: dict[str, str]
) -> httpx.Response:
    desks = Desks(payout_log=lambda: log_of_payouts(ledger))
    transport = httpx.ASGITransport(create_app(ledger, settings, desks=desks))
    async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
        return await client.get(path, params=given, headers=headers)
