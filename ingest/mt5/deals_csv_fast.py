"""The fast lane for MT5 Manager's Deals export: the row lane's deals as wire lines, by columns.

`ingest.mt5.deals_csv` says what a file means. Rows that are not plain go through it; the rest are
read, written and counted by columns. Lines, order, dead letters and counts are the same; a test holds it.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import polars as pl

from commission.events import Deal
from ingest.counts import Counts, Sums
from ingest.formats.csv_rows import MAX_ROW_BYTES, Header, read_header
from ingest.mt5.deals_csv import DealReader, check_header, dead_letter_writer, deal_to_dead_letter
from ingest.mt5.deals_csv_fast_lines import MONEY, LineWriter
from ingest.mt5.deals_csv_fast_scan import FrameScan
from ingest.sources import DeadLetterWriter, EncodedDeals, RowRejected, ServerProfile
from schemas.dead_letters import DeadLetter
from schemas.wire import encode

MAX_SPREAD = 8
"""A slice whose rows lie among so many times their bytes is read at once; a wider one row by row."""

SLICES_AHEAD = 1
"""Slices written before they are asked for: polars leaves Python free to send meanwhile."""


def read_encoded(
    path: Path, profile: ServerProfile, received_at: datetime, counts: Counts | None = None
) -> Iterator[EncodedDeals | DeadLetter]:
    """Yield the deals of an export as wire lines, in order of time, then number, and dead letters.

    Raise `UnreadableSource` at once for a file that is not such an export.
    """
    header = read_header(path)
    check_header(header, profile, path)
    graveyard = dead_letter_writer(path, header, profile, received_at)
    return _read(path, header, profile, graveyard, counts if counts is not None else Counts())


def _read(
    path: Path, header: Header, profile: ServerProfile, graveyard: DeadLetterWriter, counts: Counts
) -> Iterator[EncodedDeals | DeadLetter]:
    scan = FrameScan(header, profile, graveyard, counts)
    for letter in scan.run(path):
        counts.add(letter)
        yield letter
    rest = _Rest(header, DealReader(header, profile, path.name), graveyard, counts)
    for rows, written in _ahead(path, scan.in_order(), LineWriter(header, profile, path.name)):
        count(written, counts)
        others = rows.join(written.select("place"), on="place", how="anti", maintain_order="left")
        yield _merged(written, rest.read(others))
        yield from rest.letters
        rest.letters.clear()


def _ahead(
    path: Path, slices: Iterable[pl.DataFrame], writer: LineWriter
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Each slice's rows, and the plain ones written: the next while the caller sends this one."""
    with path.open("rb") as file, ThreadPoolExecutor(1) as thread:

        def written(places: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
            rows = places.with_columns(_raws(file, places)).with_row_index("place")
            return rows, writer.write(rows.filter("is_plain"))

        waiting: deque[Future[tuple[pl.DataFrame, pl.DataFrame]]] = deque()
        for places in slices:
            waiting.append(thread.submit(written, places))
            if len(waiting) > SLICES_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _raws(file: BinaryIO, places: pl.DataFrame) -> pl.Series:
    """The bytes of rows, wherever they are."""
    offsets, lengths = places["offset"].to_list(), places["length"].to_list()
    start, end = min(offsets), max(offsets) + MAX_ROW_BYTES
    spans = zip(offsets, lengths, strict=True)
    if end - start <= MAX_SPREAD * sum(lengths) + MAX_ROW_BYTES:
        file.seek(start)
        span = file.read(end - start)
        raws = [span[offset - start : offset - start + length] for offset, length in spans]
    else:
        raws = [_raw_at(file, offset, length) for offset, length in spans]
    return pl.Series("raw", raws, dtype=pl.Binary)


def _raw_at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


@dataclass(slots=True)
class _Rest:
    """Reads the rows that are not plain, one by one."""

    header: Header
    reader: DealReader
    graveyard: DeadLetterWriter
    counts: Counts
    letters: list[DeadLetter] = field(default_factory=list)

    def read(self, rows: pl.DataFrame) -> list[tuple[int, tuple[Deal, ...]]]:
        """The deals of rows, each with its place in the slice; what is no deal goes to `letters`."""
        found: list[tuple[int, tuple[Deal, ...]]] = []
        for place, at_us, deal, line, raw in rows.select("place", "at_us", "deal", "line", "raw").iter_rows():
            try:
                found.append((place, self.reader.read(raw, at_us, deal, line)))
            except RowRejected as bad:
                self.letters.append(deal_to_dead_letter(self.graveyard, raw, self.header, line, bad))
        for _, deals in found:
            for each in deals:
                self.counts.add(each)
        for letter in self.letters:
            self.counts.add(letter)
        return found


def _merged(written: pl.DataFrame, others: list[tuple[int, tuple[Deal, ...]]]) -> EncodedDeals:
    """Lines of plain rows and of the others, in the order of their places."""
    places, keys = written["place"].to_list(), written["account_key"].to_list()
    lines = [line.encode() for line in written["wire"].to_list()]
    if not others:
        return EncodedDeals(keys, lines)
    all_keys: list[str] = []
    all_lines: list[bytes] = []
    start = 0
    for place, deals in others:
        end = bisect_left(places, place, start)
        all_keys += [*keys[start:end], *(deal.account_key for deal in deals)]
        all_lines += [*lines[start:end], *encode(deals)]
        start = end
    return EncodedDeals(all_keys + keys[start:], all_lines + lines[start:])


def count(written: pl.DataFrame, counts: Counts) -> None:
    """Count plain rows, as `Counts.add` counts their deals one by one."""
    for kind, number in written.group_by("kind", maintain_order=True).len().iter_rows():
        counts.deals[kind] += number
    for reason, number in written.group_by("reason", maintain_order=True).len().iter_rows():
        if reason:
            counts.add_reason(reason, number)
    trades, cash = written.filter(kind="trade"), written.filter(pl.col("kind") != "trade")
    sums = [pl.col("volume_e8").sum(), *(each for name in MONEY for each in _sum(name))]
    for currency, volume_e8, *amounts in trades.group_by("currency").agg(sums).iter_rows():
        total = counts.trades.setdefault(currency, Sums())
        total.volume_e8 += volume_e8
        for name, amount, digits in zip(MONEY, amounts[::2], amounts[1::2], strict=True):
            setattr(total, name, getattr(total, name) + _exact(amount, digits))
    for kind, currency, amount, digits in cash.group_by("kind", "currency").agg(_sum("profit")).iter_rows():
        key = (kind, currency)
        counts.cash[key] = counts.cash.get(key, Decimal(0)) + _exact(amount, digits)


def _sum(name: str) -> tuple[pl.Expr, pl.Expr]:
    """The exact sum of amounts and the most decimals any of them is written with."""
    amount = pl.col(name)
    decimals = amount.str.len_bytes() - amount.str.find(".", literal=True) - 1
    return (
        amount.cast(pl.Decimal(38, 8)).sum(),
        decimals.max().fill_null(0).alias(f"{name}_decimals"),
    )


def _exact(amount: Decimal, decimals: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-decimals))
