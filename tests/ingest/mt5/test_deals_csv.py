"""MT5 Manager's Deals export, row by row and in order."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.counts import Counts
from ingest.formats.csv_rows import MAX_ROW_BYTES
from ingest.mt5.deals_csv import read
from ingest.sources import UnreadableSource
from schemas.wire import decode, encode
from tests.effort import tries
from tests.ingest.ingest_exports import (
    MT5_HEADER,
    NEW_YORK,
    RECEIVED,
    csv_file,
    damage,
    ledger,
    mt4,
    mt5,
    row,
    sorted_out,
)

SAMPLE = Path(__file__).parents[4] / "shared" / "samples" / "mt5-manager-deals.csv"
FUZZ = settings(
    max_examples=tries(37), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def read_rows(folder: Path, *lines: str, profile: Any = None, **more: Any) -> tuple[list[Any], list[Any]]:
    path = csv_file(folder / "deals.csv", *lines, **more)
    return sorted_out(read(path, profile or mt5(), RECEIVED))


def test_golden_day(tmp_path: Path) -> None:
    """A day of one server: trades, a deposit, a cancelled deal, in order of time, then number."""
    deals, letters = read_rows(
        tmp_path,
        row(
            103,
            Time="2025.06.02 10:00:05.250",
            Type="sell",
            Entry="out",
            Volume="0.00003053",
            Price="148.244",
            Commission="-7.25",
            Fee="-0.5",
            Swap="- 0.08",
            Profit="1 452.18",
            Reason="Stop loss",
            Comment="[sl 148.2]",
        ),
        row(102, Time="2025.06.02 10:00:05.250", Type="buy canceled", Symbol="XAUUSD", Volume="0.35632455"),
        row(
            101,
            Time="2025.06.02 09:59:59.999",
            Type="balance",
            Entry="",
            Position="0",
            Symbol="",
            Volume="",
            Price="",
            Reason="Dealer",
            Commission="",
            Swap="",
            Profit="-500",
            Comment="Withdrawal",
        ),
        profile=mt5(rule=NEW_YORK, group="real\\std"),
    )
    assert letters == []
    assert ledger(
        deals, "deal_id", "kind", "side", "entry", "symbol", "volume_e8", "price", "position_id"
    ) == [
        ("101", "balance", "None", "None", "", "0", "None", ""),
        ("102", "cancelled", "buy", "in", "XAUUSD", "35632455", "1.1", "7001"),
        ("103", "trade", "sell", "out", "EURUSD", "3053", "148.244", "7001"),
    ]
    assert ledger(deals, "profit", "commission", "fee", "swap", "currency", "reason", "group") == [
        ("-500", "0", "0", "0", "USD", "dealer", "real\\std"),
        ("0", "0", "0", "0", "USD", "client", "real\\std"),
        ("1452.18", "-7.25", "-0.5", "-0.08", "USD", "stop_loss", "real\\std"),
    ]
    assert ledger(
        deals[2:], "account_key", "deal_key", "occurred_at", "server_time", "comment", "source"
    ) == [
        (
            "Demo-MT5/5001",
            "Demo-MT5|103",
            "2025-06-02 07:00:05.250000+00:00",
            "2025.06.02 10:00:05.250",
            "[sl 148.2]",
            "mt5-deals-csv deals.csv:2",
        ),
    ]
    assert deals[2].volume_closed_e8 is deals[2].contract_size is deals[2].bid is deals[2].ask is None
    assert [decode(line) for line in encode(deals)] == deals


def test_order_is_time_then_number_not_line(tmp_path: Path) -> None:
    """Deal numbers are not monotone in time, and many share a millisecond."""
    times = {5: "10:00:00.002", 2: "10:00:00.002", 9: "10:00:00.001", 1: "10:00:00.003"}
    deals, _ = read_rows(tmp_path, *(row(deal, Time=f"2025.06.02 {time}") for deal, time in times.items()))
    assert [deal.deal_id for deal in deals] == ["9", "2", "5", "1"]


def test_repeated_hour_follows_deal_numbers(tmp_path: Path) -> None:
    """In the repeated hour, deals after the jump back of time are an hour later in UTC."""
    times = {11: "08:50:00", 12: "08:05:00", 13: "08:51:00", 10: "08:04:00"}
    deals, _ = read_rows(
        tmp_path,
        *(row(deal, Time=f"2025.11.02 {time}") for deal, time in times.items()),
        profile=mt5(rule=NEW_YORK),
    )
    assert [(deal.deal_id, f"{deal.occurred_at:%H:%M}") for deal in deals] == [
        ("10", "05:04"),
        ("11", "05:50"),
        ("12", "06:05"),
        ("13", "06:51"),
    ]


@pytest.mark.parametrize(
    "reason",
    [
        "Rollover",
        "Variation margin",
        "Transfer",
        "Sync",
        "External service",
        "Split",
        "Corporate action",
        "Settlement",
        "Migration",
    ],
)
def test_service_deals_are_marked(tmp_path: Path, reason: str) -> None:
    """An execution no client asked for is a service deal."""
    deals, _ = read_rows(tmp_path, row(1, Reason=reason), row(2, Reason="Client"))
    assert [deal.is_service for deal in deals] == [True, False]


def test_service_reasons_are_the_brokers_choice(tmp_path: Path) -> None:
    """A broker that pays for expiries takes settlement out of its profile."""
    deals, _ = read_rows(tmp_path, row(1, Reason="Settlement"), profile=mt5(service_reasons=frozenset()))
    assert [deal.is_service for deal in deals] == [False]


def test_in_out_needs_netting(tmp_path: Path) -> None:
    """A hedging account cannot reverse in one deal; elsewhere the fold splits it."""
    reversal = row(1, Entry="in/out", Volume="1.01")
    _, letters = read_rows(tmp_path, reversal, profile=mt5("hedging"))
    assert [letter.code for letter in letters] == ["inout_on_hedging"]
    for mode in ("netting", None):
        deals, _ = read_rows(tmp_path, reversal, profile=mt5(mode))
        assert ledger(deals, "deal_id", "entry", "volume_e8", "volume_closed_e8") == [
            ("1", "inout", "101000000", "None")
        ]


def test_known_closing_volume_of_an_in_out(tmp_path: Path) -> None:
    """What an in/out closed is told to the fold; the deal keeps its number, volume and amounts."""
    deals, letters = read_rows(
        tmp_path,
        row(8, Type="sell", Entry="in/out", Volume="1.01", Commission="-7", Profit="-9.29", VolumeClosed="1"),
        row(9, Entry="in/out", Volume="1", VolumeClosed="0"),
        row(10, Entry="in/out", Volume="1", VolumeClosed="1"),
        row(11, Entry="out", Volume="1", VolumeClosed="1"),
        header=f"{MT5_HEADER},VolumeClosed",
        profile=mt5("netting"),
    )
    assert ledger(deals, "deal_id", "entry", "side", "volume_e8", "volume_closed_e8") == [
        ("8", "inout", "sell", "101000000", "100000000"),
        ("9", "inout", "buy", "100000000", "None"),
        ("11", "out", "buy", "100000000", "None"),
    ]
    assert ledger(deals[:1], "profit", "commission") == [("-9.29", "-7")]
    assert [letter.code for letter in letters] == ["bad_volume_closed"]


def test_an_in_out_is_one_deal_for_every_source(tmp_path: Path) -> None:
    """An in/out with and without its closing volume has one id and one revision, so it counts once."""
    turn = {"Type": "sell", "Entry": "in/out", "Volume": "1.01", "Profit": "-9.29"}
    told, _ = read_rows(tmp_path, row(8, VolumeClosed="1", **turn), header=f"{MT5_HEADER},VolumeClosed")
    untold, _ = read_rows(tmp_path, row(8, **turn))
    assert ledger(told, "deal_key", "revision") == ledger(untold, "deal_key", "revision")


def test_extended_columns(tmp_path: Path) -> None:
    """Contract size, bid and ask are used where exported; zero means that the platform had none."""
    deals, letters = read_rows(
        tmp_path,
        row(1, ContractSize="1000", MarketAsk="1.10012", MarketBid="1.10002"),
        row(2, ContractSize="0", MarketAsk="0", MarketBid="0.00000"),
        row(3, ContractSize="1", MarketAsk="-1", MarketBid="1"),
        header=f"{MT5_HEADER},ContractSize,MarketAsk,MarketBid",
    )
    assert ledger(deals, "contract_size", "bid", "ask") == [("1000", "1.10002", "1.10012"), ("None",) * 3]
    assert [letter.code for letter in letters] == ["bad_amount"]


def test_cent_account_keeps_its_currency(tmp_path: Path) -> None:
    """A cent account's lots and amounts stay as they are; the terms say what they are worth."""
    deals, _ = read_rows(tmp_path, row(1, Currency="USC", Symbol="EURUSDc", Volume="1.00", Profit="412.7"))
    assert ledger(deals, "currency", "symbol", "volume_e8", "profit") == [
        ("USC", "EURUSDc", "100000000", "412.7")
    ]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (row(1, Volume="0.123456789"), "bad_volume"),
        (row(1, Volume="-1"), "bad_volume"),
        (row(1, Volume=""), "bad_volume"),
        (row(1, Profit="1;5"), "bad_amount"),
        (row(1, Profit=""), "bad_amount"),
        (row(1, Price="abc"), "bad_amount"),
        (row(1, Price="0.000"), "bad_price"),
        (row(1, Type="swap"), "unknown_type"),
        (row(1, Entry=""), "unknown_entry"),
        (row(1, Symbol=""), "bad_symbol"),
        (row(1, Symbol="EUR\tUSD"), "bad_symbol"),
        (row(1, Currency=""), "bad_currency"),
        (row(1, Login="0"), "bad_number"),
        (row("x"), "bad_number"),
        (row(1, Time="1970.01.01 00:00:00.000"), "bad_time"),
        (row(1, Time="2025.06.31 00:00:00.000"), "bad_time"),
        (row(1, Comment="a,b"), "wrong_cells"),
        ("1,2,3", "wrong_cells"),
        (MT5_HEADER, "repeated_header"),
        (row(1, Comment='"open'), "bad_quotes"),
        (row(1, Comment="x" * MAX_ROW_BYTES), "row_too_long"),
    ],
)
def test_one_bad_row_is_one_dead_letter(tmp_path: Path, bad: str, code: str) -> None:
    """A bad row is buried with its line and a reason, and its neighbours are deals."""
    deals, letters = read_rows(tmp_path, row(100), bad, row(101))
    assert [deal.deal_id for deal in deals] == ["100", "101"]
    assert [(letter.code, letter.position, letter.source) for letter in letters] == [
        (code, "line 3", "mt5-deals-csv deals.csv")
    ]
    assert len(letters[0].reason) > 20
    assert b"Ada" not in letters[0].payload
    assert "Ada" not in letters[0].reason


