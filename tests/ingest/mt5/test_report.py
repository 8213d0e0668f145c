"""MT5 Trade History Reports: the same deals from every form, and positions that are never guessed."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from commission.client.fills import Position
from commission.client.positions import fill_of, split_volume, with_fill
from commission.events import Deal
from ingest.counts import Counts
from ingest.mt5.report import read
from ingest.readers.detect import detect, read_any
from ingest.sources import UnreadableSource
from tests.build import PARTNERS, SYMBOLS, linked, per_lot, plan, registered, run, symbol
from tests.ingest.ingest_exports import RECEIVED, ledger, mt5, row, sorted_out
from tests.ingest.ingest_exports import csv_file as manager_csv
from tests.ingest.ingest_reports import (
    COLUMNS,
    HEDGE,
    NETTING,
    OLD,
    RUSSIAN,
    Row,
    cash,
    csv_file,
    deal,
    grid,
    html_file,
    open_position,
    position,
)
from tests.ingest.mt5.reports import DEALS, FORMS, POSITIONS, WHOLE

D = Decimal
SAMPLES = Path(__file__).parents[4] / "shared" / "samples"


# By hand, what stands above; positions are the opening orders.
LEDGER = [
    ("500", "balance", "None", "None", "", "0", "", "10000.00", "0.00", "0.00", "0.00", "10000.00"),
    ("501", "trade", "buy", "in", "EURUSD", "100000000", "9001", "0.00", "-3.50", "-0.25", "0.00", "9996.25"),
    ("502", "trade", "sell", "in", "EURUSD", "50000000", "9002", "0.00", "0.00", "0.00", "0.00", "9996.25"),
    ("503", "trade", "sell", "out", "EURUSD", "100000000", "9001", "60.00", "-3.50", "-0.25", "-1.25",
     "10051.25"),
    ("504", "trade", "buy", "out", "EURUSD", "50000000", "9002", "-5.00", "0.00", "0.00", "0.00", "10046.25"),
]  # fmt: skip
FIELDS = (
    "deal_id", "kind", "side", "entry", "symbol", "volume_e8", "position_id", "profit", "commission", "fee",
    "swap", "balance",
)  # fmt: skip


def read_report(
    tmp_path: Path, sections: dict[str, Any], account: str = HEDGE, counts: Counts | None = None, **more: Any
) -> tuple[list[Deal], list[tuple[str, str]]]:
    """A report's deals; the number and code of each dead letter, then the deals without their position."""
    profile = mt5(**more)
    path = html_file(tmp_path / "report.html", grid(sections, account))
    deals, letters = sorted_out(read(path, profile, RECEIVED, counts))
    untold = [(deal.deal_id, "untold") for deal in deals if deal.position_id is None]
    told = [deal for deal in deals if deal.position_id is not None]
    return told, [(letter.payload.decode().split("\t")[1], letter.code) for letter in letters] + untold


# Forms


