"""The API over the database itself, in this process, for commands that find no server."""

import asyncio

import httpx
from clickhouse_connect.driver.exceptions import Error

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from api.queries.payouts import log_of_payouts
from infra.connect.settings import clickhouse_client, connect
from schemas.errors import Unavailable
from schemas.settings import Settings

HERE = "http://127.0.0.1"


def ask_here(settings: Settings, path: str, given: dict[str, str], headers: dict[str, str]) -> httpx.Response:
    """GET a route of the database in the data folder; raise `Unavailable` if it cannot be opened."""
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