@pytest.mark.parametrize("name", ["Ada, Example", '"Ada ""A"" Example"', "Ada,,Example", "Äda Example"])
def test_names_are_never_kept(tmp_path: Path, name: str) -> None:
    """A client's name is in no deal and no dead letter, even where it broke the row."""
    deals, letters = read_rows(
        tmp_path, row(1, Name=name), row(2, Name=name, Volume="bad"), row(3, Name=name + ",")
    )
    for text in [*map(str, deals), *(letter.payload.decode() + letter.reason for letter in letters)]:
        assert "Example" not in text
        assert not {"Ada", "Äda"} & set(text.replace('"', " ").replace(",", " ").split())


def test_name_out_of_place_is_not_kept(tmp_path: Path) -> None:
    """A row with one comma too many and one too few has the name in the wrong column: still not kept."""
    broken = row(1, Name="Ada,Example").removesuffix(",")
    _, letters = read_rows(tmp_path, broken, row(1, Login="Ada"))
    assert [letter.code for letter in letters] == ["bad_time", "bad_number"]
    assert "Example" not in letters[0].payload.decode() + letters[0].reason
    assert "Ada" not in letters[1].reason


def test_quoted_cells(tmp_path: Path) -> None:
    """A quoted cell may hold the delimiter and doubled quotes."""
    deals, letters = read_rows(tmp_path, row(1, Comment='"EA ""X"", v2"'))
    assert [deal.comment for deal in deals] == ['EA "X", v2']
    assert letters == []


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters(tmp_path: Path, delimiter: str) -> None:
    """Semicolons and tabs are found by the header."""
    deals, letters = read_rows(
        tmp_path, row(1).replace(",", delimiter), header=MT5_HEADER.replace(",", delimiter), end="\n"
    )
    assert (len(deals), letters) == (1, [])


