"""Questions of commands to the API: to the running server, else to the same API over the database itself.

An embedded database has one owner, so while a server runs a command must ask it; without one the
application answers in this process, and a command has one way to ask.
"""

import asyncio
from http import HTTPStatus

import httpx
from clickhouse_connect.driver.exceptions import Error

from api.app import create_app
from api.ledger import Ledger
from infra.connect.running_server import running_url
from infra.connect.settings import clickhouse_client, connect
from schemas.errors import Unavailable, Unusable
from schemas.settings import Settings

ASK_SECONDS = 600.0
HERE = "http://127.0.0.1"


def ask(settings: Settings, path: str, **wanted: str) -> httpx.Response:
    """GET a route; what the API refuses is `Unusable` in its own words."""
    token = settings.token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    given = {name: value for name, value in wanted.items() if value}
    url = None if settings.clickhouse else running_url(settings)
    if url is None:
        answer = _ask_here(settings, path, given, headers)
    else:
        answer = _ask_server(f"{url}{path}", given, headers)
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        failure = Unavailable if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else Unusable
        raise failure(refusal_of(answer))
    return answer


def _ask_server(url: str, given: dict[str, str], headers: dict[str, str]) -> httpx.Response:
    try:
        return httpx.get(url, params=given, headers=headers, timeout=ASK_SECONDS)
    except httpx.HTTPError as error:
        raise Unavailable(f"the server did not answer {url}: {error}") from None


def _ask_here(
    settings: Settings, path: str, given: dict[str, str], headers: dict[str, str]
) -> httpx.Response:
    try:
        clickhouse_client(settings).close()  # brings the schema up to date
    except Error as error:
        raise Unavailable(f"the database cannot be opened: {error}") from None
    ledger = Ledger(lambda: connect(settings))
    try:
        return asyncio.run(_get(ledger, settings, path, given, headers))
    finally:
        ledger.close()


async def _get(
    ledger: Ledger, settings: Settings, path: str, given: dict[str, str], headers: dict[str, str]
) -> httpx.Response:
    transport = httpx.ASGITransport(create_app(ledger, settings))
    async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
        return await client.get(path, params=given, headers=headers)


def refusal_of(answer: httpx.Response) -> str:
    """What the API says is wrong, in its own words."""
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError):
        return f"{answer.url} answered {answer.status_code}"
