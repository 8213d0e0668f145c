"""The reference bridge against the real endpoint and Kafka, with everything that can be killed killed."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.connect.topics import ensure_topics
from schemas.topics import ACCOUNT_BOOK
from tests import services
from tests.eventually import eventually
from tests.ingest.push.push_server import MT5_TOKEN, Log, push_server

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "examples"))

from bridge.outbox import Outbox, OutboxFull  # noqa: E402 # the example is a package beside the project's
from bridge.sender import Endpoint, send_all  # noqa: E402

DEALS = 1_500
KILLS = 5
START_S = 1_748_858_400


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with services.kafka(tmp_path_factory.mktemp("kafka")) as bootstrap:
        ensure_topics(bootstrap, 4, 1)
        yield bootstrap


@pytest.fixture
def log(kafka: str) -> Iterator[Log]:
    found = Log(kafka)
    yield found
    found.close()


def happened(event: str, deal: int, price: str, at_s: int) -> str:
    record = {
        "Deal": str(deal), "Login": str(5000 + deal % 5), "Action": "0", "Entry": "0", "Reason": "0",
        "Time": str(at_s), "TimeMsc": str(at_s * 1000), "Symbol": "EURUSD", "Price": price, "Volume": "100",
        "Profit": "0", "Storage": "0", "Commission": "-1", "PositionID": str(deal), "Currency": "USD",
    }  # fmt: skip
    return json.dumps({"event": event, "record": record})


def newest(records: list[Any]) -> dict[str, Decimal]:
    """Each deal's price as the fold knows it: a revision seen before does nothing, a new one replaces."""
    seen: set[tuple[str, str]] = set()
    prices = {}
    for record in records:
        if (record.deal_id, record.revision) not in seen:
            seen.add((record.deal_id, record.revision))
            prices[record.deal_id] = record.price
    return prices


def test_nothing_is_lost_whatever_is_killed(kafka: str, log: Log, tmp_path: Path) -> None:
    """Deals happen and are edited while bridge and endpoint are killed: each deal's newest state arrives."""
    server, outbox = tmp_path / "server.jsonl", tmp_path / "outbox.sqlite"
    server.touch()
    dice = random.Random(7)
    expected: dict[str, Decimal] = {}

    def trade() -> None:
        with server.open("a", encoding="utf-8") as file:
            for deal in range(1, DEALS + 1):
                price = f"1.{dice.randrange(10**5):05}"
                expected[str(deal)] = Decimal(price)
                file.write(happened("OnDealAdd", deal, price, START_S + deal) + "\n")
                if deal > 20 and deal % 7 == 0:
                    edited, price = deal - dice.randrange(20), f"2.{deal:05}1"
                    expected[str(edited)] = Decimal(price)
                    file.write(happened("OnDealUpdate", edited, price, START_S + edited) + "\n")
                file.flush()
                time.sleep(0.008)

    trading = threading.Thread(target=trade)
    trading.start()
    url = "http://127.0.0.1:1"  # nobody is there at first
    for life in range(KILLS + 1):
        is_last = life == KILLS
        if is_last:
            trading.join()
        with push_server(kafka, tmp_path) as address:
            url = address if life else url
            command = [sys.executable, str(ROOT / "tests" / "ingest" / "push" / "bridge_process.py")]
            with subprocess.Popen([*command, str(server), str(outbox), url, MT5_TOKEN]) as bridge:
                if is_last:
                    wait_until_sent(outbox, str(START_S + DEALS))
                else:
                    time.sleep(dice.uniform(0.6, 3.5))
                bridge.send_signal(signal.SIGKILL)
                bridge.wait()
    assert expected == newest(log.records(ACCOUNT_BOOK))


def wait_until_sent(path: Path, trusted: str) -> None:
    def is_sent() -> bool:
        with closing(Outbox(path)) as outbox:
            return outbox.note("trusted_until") == trusted and not len(outbox)

    eventually(is_sent, within=60, every=0.2)


def test_a_batch_keeps_its_key_over_a_restart(tmp_path: Path) -> None:
    """What was under way is sent again as the same batch, whatever was added meanwhile."""
    outbox = Outbox(tmp_path / "o.sqlite")
    outbox.add(["a", "b", "c"])
    first = outbox.batch(2, 1_000)
    outbox.close()
    outbox = Outbox(tmp_path / "o.sqlite")
    outbox.add(["d"])
    assert first is not None
    assert first == outbox.batch(500, 1_000)
    assert ["a", "b"] == list(first.rows)
    outbox.done(first)
    rest = outbox.batch(500, 1_000)
    assert rest is not None
    assert (["c", "d"], True) == (list(rest.rows), rest.key != first.key)
    outbox.close()


def test_what_happened_meanwhile_is_newer_than_what_was_read(tmp_path: Path) -> None:
    """A deal read again gives way to its own events; the others are kept, before the events."""
    outbox = Outbox(tmp_path / "o.sqlite")
    outbox.stage([("7", "left from a crash")])
    outbox.unstage()
    outbox.stage([("1", "read 1"), ("2", "read 2"), ("3", "read 3")])
    assert outbox.batch(10, 1_000) is None
    assert 4 == outbox.release([("2", "added 2"), ("2", "edited 2")])
    batch = outbox.batch(10, 1_000)
    assert batch is not None
    assert ["read 1", "read 3", "added 2", "edited 2"] == list(batch.rows)
    outbox.close()


def test_a_full_outbox_takes_all_or_nothing(tmp_path: Path) -> None:
    """Rows beyond the bound are refused together; a batch is bounded in bytes but never empty."""
    outbox = Outbox(tmp_path / "o.sqlite", max_rows=3)
    outbox.add(["long row", "b"])
    with pytest.raises(OutboxFull):
        outbox.add(["c", "d"])
    assert 2 == len(outbox)
    batch = outbox.batch(500, 1)
    assert batch is not None
    assert ["long row"] == list(batch.rows)
    outbox.close()


def test_a_refusal_keeps_everything(kafka: str, tmp_path: Path) -> None:
    """With a wrong token nothing is sent and nothing is lost; with the right one all of it arrives."""
    outbox, stop = Outbox(tmp_path / "o.sqlite"), threading.Event()
    outbox.add([happened("OnDealAdd", 1, "1.1", START_S)])
    with push_server(kafka, tmp_path) as url:
        for token, left in (("wrong", 1), (MT5_TOKEN, 0)):
            stop.clear()
            sending = threading.Thread(
                target=send_all, args=(outbox, Endpoint(url, token, "mt5-manager"), stop)
            )
            sending.start()
            eventually(lambda: len(outbox) == left)  # noqa: B023  - it is asked here
            time.sleep(0.3)
            stop.set()
            sending.join()
            assert left == len(outbox)
    outbox.close()