def test_header_in_another_hand(tmp_path: Path) -> None:
    """BOM, case, spaces and order of columns do not matter."""
    header = "\ufeff" + MT5_HEADER.upper().replace("S / L", "S/L").replace("LOGIN", " Log In ")
    deals, letters = read_rows(tmp_path, row(1), header=header)
    assert (len(deals), letters) == (1, [])


def test_missing_column_is_named(tmp_path: Path) -> None:
    """Without a column that money depends on the file is refused, naming the column."""
    path = csv_file(tmp_path / "d.csv", header=MT5_HEADER.replace("Swap", "Other"))
    with pytest.raises(UnreadableSource, match="Swap"):
        read(path, mt5(), RECEIVED)
    without_currency = csv_file(tmp_path / "e.csv", header=MT5_HEADER.replace("Currency", "Other"))
    with pytest.raises(UnreadableSource, match="Currency"):
        read(without_currency, mt5(), RECEIVED)
    assert list(read(without_currency, mt5(currency="USD"), RECEIVED)) == []


def test_twice_the_same_column_is_refused(tmp_path: Path) -> None:
    """Two columns of one name leave open which counts."""
    path = csv_file(tmp_path / "d.csv", header=MT5_HEADER.replace("Fee", "Profit"))
    with pytest.raises(UnreadableSource, match="twice"):
        read(path, mt5(), RECEIVED)


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\xfeD\x00e\x00", b"hello\n", b"<html>", b"\x00" * 100, b"a" * 20_000]
)
def test_other_files_are_refused_at_once(tmp_path: Path, raw: bytes) -> None:
    """A file that is no Deals export fails at the call, before anything is yielded."""
    (tmp_path / "d.csv").write_bytes(raw)
    with pytest.raises(UnreadableSource):
        read(tmp_path / "d.csv", mt5(), RECEIVED)


