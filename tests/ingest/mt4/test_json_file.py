"""MT4 trades saved as JSON: a file's records in order, its remainders found, its bad records buried."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.counts import Counts
from ingest.mt4 import json_file as mt4_json_file
from ingest.readers.detect import detect, read_any
from ingest.sources import ServerProfile, UnreadableSource
from schemas.wire import encode
from tests.effort import tries
from tests.ingest.ingest_exports import RECEIVED, damage, ledger, mt4, mt5, sorted_out
from tests.ingest.mt4.json_records import CPLUGIN, node

USD = mt4(currency="USD")


def load(folder: Path, records: object, profile: ServerProfile = USD, **more: Any) -> Any:
    path = folder / "trades.json"
    path.write_text(json.dumps(records))
    assert detect(path) == "mt4-json"
    return sorted_out(read_any(path, profile, RECEIVED, **more))


def test_golden_file(tmp_path: Path) -> None:
    """Whatever the order of records, deals come by time and ticket; a pending order is skipped."""
    counts = Counts()
    records = [node(3, closeTime=None, state=0), node(2, cmd=2), node(1)]
    deals, letters = load(tmp_path, records, counts=counts)
    assert (letters, counts.rows, dict(counts.skipped)) == ([], 3, {"pending_order": 1})
    assert ledger(deals, "deal_id", "commission", "profit", "source") == [
        ("1:open", "0", "0", "mt4-json trades.json:3"),
        ("3:open", "-3.5", "0", "mt4-json trades.json:1"),
        ("1:close", "-3.5", "50", "mt4-json trades.json:3"),
    ]
    assert str(counts.trades["USD"].profit) == "50"


def test_sums_of_archived_trades_are_no_trades(tmp_path: Path) -> None:
    """A `Summary trade result` is skipped and counted; any other trade at a price of 0 is buried."""
    summary, counts = {"symbol": "profit", "openPrice": 0, "closePrice": 0}, Counts()
    records = [node(1, **summary), node(2, openPrice=0), node(3, closePrice=0), node(4)]
    deals, letters = load(tmp_path, records, counts=counts)
    assert sorted({deal.position_id for deal in deals}) == ["4"]
    assert [letter.code for letter in letters] == ["bad_price", "bad_price"]
    assert (counts.rows, dict(counts.skipped)) == (4, {"archived_summary": 1})


def test_the_other_dialect_and_one_record_alone(tmp_path: Path) -> None:
    """The CPlugin's snake_case, one object instead of a list: an open sale of a quarter lot."""
    deals, letters = load(tmp_path, CPLUGIN)
    assert (letters, ledger(deals, "deal_id", "side", "volume_e8")) == ([], [("7:open", "sell", "25000000")])


def test_bad_records_are_buried_without_names(tmp_path: Path) -> None:
    """A bad record keeps its place and the fields of a trade; what else it holds is not repeated."""
    deals, letters = load(tmp_path, [node(1, volume=-1, name="Ada Example"), node(2), 5])
    assert [deal.position_id for deal in deals] == ["2", "2"]
    assert sorted((letter.code, letter.position, letter.source) for letter in letters) == [
        ("bad_volume", "record 1", "mt4-json trades.json"),
        ("not_a_record", "record 3", "mt4-json trades.json"),
    ]
    assert all(b"Ada" not in letter.payload for letter in letters)
    assert any(b'"volume": "-1"' in letter.payload for letter in letters)


def test_a_field_said_twice_is_not_guessed(tmp_path: Path) -> None:
    """Two volumes in one record: nobody knows which counts."""
    (tmp_path / "t.json").write_text(
        json.dumps([node(1)]).replace('"volume": 50', '"volume": 50, "volume": 5')
    )
    _, letters = sorted_out(read_any(tmp_path / "t.json", USD, RECEIVED))
    assert [letter.code for letter in letters] == ["repeated_field"]


def test_remainders_are_found_in_the_file(tmp_path: Path) -> None:
    """In a group that closes and reopens, 0.50 closed whole and 0.20 reopened are 0.30 and 0.20."""
    records = [node(1, comment="to #2", group="us-1"), node(2, volume=20, comment="from #1", group="us-1")]
    profile = mt4(currency="USD", close_reopen=("us*",))
    deals, letters = load(tmp_path, records, profile)
    assert (letters, [deal.volume_e8 for deal in deals if deal.entry == "out"]) == (
        [],
        [30_000_000, 20_000_000],
    )
    _, letters = load(tmp_path, records[:1], profile)
    assert [letter.code for letter in letters] == ["unknown_remainder"]


def test_the_repeated_hour_is_told_apart_by_tickets(tmp_path: Path) -> None:
    """Time goes back from ticket 1 to ticket 2, so 01:30 of ticket 2 is an hour after that of ticket 1."""
    night = {"closeTime": None, "state": 0}
    times = {1: "2025-11-02T01:45:00", 2: "2025-11-02T01:30:00"}
    records = [node(number, openTime=times[number], **night) for number in (2, 1)]
    deals, _ = load(tmp_path, records, mt4("America/New_York", currency="USD"))
    assert [f"{deal.deal_id} {deal.occurred_at:%H:%M}" for deal in deals] == ["1:open 05:45", "2:open 06:30"]


def test_what_is_no_such_file(tmp_path: Path) -> None:
    """Another platform, no currency, other JSON or half of one: told before any record."""
    path = tmp_path / "t.json"
    path.write_text(json.dumps([node(1)]))
    for profile, words in ((mt5(), "MT5"), (mt4(), "currency")):
        with pytest.raises(UnreadableSource, match=words):
            mt4_json_file.read(path, profile, RECEIVED)
    path.write_text(json.dumps([node(1)])[:-9])
    with pytest.raises(UnreadableSource, match="not whole JSON"):
        mt4_json_file.read(path, USD, RECEIVED)
    path.write_text('{"answer": []}')
    with pytest.raises(UnreadableSource, match="JSON, but not of deals as MT4 or MT5"):
        read_any(path, USD, RECEIVED)


VALID = json.dumps([node(1), node(2, comment="x"), node(3, cmd=6, symbol="")]).encode()


@settings(max_examples=tries(37), deadline=None)
@given(raw=st.composite(damage(VALID))())
def test_damaged_files(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """However a file is damaged, every record is deals, skipped or a dead letter, or all is refused."""
    path, counts = tmp_path_factory.mktemp("json") / "t.json", Counts()
    path.write_bytes(raw)
    try:
        deals, letters = sorted_out(mt4_json_file.read(path, USD, RECEIVED, counts))
    except UnreadableSource:
        return
    encode(deals)
    read = {deal.source for deal in deals}
    assert len(read) + len(letters) + sum(counts.skipped.values()) == counts.rows