@pytest.mark.parametrize("words", [None, RUSSIAN], ids=["english", "russian"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_the_same_deals(tmp_path: Path, form: str, words: Any) -> None:
    """HTML, workbook or text, English or Russian: deals, amounts and positions are those of the report."""
    rows = grid(WHOLE, **({"words": words} if words else {}))
    path = FORMS[form](tmp_path / "report", rows)
    counts = Counts()
    assert "mt5-report" == detect(path)
    deals, letters = sorted_out(read_any(path, mt5(), RECEIVED, counts))
    assert [] == letters
    # A workbook keeps numbers as they are written; 1.00 and 1.0 are one amount.
    assert [tuple(map(plain, line)) for line in LEDGER] == [
        tuple(map(plain, line)) for line in ledger(deals, *FIELDS)
    ]
    assert {80000001} == {deal.login for deal in deals}
    assert ["take_profit"] == [deal.reason for deal in deals if deal.reason]
    assert (9, {"orders": 2, "positions": 2}) == (counts.rows, dict(counts.skipped))
    assert (4, []) == (counts.balance_steps, counts.balance_breaks)


def plain(text: str) -> str | Decimal:
    return D(text) if text[-1:].isdecimal() and "." in text else text


def test_a_deal_is_the_same_deal_from_a_report_and_from_the_manager(tmp_path: Path) -> None:
    """Ids and revisions are those of the Manager's export, which has milliseconds and shorter numbers."""
    same = {"Login": "80000001", "Symbol": "EURUSD"}
    manager = manager_csv(
        tmp_path / "deals.csv",
        row(
            500, Login="80000001", Time="2026.09.03 09:00:00.004", Type="balance", Entry="", Position="0",
            Symbol="", Volume="", Price="", Profit="10000.00", Commission="", Fee="", Swap="",
        ),
        row(501, Time="2026.09.03 10:00:00.445", Position="9001", Commission="-3.50", Fee="-0.25", **same),
        row(
            502, Time="2026.09.03 10:05:00.999", Type="sell", Position="9002", Price="1.101", Volume="0.5",
            **same,
        ),
        row(
            503, Time="2026.09.03 11:00:00.001", Type="sell", Entry="out", Position="9001", Price="1.1006",
            Commission="-3.5", Fee="-0.25", Swap="-1.25", Profit="60", Reason="Take profit", **same,
        ),
        row(
            504, Time="2026.09.03 12:00:00.000", Entry="out", Position="9002", Price="1.1011", Volume="0.5",
            Profit="-5", **same,
        ),
    )  # fmt: skip
    deals, _ = read_report(tmp_path, WHOLE)
    expected, _ = sorted_out(read_any(manager, mt5(), RECEIVED))
    assert ledger(expected, "deal_id", "revision") == ledger(deals, "deal_id", "revision")


def test_builds_before_the_fee(tmp_path: Path) -> None:
    """The layout of 2016 has thirteen columns and no fee; in another language their number tells."""
    lines = [cash("09:00:00", 1, "100.00", balance="100.00")]
    lines.append(
        deal("10:00:00 2 USDCHF buy in 1.00 0.97390 91", amounts="-2.00 0.00 -1.00 0.00", balance="97.00")
    )
    rows = grid({"Deals": lines}, OLD, RUSSIAN, has_fee=False)
    deals, letters = sorted_out(
        read(html_file(tmp_path / "old.html", rows), mt5(margin_mode="netting"), RECEIVED)
    )
    assert ([], [("-2.00", "0", "-1.00", "97.00")]) == (
        letters,
        ledger(deals[1:], "commission", "fee", "swap", "balance"),
    )


def test_other_columns_are_refused(tmp_path: Path) -> None:
    """A Deals table of another width in another language is not read by luck."""
    rows = grid(WHOLE, words=RUSSIAN)
    rows = [[*line[:8], "1.00", *line[8:]] if len(line) == 14 else line for line in rows]
    with pytest.raises(UnreadableSource, match="the Deals table has 15 columns"):
        read(html_file(tmp_path / "r.html", rows), mt5(), RECEIVED)


# Whose report it is


def test_what_the_file_says_wins_and_a_conflict_is_an_error(tmp_path: Path) -> None:
    """Login, currency and margin mode of the file count; an option that says another is refused."""
    path = html_file(tmp_path / "r.html", grid(WHOLE))
    for more, message in (
        ({"login": 7}, "is of account 80000001, but the profile says 7"),
        ({"margin_mode": "netting"}, "hedging account, but the profile says netting"),
    ):
        with pytest.raises(UnreadableSource, match=message):
            read_any(path, mt5(**more), RECEIVED)
    with pytest.raises(UnreadableSource, match=r"says currency USD .*--currency EUR"):
        list(read_any(path, mt5(currency="EUR", is_currency_said=True), RECEIVED))
    usual = mt5(currency="EUR", login=80000001, group="demo\\a")
    deals, _ = sorted_out(read_any(path, usual, RECEIVED))
    assert {("USD", "demo\\a")} == {(deal.currency, deal.group) for deal in deals}


def test_a_table_alone_takes_its_account_from_the_options(tmp_path: Path) -> None:
    """A Deals table without the account's line needs a login, a currency and a margin mode."""
    path = csv_file(tmp_path / "deals.csv", [COLUMNS["Deals"].split(","), *map(list, DEALS[:2])])
    for more, message in (
        ({}, "must be given; say --login, --currency, --margin-mode"),
        ({"login": 5}, "say --currency, --margin-mode"),
        ({"login": 5, "currency": "?"}, "is not a currency code"),
        ({"login": 5, "currency": "EUR"}, "no row proves it; say --margin-mode"),
    ):
        with pytest.raises(UnreadableSource, match=message):
            read_any(path, mt5(**more), RECEIVED)
    said = mt5(login=5, currency="EUR", is_currency_said=True, margin_mode="hedging")
    deals, _ = sorted_out(read_any(path, said, RECEIVED))
    assert [("500", "5", "EUR"), ("501", "5", "EUR")] == ledger(deals, "deal_id", "login", "currency")


def test_a_client_cannot_be_called_like_an_account(tmp_path: Path) -> None:
    """The client's name stands above the account's line and is never taken for it, nor kept."""
    rows = grid(WHOLE)
    rows[1][3] = "7 (EUR, Fake, real, Netting)"
    deals, _ = sorted_out(read(html_file(tmp_path / "r.html", rows), mt5(), RECEIVED))
    assert {(80000001, "USD")} == {(deal.login, deal.currency) for deal in deals}
    assert not any("Fake" in str(deal) for deal in deals)


def test_backtests_are_refused(tmp_path: Path) -> None:
    """A strategy tester's report has deals that never happened, and is never read as an account's."""
    rows = grid(WHOLE)
    rows[0] = ["Strategy Tester Report"]
    with pytest.raises(UnreadableSource, match="never happened"):
        read_any(html_file(tmp_path / "r.html", rows), mt5(), RECEIVED)


# Positions: hedging


def test_a_position_opened_before_the_report(tmp_path: Path) -> None:
    """Its closing is matched with the Positions table; without that row nobody knows, so it is told."""
    late = {"Positions": POSITIONS, "Deals": DEALS[3:]}
    deals, letters = read_report(tmp_path, late)
    assert ([("503", "9001"), ("504", "9002")], []) == (ledger(deals, "deal_id", "position_id"), letters)
    deals, letters = read_report(tmp_path, {"Positions": POSITIONS[:1], "Deals": DEALS[3:]})
    assert ([("503", "9001")], [("504", "untold")]) == (
        ledger(deals, "deal_id", "position_id"),
        letters,
    )


def test_twins_are_not_guessed(tmp_path: Path) -> None:
    """Two positions closed alike at one moment: openings are known, which closing is whose is not."""
    twins = [
        position(f"10:0{n}:00 900{n} EURUSD buy 1.00 1.10000 11:00:00 1.10060", amounts="0.00 0.00 60.00")
        for n in (1, 2)
    ]
    lines = [deal(f"10:0{n}:00 50{n} EURUSD buy in 1.00 1.10000 900{n}", balance="100.00") for n in (1, 2)]
    lines += [
        deal(
            f"11:00:00 51{n} EURUSD sell out 1.00 1.10060 901{n}",
            amounts="0.00 0.00 0.00 60.00",
            balance=f"{100 + 60 * n}.00",
        )
        for n in (1, 2)
    ]
    deals, letters = read_report(tmp_path, {"Positions": twins, "Deals": lines})
    assert [("501", "9001"), ("502", "9002")] == ledger(deals, "deal_id", "position_id")
    assert [("511", "untold"), ("512", "untold")] == letters


def parts(*closings: tuple[str, int, str, str]) -> list[Row]:
    """Closings of one symbol, at 1.10100: time, number, lots, profit."""
    return [
        deal(
            f"{time} {number} EURUSD sell out {lots} 1.10100 8{number}",
            amounts=f"0.00 0.00 0.00 {profit}",
            balance="0",
        )
        for time, number, lots, profit in closings
    ]


def test_a_position_closed_in_parts(tmp_path: Path) -> None:
    """The only closings that sum to its volume and profit are its own: 0.20 + 0.30 and 20 + 30, not 25."""
    listed = [
        position("10:00:00 9001 EURUSD buy 0.50 1.10000 12:00:00 1.10100", amounts="0.00 0.00 50.00"),
        position("10:00:00 9002 EURUSD buy 0.30 1.10015 11:30:00 1.10100", amounts="0.00 0.00 25.00"),
    ]
    lines = parts(
        ("11:00:00", 1, "0.20", "20.00"), ("11:30:00", 2, "0.30", "25.00"), ("12:00:00", 3, "0.30", "30.00")
    )
    deals, letters = read_report(tmp_path, {"Positions": listed, "Deals": lines})
    assert ([("1", "9001"), ("2", "9002"), ("3", "9001")], []) == (
        ledger(deals, "deal_id", "position_id"),
        letters,
    )


def test_parts_that_may_belong_to_two_positions(tmp_path: Path) -> None:
    """0.20 or another 0.20 before the last part: with equal profits both sums fit, so none is taken."""
    listed = [position("10:00:00 9001 EURUSD buy 0.50 1.10000 12:00:00 1.10100", amounts="0.00 0.00 50.00")]
    lines = parts(
        ("11:00:00", 1, "0.20", "20.00"), ("11:30:00", 2, "0.20", "20.00"), ("12:00:00", 3, "0.30", "30.00")
    )
    deals, letters = read_report(tmp_path, {"Positions": listed, "Deals": lines})
    assert ([], 3) == (deals, len(letters))


def test_openings_without_an_order(tmp_path: Path) -> None:
    """A dealer's deal has no order; a listed position that opened alike tells its number."""
    lines = [deal("10:00:00 501 EURUSD buy in 1.00 1.10000 -", balance="100.00")]
    lines.append(deal("10:00:01 502 EURUSD buy in 2.00 1.10000 -", balance="100.00"))
    opened = {"Deals": lines, "Open Positions": [open_position("10:00:00 777 EURUSD buy 1.00 1.10000")]}
    deals, letters = read_report(tmp_path, opened)
    assert ([("501", "777")], [("502", "untold")]) == (
        ledger(deals, "deal_id", "position_id"),
        letters,
    )


def test_an_unreadable_position_unsettles_closings(tmp_path: Path) -> None:
    """With a listed position unreadable, a closing might be its; openings are sure all the same."""
    damaged = ["2026.09.03 10:05:00", "90O2", *POSITIONS[1][2:]]
    deals, letters = read_report(tmp_path, {"Positions": [POSITIONS[0], damaged], "Deals": DEALS})
    assert ["500", "501", "502"] == [deal.deal_id for deal in deals]
    assert [("90O2", "bad_number"), ("503", "untold"), ("504", "untold")] == letters


# Positions: netting

VECTOR: list[Row] = [
    cash("05:46:58", 100, "100_000.00", balance="100 000.00"),
    deal("05:47:38 101 USDCHF buy in 1.00 0.97390 901", balance="100 000.00"),
    deal("05:47:40 102 USDCHF buy in 1.00 0.97390 902", balance="100 000.00"),
    deal(
        "05:49:16 103 USDCHF sell out 1.00 0.97376 903", amounts="0.00 0.00 0.00 -14.38", balance="99 985.62"
    ),
    deal("05:52:48 104 USDCHF buy in 1.01 0.97410 904", balance="99 985.62"),
    deal(
        "05:52:55 105 USDCHF sell out 1.01 0.97391 905", amounts="0.00 0.00 0.00 -9.38", balance="99 976.24"
    ),
    deal(
        "05:52:56 106 USDCHF sell in/out 1.01 0.97391 906",
        amounts="0.00 0.00 0.00 -9.29",
        balance="99 966.95",
    ),
]
# Volume and average price after each deal, and what it closed, as the platform's arithmetic says.
STEPS = [
    ("1.00", "0.97390", "0"),
    ("2.00", "0.97390", "0"),
    ("1.00", "0.97390", "1.00"),
    ("2.01", "0.9740005", "0"),
    ("1.00", "0.9740005", "1.01"),
    ("-0.01", "0.97391", "1.00"),
]


def replayed(deals: list[Deal]) -> list[tuple[Decimal, Fraction, Decimal, Decimal]]:
    """Volume after, exact average price, volume closed and profit by the platform's rules.

    Volumes are the core's; prices and profits are worked out here, independent of it: the profit in
    francs is rounded before it is converted at the deal's own price.
    """
    held, average, steps = Position(), Fraction(0), []
    for each in deals:
        split = split_volume(held, each)
        assert isinstance(split, tuple)
        assert each.price is not None
        opened, closed = split
        before = held.net_e8
        held = with_fill(held, fill_of(each, each.deal_key))
        raw = (Fraction(each.price) - average) * Fraction(closed, 10**8) * 100_000 * (1 if before > 0 else -1)
        francs = cents(raw)
        profit = cents(Fraction(francs) / Fraction(each.price))
        if opened and closed:
            average = Fraction(each.price)
        elif opened:
            average = (average * abs(before) + Fraction(each.price) * opened) / (abs(before) + opened)
        steps.append((D(held.net_e8).scaleb(-8), average, D(closed).scaleb(-8), profit))
    return steps


def cents(amount: Fraction) -> Decimal:
    exact = D(amount.numerator) / D(amount.denominator)
    return exact.quantize(D("0.01"), ROUND_HALF_UP)


@pytest.mark.parametrize("account", [NETTING, OLD])
def test_the_netting_vector_replays(tmp_path: Path, account: str) -> None:
    """Volumes, average prices, closed parts and profits of a reversal are the platform's."""
    deals, letters = read_report(tmp_path, {"Deals": VECTOR}, account)
    trades = deals[1:]
    assert ([], {"901"}) == (letters, {deal.position_id for deal in trades})
    assert ("inout", None) == (trades[-1].entry, trades[-1].volume_closed_e8)
    steps = replayed(trades)
    assert [(D(net), D(closed)) for net, _, closed in STEPS] == [(net, closed) for net, _, closed, _ in steps]
    for (_, price, _), (_, average, _, _) in zip(STEPS, steps, strict=True):
        assert abs(Fraction(price) - average) <= Fraction(5, 10**8)  # written with 7 decimals
    assert [deal.profit for deal in trades] == [profit for *_, profit in steps]


def test_the_client_book_pays_what_the_vector_closed(tmp_path: Path) -> None:
    """1.00 + 1.01 + the 1.00 of the reversal are closed; at 5 USD a closed lot ib-north is owed 15.05."""
    deals, _ = read_report(tmp_path, {"Deals": VECTOR}, NETTING.replace("80000002", "1"))
    events = [linked("1 anna", server="Demo-MT5"), registered("anna ib-north")]
    francs = symbol("USDCHF forex 100000 CHF 0.0001", server="Demo-MT5")
    terms = (
        *SYMBOLS,
        francs,
        plan("gold USD", per_lot("*=0")),
        plan("silver USD", per_lot("*=5")),
        *PARTNERS,
    )
    assert {"ib:ib-north:pending": "15.05 USD"} == run(*events, *deals, terms=terms).owed


def test_a_netting_position_that_began_before_is_not_guessed(tmp_path: Path) -> None:
    """Without the start of the account, only what certainly began flat has a position.

    After the sell `out`, a sell `in` can only have met a flat symbol: 105 opens position 905, which
    106 closes. GBPUSD's opening is listed as a position under its order.
    """
    lines = [
        deal("10:00:00 103 USDCHF buy in 1.00 0.97 903", balance="100.00"),
        deal("10:01:00 104 USDCHF sell out 1.00 0.97 904", balance="100.00"),
        deal("10:02:00 105 USDCHF sell in 2.00 0.97 905", balance="100.00"),
        deal("10:03:00 106 USDCHF buy out 2.00 0.97 906", balance="100.00"),
        deal("10:04:00 107 GBPUSD buy in 1.00 1.30 907", balance="100.00"),
        deal("10:05:00 108 GBPUSD sell in/out 3.00 1.30 908", balance="100.00"),
    ]
    listed = [position("10:04:00 907 GBPUSD buy 1.00 1.30 10:05:00 1.30")]
    deals, letters = read_report(tmp_path, {"Positions": listed, "Deals": lines}, NETTING)
    assert [("105", "905"), ("106", "905"), ("107", "907"), ("108", "907")] == ledger(
        deals, "deal_id", "position_id"
    )
    assert [("103", "untold"), ("104", "untold")] == letters


def test_a_missing_deal_is_noticed(tmp_path: Path) -> None:
    """After 104, unreadable, nothing is sure; without 102 to 104 an `out` of 1.01 meets 1.00 only."""
    unreadable = [*VECTOR[4][:5], "1.0x", *VECTOR[4][6:]]
    deals, letters = read_report(tmp_path, {"Deals": [*VECTOR[:3], unreadable, *VECTOR[5:]]}, NETTING)
    assert ["100", "101", "102"] == [deal.deal_id for deal in deals]
    assert [("104", "bad_volume"), ("105", "untold"), ("106", "untold")] == letters
    deals, letters = read_report(tmp_path, {"Deals": [*VECTOR[:2], *VECTOR[5:]]}, NETTING)
    assert [("105", "untold"), ("106", "untold")] == letters


def test_a_deal_of_the_other_margin_mode(tmp_path: Path) -> None:
    """An in/out on a hedging account and an out by on a netting one contradict the report itself."""
    _, letters = read_report(tmp_path, {"Deals": VECTOR[6:]}, HEDGE)
    assert [("106", "inout_on_hedging")] == letters
    by = ["out by" if cell == "out" else cell for cell in VECTOR[3]]
    _, letters = read_report(tmp_path, {"Deals": [*VECTOR[:3], by]}, NETTING)
    assert [("103", "out_by_on_netting")] == letters


# Balances and rows


def test_a_broken_balance_is_told_with_its_place(tmp_path: Path) -> None:
    """A deal left out, and a credit that leaves the balance alone: one break, at row 11."""
    credit = cash("10:30:00", 510, "50.00", balance="9 996.25", kind="credit")
    counts = Counts()
    read_report(tmp_path, {"Deals": [*DEALS[:3], credit, DEALS[4]]}, counts=counts)
    assert (4, 1) == (counts.balance_steps, len(counts.balance_breaks))
    assert (
        "report.html row 11: the balance moves by 50.00, the deal's amounts are -5.00"
        in (counts.balance_breaks[0])
    )
    assert any("4 checked, 1 do not follow" in line for line in counts.lines())


def test_joined_reports_count_once(tmp_path: Path) -> None:
    """The same row twice is one deal; another row under its number is told."""
    other = [*DEALS[1][:5], "2.00", *DEALS[1][6:]]
    counts = Counts()
    deals, letters = read_report(
        tmp_path, {"Positions": POSITIONS, "Deals": [*DEALS, *DEALS, other]}, counts=counts
    )
    assert (5, [("501", "deal_twice")]) == (len(deals), letters)
    assert 5 == counts.skipped["repeated_row"]


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        (0, "yesterday", "bad_time"), (1, "x", "bad_number"), (3, "comprar", "unknown_type"),
        (4, "sideways", "unknown_entry"), (5, "0.00", "bad_volume"), (6, "1,10000", "bad_amount"),
        (8, "", "bad_amount"), (11, "sixty", "bad_amount"), (12, "", "bad_amount"),
        (2, "EUR\ufffdSD", "bad_encoding"),
    ],
)  # fmt: skip
def test_a_bad_row_is_one_dead_letter(tmp_path: Path, column: int, cell: str, code: str) -> None:
    """A damaged deal says why, and the others stay; volume 0.00 is a deal too small for the report."""
    damaged = [*DEALS[2][:column], cell, *DEALS[2][column + 1 :]]
    deals, letters = read_report(
        tmp_path, {"Positions": POSITIONS, "Deals": [*DEALS[:2], damaged, *DEALS[3:]]}
    )
    assert [code] == [found for _, found in letters]
    assert ["500", "501", "503", "504"] == [deal.deal_id for deal in deals]