def test_profile_of_the_other_platform(tmp_path: Path) -> None:
    """An MT5 file is not read as an MT4 server's."""
    with pytest.raises(UnreadableSource, match="MT4"):
        read(csv_file(tmp_path / "d.csv"), mt4(), RECEIVED)


def test_truncated_last_row(tmp_path: Path) -> None:
    """A file cut off inside its last row buries that row, and a cut-off number is never used."""
    path = tmp_path / "d.csv"
    csv_file(path, row(1), row(2))
    path.write_bytes(path.read_bytes()[:-25])
    deals, letters = sorted_out(read(path, mt5(), RECEIVED))
    assert ([deal.deal_id for deal in deals], [letter.code for letter in letters]) == (
        ["1"],
        ["truncated_row"],
    )
    ends_in_profit = (
        ",".join(name for name in MT5_HEADER.split(",") if name not in ("Profit", "Comment")) + ",Profit"
    )
    line = "1,,0,7,5,N,2025.06.02 10:00:00.000,buy,in,X,1,1,0,0,Client,0,0,0,0,USD,3090"
    csv_file(path, line, header=ends_in_profit)
    path.write_bytes(path.read_bytes()[:-4])
    deals, letters = sorted_out(read(path, mt5(), RECEIVED))
    assert (deals, [letter.code for letter in letters]) == ([], ["truncated_row"])


def test_missing_last_line_end_is_fine_after_a_comment(tmp_path: Path) -> None:
    """A last row without a line end is whole if only its comment could be cut."""
    path = csv_file(tmp_path / "d.csv", row(1))
    path.write_bytes(path.read_bytes()[:-2])
    assert len(list(read(path, mt5(), RECEIVED))) == 1


def test_not_utf8_row(tmp_path: Path) -> None:
    """One row in another encoding is buried, without its name."""
    path = csv_file(tmp_path / "d.csv", row(1), row(2))
    path.write_bytes(
        path.read_bytes()
        + row(3, Name="Ada").replace("Ada", "Xda").encode().replace(b"Xda", b"\xc4da")
        + b"\r\n"
    )
    deals, letters = sorted_out(read(path, mt5(), RECEIVED))
    assert (len(deals), [letter.code for letter in letters]) == (2, ["not_utf8"])
    assert b"da" not in letters[0].payload


