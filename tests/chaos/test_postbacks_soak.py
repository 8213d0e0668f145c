"""100,000 events to a receiver that does everything wrong while the dispatcher is killed: none is lost.

The short forms, a few hundred events each, are in `tests/infra/postbacks/test_dispatcher.py`.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from infra.connect.settings import prepare_topics
from infra.postbacks.desk import EndpointDesk
from infra.postbacks.log import EndpointLog, KafkaLog, publish_deliveries
from schemas.settings import OwnSettings
from tests import services
from tests.endpoint_world import ANNA, KEY, SECRET, delivery, keys, near
from tests.eventually import eventually
from tests.infra.postbacks.flaky_receiver import WRONG, Flaky, flaky

EVENTS = 100_000
KILLS = 10
PARTITIONS = 4
CONCURRENCY = 64
PROBES = 100
"""Events to the healthy endpoint, each after the one before has arrived."""
PUBLISH_AT_ONCE = 10_000
NOT_DURABLE = 500
"""Results of one partition that a kill may repeat, beside what is under way."""


@contextmanager
def dispatcher(kafka: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`ibflow dispatch` in a process of its own."""
    settings = {
        **os.environ, "IBFLOW_DATA_DIR": str(folder), "IBFLOW_KAFKA": kafka,
        "IBFLOW_PARTITIONS": str(PARTITIONS), "IBFLOW_POSTBACK_KEYS": KEY,
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "infra.cli", "dispatch"], env=settings)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def p95_ms(kafka: str, well: Flaky, phase: str) -> float:
    """From before an event is written to its arrival, of the healthy endpoint."""
    took: list[float] = []
    for number in range(PROBES):
        one = delivery(endpoint="well", client=f"{phase}-{number}")
        begun = time.monotonic()
        publish_deliveries([one], kafka)
        name = f"msg_{one.event.milestone_id}"
        eventually(lambda name=name: name in well.taken, 60, every=0.002)
        took.append((well.first_at[name] - begun) * 1_000)
    return sorted(took)[PROBES * 95 // 100]


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_a_hundred_thousand_events_through_ten_kills(tmp_path: Path) -> None:
    """Every event arrives; what the receiver took twice has one id, was under way at a kill, is counted."""
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    with (
        services.kafka(tmp_path / "kafka") as kafka,
        flaky(Flaky(seed=seed)) as sick,
        flaky(Flaky(seed=seed, wrong_percent=0)) as well,
    ):
        prepare_topics(OwnSettings(kafka=kafka, partitions=PARTITIONS), kafka)
        desk = EndpointDesk(EndpointLog(KafkaLog(kafka)), keys, may_be_private=True)
        wrong = near(sick.url, id="sick", timeout=1, concurrency=CONCURRENCY, must_not_match="success=false")
        desk.save(wrong, SECRET, ANNA, is_new=True)
        desk.save(near(well.url, id="well"), SECRET, ANNA, is_new=True)
        with dispatcher(kafka, tmp_path / "data"):
            alone = p95_ms(kafka, well, "alone")
            for start in range(0, EVENTS, PUBLISH_AT_ONCE):
                some = range(start, start + PUBLISH_AT_ONCE)
                publish_deliveries((delivery(endpoint="sick", client=f"c-{n}") for n in some), kafka)
            eventually(lambda: sum(sick.asked.values()) > 1_000, 120)
            beside, begun, before = p95_ms(kafka, well, "beside"), time.monotonic(), len(sick.taken)
        for _ in range(KILLS - 1):  # the first was killed just now
            target = len(sick.taken) + chance.randrange((EVENTS - before) // (KILLS + 2))
            with dispatcher(kafka, tmp_path / "data") as process:
                eventually(lambda target=target: len(sick.taken) >= target, 600)
                process.send_signal(signal.SIGKILL)
        with dispatcher(kafka, tmp_path / "data"):
            eventually(lambda: len(sick.taken) >= EVENTS, 1_800, why=lambda: (len(sick.taken), sick.did))
            took_s = time.monotonic() - begun
    twice = sum(times - 1 for times in sick.taken.values())
    rate = (EVENTS - before) / took_s
    Console().print(
        f"seed {seed}: {EVENTS:,} events, {sum(sick.asked.values()):,} requests, {twice} taken twice in "
        f"{KILLS} kills, {rate:,.0f} events/s; p95 of the healthy endpoint {alone:.0f} ms alone, "
        f"{beside:.0f} ms beside the sick one; {dict(sick.did)}"
    )
    assert set(sick.taken) == {f"msg_mc-{number}-1" for number in range(EVENTS)}
    assert twice <= KILLS * (CONCURRENCY + PARTITIONS * NOT_DURABLE)
    assert set(WRONG) <= set(sick.did)
    assert beside < 4 * alone + 200
