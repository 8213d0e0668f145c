"""`make bench-quick`: whether a deal still costs what it did, in a minute, on a machine that is busy.

Counted are seconds of CPU, not of the clock: deals for each second of each process, over the records a second
of a raw loop in the same run, which decodes and encodes each by pydantic: who else is on the machine slows
down both. Each figure is the best of some rounds; what is below 85 % of the kept table is measured again, and
if it stays below, that fails. `--keep` writes the table. On another kind of CPU it is shown, and decides
nothing. What ClickHouse does in threads of its own is left out: when it merges is its own affair.
"""

import json
import platform
import shutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from commission.events import AccountLinked, Deal
from infra.gc_tuning import collect_rarely
from infra.processes.stack import Stack
from ingest.publish.publisher import publish, publish_terms
from schemas import topics
from schemas.settings import Settings
from schemas.wire import encode
from streams.in_memory import LocalPipeline
from tests import bench
from tests.synthetic import Synthetic

KEPT = Path(__file__).with_name("bench_quick.json")
LEAST = 0.85
ATTEMPTS = 3
CLIENTS, DEALS, ROUNDS = 500, 10_000, 3
PIPELINE_DEALS = 20_000


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has had."""
    spent = psutil.Process(pid).cpu_times()
    return float(spent.user + spent.system)


def sink_s() -> float:
    """Seconds of CPU that the sink's thread has had: what ClickHouse does beside it is not in here."""
    number = next(one.native_id for one in threading.enumerate() if one.name == "sink")
    return next(one.user_time + one.system_time for one in psutil.Process().threads() if one.id == number)


def raw_loop(deals: Sequence[Deal]) -> float:
    """Records a second of CPU: decoded and encoded, and nothing else."""
    read, write = bench.codecs()["pydantic"]
    message, spent = b"\n".join(encode(deals)), []
    for _ in range(ROUNDS):
        started = time.process_time()
        write(read(message))
        spent.append(time.process_time() - started)
    return len(deals) / min(spent)


def stages(broker: Synthetic, deals: Sequence[Deal]) -> float:
    """Deals a second of CPU through all stages in memory, from a topic's bytes to the next one's."""
    events = broker.crm()
    spent = []
    for _ in range(ROUNDS):
        pipeline = LocalPipeline()
        pipeline.feed_batch(topics.TERMS, [*broker.terms()])
        pipeline.feed_batch(topics.ACCOUNT_BOOK, [one for one in events if isinstance(one, AccountLinked)])
        pipeline.feed_batch(topics.CLIENT_BOOK, [one for one in events if not isinstance(one, AccountLinked)])
        started = time.process_time()
        pipeline.feed_batch(topics.ACCOUNT_BOOK, [*deals])
        spent.append(time.process_time() - started)
    return len(deals) / min(spent)


def processes(folder: Path) -> dict[str, float]:
    """Deals a second of CPU of a worker, and of the server's sink."""
    broker = Synthetic(CLIENTS, PIPELINE_DEALS * ROUNDS)
    trades, found = broker.trades(), defaultdict[str, list[float]](list)
    with Stack(Settings(data_dir=folder, partitions=4, api_port=0)) as stack:
        publish_terms(broker.terms(), stack.kafka)
        publish(broker.crm(), stack.kafka)
        stack.drain()
        running = stack.processes[0].running
        assert running is not None, "drained by a worker"
        for start in range(0, len(trades), PIPELINE_DEALS):
            worker, sink = cpu_s(running.pid), sink_s()
            publish(trades[start : start + PIPELINE_DEALS], stack.kafka)
            stack.drain()
            found["worker"].append(cpu_s(running.pid) - worker)
            found["sink"].append(sink_s() - sink)
    return {name: PIPELINE_DEALS / min(spent) for name, spent in found.items()}


def measure(folder: Path) -> dict[str, float]:
    """Each rate, over that of the raw loop."""
    broker = Synthetic(CLIENTS, DEALS)
    deals = broker.trades()
    raw = raw_loop(deals)
    rates = {"fold of the client book": bench.fold(broker), "all stages in memory": stages(broker, deals)}
    rates |= processes(folder)
    raw = max(raw, raw_loop(deals))
    return {name: round(rate / raw, 3) for name, rate in rates.items()}


def cpu() -> str:
    """The kind of CPU, as the system names it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def measured() -> dict[str, float]:
    """Measure in a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ibflow-bench-"))
    try:
        return measure(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def slower(found: dict[str, float], kept: dict[str, float]) -> list[str]:
    """What is below the least share of the kept table."""
    return [name for name, ratio in found.items() if ratio < LEAST * kept[name]]


def main() -> None:
    """Measure, compare, and exit with 1 if something got slower."""
    collect_rarely()
    found = measured()
    if "--keep" in sys.argv:
        KEPT.write_text(json.dumps({"cpu": cpu(), "ratios": found}, indent=1) + "\n")
    table = json.loads(KEPT.read_text())
    kept: dict[str, float] = table["ratios"]
    is_same = table["cpu"] == cpu()
    for _ in range(ATTEMPTS - 1):
        if not is_same or not slower(found, kept):
            break
        found = {name: max(ratio, found[name]) for name, ratio in measured().items()}
    print_table(found, kept)
    if not is_same:
        sys.stdout.write(f"kept on another CPU ({table['cpu']}): shown, and not compared\n")
    elif names := slower(found, kept):
        sys.exit(f"slower than kept: {', '.join(names)}")


def print_table(found: dict[str, float], kept: dict[str, float]) -> None:
    """Each ratio beside the kept one."""
    table = Table("deals a second of CPU, over the raw loop's records", "now", "kept", "of it")
    for name, ratio in found.items():
        table.add_row(name, f"{ratio:.3f}", f"{kept[name]:.3f}", f"{ratio / kept[name]:.0%}")
    Console().print(table)


if __name__ == "__main__":
    main()
