"""Sweeps as they are stored, for tests of what is shown of them."""

from typing import Any

from clickhouse_connect.driver.client import Client

from schemas.reconciliations import Reconciliation
from tests.api.conftest import insert, reconciliation_row, utc


def sweep(number: int, **facts: Any) -> Reconciliation:
    """The sweep of 1 to 6 September, which found nothing to do."""
    usual: dict[str, Any] = {
        "reconciliation_id": f"sweep-{number}", "server": "live", "source": "mt5-deals-csv deals.csv",
        "starts_at": utc(1, 0), "ends_at": utc(6, 0), "started_at": utc(7, number),
        "finished_at": utc(7, number), "theirs": 4, "ours": 4, "missing": 0,
        "different": 0, "extra": 0, "disputed": 0, "unreadable": 0,
        "ingested": 0, "deleted": 0,
    }  # fmt: skip
    return Reconciliation(**(usual | facts))


def store(chdb: Client, *sweeps: Reconciliation) -> None:
    insert(chdb, "reconciliations", *(reconciliation_row(one, at) for at, one in enumerate(sweeps)))
