"""Deals per second from an MT5 Manager export to Kafka, and memory at two sizes of file.

`python -m tests.bench_ingest [rows]` shows the fast lane beside the row lane, each in a process of its own
with the same Kafka. CPU time is beside wall time, because a machine may be shared.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.connect.topics import ensure_topics
from infra.local_kafka.local import LocalKafka
from infra.sources.files import Input, feed, read_inputs
from ingest.counts import Counts
from ingest.publish.publisher import publish
from ingest.terms.servers import BrokerServer
from schemas.topics import ACCOUNT_BOOK
from tests.deals_file import write_deals
from tests.peak import peak_mb

ROWS = 1_000_000
ROW_LANE_SHARE = 10
"""The row lane gets a tenth of the rows: a rate is a rate."""
SMALL, LARGE = 500_000, 5_000_000
PARTITIONS = 4
SERVER = BrokerServer(
    server="Broker-Live01", platform="mt5", timezone="America/New_York+7h", margin_mode="hedging"
)


@dataclass(frozen=True, slots=True)
class Run:
    """One import: what it sent, how long it took, and the most memory it had."""

    deals: int
    wall_s: float
    cpu_s: float
    peak_mb: int

    @property
    def rate(self) -> str:
        """Deals a second by the clock, and by the importing process's CPU."""
        return f"{self.deals / self.wall_s:,.0f}"


def run(lane: str, path: Path, kafka: str) -> Run:
    """Import a file in a process of its own."""
    command = [sys.executable, "-m", "tests.bench_ingest", lane, str(path), kafka]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Run(**json.loads(told))


def imported(lane: str, path: Path, kafka: str) -> Run:
    """Import a file in this process."""
    inputs, counts = [Input(path, SERVER)], Counts()
    started, cpu = time.perf_counter(), time.process_time()
    report = feed(inputs, kafka, counts) if lane == "fast" else publish(read_inputs(inputs, counts), kafka)
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    return Run(report.records[ACCOUNT_BOOK], wall_s, cpu_s, int(peak_mb()))


def table(folder: Path, rows: int, sizes: tuple[int, ...] = ()) -> Table:
    """Both lanes on one Kafka, then the fast lane's memory on files of `sizes` rows."""
    folder.mkdir(exist_ok=True)
    found = Table(title="MT5 Manager deals CSV → Kafka, every delivery acknowledged")
    for name in ("what", "deals/s", "deals per CPU second", "peak memory"):
        found.add_column(name, justify="left" if name == "what" else "right")
    for lane, each, result in _runs(folder, rows, sizes):
        cpu = f"{result.deals / result.cpu_s:,.0f}"
        found.add_row(f"{lane} lane, {each:,} rows", result.rate, cpu, f"{result.peak_mb:,} MB")
    return found


def _runs(folder: Path, rows: int, sizes: tuple[int, ...]) -> Iterator[tuple[str, int, Run]]:
    with LocalKafka().running(folder / "kafka") as kafka:
        servers = kafka.bootstrap_servers
        ensure_topics(servers, PARTITIONS, 1)
        plan = [("fast", rows), ("row", rows // ROW_LANE_SHARE), *(("fast", size) for size in sizes)]
        for lane, each in plan:
            path = write_deals(folder / f"deals-{each}.csv", each)
            yield lane, each, run(lane, path, servers)
            path.unlink()


def main() -> None:
    """Measure and print; with a lane, a file and a Kafka, import and print the figures as JSON."""
    if len(sys.argv) == 4:
        json.dump(asdict(imported(sys.argv[1], Path(sys.argv[2]), sys.argv[3])), sys.stdout)
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    folder = Path(tempfile.mkdtemp(prefix="ibflow-bench-"))
    try:
        Console().print(table(folder, rows, (SMALL, LARGE) if len(sys.argv) < 2 else ()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
