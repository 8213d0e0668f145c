"""`python -m tests.bench_push [requests]`: deals a second over HTTP, `ibflow receive` to real Kafka.

Batches of 500 deals as the MT5 Manager API tells them, gzipped lines, eight connections; the server is a
process of its own, and every answer waits for Kafka's acknowledgement.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path

import httpx
import psutil

from infra.local_kafka.local import LocalKafka

REQUESTS, ROWS, CONNECTIONS = 200, 500, 8
TOKEN = "bench"  # noqa: S105 # of a server that lives for a minute
TERMS = Path(__file__).parent.parent / "examples" / "broker" / "terms"
AT_S = 1_748_858_400


def record(number: int) -> dict[str, object]:
    """A deal with every field the Manager API has, numbers typed as its Python package gives them."""
    return {
        "Deal": number, "ExternalID": "", "Login": 100_000 + number % 5_000, "Dealer": 0, "Order": number,
        "Action": number % 2, "Entry": number % 2, "Reason": number % 2, "Digits": 5, "DigitsCurrency": 2,
        "ContractSize": 100_000.0, "Time": AT_S + number // 50, "TimeMsc": (AT_S + number // 50) * 1000 + 123,
        "Symbol": ("EURUSD", "XAUUSD", "GBPUSD.e")[number % 3], "Price": 1.1 + number % 100 / 1e5,
        "PriceSL": 0.0, "PriceTP": 0.0, "PricePosition": 1.1, "Volume": 1_000, "VolumeExt": 10_000_000,
        "VolumeClosed": 0, "VolumeClosedExt": 0, "Profit": number % 977 / 100,
        "ProfitRaw": number % 977 / 100,
        "Value": 110.0, "Storage": 0.0, "Commission": -0.35, "Fee": 0.0, "RateProfit": 1.0, "RateMargin": 1.1,
        "ExpertID": 0, "PositionID": number // 2 + 1, "Comment": "", "TickValue": 0.0, "TickSize": 0.0,
        "Flags": 0, "Gateway": "", "PriceGateway": 0.0, "VolumeGatewayExt": 0, "ModificationFlags": 0,
        "MarketBid": 1.1, "MarketAsk": 1.10002, "Currency": "USD", "Group": "real\\std",
    }  # fmt: skip


def batch(numbers: Iterator[int]) -> bytes:
    """The body of one request."""
    rows = ({"event": "OnDealAdd", "record": record(next(numbers))} for _ in range(ROWS))
    return gzip.compress(b"\n".join(json.dumps(row).encode() for row in rows), 1)


@contextmanager
def receiving(kafka: str, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """`ibflow receive` in a process of its own: its address and the process."""
    bridges = folder / "bridges.yaml"
    digest = sha256(TOKEN.encode()).hexdigest()
    bridges.write_text(f"bridges: [{{name: bench, server: mt5-live, token_sha256: {digest}}}]\n")
    settings = {
        "IBFLOW_KAFKA": kafka,
        "IBFLOW_DATA_DIR": str(folder),
        "IBFLOW_PARTITIONS": "8",
        "IBFLOW_BRIDGES_FILE": str(bridges),
        "IBFLOW_TERMS_DIR": str(TERMS),
        "IBFLOW_PUSH_PORT": "0",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "infra.cli", "receive"]
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().decode().split()[1], psutil.Process(process.pid)
        finally:
            process.terminate()


def push_rate(kafka: str, folder: Path, requests: int) -> tuple[float, float, float]:
    """Deals a second, the server's CPU seconds for each of them, and its median answer in seconds."""
    numbers = count(1)
    bodies = [batch(numbers) for _ in range(requests)]
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/x-ndjson",
        "Content-Encoding": "gzip",
    }
    with receiving(kafka, folder) as (url, process), httpx.Client(headers=headers, timeout=60) as client:

        def send(body: bytes) -> float:
            started = time.perf_counter()
            answer = client.post(f"{url}?dialect=mt5-manager", content=body)
            assert answer.status_code == 200, answer.text[:500]
            return time.perf_counter() - started

        send(bodies[0])
        cpu, started = sum(process.cpu_times()[:2]), time.perf_counter()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            taken = sorted(pool.map(send, bodies[1:]))
        seconds = time.perf_counter() - started
        deals = (requests - 1) * ROWS
        return deals / seconds, (sum(process.cpu_times()[:2]) - cpu) / deals, taken[len(taken) // 2]


def main() -> None:
    """Measure and print."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    with tempfile.TemporaryDirectory(prefix="ibflow-bench-") as name:
        folder = Path(name)
        with LocalKafka().running(folder / "kafka") as kafka:
            rate, cpu, median = push_rate(kafka.bootstrap_servers, folder, requests)
    told = f"{rate:,.0f} deals/s in batches of {ROWS}, {cpu * 1e6:.0f} µs of the server's CPU a deal"
    sys.stdout.write(f"{told}, median answer {median * 1000:.0f} ms\n")


if __name__ == "__main__":
    main()
