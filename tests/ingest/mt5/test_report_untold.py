"""Reports that do not tell all: modes proved by a row, closings paired by comment, positions untold."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from commission.events import Deal
from ingest.counts import Counts
from ingest.mt5.report import read
from ingest.sources import UnreadableSource
from tests.build import PARTNERS, SYMBOLS, linked, per_lot, plan, registered, run
from tests.ingest.ingest_exports import RECEIVED, mt5, sorted_out
from tests.ingest.ingest_reports import (
    HEDGE,
    NETTING,
    OLD,
    Row,
    csv_file,
    deal,
    position,
)
from tests.ingest.mt5.untold_reports import DEPOSIT, hedged_day, lines_of_a_day, report, table, untabled

D = Decimal
SAMPLES = Path(__file__).parents[4] / "shared" / "samples"


def positions_of(path: Path, counts: Counts | None = None, **said: Any) -> dict[str, str | None]:
    """Each trade's position; no dead letters."""
    deals, letters = sorted_out(read(path, mt5(**said), RECEIVED, counts))
    assert [] == letters
    return {deal.deal_id: deal.position_id for deal in deals if deal.side}


# Deals alone of a netting account


def test_deals_without_a_provable_position_go_on_without_it(tmp_path: Path) -> None:
    """An in/out proves a netting account; four deals are of positions from before, the fifth opens one."""
    counts = Counts()
    path = csv_file(tmp_path / "deals.csv", table(*lines_of_a_day()))
    found = positions_of(path, counts, login=7, currency="JPY")
    assert {"11": None, "12": None, "13": None, "14": None, "15": "915"} == found
    assert {"trade": 5} == dict(counts.deals)
    notes = [line for line in counts.lines() if "without their position" in line]
    assert len(notes) == 1
    assert notes[0].endswith("4, such as 11 at line 2, 12 at line 3, 13 at line 4")


def test_what_it_lacks_is_asked_for_at_once(tmp_path: Path) -> None:
    """Login, currency and margin mode by the names of their options; the mode not where a row proves it."""
    path = csv_file(tmp_path / "deals.csv", table(*lines_of_a_day()))
    with pytest.raises(UnreadableSource, match=r"say --login, --currency$"):
        read(path, mt5(), RECEIVED)
    path = csv_file(tmp_path / "deals.csv", table(lines_of_a_day()[0]))
    with pytest.raises(UnreadableSource, match=r"say --login, --currency, --margin-mode$"):
        read(path, mt5(), RECEIVED)
    with pytest.raises(UnreadableSource, match=r"say --margin-mode$"):
        read(path, mt5(login=7, currency="JPY"), RECEIVED)


def test_such_deals_are_paid_and_settled_by_the_better_source(tmp_path: Path) -> None:
    """5 a lot closed: 4.80 and 1.00 are 29.00; the in/out waits, and closes 0.40 once its position is told.

    By hand: short 0.70 + 4.50 - 4.80 = 0.40, so the in/out of 12.90 closes 0.40: 2.00 more, in one row.
    """
    path = csv_file(tmp_path / "deals.csv", table(*lines_of_a_day()))
    deals, _ = sorted_out(read(path, replace(mt5(login=7, currency="USD"), server="live"), RECEIVED))
    before = deal_of("10 sell 0.70 XAUUSD in", deals[0])
    told = [deal_at(one, "900") for one in deals[:4]]
    terms = (*SYMBOLS, plan("silver USD", per_lot("*=5")), plan("gold USD", per_lot("*=5")), *PARTNERS)
    anna = (linked("7 anna"), registered("anna ib-north"))
    said = run(*anna, *deals, terms=terms)
    assert {"ib:ib-north:pending": "29.00 USD"} == said.owed
    assert "waiting position_untold" == said.reasons["13"]
    settled = run(*anna, *deals, before, *told, *deals, terms=terms)
    assert {"ib:ib-north:pending": "31.00 USD"} == settled.owed
    assert 3 == len([row for row in settled.transfers if row.code in ("accrual", "reversal")])


def deal_at(one: Deal, position_id: str) -> Deal:
    from tests.build import told_at  # noqa: PLC0415 - beside its only use

    return told_at(one, position_id)


def deal_of(text: str, like: Deal) -> Deal:
    """An opening of the same account before the day began."""
    from tests.build import deal as built  # noqa: PLC0415 - ingest_reports has a `deal` of its own

    return deal_at(built(text, login=like.login, occurred_at=like.occurred_at.replace(hour=1)), "900")


def test_deals_missing_inside_leave_nothing_sure_behind_them(tmp_path: Path) -> None:
    """The balance moves by more than the deal before 23, so what is open is not known from there on."""
    lines = (
        DEPOSIT,
        deal("10:00:00 21 EURUSD buy in 1.00 1.10 921", balance="10 000.00"),
        deal("10:01:00 22 EURUSD sell out 0.50 1.11 922", amounts="0 0 0 500.00", balance="10 500.00"),
        deal("10:03:00 23 EURUSD sell out 0.50 1.12 923", amounts="0 0 0 500.00", balance="11 900.00"),
    )
    found = positions_of(report(tmp_path, NETTING, *lines))
    assert {"21": "921", "22": "921", "23": None} == found


