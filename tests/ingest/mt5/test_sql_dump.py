"""Dumps of MT5's own table as CSV: the same deals as from the database, and what a dump may be damaged by."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commission.events import Deal
from ingest.counts import Counts
from ingest.mt5.sql import Mt5Sql
from ingest.mt5.sql_dump import read
from ingest.readers.reread import needs_server, reread
from ingest.sources import RowRejected, UnreadableSource
from ingest.sql.database import Database
from schemas.dead_letters import DeadLetter
from tests.effort import tries
from tests.ingest.ingest_exports import RECEIVED, damage, ledger, mt4, mt5, sorted_out
from tests.ingest.sql_server import DUMPED, MT5_DEALS, SqlServer, deal, dump, dumped

USD = mt5(currency="USD", rule="America/New_York+7h")
SEEN = (
    "deal_id",
    "kind",
    "side",
    "entry",
    "occurred_at",
    "symbol",
    "volume_e8",
    "profit",
    "currency",
    "source",
)


def file(folder: Path, *rows: int | str, header: str = DUMPED) -> Path:
    path = folder / "d.csv"
    path.write_text(dump(*rows, header=header), encoding="utf-8")
    return path


def codes(path: Path) -> Sequence[str]:
    return [letter.code for letter in sorted_out(read(path, USD, RECEIVED))[1]]


def test_a_dump_is_its_deals(tmp_path: Path) -> None:
    """Golden: server time is New York + 7 h, a double's noise is cut, empty times and volumes are none."""
    rows = (
        dumped(3, Action=1, Entry=1, Price="1.1403699999999999", Profit="-14.07", Storage="-0.5",
               Commission="-3.5", VolumeExt=3053, Volume=0, Comment='"a, b"', ModifyFlags=1),
        dumped(2, TimeMsc="1970-01-01 00:00:00.000000", VolumeExt=0, Volume=5_000),
        dumped(1, Action=2, Symbol="", Price=0, VolumeExt=0, Volume=0, PositionID=0, Profit=30000, Reason=2),
    )  # fmt: skip
    counts = Counts()
    deals, letters = sorted_out(read(file(tmp_path, *rows), USD, RECEIVED, counts))
    assert [] == letters
    assert ledger(deals, *SEEN) == [
        ("1", "balance", "None", "None", "2025-06-02 07:00:01.445000+00:00", "", "0", "30000", "USD",
         "mt5-sql-csv d.csv:4"),
        ("2", "trade", "buy", "in", "2025-06-02 07:00:02+00:00", "EURUSD", "50000000", "0", "USD",
         "mt5-sql-csv d.csv:3"),
        ("3", "trade", "sell", "out", "2025-06-02 07:00:03.445000+00:00", "EURUSD", "3053", "-14.07", "USD",
         "mt5-sql-csv d.csv:2"),
    ]  # fmt: skip
    third = deals[2]
    assert ("1.14037", "-3.5", "-0.5", "100000") == tuple(
        str(value) for value in (third.price, third.commission, third.swap, third.contract_size)
    )
    assert (3, 1) == (counts.rows, counts.hand_edits.total())


def test_a_dump_has_the_revisions_of_the_database(sql: SqlServer, tmp_path: Path) -> None:
    """The same rows, polled and dumped, are the same deals but for where they were read."""
    sql.run(MT5_DEALS.format(name="mt5_deals"))
    prices = ("1.1403699999999999", "2000.1", "0.00001234")
    sql.insert(
        "mt5_deals",
        *(
            deal(number, RECEIVED, Price=price, Profit="-0.1", VolumeExt=number, Volume=0)
            for number, price in enumerate(prices, 1)
        ),
    )
    polled = [item for page in Mt5Sql(Database(sql.address), USD).poll("") for item in page.items]
    names = [name for (name, *_) in sql.run("SHOW COLUMNS FROM mt5_deals")]
    path = tmp_path / "d.csv"
    with path.open("w", encoding="utf-8", newline="") as text:
        texts = (f"CAST(`{name}` AS CHAR)" for name in names)
        csv.writer(text).writerows([names, *sql.run(f"SELECT {', '.join(texts)} FROM mt5_deals")])  # noqa: S608
    deals, letters = sorted_out(read(path, USD, RECEIVED))
    assert [] == letters
    assert 3 == len(deals)
    assert ledger(deals, *SEEN[:-1], "revision", "price") == ledger(
        [item for item in polled if isinstance(item, Deal)], *SEEN[:-1], "revision", "price"
    )


