"""Where `ibflow verify` measures: in the database itself, or through the server that owns it."""

from dataclasses import replace

import httpx
from clickhouse_connect.driver.exceptions import Error

from infra.archive.open import open_history
from infra.connect.running_server import running_url
from infra.connect.settings import clickhouse_client
from infra.replay.compare import replay
from infra.replay.pool import Bar, no_bar
from infra.verify.invariants import SAME_BOOKS, Finding, Report, same_books, verify
from schemas.errors import Unavailable
from schemas.settings import Settings

VERIFY_SECONDS = 600.0


def fetch_report(
    settings: Settings, *, deep: bool = False, workers: int | None = None, bar: Bar = no_bar
) -> Report:
    """Verify through the running server if there is one, else open the database.

    `deep` folds every book again, in processes of their own, however large the ledger is.
    """
    folded: Finding | None = None
    if deep:
        with open_history(settings, from_kafka=False) as (where, source):
            folded = same_books(replay(where, source, workers=workers, bar=bar))
    url = None if settings.clickhouse else running_url(settings)
    if url is not None:
        return _with(_ask(url, settings, folds=folded is None), folded)
    try:
        client = clickhouse_client(settings)
    except Error as error:
        raise Unavailable(f"the database cannot be opened: {error}") from None
    try:
        return verify(client, folded=folded)
    finally:
        client.close()


def _with(report: Report, folded: Finding | None) -> Report:
    if folded is None:
        return report
    findings = tuple(folded if found.invariant == SAME_BOOKS else found for found in report.findings)
    return replace(report, findings=findings)


def _ask(url: str, settings: Settings, *, folds: bool) -> Report:
    token = settings.token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    parameters = {"folds": str(folds).lower()}
    answer = httpx.get(f"{url}/v1/verify", params=parameters, headers=headers, timeout=VERIFY_SECONDS)
    told = answer.raise_for_status().json()
    findings = tuple(Finding(**finding) for finding in told["findings"])
    return Report(findings, told["ledger_hash"], tuple(told.get("warnings", ())))
