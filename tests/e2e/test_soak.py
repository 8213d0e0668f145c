"""`make soak`: two workers killed at random for minutes; IBFLOW_SEED and IBFLOW_KILLS choose how."""

import os
import random
import sys
import time
from decimal import Decimal
from pathlib import Path
from threading import Thread

import pytest

from commission.events import LOT_E8
from commission.ledger import balances, ledger_hash
from infra.rate import rate
from infra.stack import Stack
from infra.verify import read_transfers, verify
from ingest.produce import publish, publish_terms
from schemas.settings import Settings
from tests.synthetic import RATES, Synthetic

SEED = int(os.environ.get("IBFLOW_SEED", "1"))
KILLS = int(os.environ.get("IBFLOW_KILLS", "40"))
DEALS = 60_000
BATCH = 200


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_random_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    """The ledger equals the one folded in memory, and the sum worked out from the deals alone."""
    broker, chance = Synthetic(clients=2_000, deals=DEALS, seed=SEED), random.Random(SEED)
    trades = broker.trades()
    with Stack(Settings(data_dir=tmp_path, partitions=4, api_port=0), workers=2) as stack:
        publish_terms(broker.terms(), stack.kafka)
        publish(broker.crm(), stack.kafka)
        feeder = Thread(
            target=lambda: [publish(trades[i : i + BATCH], stack.kafka) for i in range(0, DEALS, BATCH)]
        )
        feeder.start()
        for kill in range(KILLS):
            time.sleep(chance.uniform(0.5, 5.0))
            victim = chance.choice(stack.processes)
            sys.stderr.write(f"seed {SEED}, kill {kill + 1}/{KILLS}: {victim.name}\n")
            victim.kill()
        feeder.join()
        stack.drain()
        report = verify(stack.server.client)
        rows = list(read_transfers(stack.server.client))
    assert [finding for finding in report.findings if not finding.holds] == []
    closed = (Decimal(deal.volume_e8) for deal in trades if deal.entry == "out")
    lots = sum(closed, Decimal(0)) / LOT_E8
    paid = {ib: amount for (ib, _), amount in balances(rows).items() if ib.startswith("ib:")}
    gold, silver, bronze = RATES["gold"], RATES["silver"], RATES["bronze"]
    assert {
        "ib:ib-desk:pending": lots * bronze,
        "ib:ib-region:pending": lots * (silver - bronze),
        "ib:ib-master:pending": lots * (gold - silver),
    } == paid
    _, digest = rate(broker.terms(), [*broker.crm(), *trades])
    assert digest == ledger_hash(rows)
