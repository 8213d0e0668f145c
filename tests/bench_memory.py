"""What a worker's memory comes to: of deal after deal through all of the pipeline, its size every tenth.

`python -m tests.bench_memory DEALS` shows it (1,000,000), as does `make bench`. A worker keeps nothing for
ever: the last tenths should be no larger than those before, for its caches are full by then.
"""

import shutil
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from infra.gc_tuning import collect_rarely
from infra.processes.stack import Stack
from ingest.publish.publisher import publish, publish_terms
from schemas.settings import Settings
from tests.synthetic import Synthetic

CLIENTS = 10_000
DEALS = 1_000_000
STEPS = 10
MAX_WAITING = 50_000
"""Deals published before they are waited for: a backlog of all would be Kafka's memory, not the worker's."""


def table(folder: Path, deals: int = DEALS, clients: int = CLIENTS) -> Table:
    """Resident megabytes of the worker and of the server after each tenth."""
    broker, step = Synthetic(clients, deals), deals // STEPS
    found = Table(title=f"memory, {clients:,} clients, one worker, RocksDB")
    for name in ("deals", "worker MB", "server MB", "deals/s"):
        found.add_column(name, justify="right")
    with Stack(Settings(data_dir=folder, partitions=4, api_port=0)) as stack:
        publish_terms(broker.terms(), stack.kafka)
        publish(broker.crm(), stack.kafka)
        stack.drain()
        running = stack.processes[0].running
        assert running is not None, "drained by a worker"
        trades = broker.each_trade()
        for number in range(1, STEPS + 1):
            started = time.perf_counter()
            for size in _pieces(step):
                publish(islice(trades, size), stack.kafka)
                stack.drain()
            rate = step / (time.perf_counter() - started)
            found.add_row(f"{number * step:,}", f"{_mb(running.pid):,.0f}", f"{_mb():,.0f}", f"{rate:,.0f}")
    return found


def _pieces(step: int) -> list[int]:
    """The sizes in which so many are published."""
    return [min(MAX_WAITING, step - start) for start in range(0, step, MAX_WAITING)]


def _mb(pid: int | None = None) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def main() -> None:
    """The table of so many deals."""
    collect_rarely()
    folder = Path(tempfile.mkdtemp(prefix="ibflow-bench-"))
    try:
        Console().print(table(folder, int(sys.argv[1]) if len(sys.argv) > 1 else DEALS))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
