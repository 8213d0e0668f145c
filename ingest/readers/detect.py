"""Tells by its content what a file is, and reads it as that."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from ingest.counts import Counts
from ingest.crm import csv_file as crm_csv
from ingest.crm import xml_file as crm_xml
from ingest.formats.csv_rows import column_name, read_header
from ingest.formats.grid import decoded, page_rows
from ingest.formats.xlsx import is_workbook
from ingest.mt4 import json_file as mt4_json_file
from ingest.mt4 import sql_dump as mt4_sql_csv
from ingest.mt4 import statement as mt4_statement
from ingest.mt4.statement_rows import is_statement, workbook_rows
from ingest.mt5 import deals_csv as mt5_deals_csv
from ingest.mt5 import exports_without_deals
from ingest.mt5 import json_file as mt5_json_file
from ingest.mt5 import report as mt5_report
from ingest.mt5 import sql_dump as mt5_sql_csv
from ingest.mt5 import terminal_csv as mt5_terminal_csv
from ingest.readers.formats import FORMATS, KNOWN, Kind
from ingest.server_time import EXAMPLES, fixed_offset_note
from ingest.source_items import Item
from ingest.sources import EncodedDeals, MissingOptions, ServerProfile, UnreadableSource, agreeing, check_size

HEAD_BYTES = 65_536
HEAD_CHARS = 4_096
TOP_ROWS = 30
MEANINGS: Mapping[str, str] = {
    "--server": "the name of the server it was exported from, as you call it",
    "--timezone": f"the server's clock, such as {EXAMPLES}",
    "--login": "the account it is of",
    "--currency": "the deposit currency of its accounts",
    "--margin-mode": "hedging or netting",
}
"""What each option says that a file may lack."""

_TESTER, _TESTER_TITLE = "strategy tester", "<title>strategy tester:"
_FIELD = re.compile(rb'"([A-Za-z_]{1,40})"\s*:')
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"


def detect(path: Path) -> Kind:
    """Name the format of a file; raise `UnreadableSource`, listing the known ones, for any other."""
    check_size(path)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(_OLD_OFFICE):
        raise UnreadableSource(
            f"{path.name} is an old or locked workbook; save it as .xlsx without a password"
        )
    if crm_xml.is_batch(head):
        return "crm-xml"
    if head.startswith(mt5_report.ZIP):
        return _detect_workbook(path)
    page = _page(head)
    if page and _is_mt4(page, path):
        return "mt4-statement"
    if mt5_json_file.is_json(head):
        return _detect_json(head, path)
    _check_signal(head, path)
    if mt5_report.is_report(head):
        return "mt5-report"
    if page:
        raise UnreadableSource(f"{path.name} is HTML, but no statement or report. Known: {KNOWN}")
    if head.startswith(_UTF16):
        raise UnreadableSource(f"{path.name} is UTF-16, but no statement or report. Known: {KNOWN}")
    return _detect_csv(path)


def read_any(
    path: Path,
    profile: ServerProfile | None,
    received_at: datetime,
    counts: Counts | None = None,
    *,
    encoding: str = "",
) -> Iterator[Item]:
    """Read a file of any known format; only `crm-csv` can do without a profile.

    `encoding` is the code page of an MT4 statement; other files are UTF-8.
    """
    kind = detect(path)
    if profile is not None and profile.columns and kind != "mt4-statement":
        raise UnreadableSource(
            f"{path.name} is {kind}, whose columns are known by their names; leave --columns out"
        )
    if counts is not None and profile is not None and profile.clock.is_fixed:
        counts.remarks.append(fixed_offset_note(profile.clock))
    if encoding and kind != "mt4-statement":
        raise UnreadableSource(f"{path.name} is {kind}, which is always UTF-8; leave the encoding out")
    if kind == "crm-csv":
        return crm_csv.read(path, profile, received_at, counts)
    if kind == "crm-xml":
        return crm_xml.read(path, profile, received_at, counts)
    if profile is None:
        raise UnreadableSource(
            f"{path.name} is {kind}: name the server it came from, with its time rule and margin mode"
        )
    if kind == "mt4-statement":
        items = mt4_statement.read(path, profile, received_at, counts, encoding=encoding)
    else:
        items = FORMATS[kind].read(path, profile, received_at, counts)
    return agreeing(items, profile, path)


def read_encoded(
    path: Path,
    profile: ServerProfile | None,
    received_at: datetime,
    counts: Counts | None = None,
    *,
    encoding: str = "",
) -> Iterator[Item | EncodedDeals]:
    """Read a file of any known format for `publish`: what has a fast lane comes as wire lines.

    Where a person said what the file must agree with, each deal is looked at, so there is no fast lane.
    """
    is_said = profile is None or profile.login is not None or profile.is_currency_said or profile.columns
    if profile is not None and not is_said and not encoding and detect(path) == "mt5-deals-csv":
        if counts is not None and profile.clock.is_fixed:
            counts.remarks.append(fixed_offset_note(profile.clock))
        from ingest.mt5 import deals_csv_fast  # noqa: PLC0415  # polars takes half a second to import

        return deals_csv_fast.read_encoded(path, profile, received_at, counts)
    return read_any(path, profile, received_at, counts, encoding=encoding)


def lacking(
    path: Path, profile: ServerProfile, unsaid: tuple[str, ...], encoding: str = ""
) -> MissingOptions:
    """Every option that an export needs, in one answer, so that nobody learns of one at a time.

    `unsaid` is what is missing of its server, which the profile only stands in for; what the file leaves
    open of its account, its reader says.
    """
    try:
        read_any(path, profile, datetime.now(UTC), encoding=encoding)
    except MissingOptions as of_account:
        unsaid += of_account.options
    return MissingOptions(
        f"{path.name} is {FORMATS[detect(path)].called}, and does not say all that is needed",
        tuple(f"{option} ({MEANINGS[option]})" for option in unsaid),
    )


def _detect_workbook(path: Path) -> Kind:
    if not is_workbook(path):
        raise UnreadableSource(f"{path.name} is an archive, but no whole workbook. Known: {KNOWN}")
    rows = workbook_rows(path)
    if not is_statement(rows):
        return "mt5-report"
    if any(_TESTER in cell.lower() for row in rows[:TOP_ROWS] for cell in row.cells):
        raise _simulated(path)
    return "mt4-statement"


def _page(head: bytes) -> str:
    """The beginning of a file as text, if it is of a page with a table."""
    page = decoded(head) if head.startswith(_UTF16) or b"<" in head else ""
    return page if "<html" in page.lower() or "<table" in page.lower() else ""


def _is_mt4(page: str, path: Path) -> bool:
    """Tell an MT4 statement by the beginning of its page; raise for what MT4's tester wrote."""
    has_tickets = is_statement(list(page_rows(page, path)))
    if _TESTER_TITLE in page.lower() or (has_tickets and _TESTER in page[:HEAD_CHARS].lower()):
        raise _simulated(path)
    return has_tickets


