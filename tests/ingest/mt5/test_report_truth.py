"""Reports made of deals whose positions are known, row for row: right or untold, never wrong."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from ingest.mt5.report import read
from tests.ingest.ingest_exports import RECEIVED, mt5, sorted_out
from tests.ingest.ingest_reports import Row, cash, csv_file, deal, grid

SAMPLE = Path(__file__).parents[4] / "shared" / "samples" / "mt5-manager-deals.csv"
SEEDS = 40
D = Decimal
NONE = D(0)


@dataclass(frozen=True)
class Told:
    """A deal, and the position that a source with positions tells."""

    number: int
    time: str
    side: str
    entry: str
    symbol: str
    lots: Decimal
    price: Decimal
    order: int
    position: int
    profit: Decimal = NONE
    swap: Decimal = NONE
    commission: Decimal = NONE
    comment: str = ""

    def row(self, balance: Decimal) -> Row:
        """The line of a report: without the position."""
        order = str(self.order or "-")
        what = f"{self.number} {self.symbol} {self.side} {self.entry}"
        text = f"{self.time} {what} {self.lots:f} {self.price} {order}"
        amounts = f"{self.commission} 0 {self.swap} {self.profit}"
        return deal(text, amounts=amounts, balance=f"{balance:f}", comment=self.comment)


def lines(told: Sequence[Told], *, from_start: bool) -> list[Row]:
    """The Deals table, with balances that follow from one another."""
    balance = D(10_000)
    rows: list[Row] = [cash("00:00:00", 1, "10000", balance="10000")] if from_start else []
    for one in told:
        balance += one.profit + one.swap + one.commission
        rows.append(one.row(balance))
    return rows


def listed(told: Iterable[Told]) -> list[Row]:
    """The Positions table: every position that was opened here and closed whole, at its mean prices."""
    rows: list[Row] = []
    by_position: dict[int, list[Told]] = {}
    for one in told:
        by_position.setdefault(one.position, []).append(one)
    for number, parts in by_position.items():
        opened = [one for one in parts if one.entry == "in"]
        closed = [one for one in parts if one.entry == "out"]
        lots = sum((one.lots for one in opened), D(0))
        if not opened or not closed or lots != sum((one.lots for one in closed), D(0)):
            continue
        prices = [_mean(some) for some in (opened, closed)]
        day = "2026.09.03"
        rows.append(
            (f"{day} {opened[0].time}", str(number), opened[0].symbol, opened[0].side, f"{lots:f}", prices[0],
             "", "", f"{day} {closed[-1].time}", prices[1], str(sum((one.commission for one in parts), D(0))),
             str(sum((one.swap for one in parts), D(0))), str(sum((one.profit for one in parts), D(0))))
        )  # fmt: skip
    return rows


def _mean(parts: Sequence[Told]) -> str:
    lots = sum((one.lots for one in parts), D(0))
    return f"{sum((one.price * one.lots for one in parts), D(0)) / lots:.5f}"


def compared(path: Path, told: Sequence[Told]) -> Counter[str]:
    """Each deal's position by the report against the true one; no deal is lost on the way."""
    deals, letters = sorted_out(read(path, mt5(), RECEIVED))
    assert [] == letters
    truth = {str(one.number): str(one.position) for one in told}
    found = {one.deal_id: one.position_id for one in deals if one.side}
    assert truth.keys() == found.keys()
    return Counter(
        "untold" if found[number] is None else "right" if found[number] == position else "wrong"
        for number, position in truth.items()
    )


def written(
    tmp_path: Path, told: Sequence[Told], mode: str, *, from_start: bool = False, tabled: bool = False
) -> Path:
    """A report of these deals."""
    sections = {"Positions": listed(told)} if tabled else {}
    account = f"80000001 (USD, Broker-Demo, demo, {mode})"
    return csv_file(
        tmp_path / "report.csv", grid({**sections, "Deals": lines(told, from_start=from_start)}, account)
    )


# Made of the Manager's export


def sampled() -> dict[str, list[Told]]:
    """The deals of each account of a real export, at the times a report shows them."""
    accounts: dict[str, list[Told]] = {}
    with SAMPLE.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            lots = D(row["Volume"])
            accounts.setdefault(row["Login"], []).append(
                Told(
                    int(row["Deal"]), row["Time"][11:19], row["Type"], row["Entry"], row["Symbol"], lots,
                    D(row["Price"]), int(row["Order"]), int(row["Position"]), D(row["Profit"]),
                    D(row["Swap"]), D(row["Commission"]), row["Comment"],
                )
            )  # fmt: skip
    return accounts


