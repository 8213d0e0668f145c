"""The fast lane of the Deals export gives what the row lane gives, byte for byte, for good and bad files."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingest.counts import Counts
from ingest.formats.csv_rows import MAX_ROW_BYTES
from ingest.mt5 import deals_csv_fast as mt5_deals_frame
from ingest.mt5 import deals_csv_fast_scan as mt5_frame_scan
from ingest.mt5.deals_csv import read
from ingest.mt5.deals_csv_fast import read_encoded
from ingest.readers import detect
from ingest.sources import EncodedDeals, ServerProfile, UnreadableSource
from schemas.dead_letters import DeadLetter
from schemas.wire import decode, encode
from tests.deals_file import write_deals
from tests.effort import tries
from tests.ingest.ingest_exports import (
    MT5_COLUMNS,
    MT5_HEADER,
    NEW_YORK,
    RECEIVED,
    csv_file,
    damage,
    mt5,
    row,
)

SAMPLE = Path(__file__).parents[4] / "shared" / "samples" / "mt5-manager-deals.csv"
FUZZ = settings(
    max_examples=tries(75), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
EXTENDED = f"{MT5_HEADER},ContractSize,MarketBid,MarketAsk,VolumeClosed"


def by_rows(path: Path, profile: ServerProfile) -> tuple[Any, ...]:
    """Keys, lines, dead letters and counts of the row lane; or why the file is refused."""
    counts = Counts()
    try:
        items = list(read(path, profile, RECEIVED, counts))
    except UnreadableSource as error:
        return (str(error),)
    letters = [item for item in items if isinstance(item, DeadLetter)]
    deals = [item for item in items if item.type == "deal"]
    return [deal.account_key for deal in deals], encode(deals), letters, counts, sorted(counts.lines())


def by_columns(path: Path, profile: ServerProfile) -> tuple[Any, ...]:
    """The same of the fast lane."""
    counts, keys, lines, letters = Counts(), [], [], []
    try:
        for item in read_encoded(path, profile, RECEIVED, counts):
            if isinstance(item, EncodedDeals):
                keys += item.account_keys
                lines += item.lines
            else:
                letters.append(item)
    except UnreadableSource as error:
        return (str(error),)
    return keys, lines, letters, counts, sorted(counts.lines())


def check_equal(path: Path, profile: ServerProfile | None = None) -> tuple[Any, ...]:
    """Hold both lanes equal; what the fast one gave."""
    given_profile = profile or mt5(rule=NEW_YORK, group='real\\std "1"', currency="USD")
    found = by_columns(path, given_profile)
    assert found == by_rows(path, given_profile)
    return found


def test_a_line_written_by_hand(tmp_path: Path) -> None:
    """A plain row is the line that the wire's rules give: the defaults left out, time in UTC."""
    line = row(
        103,
        Time="2025.06.02 10:00:05.250",
        Volume="0.10",
        Price="1.10",
        Commission="-7.250",
        Reason="SL",
        Comment="[sl 1.1]",
    )
    path = csv_file(tmp_path / "deals.csv", line, row(102, Reason="Rollover", Profit="-0.00", Volume="0"))
    keys, lines, letters, counts, _ = check_equal(path, mt5())
    # The revision's digest is commission.revision's business, and is tested there.
    assert [decode(line).deal_id for line in lines] == ["102", "103"]
    assert lines[1].replace(decode(lines[1]).revision.encode(), b"R") == (
        b'{"type":"deal","platform":"mt5","server":"Demo-MT5","login":5001,"deal_id":"103","revision":"R",'
        b'"kind":"trade","occurred_at":"2025-06-02T10:00:05.250000Z","server_time":"2025.06.02 10:00:05.250",'
        b'"side":"buy","entry":"in","symbol":"EURUSD","volume_e8":10000000,"position_id":"7001","price":"1.10",'
        b'"commission":"-7.250","currency":"USD","reason":"stop_loss","comment":"[sl 1.1]",'
        b'"source":"mt5-deals-csv deals.csv:2"}'
    )
    assert b'"is_service":true' in lines[0]
    assert (keys, letters, counts.rows) == (["Demo-MT5/5001"] * 2, [], 2)