def test_an_in_out_tells_what_it_closed_where_only_its_position_has_no_number(tmp_path: Path) -> None:
    """A dealer's opening has no order: the in/out of 3.00 against 1.00 closes 1.00 all the same."""
    lines = (
        DEPOSIT,
        deal("10:00:00 21 EURUSD buy in 1.00 1.10 -", balance="10 000.00"),
        deal("10:01:00 22 EURUSD sell in/out 3.00 1.10 922", balance="10 000.00"),
    )
    deals, _ = sorted_out(read(report(tmp_path, NETTING, *lines), mt5(), RECEIVED))
    assert [(None, None), (None, 100_000_000)] == [(d.position_id, d.volume_closed_e8) for d in deals[1:]]


def test_a_leg_of_a_close_by_tells_its_order(tmp_path: Path) -> None:
    """Bought and sold 1.00, closed by each other: both legs are of order 109, the openings of none."""
    legs = [
        deal(f"10:05:00 {n} USDCHF {side} out_by 1.00 0.98 109", balance="10 000.00")
        for n, side in ((5, "sell"), (6, "buy"))
    ]
    spelled = [["out by" if cell == "out_by" else cell for cell in line] for line in legs]
    path = report(tmp_path, OLD, *hedged_day()[:2], hedged_day()[3], *spelled)
    deals, _ = sorted_out(read(path, mt5("hedging"), RECEIVED))
    assert {"1": "", "2": "", "4": "", "5": "109", "6": "109"} == {d.deal_id: d.close_by for d in deals}


# The margin mode


def test_an_opening_against_an_open_position_proves_hedging(tmp_path: Path) -> None:
    """A report of 2016 does not say its mode; each opening is a position of its own order."""
    path = report(tmp_path, OLD, *hedged_day())
    assert {"2": "101", "3": "102", "4": "103"} == positions_of(path)
    assert {"2": "101", "3": "102", "4": "103"} == positions_of(path, margin_mode="hedging")


@pytest.mark.parametrize(
    ("said", "lines", "words"),
    [
        ("netting", hedged_day(), "line 10: `sell in` of 1 lots while 2 lots of USDCHF or more are open"),
        ("hedging", lines_of_a_day(), "line 9: an `in/out` turns a position round"),
        (
            "netting",
            (*hedged_day()[:2], deal("10:05:00 5 USDCHF sell out 3.00 0.98 105", balance="10 000.00")),
            "line 9: `sell out` of 3 lots does not fit a position of 1 lots of USDCHF",
        ),
        (
            "netting",
            (*hedged_day()[:2], deal("10:05:00 5 USDCHF sell out_by 1.00 0.98 105", balance="10 000.00")),
            "line 9: an `out by`",
        ),
    ],
)  # fmt: skip
def test_a_wrong_margin_mode_is_contradicted_by_the_file(
    tmp_path: Path, said: str, lines: tuple[Row, ...], words: str
) -> None:
    """It is an error with the row, not one deal in a wrong position."""
    spelled = [["out by" if cell == "out_by" else cell for cell in line] for line in lines]
    with pytest.raises(UnreadableSource, match="the margin mode was given as") as refusal:
        read(report(tmp_path, OLD, *spelled), mt5(margin_mode=said), RECEIVED)
    assert words in str(refusal.value)


def test_positions_side_by_side_prove_hedging(tmp_path: Path) -> None:
    """Two listed positions of one symbol were open at once; one after the other proves nothing."""
    first = position("10:00:00 101 USDCHF buy 1.00 0.97 11:00:00 0.98", amounts="0.00 0.00 10.00")
    lines = (deal("10:00:00 2 USDCHF buy in 1.00 0.97 101", balance="10 000.00"),)
    inside = position("10:30:00 102 USDCHF buy 1.00 0.97 12:00:00 0.98", amounts="0.00 0.00 10.00")
    path = report(tmp_path, OLD, *lines, positions=[first, inside])
    assert {"2": "101"} == positions_of(path)
    with pytest.raises(UnreadableSource, match="position 102 opens while 101 of USDCHF is open"):
        read(path, mt5(margin_mode="netting"), RECEIVED)
    after = position("11:00:00 102 USDCHF buy 1.00 0.97 12:00:00 0.98", amounts="0.00 0.00 10.00")
    with pytest.raises(UnreadableSource, match="say --margin-mode"):
        read(report(tmp_path, OLD, *lines, positions=[first, after]), mt5(), RECEIVED)


def test_where_deals_are_missing_nothing_is_proved(tmp_path: Path) -> None:
    """Bought, then a gap in the balances, then sold as an opening: it may have been closed in between."""
    lines = (
        deal("10:00:00 2 USDCHF buy in 1.00 0.97430 101", balance="10 000.00"),
        deal("10:02:00 4 USDCHF sell in 1.00 0.98059 103", balance="10 600.00"),
    )
    with pytest.raises(UnreadableSource, match="no row proves it"):
        read(report(tmp_path, OLD, *lines), mt5(), RECEIVED)