def test_a_stamp_tells_the_pass_of_a_repeated_hour(tmp_path: Path) -> None:
    """New York + 7 h shows 08:30 of 2 November 2025 twice: 05:30 and 06:30 UTC; rows are written at once."""
    seconds = {"05:30": 1_762_061_400, "06:30": 1_762_065_000}
    stamps = {at: 116_444_736_000_000_000 + count * 10_000_000 for at, count in seconds.items()}
    time = {"Time": "2025-11-02 08:30:00", "TimeMsc": "2025-11-02 08:30:00.000000"}
    rows = [dumped(number, Timestamp=stamps[at], **time) for number, at in ((1, "06:30"), (2, "05:30"))]
    deals, _ = sorted_out(read(file(tmp_path, *rows), USD, RECEIVED))
    assert [("2", "05:30"), ("1", "06:30")] == [(one.deal_id, f"{one.occurred_at:%H:%M}") for one in deals]


def test_damage_stays_in_its_row(tmp_path: Path) -> None:
    """Each damaged row is a dead letter with its code; the others are deals."""
    path = file(
        tmp_path, 1, dumped(2, Timestamp=""), dumped(3, TimeMsc="02.06.2025 10:00"), dumped(4, Price="x"),
        dumped(5, Login="NULL"), dumped(6) + ",", dumped(7, Comment='"'), dumped(8, Reason="\\N"), 9,
    )  # fmt: skip
    deals, letters = sorted_out(read(path, USD, RECEIVED))
    assert ["1", "9"] == [one.deal_id for one in deals]
    expected = {
        "bad_stamp": 3, "bad_time": 4, "bad_amount": 5, "no_login": 6, "wrong_cells": 7, "bad_quotes": 8,
        "unknown_reason": 9,
    }  # fmt: skip
    assert {code: f"line {line}" for code, line in expected.items()} == {
        letter.code: letter.position for letter in letters
    }


def test_a_row_that_the_file_ends_in(tmp_path: Path) -> None:
    """Cut inside a column that is read it is none; cut in the last one, which is not, it is whole."""
    path = tmp_path / "d.csv"
    path.write_text(dump(1)[:-1], encoding="utf-8")
    assert [] == codes(path)
    header, row = DUMPED.replace(",ApiData", ""), dumped(1).removesuffix(",[]")
    path.write_text(f"{header}\n{row}", encoding="utf-8")
    assert ["truncated_row"] == codes(path)


def test_no_name_is_kept_of_a_joined_dump(tmp_path: Path) -> None:
    """Columns of other tables are not read; what stands in them, or near them, is in no dead letter."""
    header = f"{DUMPED},Name,Group"
    path = file(
        tmp_path, f"{dumped(1)},Ada,real\\std", f"{dumped(2, Price='x')},Ada,real\\std",
        f"{dumped(3)},Lovelace, Ada,real\\std", header=header,
    )  # fmt: skip
    deals, letters = sorted_out(read(path, USD, RECEIVED))
    assert ["real\\std"] == [one.group for one in deals]
    assert [("bad_amount", False), ("wrong_cells", True)] == [(one.code, one.is_blanked) for one in letters]
    assert not any(name in letter.payload for letter in letters for name in (b"Ada", b"Lovelace"))


def test_a_corrected_row_is_the_deal_of_a_corrected_dump(tmp_path: Path) -> None:
    """A letter keeps header, server and what was said of the file: alone it is the deal it was in it."""
    profile = mt5(currency="USC", rule="UTC", group="cents")
    _, (letter,) = sorted_out(read(file(tmp_path, 1, dumped(2, Profit="1O")), profile, RECEIVED))
    assert isinstance(letter, DeadLetter)
    assert needs_server(letter)
    usual = mt5(currency="USD", rule="UTC")
    with pytest.raises(RowRejected, match="Profit"):
        reread(letter, usual)
    (again,) = reread(letter, usual, letter.payload.replace(b"1O", b"10"))
    deals, _ = sorted_out(read(file(tmp_path, 1, dumped(2, Profit="10")), profile, RECEIVED))
    assert deals[1] == again
    assert isinstance(again, Deal)
    assert ("USC", "cents") == (again.currency, again.group)


@pytest.mark.parametrize(
    ("header", "profile", "told"),
    [
        (DUMPED.replace("Profit,", "Gain,"), USD, "the column Profit is missing"),
        (DUMPED.replace("Time,TimeMsc", "A,B"), USD, "Time or TimeMsc is missing"),
        (DUMPED, mt5(), "does not say its accounts' currency"),
        (DUMPED, mt4(), "is an MT5 file"),
        ("Deal,Login", USD, "is not a dump of mt5_deals"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, header: str, profile: object, told: str) -> None:
    """Told at once, with what is missing."""
    with pytest.raises(UnreadableSource, match=told):
        read(file(tmp_path, header=header), profile, RECEIVED)  # type: ignore[arg-type]


@given(data=st.data())
@settings(max_examples=tries(25), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_damage_leaves_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever the bytes, rows are deals, dead letters or skipped, or the file is refused."""
    path = tmp_path / "d.csv"
    path.write_bytes(damage(dump(1, 2, 3).encode())(data.draw))
    counts = Counts()
    try:
        items = list(read(path, USD, RECEIVED, counts))
    except UnreadableSource:
        return
    assert len(items) == counts.rows
