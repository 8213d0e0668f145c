"""The bench's questions as a person would put them to the rows: one SQL for ClickHouse, `FINAL`, and DuckDB.

DuckDB reads Parquet files, one a month, of the same rows; ClickHouse writes them once.
"""

import random
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from clickhouse_connect.driver.client import Client

from api.ledger import SETTINGS
from tests import sized_ledger

THREADS = 2
COLUMNS = (
    "transfer_id, code, debit, credit, amount, currency, ib_id, occurred_at, caused_by, client_id, "
    "account_key, component, symbol, lots"
)
_SUMS = """
SELECT {group}, currency, sum(amount) AS amount, count(DISTINCT caused_by) AS deals FROM {rows}
WHERE code = 'accrual'{inside}{of_ib} GROUP BY {group}, currency ORDER BY {group}, currency
"""
_NEWEST = f"SELECT {COLUMNS} FROM {{rows}} WHERE ib_id = '{{ib}}' ORDER BY occurred_at DESC LIMIT 50"  # noqa: S608
_ONE = f"SELECT {COLUMNS} FROM {{rows}} WHERE transfer_id = '{{id}}'"  # noqa: S608  - ids of the bench

Plain = Callable[[random.Random], dict[str, str]]
"""The values of a question, all texts of the bench's own making."""


def sums(group: str, *, is_year: bool = False, ibs: str = "") -> tuple[str, Plain]:
    """Of a month or the year; of all IBs, of one with those right below it, or of one alone."""

    def values(dice: random.Random) -> dict[str, str]:
        starts_at, ends_at = dice.choice(sized_ledger.months())
        inside = f" AND occurred_at >= '{_text(starts_at)}' AND occurred_at < '{_text(ends_at)}'"
        number = dice.randrange(sized_ledger.IBS)
        last = number * sized_ledger.FANOUT + sized_ledger.FANOUT
        own = [number, *range(last - sized_ledger.FANOUT + 1, last + 1)] if ibs == "tree" else [number]
        names = ", ".join(f"'ib-{one:03}'" for one in own)
        return {
            "group": group,
            "inside": "" if is_year else inside,
            "of_ib": f" AND ib_id IN ({names})" if ibs else "",
        }

    return _SUMS, values


def newest_rows() -> tuple[str, Plain]:
    """The newest transfers of an IB."""
    return _NEWEST, lambda dice: {"ib": f"ib-{dice.randrange(sized_ledger.IBS):03}"}


def one() -> tuple[str, Plain]:
    """A transfer by its id alone, of those that came through the sink."""
    return _ONE, lambda dice: {"id": f"sink{dice.randrange(1_000):028}"}


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def write_parquet(client: Client, folder: Path) -> float:
    """Every row once, a file a month, by ClickHouse; the seconds it took."""
    folder.mkdir(exist_ok=True)
    started = time.perf_counter()
    months = client.query("SELECT DISTINCT toYYYYMM(occurred_at) AS month FROM transfers ORDER BY month")
    for (month,) in months.result_rows:
        client.command(
            f"INSERT INTO FUNCTION file('{folder / str(month)}.parquet', 'Parquet') SELECT {COLUMNS}"  # noqa: S608
            " FROM transfers FINAL WHERE toYYYYMM(occurred_at) = {month:UInt32}",
            parameters={"month": month},
            settings={**SETTINGS, "max_execution_time": 0, "output_format_parquet_string_as_string": 1},
        )
    return time.perf_counter() - started


def in_clickhouse(client: Client) -> Callable[[str], object]:
    """Ask the rows as they are stored."""
    return lambda sql: client.query(sql.replace("{rows}", "transfers FINAL"), settings=SETTINGS).result_rows


def in_duckdb(folder: Path) -> Callable[[str], Any]:
    """Ask the files, with as many threads as the targets are for."""
    base = duckdb.connect(config={"threads": THREADS})
    base.execute("SET TimeZone = 'UTC'")
    files = f"read_parquet('{folder}/*.parquet')"
    return lambda sql: base.execute(sql.replace("{rows}", files)).fetchall()


def median_ms(ask: Callable[[str], object], question: tuple[str, Plain], seed: str, count: int) -> float:
    """Of a few askings; the same values for the same seed."""
    sql, values = question
    dice, found = random.Random(seed), []
    for _ in range(count):
        asked = sql.format(rows="{rows}", **values(dice))
        started = time.perf_counter()
        ask(asked)
        found.append((time.perf_counter() - started) * 1000)
    return sorted(found)[count // 2]
