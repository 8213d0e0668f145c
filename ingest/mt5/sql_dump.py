"""A dump of an MT5 server's own table as CSV: the columns of `mt5_deals`, one row a line.

A row is read as the live source reads it, so a deal of a dump is the revision it is in the database.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ingest.counts import Counts, counted
from ingest.formats.csv_rows import MAX_LINE_BYTES, Header, Row, read_header, rows
from ingest.mt5.dialects import hand_edits
from ingest.mt5.record import Mt5Record, to_deals
from ingest.mt5.sql_row import EITHER, FAMILIES, NEEDED, NUMBERS, row_record
from ingest.source_items import Item
from ingest.sources import (
    DeadLetterWriter,
    MissingOptions,
    RowRejected,
    ServerProfile,
    UnreadableSource,
    check_platform,
)
from ingest.sql.cells import double
from ingest.sql.dump import MAX_ROWS, DumpRows, lacking_columns, to_line

KIND = "mt5-sql-csv"
COLUMNS = (*FAMILIES, "Currency", "Group")
"""What is read; the last two are of other tables, and a dump may have joined them."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")
_STAMP = re.compile(r"[0-9]{1,18}")


def read(
    path: Path, profile: ServerProfile, received_at: datetime, counts: Counts | None = None
) -> Iterator[Item]:
    """Yield the rows that cannot be placed, then the deals in order of time, number, last write.

    Raise `UnreadableSource` at once for a file that is not such a dump.
    """
    header = read_header(path)
    check_header(header, profile, path)
    reader = _Reader(path, header, profile, received_at, counts if counts is not None else Counts())
    return reader.read() if counts is None else counted(reader.read(), counts)


def is_header(header: Header) -> bool:
    """Tell whether a header is that of the server's table, perhaps with a column missing."""
    own = ("Deal", "Timestamp", "Action", "PositionID")
    return all(name.lower() in header.columns for name in own)


def check_header(header: Header, profile: ServerProfile, path: Path) -> None:
    """Raise `UnreadableSource`, naming what is missing."""
    if not is_header(header):
        raise UnreadableSource(
            f"{path.name} is not a dump of mt5_deals: its first line does not name its columns"
        )
    missing = [name for name in NEEDED if name.lower() not in header.columns]
    missing += [
        " or ".join(names) for names in EITHER if not any(name.lower() in header.columns for name in names)
    ]
    if missing:
        raise UnreadableSource(
            f"{path.name}: the column {', '.join(missing)} is missing; dump all columns of mt5_deals"
        )
    check_platform(profile, "mt5", path)
    if not profile.currency and "currency" not in header.columns:
        raise MissingOptions(f"{path.name}: mt5_deals does not say its accounts' currency", ("--currency",))


class _Placed(NamedTuple):
    """When a deal happened and where its row is; of two equal deals the one written later comes last."""

    at: datetime
    deal: int
    stamp: int
    line: int
    offset: int


class _Reader:
    """Reads one dump twice: the order of its deals, then the deals."""

    def __init__(
        self, path: Path, header: Header, profile: ServerProfile, received_at: datetime, counts: Counts
    ) -> None:
        self._path, self._header, self._profile, self._counts = path, header, profile, counts
        said = lacking_columns(header, {"Currency": profile.currency, "Group": profile.group})
        line = to_line((*header.cells, *said), header.delimiter)
        graveyard = DeadLetterWriter(f"{KIND} {path.name}", received_at, profile.server, line)
        self._rows = DumpRows(header, COLUMNS, "Comment", said, graveyard)
        self._numbers = {name: double for name in NUMBERS if name in self._rows.at}

    def read(self) -> Iterator[Item]:
        """Yield dead letters as they come by, and the deals in order."""
        placed: list[_Placed] = []
        for row in rows(self._path, self._header.offset):
            if not row.raw:
                self._counts.skipped["blank_line"] += 1
                continue
            self._counts.rows += 1
            if len(placed) == MAX_ROWS:
                raise UnreadableSource(
                    f"{self._path.name} has more than {MAX_ROWS:,} rows; dump a shorter time"
                )
            try:
                placed.append(self._placed(row))
            except RowRejected as bad:
                yield self._rows.to_dead_letter(row.raw, row.line, bad)
        if placed:
            yield from self._in_order(sorted(placed))

    def _in_order(self, placed: list[_Placed]) -> Iterator[Item]:
        with self._path.open("rb") as file:
            for one in placed:
                file.seek(one.offset)
                raw = file.readline(MAX_LINE_BYTES).rstrip(b"\r\n")
                try:
                    yield from to_deals(self._record(self._rows.named(raw), one.line), self._profile)
                except RowRejected as bad:
                    yield self._rows.to_dead_letter(raw, one.line, bad)

    def _placed(self, row: Row) -> _Placed:
        named = self._rows.checked(row)
        record = self._record(named, row.line)
        self._counts.hand_edits.update(hand_edits(named))
        return _Placed(record.occurred_at, record.deal, int(named["Timestamp"] or 0), row.line, row.offset)

    def _record(self, named: Mapping[str, str | None], line: int) -> Mt5Record:
        _check(named)
        return row_record(named, self._numbers, self._profile, f"{KIND} {self._path.name}:{line}")


def _check(named: Mapping[str, str | None]) -> None:
    """Raise `RowRejected` for a time or a stamp that a database would not write."""
    stamp = named["Timestamp"]
    if stamp is None or not _STAMP.fullmatch(stamp):
        raise RowRejected("bad_stamp", "Timestamp is not the server's count of 18 digits at most (FILETIME)")
    for name in ("TimeMsc", "Time"):
        if (text := named.get(name)) is not None and not _TIME.fullmatch(text):
            raise RowRejected(
                "bad_time", f"{name} is not a time such as 2025-03-13 00:36:37.445; dump it as such"
            )
