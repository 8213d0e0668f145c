"""Dumps of a report server's `mt4_trades` as CSV: each row as the live source reads it."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ingest.counts import Counts
from ingest.mt4.sql_dump import read
from ingest.readers.detect import detect, read_any
from ingest.readers.reread import reread
from ingest.sources import UnreadableSource
from tests.ingest.ingest_exports import NEW_YORK, RECEIVED, ledger, mt4, mt5, sorted_out, statement, ticket
from tests.ingest.mt4.sql_rows import MT4_HEADER, OPEN, mt4_row


def read_rows(folder: Path, *rows: str, header: str = MT4_HEADER, profile: Any = None, **more: Any) -> Any:
    path = folder / "mt4_trades.csv"
    path.write_text("".join(f"{line}\n" for line in (header, *rows)), "utf-8", newline="")
    return sorted_out(read(path, profile or mt4(currency="USD"), RECEIVED, **more))


def test_golden_dump(tmp_path: Path) -> None:
    """A closed ticket is two deals, an open one is one, orders are none; in order of time."""
    rows = (
        mt4_row(3, CMD=1, OPEN_TIME="2025-06-02 12:00:00", CLOSE_TIME=OPEN, PROFIT="12.5", SWAPS="-1"),
        mt4_row(2, COMMENT="EA[tp]", REASON=1, TAXES="-0.1"),
        mt4_row(4, CMD=2, CLOSE_TIME=OPEN),
        mt4_row(1, CMD=6, SYMBOL="", VOLUME=1, OPEN_TIME="2025-06-01 08:00:00", PROFIT="250"),
    )  # fmt: skip
    counts = Counts()
    deals, letters = read_rows(tmp_path, *rows, counts=counts)
    assert letters == []
    assert ledger(deals, "deal_id", "side", "symbol", "volume_e8", "price", "profit", "commission", "fee",
                  "swap", "reason") == [
        ("1", "None", "", "0", "None", "250", "0", "0", "0", ""),
        ("2:open", "buy", "EURUSD", "50000000", "1.1", "0", "0", "0", "0", "expert"),
        ("2:close", "sell", "EURUSD", "50000000", "1.101", "50", "-3.5", "-0.1", "-0.25", "take_profit"),
        ("3:open", "sell", "EURUSD", "50000000", "1.1", "0", "-3.5", "0", "0", "client"),
    ]  # fmt: skip
    assert (counts.rows, dict(counts.skipped)) == (4, {"pending_order": 1})


def test_the_revision_is_that_of_a_statement(tmp_path: Path) -> None:
    """The same ticket from a statement and from a dump is one deal, told twice."""
    deals, _ = read_rows(tmp_path, mt4_row(1))
    path = tmp_path / "Statement.htm"
    path.write_text(statement(ticket(1)))
    told, _ = sorted_out(read_any(path, mt4(symbols=frozenset({"EURUSD"})), RECEIVED))
    assert ledger(deals, "deal_key", "revision") == ledger(told, "deal_key", "revision")


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"CLOSE_TIME": "2025-06-32 11:00:00"}, "bad_time"),
        ({"CLOSE_TIME": "02.06.2025 11:00"}, "bad_time"),
        ({"OPEN_TIME": ""}, "bad_time"),
        ({"OPEN_PRICE": "0"}, "bad_price"),
        ({"CLOSE_PRICE": "0"}, "bad_price"),
        ({"VOLUME": "x"}, "bad_amount"),
        ({"TICKET": "0"}, "bad_number"),
        ({"COMMENT": "a,b"}, "wrong_cells"),
        ({"PROFIT": "1e400"}, "bad_amount"),
    ],
)
def test_one_bad_row_is_one_dead_letter(tmp_path: Path, cells: dict[str, str], code: str) -> None:
    """A damaged closing time does not leave a ticket open; its neighbours are deals."""
    deals, letters = read_rows(tmp_path, mt4_row(1), mt4_row(2, **cells), mt4_row(3))
    assert sorted({deal.position_id for deal in deals}) == ["1", "3"]
    assert [(letter.code, letter.position) for letter in letters] == [(code, "line 3")]


def test_sums_of_archived_trades_are_skipped(tmp_path: Path) -> None:
    """The server keeps them in the table; they are counted and are no deals."""
    counts = Counts()
    archived = mt4_row(1, SYMBOL="profit", OPEN_PRICE="0", CLOSE_PRICE="0", COMMENT="Summary trade result Q1")
    deals, letters = read_rows(tmp_path, archived, counts=counts)
    assert (deals, letters, dict(counts.skipped)) == ([], [], {"archived_summary": 1})


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """Columns, the currency and the platform, each by its name."""
    for header, profile, words in (
        (MT4_HEADER.replace("PROFIT", "GAIN"), mt4(currency="USD"), "PROFIT is missing"),
        (MT4_HEADER, mt4(), "--currency"),
        (MT4_HEADER, mt5(currency="USD"), "MT4 file"),
    ):
        with pytest.raises(UnreadableSource, match=words):
            read_rows(tmp_path, mt4_row(1), header=header, profile=profile)
    deals, _ = read_rows(tmp_path, mt4_row(1) + ",EUR", header=f"{MT4_HEADER},CURRENCY", profile=mt4())
    assert {deal.currency for deal in deals} == {"EUR"}
    assert detect(tmp_path / "mt4_trades.csv") == "mt4-sql-csv"


def test_reopened_remainders(tmp_path: Path) -> None:
    """A `close_reopen` group closes 0.50 whole and opens 0.20 again: 0.30 were closed, then 0.20."""
    rows = mt4_row(1, COMMENT="to #2"), mt4_row(2, VOLUME=20, COMMENT="from #1")
    deals, letters = read_rows(tmp_path, *rows, profile=mt4(currency="USD", close_reopen=("*",)))
    assert letters == []
    assert sorted(ledger(deals, "deal_id", "volume_e8")) == [
        ("1:close", "30000000"), ("1:open", "30000000"), ("2:close", "20000000"), ("2:open", "20000000"),
    ]  # fmt: skip


def test_the_repeated_hour_is_told_by_tickets(tmp_path: Path) -> None:
    """A higher ticket with an earlier time is of the second pass; it is read so both times."""
    rows = [
        mt4_row(number, OPEN_TIME=f"2025-11-02 08:{minute}:00", CLOSE_TIME="2025-11-02 10:00:00")
        for number, minute in ((2, "10"), (1, "50"))
    ]
    deals, _ = read_rows(tmp_path, *rows, profile=mt4(NEW_YORK, currency="USD"))
    assert [f"{deal.deal_id} {deal.occurred_at:%H:%M}" for deal in deals if deal.entry == "in"] == [
        "1:open 05:50", "2:open 06:10",
    ]  # fmt: skip


def test_a_dead_letter_is_read_again(tmp_path: Path) -> None:
    """Corrected, a row alone is the ticket it is in its file; other tables' columns are not kept."""
    header, tail = f"{MT4_HEADER},NAME", ",Ada Example"
    _, (letter,) = read_rows(tmp_path, mt4_row(1, VOLUME="x") + tail, header=header)
    assert b"Ada" not in letter.payload
    assert letter.payload.endswith(b",USD,")
    mended = letter.payload.replace(b",x,", b",50,")
    deals = reread(letter, mt4(), mended)
    whole, _ = read_rows(tmp_path, mt4_row(1) + tail, header=header)
    assert [replace(deal, source="") for deal in deals] == [replace(deal, source="") for deal in whole]
