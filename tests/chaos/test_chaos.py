"""Faults of every kind in processes, network, disk and input: nothing is lost, nothing is doubled.

`make test` runs a few, `make soak` hundreds; IBFLOW_SEED and IBFLOW_FAULTS choose others.
"""

import json
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from commission.events import LOT_E8
from commission.ledger import balances, ledger_hash
from commission.outputs import Transfer
from infra.archive.kafka_log import KafkaAt
from infra.commands.rate import rate
from infra.replay.compare import replay
from infra.verify.invariants import Finding, read_transfers, verify
from tests.chaos.driver import Chaos
from tests.chaos.feeder import Cursor
from tests.chaos.plan import plan
from tests.chaos.report import summarise, table, to_json
from tests.synthetic import RATES, Synthetic

SEED = int(os.environ.get("IBFLOW_SEED", "1"))
FAULTS_SHORT = int(os.environ.get("IBFLOW_FAULTS", "8"))
FAULTS_LONG = int(os.environ.get("IBFLOW_FAULTS", "220"))


def test_a_seed_gives_its_plan_again() -> None:
    """The same faults in the same order, every kind among them; another seed gives others."""
    first = plan(1, 200, has_folder=True, is_short=False)
    assert first == plan(1, 200, has_folder=True, is_short=False)
    assert first != plan(2, 200, has_folder=True, is_short=False)
    assert len({fault.kind for fault in first[:10]}) == 10


@pytest.mark.timeout(900)
def test_a_few_faults_lose_and_double_nothing(tmp_path: Path) -> None:
    """The short form: one fault of each of eight kinds."""
    assert [] == run(tmp_path, SEED, FAULTS_SHORT, is_short=True)


@pytest.mark.soak
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_hundreds_of_faults_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    """The long form: an odd seed keeps state in RocksDB, an even one in memory."""
    assert [] == run(tmp_path, seed, FAULTS_LONG // 2, is_short=False)


def run(folder: Path, seed: int, faults: int, *, is_short: bool) -> list[Finding]:
    """Run a plan of faults and compare its ledger with the undisturbed one and with sums by hand.

    Return the invariants that do not hold.
    """
    with Chaos(folder, seed, faults, is_short=is_short) as chaos:
        try:
            chaos.run()
        finally:
            tell(chaos)
        client = chaos.finish().client
        stored = list(read_transfers(client))
        broken = [finding for finding in verify(client).findings if not finding.holds]
        again = replay(KafkaAt(chaos.proxy.address), "Kafka", workers=0)
    assert again.holds
    hold_same(stored, chaos.broker)
    return broken


def tell(chaos: Chaos) -> None:
    """Print the report, and write it beside the logs."""
    lines, cursor = summarise(chaos.recoveries), Cursor.load(chaos.folder)
    disk = chaos.disk.words if chaos.settings.store == "rocksdb" else "none: state is in memory"
    facts = {
        "seed": chaos.seed,
        "store": chaos.settings.store,
        "disk": disk,
        "batches": cursor.next,
        "repeated": cursor.repeated,
        "swapped": cursor.swapped,
        "exits": dict(sorted(chaos.exits.items())),
    }
    console = Console(stderr=True, width=100)
    console.print(
        table(lines, f"seed {chaos.seed}: {len(chaos.recoveries)} faults, state in {facts['store']}")
    )
    console.print(
        f"input: {cursor.next} batches, {cursor.repeated} repeated, {cursor.swapped} pairs swapped\n"
        f"disk: {disk}\n"
        f"exits: {facts['exits']}"
    )
    (chaos.folder / "chaos.json").write_text(json.dumps(to_json(lines, **facts), indent=2))


def hold_same(stored: list[Transfer], broker: Synthetic) -> None:
    """Nothing lost, nothing doubled, by ids, by sums worked out from the deals alone, and by hash."""
    trades = broker.trades()
    outputs, digest = rate(broker.terms(), [*broker.crm(), *trades])
    expected = Counter(output.transfer_id for output in outputs if isinstance(output, Transfer))
    found = Counter(row.transfer_id for row in stored)
    lost, doubled = expected - found, found - expected
    assert (0, 0) == (lost.total(), doubled.total())
    closed = (Decimal(deal.volume_e8) for deal in trades if deal.entry == "out")
    lots = sum(closed, Decimal(0)) / LOT_E8
    paid = {ib: amount for (ib, _), amount in balances(stored).items() if ib.startswith("ib:")}
    gold, silver, bronze = RATES["gold"], RATES["silver"], RATES["bronze"]
    assert {
        "ib:ib-desk:pending": lots * bronze,
        "ib:ib-region:pending": lots * (silver - bronze),
        "ib:ib-master:pending": lots * (gold - silver),
    } == paid
    assert digest == ledger_hash(stored)
