"""The fast lane's first reading of a Deals export: place and time of every plain row, a block at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl

from ingest.counts import Counts
from ingest.formats.csv_rows import MAX_LINE_BYTES, MAX_ROW_BYTES, Header, to_row
from ingest.mt5.deals_csv import ORDER, Scan
from ingest.server_time import ServerClock, parse_server_time, to_us
from ingest.sources import DeadLetterWriter, ServerProfile
from schemas.dead_letters import DeadLetter

BLOCK_BYTES = 8_000_000
SLICE_ROWS = 20_000
NUMBER = r"^[1-9][0-9]{0,18}$"
"""A deal number or login spelled as the wire spells it: 19 digits are below 2^64."""

_IN_HOUR = r"^.{13}:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?$"
_HOUR_CHARS = 13


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file, without their line ends."""

    line: int
    offset: int
    raws: list[bytes]
    dropped: int
    """Bytes of the first line, an over-long one, that were not kept."""
    is_ended: bool


def blocks(path: Path, offset: int) -> Iterator[Block]:
    """Yield the lines of a file from `offset` on; of an over-long one no more than a block."""
    line, kept, dropped = 2, b"", 0
    with path.open("rb") as file:
        file.seek(offset)
        while read := file.read(BLOCK_BYTES):
            read = kept + read
            end = read.rfind(b"\n")
            if end < 0:
                kept = read[:MAX_LINE_BYTES]
                dropped += len(read) - len(kept)
                continue
            raws = read[:end].split(b"\n")
            yield Block(line, offset, raws, dropped, is_ended=True)
            line, offset = line + len(raws), offset + end + 1 + dropped
            kept, dropped = read[end + 1 :], 0
    if kept:
        yield Block(line, offset, [kept], dropped, is_ended=False)


class FrameScan:
    """Finds the order of a file's deals; rows that are not plain go through the row lane's scan."""

    def __init__(
        self, header: Header, profile: ServerProfile, graveyard: DeadLetterWriter, counts: Counts
    ) -> None:
        self._rows = Scan(header, profile, graveyard, counts)
        self._header = header
        self._clock = profile.clock
        self._counts = counts
        self._places: list[pl.DataFrame] = []

    def run(self, path: Path) -> Iterator[DeadLetter]:
        """Read the whole file; yield the rows that cannot be used."""
        for block in blocks(path, self._header.offset):
            places = self._find(block)
            plain = places.filter("is_plain")
            self._places.append(plain)
            self._counts.rows += plain.height
            rest = places.filter(~pl.col("is_plain")).select("line", "offset")
            for line, offset in rest.iter_rows():
                raw = block.raws[line - block.line]
                yield from self._rows.add(to_row(line, offset, raw, is_ended=block.is_ended))
        self._rows.end()

    def in_order(self) -> Iterator[pl.DataFrame]:
        """Yield slices of time, deal, offset, line, length and whether plain, by time, deal and line."""
        rest = self._rows.index.frame().with_columns(is_plain=pl.lit(value=False))
        places = pl.concat([*self._places, rest])
        self._places.clear()
        order = places.select(pl.arg_sort_by(ORDER)).to_series()
        for start in range(0, places.height, SLICE_ROWS):
            yield places[order[start : start + SLICE_ROWS]]

    def _find(self, block: Block) -> pl.DataFrame:
        """The places of a block's rows; `is_plain` where time and deal can be told by columns."""
        raw = pl.Series("raw", block.raws, dtype=pl.Binary)
        size = pl.col("raw").bin.size().cast(pl.Int64) + 1
        row = pl.int_range(pl.len(), dtype=pl.UInt32)
        frame = pl.DataFrame([raw, to_text(raw).str.strip_chars_end("\r").alias("text")])
        frame = frame.select(
            "text",
            *self._deal_and_time(),
            offset=block.offset + size.cum_sum() - size + pl.when(row > 0).then(block.dropped).otherwise(0),
            line=row + block.line,
            is_short=size <= MAX_LINE_BYTES,
        )
        hours = _even_hours(frame["time"].str.slice(0, _HOUR_CHARS), self._clock)
        return frame.select(
            at_us=hours + _in_hour_us(pl.col("time")),
            deal=pl.col("deal").cast(pl.UInt64, strict=False),
            offset="offset",
            line="line",
            length=pl.col("text").str.len_bytes().cast(pl.UInt16, strict=False),
            is_plain=(self._is_whole() & hours.is_not_null()).fill_null(value=False) & block.is_ended,
        )

    def _deal_and_time(self) -> tuple[pl.Expr, pl.Expr]:
        deal_at, time_at = self._header.columns["deal"], self._header.columns["time"]
        cells = pl.col("text").str.splitn(self._header.delimiter, max(deal_at, time_at) + 2)
        deal, time = (cells.struct.field(f"field_{index}") for index in (deal_at, time_at))
        return deal.alias("deal"), time.alias("time")

    def _is_whole(self) -> pl.Expr:
        """A row the row lane's scan would take as it stands; `deal` also leaves out a second header."""
        text = pl.col("text")
        return (
            (text.str.count_matches(self._header.delimiter, literal=True) == self._header.width - 1)
            & ~text.str.contains('"', literal=True)
            & pl.col("is_short")
            & (text.str.len_bytes() <= MAX_ROW_BYTES)
            & pl.col("deal").str.contains(NUMBER)
            & pl.col("time").str.contains(_IN_HOUR)
        )


def to_text(raw: pl.Series) -> pl.Series:
    """Bytes as text, null where they are not UTF-8."""
    try:
        return raw.cast(pl.String)
    except pl.exceptions.ComputeError:  # polars has no cast that tells which
        return pl.Series(raw.name, [_decoded(each) for each in raw], dtype=pl.String)


def _decoded(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _even_hours(hours: pl.Series, clock: ServerClock) -> pl.Series:
    """UTC microseconds of where hours such as `2025.03.13 00` begin; null where the clock moves in them."""
    known: dict[str, int] = {}
    for text in hours.unique().to_list():
        if text is not None and (start := _start_of(text, clock)) is not None:
            known[text] = start
    return hours.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.Int64)


def _start_of(text: str, clock: ServerClock) -> int | None:
    try:
        hour = parse_server_time(f"{text}:00")
    except ValueError:
        return None
    ahead: timedelta | None = clock.ahead_in(hour)
    return None if ahead is None else to_us(clock.to_utc(hour))


def _in_hour_us(time: pl.Expr) -> pl.Expr:
    minute, second, part = (
        time.str.slice(start, size).str.pad_end(size, "0").cast(pl.Int64, strict=False)
        for start, size in ((14, 2), (17, 2), (20, 6))
    )
    return (minute * 60 + second) * 1_000_000 + part
