"""Three clients of the example broker, worked out by hand, against the pipeline.

The arithmetic, from the exports and the terms alone (examples/broker/HAND.md has it with its rules).
Silver pays 5 a forex lot; gold pays 7, 10 a gold lot, and 10 % of the average spread (1.2 pips EURUSD).

c-001, under ib-north (silver), above it ib-master (gold)
    41000949  EURUSD 0.40  north 5 x 0.40 = 2.00  master 2.80 - 2.00 = 0.80
                           and 0.10 x 0.00012 x 100,000 x 0.40 = 0.48
    41001077  EURUSD 0.60  north 5 x 0.60 = 3.00  master 4.20 - 3.00 = 1.20
                           and 0.10 x 0.00012 x 100,000 x 0.60 = 0.72
    41007556  USDJPY 0.50  north 5 x 0.50 = 2.50  master 3.50 - 2.50 = 1.00
                           and 0.10 x 0.014 x 100,000 x 0.50 = 70 JPY / 150.00 = 0.46666667
c-002, under ib-south (silver): an in/out of 0.50 against +0.30 closes 0.30, the rest opens -0.20
    7200377   EURUSD 0.30  south 5 x 0.30 = 1.50  master 2.10 - 1.50 = 0.60
                           and 0.10 x 0.00012 x 100,000 x 0.30 = 0.36
    7201223   EURUSD 0.20  south 5 x 0.20 = 1.00  master 1.40 - 1.00 = 0.40
                           and 0.10 x 0.00012 x 100,000 x 0.20 = 0.24
c-003, under ib-master directly, MT4; gold's average of 25 pips is capped at 20
    81500184  XAUUSD 0.20  master 10 x 0.20 = 2.00 and 0.10 x 0.20 x 100 x 0.20 = 0.40
    81500473  USDJPY 0.10  master  7 x 0.10 = 0.70
                           and 0.10 x 0.014 x 100,000 x 0.10 = 14 JPY / 148.90 = 0.09402283
"""

from decimal import Decimal

import pytest

from commission.outputs import Transfer
from infra.commands.example import Example
from infra.commands.rate import rate
from infra.sources.files import read_inputs
from ingest.counts import Counts
from schemas.dead_letters import DeadLetter

BY_HAND = {
    ("c-001", "mt5-live|41000949"): {
        ("ib-north", "per_lot"): "2.00",
        ("ib-master", "per_lot"): "0.80",
        ("ib-master", "spread_share"): "0.48",
    },
    ("c-001", "mt5-live|41001077"): {
        ("ib-north", "per_lot"): "3.00",
        ("ib-master", "per_lot"): "1.20",
        ("ib-master", "spread_share"): "0.72",
    },
    ("c-001", "mt5-live|41007556"): {
        ("ib-north", "per_lot"): "2.50",
        ("ib-master", "per_lot"): "1.00",
        ("ib-master", "spread_share"): "0.46666667",
    },
    ("c-002", "mt5-net|7200377"): {
        ("ib-south", "per_lot"): "1.50",
        ("ib-master", "per_lot"): "0.60",
        ("ib-master", "spread_share"): "0.36",
    },
    ("c-002", "mt5-net|7201223"): {
        ("ib-south", "per_lot"): "1.00",
        ("ib-master", "per_lot"): "0.40",
        ("ib-master", "spread_share"): "0.24",
    },
    ("c-003", "mt4-real|81500184:close"): {
        ("ib-master", "per_lot"): "2.00",
        ("ib-master", "spread_share"): "0.40",
    },
    ("c-003", "mt4-real|81500473:close"): {
        ("ib-master", "per_lot"): "0.70",
        ("ib-master", "spread_share"): "0.09402283",
    },
}
TOTALS = {"ib-north": "7.50", "ib-south": "2.50", "ib-master": "9.46068950"}


@pytest.fixture(scope="module")
def transfers() -> list[Transfer]:
    """Everything the example's files cause, from the exports' bytes to the ledger's rows."""
    example = Example.load()
    items = read_inputs((*example.inputs, *example.late), Counts())
    events = [item for item in items if not isinstance(item, DeadLetter)]
    outputs, _ = rate(example.broker.records, events)
    return [output for output in outputs if isinstance(output, Transfer)]


def test_each_accrual_is_what_was_worked_out_by_hand(transfers: list[Transfer]) -> None:
    """Deal by deal, IB by IB and component by component, and nothing beside."""
    clients = {client for client, _ in BY_HAND}
    found: dict[tuple[str, str], dict[tuple[str, str], Decimal]] = {}
    for row in transfers:
        if row.client_id in clients:
            assert row.code == "accrual"
            found.setdefault((row.client_id, row.caused_by), {})[row.ib_id, row.component] = row.amount
    expected = {
        deal: {earned: Decimal(amount) for earned, amount in amounts.items()}
        for deal, amounts in BY_HAND.items()
    }
    assert expected == found


def test_the_totals_over_the_three_are_those_of_the_page(transfers: list[Transfer]) -> None:
    """HAND.md's last table."""
    clients = {client for client, _ in BY_HAND}
    for ib_id, total in TOTALS.items():
        rows = [row.amount for row in transfers if row.client_id in clients and row.ib_id == ib_id]
        assert Decimal(total) == sum(rows)


def test_a_clawback_reverses_the_cpa_it_points_at(transfers: list[Transfer]) -> None:
    """c-014: 300 to ib-south and 400 - 300 = 100 to ib-master, both taken back by the chargeback."""
    rows = [row for row in transfers if row.client_id == "c-014" and row.component == "cpa"]
    accruals = {row.transfer_id: row for row in rows if row.code == "accrual"}
    reversals = [row for row in rows if row.code == "reversal"]
    assert {("ib-south", Decimal(300)), ("ib-master", Decimal(100))} == {
        (r.ib_id, r.amount) for r in reversals
    }
    assert {(r.ib_id, r.amount) for r in accruals.values()} == {(r.ib_id, r.amount) for r in reversals}
    assert set(accruals) == {row.reverses for row in reversals}
