"""Bid and ask of a server's symbols as CSV, and the newest of them at each deal that has none."""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from commission.events import Deal
from ingest.counts import Counts
from ingest.formats.cells import shown, to_amount, to_symbol
from ingest.formats.csv_rows import Header, Row, cells_of, check_row, read_header, rows
from ingest.server_time import MAX_YEAR, MIN_YEAR, ServerClock, TimeReader, to_us
from ingest.source_items import Item
from ingest.sources import DeadLetterWriter, RowRejected, UnreadableSource
from ingest.terms.yaml_page import to_moment
from schemas.dead_letters import DeadLetter

KIND = "quotes-csv"
COLUMNS = ("time", "symbol", "bid", "ask")
MAX_QUOTES = 2_000_000
"""A day of a server's ticks, or months of the moments of its deals; half a gigabyte while they are sorted."""
CHUNK_ROWS = 100_000
SCHEMA = {"symbol": pl.String, "at_us": pl.Int64, "line": pl.Int64, "bid": pl.String, "ask": pl.String}
MAX_BAD_ROWS = 1_000
"""A file with more bad rows than this is not one of quotes."""
MAX_TOLERANCE = timedelta(minutes=5)

_TOLERANCE = re.compile(r"([0-9]{1,6})(ms|s|m)")
_UNITS = {"ms": timedelta(milliseconds=1), "s": timedelta(seconds=1), "m": timedelta(minutes=1)}
_SECOND_US = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class _Series:
    """One symbol's quotes in the order of time; prices as they were written."""

    at_us: "array[int]"
    bid: pl.Series
    ask: pl.Series
    line: "array[int]"


@dataclass(frozen=True, slots=True)
class Quotes:
    """A file of quotes: a deal takes the newest one at or before it, no older than `tolerance`.

    `buried` are the rows that are no quotes.
    """

    name: str
    tolerance: timedelta
    by_symbol: dict[str, _Series]
    by_folded: dict[str, tuple[str, ...]]
    buried: tuple[DeadLetter, ...]


@dataclass(slots=True)
class _Found:
    """The quotes of a file while it is read: rows of one chunk, and whole chunks as columns."""

    rows: list[tuple[str, int, int, str, str]] = field(default_factory=list)
    chunks: list[pl.DataFrame] = field(default_factory=list)
    count: int = 0

    def add(self, symbol: str, at_us: int, line: int, bid: str, ask: str) -> None:
        self.rows.append((symbol, at_us, line, bid, ask))
        self.count += 1
        if len(self.rows) == CHUNK_ROWS:
            self.end_chunk()

    def end_chunk(self) -> None:
        self.chunks.append(pl.DataFrame(self.rows, schema=SCHEMA, orient="row"))
        self.rows.clear()


def read(path: Path, clock: ServerClock, tolerance: timedelta, received_at: datetime) -> Quotes:
    """Read a file of quotes: UTC with a Z, or the server's own clock as it writes its times.

    Raise `UnreadableSource` for what is no such file.
    """
    header = read_header(path)
    missing = [name for name in COLUMNS if name not in header.columns]
    if missing:
        raise UnreadableSource(
            f"{path.name} is not a CSV of quotes: the column {', '.join(missing)} is missing; write"
            f" {', '.join(COLUMNS)}"
        )
    found, buried = _Found(), list[DeadLetter]()
    graveyard, times = DeadLetterWriter(f"{KIND} {path.name}", received_at), TimeReader(clock)
    for row in rows(path, header.offset):
        if not row.raw.strip():
            continue
        try:
            _add(found, row, header, times)
        except RowRejected as bad:
            buried.append(graveyard.to_dead_letter(row.raw, f"line {row.line}", bad))
        if found.count > MAX_QUOTES:
            raise UnreadableSource(f"{path.name} has more than {MAX_QUOTES:,} quotes; give a shorter period")
        if len(buried) > MAX_BAD_ROWS:
            last = f"{buried[-1].position}: {buried[-1].reason}"
            raise UnreadableSource(f"{path.name} has more than {MAX_BAD_ROWS:,} bad rows, such as {last}")
    by_symbol = _by_symbol(found)
    by_folded: dict[str, tuple[str, ...]] = {}
    for symbol in by_symbol:
        by_folded[symbol.casefold()] = (*by_folded.get(symbol.casefold(), ()), symbol)
    return Quotes(path.name, tolerance, by_symbol, by_folded, tuple(buried))