def test_every_oddity_of_a_legs_order(tmp_path: Path) -> None:
    """Only a leg of a close-by has its order read; the plain ones take the fast lane."""
    rows = [row(n, Entry="out by", Order=text) for n, text in enumerate(CELLS["Order"], 1)]
    path = csv_file(tmp_path / "d.csv", *rows, row(99, Entry="out", Order="x"))
    _, lines, letters, *_ = check_equal(path)
    orders = {deal.deal_id: deal.close_by for deal in map(decode, lines)}
    told = {"3": "7", "4": "7001", "5": DIGITS_19, "6": BIGGEST, "10": "7001"}
    assert orders == {"1": "", "2": "", "7": "", "99": ""} | told
    assert ["bad_number", "bad_number"] == [letter.code for letter in letters]


def test_plain_rows_take_the_fast_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows as brokers export them, only those with quotes go one by one."""
    seen: list[int] = []

    class Reader(mt5_deals_frame.DealReader):
        def read(self, raw: bytes, at_us: int, deal: int, line: int) -> Any:
            assert b'"' in raw
            seen.append(line)
            return super().read(raw, at_us, deal, line)

    monkeypatch.setattr(mt5_deals_frame, "DealReader", Reader)
    by_columns(write_deals(tmp_path / "deals.csv", 5_000, logins=300), mt5(rule=NEW_YORK))
    assert len(seen) < 100


def test_a_broker_like_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger file, over many blocks and slices, is the same in both lanes."""
    monkeypatch.setattr(mt5_frame_scan, "BLOCK_BYTES", 50_000)
    monkeypatch.setattr(mt5_frame_scan, "SLICE_ROWS", 777)
    _, lines, letters, *_ = check_equal(write_deals(tmp_path / "deals.csv", 6_000, logins=300))
    assert (len(lines), letters) == (6_000, [])


def test_a_shuffled_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows far from their places in time are found row by row, and come in order."""
    monkeypatch.setattr(mt5_frame_scan, "SLICE_ROWS", 10)
    rows = [row(1 + n * 37 % 1_009, Time=f"2025.06.02 {n * 7 % 24:02}:00:00") for n in range(1_009)]
    _, lines, *_ = check_equal(csv_file(tmp_path / "deals.csv", *rows))
    deals = [decode(line) for line in lines]
    assert deals == sorted(deals, key=lambda deal: (deal.occurred_at, int(deal.deal_id)))


def test_real_export() -> None:
    """A real export is the same in both lanes."""
    if not SAMPLE.exists():
        assert not SAMPLE.parent.exists(), "the samples are there, but not this one"
        return
    _, lines, letters, *_ = check_equal(SAMPLE)
    assert (len(lines), letters) == (399, [])


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n"])
def test_other_delimiters_and_line_ends(tmp_path: Path, delimiter: str, end: str) -> None:
    """Both lanes agree on semicolons, tabs, and line ends of any kind."""
    lines = [row(1).replace(",", delimiter), "", row(2).replace(",", delimiter), "x"]
    check_equal(csv_file(tmp_path / "d.csv", *lines, header=MT5_HEADER.replace(",", delimiter), end=end))


@pytest.mark.parametrize("length", [-2, -1, 0, 1, 2, 3, 60_000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n", "\rjunk,junk\n", ""])
def test_rows_near_the_longest(
    tmp_path: Path, length: int, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row at the limit, over it and far over it, however it ends; the next one is found in its place."""
    monkeypatch.setattr(mt5_frame_scan, "BLOCK_BYTES", 20_000)
    start = row(2)
    long = start + "x" * (MAX_ROW_BYTES - len(start) + length)
    path = csv_file(tmp_path / "d.csv", row(1))
    path.write_bytes(path.read_bytes() + (long + end).encode() + (f"{row(3)}\n".encode() if end else b""))
    _, lines, letters, *_ = check_equal(path)
    is_whole = length <= 0 and "junk" not in end and length + end.count("\r") <= 1
    assert [letter.code for letter in letters] == ([] if is_whole else [letters[0].code])
    assert len(lines) == 1 + is_whole + bool(end)


@pytest.mark.parametrize("rule", [NEW_YORK, "Europe/Helsinki", "Australia/Lord_Howe+1h40m", "+02:00"])
def test_hours_in_which_the_clock_moves(tmp_path: Path, rule: str) -> None:
    """Both lanes agree all through the nights when clocks are set forward and back."""
    days = ("2025.03.09", "2025.03.30", "2025.04.06", "2025.10.05", "2025.10.26", "2025.11.02")
    times = [
        f"{day} {hour:02}:{minute:02}:30" for day in days for hour in range(12) for minute in (1, 31, 59)
    ]
    rows = [row(number, Time=time) for number, time in enumerate([*times, *times], 1)]
    assert len(check_equal(csv_file(tmp_path / "d.csv", *rows), mt5(rule=rule))[1]) == len(rows)