def _simulated(path: Path) -> UnreadableSource:
    """What to say of what MT4's strategy tester writes: it looks like trades and is none."""
    return UnreadableSource(
        f"{path.name} is a report of MT4's Strategy Tester: its trades were only simulated. Save the"
        " account's own history instead (MT4 terminal, Account History, right click, Save as Report)"
    )


def _detect_json(head: bytes, path: Path) -> Kind:
    if other := exports_without_deals.refusal_of({name.decode().lower() for name in _FIELD.findall(head)}):
        raise UnreadableSource(f"{path.name} {other}")
    if kind := mt5_json_file.kind_of_json(head):
        return kind
    if mt4_json_file.dialect_of_json(head):
        return "mt4-json"
    raise UnreadableSource(f"{path.name} is JSON, but not of deals as MT4 or MT5 spells them. Known: {KNOWN}")


def _check_signal(head: bytes, path: Path) -> None:
    """Raise for the history of an MQL5 signal: it is known, and of no use."""
    first = decoded(head.partition(b"\n")[0]).replace("\x00", "")
    cells = tuple(column_name(cell) for cell in re.split("[;,\t]", first))
    if cells[:4] == ("time", "type", "volume", "symbol") and "deal" not in cells:
        raise UnreadableSource(
            f"{path.name} is the history of an MQL5 signal: it has no numbers of deals, so what is read twice"
            f" cannot be distinguished from what happened twice. Read the account itself. Known: {KNOWN}"
        )


def _detect_csv(path: Path) -> Kind:
    with path.open("rb") as file:
        first = decoded(file.readline(HEAD_BYTES))
    if other := exports_without_deals.refusal_of([column_name(cell) for cell in re.split("[;,\t]", first)]):
        raise UnreadableSource(f"{path.name} {other}")
    try:
        header = read_header(path)
    except UnreadableSource as error:
        raise UnreadableSource(f"{error}. Known: {KNOWN}") from None
    if mt5_sql_csv.is_header(header):
        return "mt5-sql-csv"
    if mt4_sql_csv.is_header(header):
        return "mt4-sql-csv"
    if mt5_deals_csv.is_header(header):
        return "mt5-deals-csv"
    if crm_csv.is_header(header):
        return "crm-csv"
    if mt5_terminal_csv.is_header(header):
        return "mt5-terminal-csv"
    raise UnreadableSource(f"{path.name} has no header of a known format. Known: {KNOWN}")