def quoted(items: Iterable[Item], quotes: Quotes, counts: Counts) -> Iterator[Item]:
    """Pass items on, each trade that has neither bid nor ask with those of its quote, if there is one.

    The revision stays: it tells what the platform says of a deal, and a quote is beside that. So the
    same deal read with and without quotes is one deal, and the first reading counts; a deal that is
    booked keeps the spread it was rated by, until a person approves rating it again.
    """
    for letter in quotes.buried:
        counts.add(letter)
        yield letter
    for item in items:
        if not isinstance(item, Deal) or item.kind != "trade" or item.bid is not None or item.ask is not None:
            yield item
            continue
        deal = _with_quote(item, quotes)
        counts.quotes["found" if deal is not item else "none in time"] += 1
        yield deal


def to_tolerance(text: str) -> timedelta:
    """Read `2s`, `500ms` or `1m`; raise ValueError for anything else."""
    parts = _TOLERANCE.fullmatch(text.strip())
    tolerance = int(parts[1]) * _UNITS[parts[2]] if parts is not None else timedelta(0)
    if not timedelta(0) < tolerance <= MAX_TOLERANCE:
        raise ValueError(f"a tolerance is `{shown(text)}`; write one such as 2s or 500ms, at most 5m")
    return tolerance


def _with_quote(deal: Deal, quotes: Quotes) -> Deal:
    symbol = deal.symbol
    if symbol not in quotes.by_symbol:  # a statement may have lost the case; two that fit are none
        (symbol, *others) = quotes.by_folded.get(symbol.casefold(), ("",))
        if others or not symbol:
            return deal
    series, at_us = quotes.by_symbol[symbol], to_us(deal.occurred_at)
    place = bisect_right(series.at_us, at_us) - 1
    if place < 0 or timedelta(microseconds=at_us - series.at_us[place]) > quotes.tolerance:
        return deal
    age_s = Decimal(at_us - series.at_us[place]) / _SECOND_US
    return replace(
        deal,
        bid=to_amount(series.bid[place], "MarketBid"),
        ask=to_amount(series.ask[place], "MarketAsk"),
        source=f"{deal.source}; quote {quotes.name}:{series.line[place]}, {age_s:f} s old",
    )


def _add(found: _Found, row: Row, header: Header, times: TimeReader) -> None:
    cells = cells_of(row.raw, header.delimiter)
    check_row(row, len(cells), header)
    at, symbol, bid, ask = (cells[header.columns[name]].strip() for name in COLUMNS)
    if not row.is_ended:
        raise RowRejected(
            "truncated_row", "the file ends in this row without a line end; a price may be cut off"
        )
    low, high = to_amount(bid, "MarketBid"), to_amount(ask, "MarketAsk")
    if not 0 < low <= high:
        raise RowRejected(
            "bad_quote", f"bid `{shown(bid)}` and ask `{shown(ask)}`: a bid is above 0, no ask below it"
        )
    at_us = _to_us(at, times)
    found.add(to_symbol(symbol), at_us, row.line, bid, ask)


def _to_us(text: str, times: TimeReader) -> int:
    at = to_moment(text, UTC) if text.endswith("Z") else None
    if at is not None and MIN_YEAR <= at.year <= MAX_YEAR:
        return to_us(at)
    try:
        at_us = times.utc_us(text.encode())
    except ValueError:
        raise RowRejected(
            "bad_time",
            f"time `{shown(text)}` is not a time: write 2025-06-02T10:00:00.500Z or 2025.06.02 10:00:00.500",
        ) from None
    if at_us is None:
        raise RowRejected(
            "repeated_hour", f"time `{shown(text)}` is shown twice by the server's clock; write UTC, with a Z"
        )
    return at_us


def _by_symbol(found: _Found) -> dict[str, _Series]:
    """Sort by time; of two quotes of one moment the later line stands last and counts."""
    found.end_chunk()
    frame = pl.concat(found.chunks)
    found.chunks.clear()
    frame = frame.sort("symbol", "at_us", "line")
    return {
        str(part["symbol"][0]): _Series(
            array("q", part["at_us"]), part["bid"], part["ask"], array("q", part["line"])
        )
        for part in frame.partition_by("symbol", maintain_order=True)
    }
