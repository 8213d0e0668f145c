"""Where `ibflow verify` measures: in the database itself, or through the server that owns it."""

import httpx
from clickhouse_connect.driver.exceptions import Error

from infra.bootstrap import clickhouse_client
from infra.serve import running_url
from infra.verify import Finding, Report, verify
from schemas.errors import Unavailable
from schemas.settings import Settings

VERIFY_SECONDS = 600.0


def fetch_report(settings: Settings) -> Report:
    """Verify through the running server if there is one, else open the database."""
    url = None if settings.clickhouse else running_url(settings)
    if url is not None:
        try:
            return _ask(url, settings)
        except httpx.ConnectError:
            pass  # the server was killed and left its note behind; the database is free
    try:
        client = clickhouse_client(settings)
    except Error as error:
        raise Unavailable(f"the database cannot be opened: {error}") from None
    try:
        return verify(client)
    finally:
        client.close()


def _ask(url: str, settings: Settings) -> Report:
    token = settings.api_token.get_secret_value()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = httpx.get(f"{url}/v1/verify", headers=headers, timeout=VERIFY_SECONDS).raise_for_status().json()
    findings = tuple(Finding(**finding) for finding in answer["findings"])
    return Report(findings, answer["ledger_hash"])