def test_missing_and_other_columns(tmp_path: Path) -> None:
    """Without fee, currency and comment, and with the columns turned round, both lanes agree."""
    kept = [name for name in MT5_COLUMNS if name not in ("Fee", "Currency", "Comment")]
    cells = dict(zip(MT5_COLUMNS, row(1, Swap="-1").split(","), strict=True))
    line = ",".join(cells[name] for name in reversed(kept))
    path = csv_file(tmp_path / "d.csv", line, header=",".join(reversed(kept)))
    assert len(check_equal(path)[1]) == 1
    for currency in ("EUR", "no currency"):
        check_equal(path, mt5(currency=currency))


AMOUNTS = (
    *("0", "0.0", "0.00", "-0", "-0.00", "00", "007.5", "1.50", "-1.5", "+1", "1.", ".5"),
    *("0.000001", "0.0000001", "0.00000001", "-0.00000012", "0.00000000", "0.0000000", "1.000000001"),
    *(
        "999999999999",
        "9999999999999",
        "999999999999999.99999999",
        "1000000000000000",
        "1,5",
        "\u22125",
        "\u0661",
    ),
    *("100", "100.00", "-120.10", "10.000000", "- 0.08", "\xa01", "-", "1 452.18", ""),
    *("1e5", "NaN", " 1 "),
)
BIGGEST, TOO_BIG, DIGITS_19 = "18446744073709551615", "18446744073709551616", "9999999999999999999"
CELLS: dict[str, tuple[str, ...]] = {
    "Deal": ("0", "007", BIGGEST, TOO_BIG, DIGITS_19, "Deal", " 5", "x"),
    "Position": ("", "0", "00", "007", " 7", DIGITS_19, BIGGEST, TOO_BIG, "x"),
    "Login": ("0", "007", " 5001", DIGITS_19, BIGGEST, "", "x"),
    "Name": ("", "山田", "Ada\x00", '"A, B"', '"', "a\rb", "\u2028"),
    "Time": (
        *("2025.06.02 10:00", "2025-06-02 10:00:00", "2025.06-02 10:00:00", "2025.06.02 10:00:00.1234567"),
        *("2025.06.02 10:00:00.123456", "2025.06.02 10:00:60", "2025.06.02 24:00:00", "2025.02.30 10:00:00"),
        *("1999.12.31 23:59:59", "2099.12.31 23:59:59.999999", "2100.01.01 00:00:00", "2025.06.02T10:00:00"),
        *(
            " 2025.06.02 10:00:00 ",
            "2025.11.02 08:30:00",
            "2025.06.02 10:00:00.",
            "2025.06.02 1\u0660:00:00",
            "",
        ),
    ),
    "Type": ("BUY", " sell", "buy canceled", "balance", "Credit", "charge", "agent_daily", "", "buy\xa0"),
    "Order": ("0", "00", "007", " 7001", DIGITS_19, BIGGEST, "", "x", "-1", "7001"),
    "Entry": ("IN", "out by", "in/out", "inout", "", "x", " out "),
    "Symbol": ("EUR USD", "EURUSD.é", "\\N", "EUR\tUSD", "", " XAU ", "x" * 65, "EUR\x7f", "\u200b", "'"),
    "Volume": (
        *("0", "0.0", "1.", ".1", "00.10", "123456.12345678"),
        *("1234567", "12345678901", "0.123456789", "-1", ""),
    ),
    "Reason": ("", "SL", "Stop loss", "rollover", "Variation margin", "x" * 70, "é\u2028", "a\\b", " "),
    "Currency": ("", "usd", " EUR ", "US$", "USDT", "J"),
    "Comment": (
        *(" a ", "é", "\xa0x\u2003", "\\", "\x1f x", "\x7f", "x" * 255, "x" * 256, "é" * 300, "\u180ex"),
        *("\x85", "</script>", "\u2028", "\ufeff", "😀", "\x00"),
    ),
    **dict.fromkeys(("Price", "Commission", "Fee", "Swap", "Profit"), AMOUNTS),
    **dict.fromkeys(("ContractSize", "MarketBid", "MarketAsk"), AMOUNTS),
    "VolumeClosed": ("", "0", "0.5", "1", "2", "x"),
}
ANY_TEXT = st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",)), max_size=12)


