"""How fast a million rows of a server's database become events: `python -m tests.bench_sql [rows]`."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import pymysql

from commission.events import Deal
from ingest.mt5.sql import Mt5Sql
from ingest.server_time import parse_rule
from ingest.sources import ServerProfile
from ingest.sql.database import Address, Database
from tests.ingest.sql_server import FILETIME_OF_1970, MT5_DEALS
from tests.peak import peak_mb
from tests.services import mariadb

ROWS = 1_000_000
FIRST_S = 1_788_220_800
"""1 September 2026, in seconds; every deal is one second after the one before."""
FILL = """
INSERT INTO mt5_deals (`Deal`, `Timestamp`, `Login`, `Action`, `Entry`, `Reason`, `ContractSize`, `Time`,
  `TimeMsc`, `Symbol`, `Price`, `VolumeExt`, `Volume`, `Profit`, `Commission`, `RateProfit`, `PositionID`,
  `Comment`)
SELECT seq, {epoch} + ({first} + seq) * 10000000, 5000 + seq % 3000, seq % 2, seq % 2, seq % 3, 100000,
  FROM_UNIXTIME({first} + seq), FROM_UNIXTIME({first} + seq + 0.445),
  ELT(1 + seq % 3, 'EURUSD', 'XAUUSD', 'US500'), 1.1 + (seq % 9973) / 100000, 1000000 * (1 + seq % 200),
  100 * (1 + seq % 200), (seq % 2) * (seq % 1999) / 100, -0.07 * (1 + seq % 200), seq % 2,
  1 + seq DIV 2, 'EA'
FROM seq_1_to_{rows}
"""


class Polled(NamedTuple):
    """What one poll from the beginning took."""

    rows: int
    seconds: float
    cpu_s: float
    grown_mb: float
    """Growth of the process's peak memory while it read."""


def poll_all(rows: int = ROWS) -> Polled:
    """Fill a table on a real MariaDB and read it from the beginning."""
    with tempfile.TemporaryDirectory() as folder, mariadb(Path(folder) / "mariadb") as address:
        own = _fill(address, rows)
        source = Mt5Sql(Database(own), ServerProfile("live", "mt5", parse_rule("UTC"), currency="USD"))
        before, started, cpu = peak_mb(), time.perf_counter(), time.process_time()
        found = sum(isinstance(item, Deal) for page in source.poll("") for item in page.items)
        taken, cpu = time.perf_counter() - started, time.process_time() - cpu
        assert found == rows
        return Polled(rows, taken, cpu, peak_mb() - before)


def line(polled: Polled) -> str:
    """One line for a person."""
    return (
        f"SQL poll: {polled.rows:,} rows to events in {polled.seconds:.1f} s,"
        f" {polled.rows / polled.seconds:,.0f} rows/s, {polled.rows / polled.cpu_s:,.0f} a CPU second;"
        f" memory grew by {polled.grown_mb:.0f} MB"
    )


def _fill(address: str, rows: int) -> Address:
    parts = urlsplit(address)
    who: dict[str, Any] = {
        "host": parts.hostname,
        "port": parts.port,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }
    with pymysql.connect(**who, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE bench")
        cursor.execute("USE bench")
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute(MT5_DEALS.format(name="mt5_deals"))
        cursor.execute(FILL.format(epoch=FILETIME_OF_1970, first=FIRST_S, rows=rows))
    return Address(database="bench", **who)


if __name__ == "__main__":
    sys.stdout.write(line(poll_all(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)) + "\n")