@pytest.mark.skipif(not SAMPLE.exists(), reason="the export is no part of the project; the made ones are")
@pytest.mark.parametrize("tabled", [True, False])
def test_reports_made_of_an_export_are_right_or_untold(tmp_path: Path, tabled: bool) -> None:  # noqa: FBT001
    """Openings with an order are right; with the Positions table, closings as well unless they are twins."""
    total: Counter[str] = Counter()
    for told in sampled().values():
        total += compared(written(tmp_path, told, "Hedge", tabled=tabled), told)
        assert total["wrong"] == 0
    by_order = sum(1 for told in sampled().values() for one in told if one.entry == "in" and one.order)
    assert total["right"] >= by_order * (3 if tabled else 1)
    print(f"table of positions {tabled}: {dict(total)}")  # noqa: T201 - for who compares two versions


# Made up


def netted(rng: Random, count: int) -> list[Told]:
    """What an account that nets does in two symbols; the position is the order that opened it when flat."""
    open_: dict[str, tuple[Decimal, int]] = {}
    told = []
    for number in range(2, count + 2):
        symbol, lots = rng.choice(("EURUSD", "XAUUSD")), D(rng.randint(1, 3))
        before, position = open_.get(symbol, (D(0), 0))
        side = rng.choice(("buy", "sell"))
        after = before + (lots if side == "buy" else -lots)
        order = 0 if rng.random() < 0.05 else 9000 + number
        if before == 0:
            position = order
        entry = "in" if before * (after - before) >= 0 else "out" if before * after >= 0 else "in/out"
        open_[symbol] = after, position
        profit = D(rng.randint(-9, 9)) if entry != "in" else D(0)
        time = f"{10 + number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}"
        told.append(Told(number, time, side, entry, symbol, lots, D("1.1"), order, position, profit))
    return told


def test_netting_reports_are_right_or_untold(tmp_path: Path) -> None:
    """Whole ones are right but for positions that began without an order; none of a later one is wrong."""
    for seed in range(SEEDS):
        told = netted(Random(seed), 60)
        whole = compared(written(tmp_path, told, "Netting", from_start=True), told)
        assert {"untold": sum(1 for one in told if not one.position)} | {"wrong": 0} == {
            "untold": whole["untold"],
            "wrong": whole["wrong"],
        }
        late = compared(written(tmp_path, told[20:], "Netting"), told[20:])
        assert late["wrong"] == 0, f"seed {seed}"


def test_deals_missing_inside_make_none_wrong(tmp_path: Path) -> None:
    """With a stretch cut out, the balances tell where, unless nothing was won or lost in it."""
    for seed in range(SEEDS):
        rng = Random(seed)
        told = [
            one if one.profit or one.entry == "in" else replace(one, profit=D(1)) for one in netted(rng, 60)
        ]
        rows = lines(told, from_start=True)
        start = rng.randint(2, 40)
        cut = told[start - 1 : start + 9]
        if not sum((one.profit for one in cut), D(0)):
            continue
        path = csv_file(
            tmp_path / "cut.csv",
            grid(
                {"Deals": [*rows[:start], *rows[start + 10 :]]}, "80000001 (USD, Broker-Demo, demo, Netting)"
            ),
        )
        left = [*told[: start - 1], *told[start + 9 :]]
        assert compared(path, left)["wrong"] == 0, f"seed {seed}"


def hedged(rng: Random, count: int) -> list[Told]:
    """Openings and closings, whole or in parts, side by side; closings carry their opening's comment."""
    open_: dict[int, tuple[Told, Decimal]] = {}
    told = []
    for number in range(2, count + 2):
        time = f"{10 + number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}"
        price = D("1.1") + D(rng.randint(-3, 3)) / 1000
        if not open_ or rng.random() < 0.55:
            lots, comment = D(rng.randint(1, 3)), rng.choice(("a", "b", "grid 1", ""))
            order = 9000 + number
            one = Told(number, time, rng.choice(("buy", "sell")), "in", "EURUSD", lots, price, order, order,
                       comment=comment)  # fmt: skip
            open_[order] = one, lots
        else:
            opening, left = open_[position := rng.choice(list(open_))]
            lots = left if rng.random() < 0.6 else min(left, D(1))
            moved = price - opening.price if opening.side == "buy" else opening.price - price
            side = "sell" if opening.side == "buy" else "buy"
            one = Told(number, time, side, "out", "EURUSD", lots, price, 9000 + number, position,
                       round(moved * lots * 100_000), comment=opening.comment)  # fmt: skip
            open_[position] = opening, left - lots
            if left == lots:
                del open_[position]
        told.append(replace(one, profit=D(one.profit)))
    return told


@pytest.mark.parametrize("tabled", [True, False])
def test_hedging_reports_are_right_or_untold(tmp_path: Path, tabled: bool) -> None:  # noqa: FBT001
    """With the table of positions and without; the report begins with the account or later."""
    total: Counter[str] = Counter()
    for seed in range(SEEDS):
        told = hedged(Random(seed), 40)
        total += compared(written(tmp_path, told, "Hedge", from_start=True, tabled=tabled), told)
        late = compared(written(tmp_path, told[15:], "Hedge", tabled=tabled), told[15:])
        assert (total["wrong"], late["wrong"]) == (0, 0), f"seed {seed}"
    assert total["right"] > total["untold"]
