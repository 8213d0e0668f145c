"""The real pipeline, told in any order, while workers come and go: one ledger."""

import random
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from commission.ledger import ledger_hash
from infra.commands.rate import rate
from infra.processes.child_process import Process
from infra.processes.stack import Stack
from infra.verify.invariants import read_transfers, verify
from ingest.publish.publisher import publish, publish_terms
from schemas.settings import Settings
from schemas.wire import Record
from tests import services
from tests.build import (
    SYMBOLS,
    D,
    chargeback,
    cpa,
    deal,
    deposit,
    ended,
    exchange,
    kyc,
    linked,
    partner,
    per_lot,
    period,
    plan,
    registered,
    spread,
)

SEED = 20260901
CLIENTS = 120
DEALS_EACH = 12
CHUNKS = 24
CHUNK_SECONDS = 0.5
WORKERS = (1, 2, 3, 1)
CONDITIONS: dict[str, Any] = {"min_deposit": D(200), "min_lots": D(2)}

TERMS: list[Record] = [
    *SYMBOLS,
    plan("gold USD", per_lot("class:forex=7 *=2.5"), spread("*=0.3", cap="20"), cpa("400", **CONDITIONS)),
    plan("silver USD", per_lot("*=6", entry="both"), cpa("300", **CONDITIONS)),
    plan("bronze USD", per_lot("EURUSD=5.25"), spread("*=0.2", average="EURUSD=1.2"), kyc_gate=True),
    partner("ib-top USD gold"),
    partner("ib-mid JPY silver ib-top"),
    period("2026-09"),
]
LATE_TERMS: list[Record] = [
    partner("ib-north USD bronze ib-mid"),
    partner("ib-south USD silver ib-top"),
    exchange("USD/JPY 150", day=0),
]


def threads(chance: random.Random) -> list[list[Record]]:
    """What happens to each client; only the revisions of one deal have an order among themselves."""
    found: list[list[Record]] = []
    for login in range(1, CLIENTS + 1):
        client = f"client-{login}"
        ib_id = chance.choice((" ib-north", " ib-mid", " ib-south", " ib-top", ""))
        found.append([linked(f"{login} {client}")])
        found.append([registered(f"{client}{ib_id}", day=chance.randint(1, 5))])
        if chance.random() < 0.6:
            found.append([kyc(f"{client} approved", day=chance.randint(1, 28))])
        for number in range(chance.randint(0, 3)):
            name, amount = f"{client} {client}-{number}", chance.choice((50, 150, 200, 900))
            money = f"{name} {amount} {chance.choice(('USD', 'USD', 'JPY'))}"
            found.append([deposit(money, day=chance.randint(1, 9), hour=chance.randint(0, 23))])
            if chance.random() < 0.3:
                found.append([chargeback(name, day=chance.randint(10, 60))])
        found += [revisions(chance, login, number) for number in range(DEALS_EACH)]
    return found


def revisions(chance: random.Random, login: int, number: int) -> list[Record]:
    """A deal as it was told first, then changed or cancelled, each perhaps twice."""
    lots = D(chance.randint(1, 500)) / 100
    name = chance.choice(("EURUSD", "EURUSD", "USDJPY", "XAUUSD"))
    side, entry = chance.choice(("buy", "sell")), chance.choice(("in", "out", "out"))
    text = f"{login * 1000 + number} {side} {lots} {name} {entry}"
    first = deal(text, day=chance.randint(1, 28), hour=chance.randint(0, 23), login=login)
    thread = [first]
    if chance.random() < 0.2:
        thread.append(replace(first, revision="changed", volume_e8=first.volume_e8 + 10**7))
    if chance.random() < 0.1:
        thread.append(replace(first, revision="gone", kind="cancelled"))
    return [record for record in thread for _ in range(chance.choice((1, 1, 1, 2)))]


def shuffled(found: list[list[Record]], chance: random.Random) -> list[Record]:
    """Any order between threads, each thread's own kept."""
    turns = [number for number, thread in enumerate(found) for _ in thread]
    chance.shuffle(turns)
    waiting = [iter(thread) for thread in found]
    return [next(waiting[turn]) for turn in turns]


def scale(stack: Stack, workers: int) -> None:
    """Start or end workers until there are so many."""
    while len(stack.processes) > workers:
        stack.processes.pop().stop()
    for number in range(len(stack.processes) + 1, workers + 1):
        name, folder = f"worker-{number}", stack.settings.data_dir
        environment = {"IBFLOW_KAFKA": stack.kafka, "IBFLOW_DATA_DIR": str(folder), "IBFLOW_STORE": "rocksdb"}
        process = Process(name, ["worker", "--instance", name], folder / f"{name}.log", environment)
        process.start()
        stack.processes.append(process)


@pytest.mark.timeout(600)
def test_any_order_under_rebalances_gives_one_ledger(tmp_path: Path) -> None:
    """Deals before their account, closings before openings, chargebacks before deposits, KYC before
    registrations, terms in the middle, duplicates and revisions anywhere; 1 → 2 → 3 → 1 workers meanwhile."""
    chance = random.Random(SEED)
    found = threads(chance)
    expected, digest = rate(
        [*TERMS, *LATE_TERMS], [record for thread in found for record in thread] + [ended("2026-09")]
    )
    records = shuffled(found, chance)
    settings = Settings(data_dir=tmp_path, partitions=6, api_port=0, store="rocksdb")
    with Stack(services.prepared(settings)) as stack:
        publish_terms(TERMS, stack.kafka)
        size = len(records) // CHUNKS + 1
        for number in range(CHUNKS):
            scale(stack, WORKERS[number * len(WORKERS) // CHUNKS])
            if number == CHUNKS // 2:
                publish_terms(LATE_TERMS, stack.kafka)
            publish(records[number * size : (number + 1) * size], stack.kafka)
            time.sleep(CHUNK_SECONDS)
        stack.drain()
        stack.end_periods(["2026-09"])
        stack.drain()
        rows, report = list(read_transfers(stack.server.client)), verify(stack.server.client)
    assert digest == ledger_hash(rows)
    assert report.holds, report
    assert any(one.type == "transfer" and one.code == "reversal" for one in expected)
