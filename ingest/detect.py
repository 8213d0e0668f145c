"""Tells by its content what a file is, and reads it as that."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from ingest import (
    crm_csv,
    crm_xml,
    mt4_json_file,
    mt4_statement,
    mt5_deals_csv,
    mt5_deals_frame,
    mt5_json_file,
    mt5_others,
    mt5_report,
    mt5_sql_csv,
    mt5_terminal_csv,
)
from ingest.counts import Counts
from ingest.grid import decoded
from ingest.rows import column_name, read_header
from ingest.sources import EncodedDeals, Item, Read, ServerProfile, UnreadableSource, agreeing, check_size
from ingest.xlsx import is_workbook

Kind = Literal[
    "mt5-deals-csv",
    "mt5-sql-csv",
    "mt5-report",
    "mt5-terminal-json",
    "mt5-terminal-csv",
    "mt5-web-api-json",
    "mt4-statement",
    "mt4-json",
    "crm-csv",
    "crm-xml",
]
KNOWN = (
    "mt5-deals-csv (MT5 Manager, Deals tab, exported as CSV), mt5-sql-csv (the table mt5_deals of a server's"
    " database, dumped as CSV), mt5-report (MT5 terminal, Trade History Report as HTML or XLSX, or saved as"
    " CSV), mt5-terminal-json and mt5-terminal-csv (history_deals_get() of the MetaTrader5 package),"
    " mt5-web-api-json (answers of /api/deal), mt4-statement (MT4 terminal or server, Statement or"
    " DetailedStatement as HTML), mt4-json (trades of mt4manager or the CPlugin Web API), crm-csv (our own:"
    " event,event_id,occurred_at,client_id,…), crm-xml (the same fields: <crm><record><event>…)"
)
CRM_KINDS: frozenset[Kind] = frozenset({"crm-csv", "crm-xml"})
"""What names its servers itself."""
HEAD_BYTES = 65_536

READERS: Mapping[Kind, Read] = {
    "mt5-deals-csv": mt5_deals_csv.read,
    "mt5-sql-csv": mt5_sql_csv.read,
    "mt5-report": mt5_report.read,
    "mt5-terminal-json": mt5_json_file.read,
    "mt5-terminal-csv": mt5_terminal_csv.read,
    "mt5-web-api-json": mt5_json_file.read,
    "mt4-statement": mt4_statement.read,
    "mt4-json": mt4_json_file.read,
}

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
        if is_workbook(path):
            return "mt5-report"
        raise UnreadableSource(f"{path.name} is an archive, but no whole workbook. Known: {KNOWN}")
    is_html = b"<html" in head.lower() or b"<table" in head.lower()
    if is_html and b"Account:" in head and b"Transactions:" in head:
        return "mt4-statement"
    if mt5_json_file.is_json(head):
        return _detect_json(head, path)
    _check_signal(head, path)
    if mt5_report.is_report(head):
        return "mt5-report"
    if is_html:
        raise UnreadableSource(f"{path.name} is HTML, but no statement or report. Known: {KNOWN}")
    if head.startswith(_UTF16):
        raise UnreadableSource(f"{path.name} is UTF-16, but no MT5 report. Known: {KNOWN}")
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
        items = READERS[kind](path, profile, received_at, counts)
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
    is_said = profile is None or profile.login is not None or profile.is_currency_said
    if profile is not None and not is_said and not encoding and detect(path) == "mt5-deals-csv":
        return mt5_deals_frame.read_encoded(path, profile, received_at, counts)
    return read_any(path, profile, received_at, counts, encoding=encoding)


def _detect_json(head: bytes, path: Path) -> Kind:
    if other := mt5_others.refusal_of({name.decode().lower() for name in _FIELD.findall(head)}):
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
            f" could not be told from what happened twice. Read the account itself. Known: {KNOWN}"
        )


def _detect_csv(path: Path) -> Kind:
    with path.open("rb") as file:
        first = decoded(file.readline(HEAD_BYTES))
    if other := mt5_others.refusal_of([column_name(cell) for cell in re.split("[;,\t]", first)]):
        raise UnreadableSource(f"{path.name} {other}")
    try:
        header = read_header(path)
    except UnreadableSource as error:
        raise UnreadableSource(f"{error}. Known: {KNOWN}") from None
    if mt5_sql_csv.is_header(header):
        return "mt5-sql-csv"
    if mt5_deals_csv.is_header(header):
        return "mt5-deals-csv"
    if crm_csv.is_header(header):
        return "crm-csv"
    if mt5_terminal_csv.is_header(header):
        return "mt5-terminal-csv"
    raise UnreadableSource(f"{path.name} has no header of a known format. Known: {KNOWN}")