# Hedging: the comment


def twins(*comments: str) -> list[Row]:
    """Two openings and two closings alike in everything, with these comments."""
    opened = [
        deal(f"10:00:00 {n} XAUUSD sell in 0.01 4348.57 90{n}", balance="100.00", comment=comments[n - 1])
        for n in (1, 2)
    ]
    return opened + [
        deal(f"11:00:00 {n} XAUUSD buy out 0.01 4345.39 80{n}", amounts="0 0 0 3.18",
             balance=f"{100 + D('3.18') * (n - 2)}", comment=comments[n - 1])
        for n in (3, 4)
    ]  # fmt: skip


LISTED = [
    position(f"10:00:00 90{n} XAUUSD sell 0.01 4348.57 11:00:00 4345.39", amounts="0.00 0.00 3.18")
    for n in (1, 2)
]


def test_the_comment_tells_twin_closings(tmp_path: Path) -> None:
    """Same second, price, volume and profit: the closing of an opening has its comment."""
    found = positions_of(report(tmp_path, HEDGE, *twins("a", "b", "b", "a"), positions=LISTED))
    assert {"1": "901", "2": "902", "3": "902", "4": "901"} == found


@pytest.mark.parametrize("comments", [("a", "a", "a", "a"), ("a", "b", "a", "[sl 1]"), ("a", "", "a", "")])
def test_a_comment_that_does_not_tell_is_not_guessed_by(tmp_path: Path, comments: tuple[str, ...]) -> None:
    """Equal comments, a stop's in place of one, or none: the closings go on without their position."""
    found = positions_of(report(tmp_path, HEDGE, *twins(*comments), positions=LISTED))
    assert {"1": "901", "2": "902", "3": None, "4": None} == found


def closing(text: str, comment: str, profit: str = "1.00", *, of: str) -> Row:
    """A closing whose balance is `of` and its profit."""
    return deal(text, amounts=f"0 0 0 {profit}", balance=str(D(of) + D(profit)), comment=comment)


def test_without_a_table_of_positions_comment_and_volume_pair(tmp_path: Path) -> None:
    """0.30 of `grid` fits one opening, so 0.20 does as well; `news` is closed in two parts."""
    path = report(
        tmp_path,
        HEDGE,
        *untabled(
            closing("11:00:00 5 EURUSD sell out 0.20 1.10100 805", "grid", of="10000"),
            closing("11:01:00 6 EURUSD sell out 0.30 1.10100 806", "grid", of="10001"),
            closing("11:02:00 7 EURUSD sell out 0.40 1.10100 807", "news", of="10002"),
            closing("11:03:00 8 EURUSD sell out 0.60 1.10100 808", "news", of="10003"),
        ),
    )
    found = positions_of(path)
    assert {"5": "903", "6": "902", "7": "904", "8": "904"} == {n: found[n] for n in "5678"}


def test_an_order_filled_in_parts_is_one_opening(tmp_path: Path) -> None:
    """0.60 and 0.40 of one order are closed by 1.00: its position, though neither part is large enough."""
    parts = [
        deal(f"10:00:0{n} {n} EURUSD buy in {lots} 1.10000 902", balance="10 000.00", comment="news")
        for n, lots in ((2, "0.60"), (3, "0.40"))
    ]
    out = closing("11:00:00 5 EURUSD sell out 1.00 1.10100 805", "news", of="10000")
    assert "902" == positions_of(report(tmp_path, HEDGE, DEPOSIT, *parts, out))["5"]


@pytest.mark.parametrize(
    "lines",
    [
        untabled(closing("11:00:00 5 EURUSD sell out 0.20 1.10100 805", "grid", of="10000")),
        untabled(closing("11:00:00 5 EURUSD sell out 2.00 1.10100 805", "news", of="10000")),  # too large
        untabled(closing("11:00:00 5 EURUSD sell out 1.00 1.09000 805", "news", of="10000")),  # a gain
        untabled(closing("09:30:00 5 EURUSD sell out 1.00 1.10100 805", "news", of="10000")),  # before it
        untabled(closing("11:00:00 5 EURUSD sell out 1.00 1.10100 805", "[tp 1.1]", of="10000")),
        untabled(closing("11:00:00 5 EURUSD sell out 1.00 1.10100 805", "other", of="10000")),
        untabled(closing("11:00:00 5 EURUSD sell out 1.00 1.10100 805", "news", of="10000"))[1:],  # not all
        untabled(closing("11:00:00 5 EURUSD sell out 1.00 1.10100 805", "news", of="10500")),  # a gap
    ],
)
def test_a_pair_that_is_not_certain_waits(tmp_path: Path, lines: tuple[Row, ...]) -> None:
    """Several openings fit, or none, or an opening may be missing: the closing has no position yet."""
    assert positions_of(report(tmp_path, HEDGE, *lines))["5"] is None