def test_reports_newest_first_read_alike(tmp_path: Path) -> None:
    """The order of the rows does not matter to what is read."""
    forwards, _ = read_report(tmp_path, {"Deals": VECTOR}, NETTING)
    backwards, _ = read_report(tmp_path, {"Deals": VECTOR[::-1]}, NETTING)
    assert ledger(forwards, "deal_id", "revision") == ledger(backwards, "deal_id", "revision")


def test_times_are_the_servers(tmp_path: Path) -> None:
    """New York + 7 h is UTC + 3 in September."""
    deals, _ = read_report(tmp_path, WHOLE, rule="America/New_York+7h")
    assert datetime.fromisoformat("2026-09-03T07:00:00+00:00") == deals[1].occurred_at
    assert "2026.09.03 10:00:00" == deals[1].server_time


# Real exports, where they are at hand


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not part of the project")
def test_real_reports() -> None:
    """Every deal of both is read; sums are those the reports print: -33.05, and 0.33 with a deposit of 50."""
    for name, deals, balances, profit in (
        ("mt5-report-netting.html", 7, 6, D("-33.05")),
        ("mt5-report-hedging.xlsx", 18, 17, D("0.33") - 50),
    ):
        counts = Counts()
        items, letters = sorted_out(read_any(SAMPLES / name, mt5(), RECEIVED, counts))
        assert (deals, []) == (len(items), letters)
        assert (balances, [], profit) == (
            counts.balance_steps,
            counts.balance_breaks,
            counts.trades["USD"].profit,
        )