def test_revision_is_of_what_matters(tmp_path: Path) -> None:
    """Another comment, reason, spelling or part of a second keeps the revision; another amount, time or
    volume changes it.
    """
    (base,), _ = read_rows(tmp_path, row(1, Profit="5"))
    same = (
        row(1, Profit="5.00", Comment="x"),
        row(1, Profit="5", Reason="Web", Name="B"),
        row(1, Profit="5", Price="1.10"),
        row(1, Profit="5", Time="2025.06.02 10:00:00.999"),
    )
    other = (
        row(1, Profit="5.01"),
        row(1, Profit="5", Time="2025.06.02 10:00:01.000"),
        row(1, Profit="5", Volume="1.00000001"),
        row(1, Profit="5", Type="buy canceled"),
        row(1, Profit="5", Type="sell"),
        row(1, Profit="5", Position="7002"),
        row(1, Profit="5", Symbol="EURUSD."),
        row(1, Profit="5", Currency="EUR"),
        row(1, Profit="5", Commission="-1"),
        row(1, Profit="5", Entry="out"),
        row(1, Profit="5", Fee="1"),
        row(1, Profit="5", Swap="1"),
    )
    assert len(base.revision) == 16
    assert {read_rows(tmp_path, line)[0][0].revision for line in same} == {base.revision}
    revisions = [read_rows(tmp_path, line)[0][0].revision for line in other]
    assert len({base.revision, *revisions}) == len(other) + 1


def test_counts(tmp_path: Path) -> None:
    """The summary has every row and exact sums by currency."""
    counts = Counts()
    lines = (
        row(1, Volume="0.1", Profit="0.1"),
        row(2, Volume="0.2", Profit="0.2"),
        row(3, Type="balance", Profit="100"),
        row(4, Currency="JPY", Commission="-3"),
        "",
        "junk",
    )
    list(read(csv_file(tmp_path / "d.csv", *lines), mt5(), RECEIVED, counts))
    assert (counts.rows, dict(counts.skipped), dict(counts.dead_letters)) == (
        5,
        {"blank_line": 1},
        {"wrong_cells": 1},
    )
    assert dict(counts.deals) == {"trade": 3, "balance": 1}
    assert (counts.trades["USD"].volume_e8, counts.trades["USD"].profit) == (30_000_000, Decimal("0.3"))
    assert counts.cash == {("balance", "USD"): Decimal(100)}
    assert "trades in JPY: 1 lots, profit 0, commission -3, fee 0, swap 0" in counts.lines()


VALID = "\r\n".join((MT5_HEADER, *(row(deal, Profit=f"{deal}.5") for deal in range(1, 6)), "")).encode()


def check_any(folder: Path, raw: bytes) -> None:
    path, counts = folder / "fuzz.csv", Counts()
    path.write_bytes(raw)
    try:
        items = list(read(path, mt5(currency="USD"), RECEIVED, counts))
    except UnreadableSource:
        return
    assert len(items) == counts.rows
    encode([item for item in items if item.type == "deal"])


@FUZZ
@given(raw=st.composite(damage(VALID))())
def test_damaged_files(tmp_path: Path, raw: bytes) -> None:
    """However a file is damaged, every row is one deal or one dead letter."""
    check_any(tmp_path, raw)


@FUZZ
@given(raw=st.binary(max_size=400), with_header=st.booleans())
def test_random_bytes(tmp_path: Path, raw: bytes, *, with_header: bool) -> None:
    """Random bytes are refused or buried; nothing else is raised."""
    check_any(tmp_path, (MT5_HEADER.encode() + b"\n" if with_header else b"") + raw)


def test_real_export() -> None:
    """A real export reads whole: counts and sums as its rows have them."""
    if not SAMPLE.exists():
        assert not SAMPLE.parent.exists(), "the samples are there, but not this one"
        return
    counts = Counts()
    deals, letters = sorted_out(read(SAMPLE, mt5(rule=NEW_YORK), RECEIVED, counts))
    assert (counts.rows, len(deals), letters) == (399, 399, [])
    sums = counts.trades["JPY"]
    assert (sums.volume_e8, sums.profit, sums.commission, sums.swap) == (
        14_237_019_185,
        722_928,
        -60_201,
        -13_605,
    )
    assert [deal.occurred_at for deal in deals] == sorted(deal.occurred_at for deal in deals)