def mutated(name: str) -> st.SearchStrategy[str]:
    """A cell as platforms, editors or accidents write it."""
    return st.one_of(st.sampled_from(CELLS[name]), ANY_TEXT)


@pytest.mark.parametrize("cash", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_every_known_oddity_of_every_cell(tmp_path: Path, name: str, *, cash: bool) -> None:
    """Each cell spelled in each odd way, in a trade and in a cash operation."""
    usual: dict[str, Any] = {"ContractSize": "", "MarketBid": "", "MarketAsk": "", "VolumeClosed": ""}
    if cash:
        usual |= {"Type": "balance", "Entry": "", "Symbol": "", "Volume": "", "Price": "", "Commission": ""}
    rows = [
        row(number, **(usual | {name: text})) for number, text in enumerate(CELLS[name], 1) if name != "Deal"
    ]
    rows += [row(text, **usual) for text in CELLS["Deal"] if name == "Deal"]
    header = ",".join((*MT5_COLUMNS, *sorted(set(EXTENDED.split(",")) - set(MT5_COLUMNS))))
    for profile in (None, mt5("netting", currency="USD"), mt5("hedging", service_reasons=frozenset())):
        check_equal(csv_file(tmp_path / "d.csv", *rows, header=header), profile)


@st.composite
def files(draw: Any) -> bytes:
    """A file of a few rows, each with a few cells changed."""
    names = [name for name in CELLS if draw(st.booleans()) or name in MT5_COLUMNS]
    header = ",".join((*MT5_COLUMNS, *sorted(set(names) - set(MT5_COLUMNS))))
    lines = [header]
    for number in range(draw(st.integers(1, 6))):
        cells: dict[str, Any] = {name: "" for name in names if name not in MT5_COLUMNS}
        cells |= {
            "Deal": str(draw(st.integers(1, 9))),
            "Type": draw(st.sampled_from(("buy", "sell", "balance"))),
        }
        cells |= {"Time": f"2025.{draw(st.sampled_from(('06.02', '11.02')))} 0{number}:00:00.00{number}"}
        for name in draw(st.lists(st.sampled_from(names), max_size=4, unique=True)):
            cells[name] = draw(mutated(name))
        lines.append(row(cells.pop("Deal"), **cells))
    return draw(st.sampled_from(("\n", "\r\n"))).join([*lines, ""]).encode()


@settings(FUZZ, max_examples=tries(100))
@given(raw=files(), mode=st.sampled_from((None, "netting", "hedging")))
@example(raw=f"{MT5_HEADER}\n".encode(), mode=None)
def test_mutated_cells(tmp_path: Path, raw: bytes, mode: Any) -> None:
    """However cells are spelled, the lanes agree."""
    path = tmp_path / "deals.csv"
    path.write_bytes(raw)
    check_equal(path, mt5(mode, rule=NEW_YORK, currency="USD"))


VALID = "\r\n".join((MT5_HEADER, *(row(deal, Profit=f"{deal}.5") for deal in range(1, 6)), "")).encode()


@FUZZ
@given(raw=st.composite(damage(VALID))(), block=st.sampled_from((40, 300, 8_000_000)))
def test_damaged_files(tmp_path: Path, raw: bytes, block: int) -> None:
    """However bytes are changed, inserted or cut, and wherever a block ends, the lanes agree."""
    (tmp_path / "deals.csv").write_bytes(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mt5_frame_scan, "BLOCK_BYTES", block)
        check_equal(tmp_path / "deals.csv")


@FUZZ
@given(raw=st.binary(max_size=400))
def test_random_bytes(tmp_path: Path, raw: bytes) -> None:
    """Random bytes after a header, the same in both lanes."""
    (tmp_path / "deals.csv").write_bytes(MT5_HEADER.encode() + b"\n" + raw)
    check_equal(tmp_path / "deals.csv")


def test_what_is_said_of_a_file_goes_row_by_row(tmp_path: Path) -> None:
    """Where a person said a login or a currency, each deal is held against it; else the lane is fast."""
    path = csv_file(tmp_path / "deals.csv", row(1), row(2, Login="5002"))
    (fast,) = detect.read_encoded(path, mt5(currency="EUR", group="real"), RECEIVED)
    assert isinstance(fast, EncodedDeals)
    with pytest.raises(UnreadableSource, match="login 5002"):
        list(detect.read_encoded(path, mt5(login=5001), RECEIVED))
    with pytest.raises(UnreadableSource, match="currency USD"):
        list(detect.read_encoded(path, mt5(currency="EUR", is_currency_said=True), RECEIVED))
