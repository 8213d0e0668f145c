"""Where `ibflow verify` measures: in the database itself, or through the server that owns it."""

from dataclasses import replace

from clickhouse_connect.driver.exceptions import Error

from infra.archive.open import open_history
from infra.connect.ledger_at import Server, empty_ledger, find_server
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
    server, folded = find_server(settings), None
    if deep:
        with open_history(settings, from_kafka=False) as (where, source):
            folded = same_books(replay(where, source, workers=workers, bar=bar))
    report = _ask(server, folds=folded is None) if server is not None else _measure(settings, folded)
    if report.is_empty:
        raise empty_ledger(settings)
    return _with(report, folded)


def _measure(settings: Settings, folded: Finding | None) -> Report:
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


def _ask(server: Server, *, folds: bool) -> Report:
    with server.open(VERIFY_SECONDS) as http:
        told = server.check(http.get("/v1/verify", params={"folds": str(folds).lower()})).json()
    findings = tuple(Finding(**finding) for finding in told["findings"])
    return Report(findings, told["ledger_hash"], tuple(told.get("warnings", ())), told["rows"])
