"""Our own CSV of CRM events: one a line, UTF-8, comma, with a header of the fields of `records`."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ingest.counts import Counts, counted
from ingest.crm.fields import FIELDS, MAX_CLICKS, is_field
from ingest.crm.records import to_event
from ingest.formats.cells import shown
from ingest.formats.csv_rows import Header, cells_of, check_row, read_header, rows
from ingest.source_items import Item
from ingest.sources import DeadLetterWriter, RowRejected, ServerProfile, UnreadableSource

KIND = "crm-csv"
MANDATORY = ("event", "event_id", "occurred_at")
CLICK = "click."


def read(
    path: Path, profile: ServerProfile | None, received_at: datetime, counts: Counts | None = None
) -> Iterator[Item]:
    """Yield the events of a file in its order, bad rows as dead letters; the profile is not needed.

    Raise `UnreadableSource` at once for a file that is not ours.
    """
    del profile  # every source has the same signature; a CRM event names its server itself
    header = read_header(path)
    check_header(header, path)
    tally = counts if counts is not None else Counts()
    items = _read(
        path, header, DeadLetterWriter(f"{KIND} {path.name}", received_at, header=header.line), tally
    )
    return items if counts is None else counted(items, counts)


def is_header(header: Header) -> bool:
    """Tell whether a header is that of our own format, perhaps with a column wrong."""
    return {"event", "event_id"} <= header.columns.keys()


def check_header(header: Header, path: Path) -> None:
    """Raise `UnreadableSource`, naming the column that is missing or unknown."""
    missing = [name for name in MANDATORY if name not in header.columns]
    if not missing and not {"client_id", "ib_id"} & header.columns.keys():
        missing = ["client_id or ib_id"]
    if missing:
        raise UnreadableSource(
            f"{path.name} is not a CSV of CRM events: the column {', '.join(missing)} is missing"
        )
    clicks = [name for name in header.columns if name.startswith(CLICK)]
    if len(clicks) > MAX_CLICKS:
        raise UnreadableSource(f"{path.name} has {len(clicks)} click parameters; the limit is {MAX_CLICKS}")
    for name in header.columns:
        if not is_field(name):
            raise UnreadableSource(
                f"{path.name}: the column `{shown(name)}` is unknown; known are {', '.join(FIELDS)}"
                " and click.<name>. Leave out what is not needed, personal data above all"
            )


def _read(path: Path, header: Header, graveyard: DeadLetterWriter, counts: Counts) -> Iterator[Item]:
    # A click parameter keeps its case, unlike other columns: a postback macro asks for `subId`.
    names = [
        (CLICK + header.cells[index].strip()[len(CLICK) :] if name.startswith(CLICK) else name, index)
        for name, index in header.columns.items()
    ]
    for row in rows(path, header.offset):
        if not row.raw:
            counts.skipped["blank_line"] += 1
            continue
        counts.rows += 1
        try:
            cells = cells_of(row.raw, header.delimiter)
            check_row(row, len(cells), header)
            yield to_event({name: cells[index] for name, index in names}, f"{KIND} {path.name}:{row.line}")
        except RowRejected as bad:
            yield graveyard.to_dead_letter(row.raw, f"line {row.line}", bad)
