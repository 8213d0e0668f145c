"""A Trade History Report of MT5 in its three forms, for tests of all that reads them."""

from collections.abc import Callable
from pathlib import Path

from tests.ingest.ingest_reports import (
    Row,
    cash,
    csv_file,
    deal,
    html_file,
    order,
    position,
    xlsx_file,
)

DEALS: list[Row] = [
    cash("09:00:00", 500, "10_000.00", balance="10 000.00"),
    deal("10:00:00 501 EURUSD buy in 1.00 1.10000 9001", amounts="-3.50 -0.25 0.00 0.00", balance="9 996.25"),
    deal("10:05:00 502 EURUSD sell in 0.50 1.10100 9002", balance="9 996.25"),
    deal(
        "11:00:00 503 EURUSD sell out 1.00 1.10060 9003",
        amounts="-3.50 -0.25 -1.25 60.00",
        balance="10 051.25",
        comment="[tp 1.10060]",
    ),
    deal(
        "12:00:00 504 EURUSD buy out 0.50 1.10110 9004", amounts="0.00 0.00 0.00 -5.00", balance="10 046.25"
    ),
]


POSITIONS = [
    position("10:00:00 9001 EURUSD buy 1.00 1.10000 11:00:00 1.10060", amounts="-7.00 -1.25 60.00"),
    position("10:05:00 9002 EURUSD sell 0.50 1.10100 12:00:00 1.10110", amounts="0.00 0.00 -5.00"),
]


ORDERS = [order("10:00:00 9001 EURUSD buy 1.00"), order("11:00:00 9003 EURUSD sell 1.00")]


WHOLE = {"Positions": POSITIONS, "Orders": ORDERS, "Deals": DEALS}


FORMS: dict[str, Callable[[Path, list[list[str]]], Path]] = {
    "html": html_file,
    "xlsx": xlsx_file,
    "csv": csv_file,
    "html in utf-8": lambda path, rows: html_file(path, rows, "utf-8"),
    "csv in utf-16": lambda path, rows: csv_file(path, rows, "utf-16", "\t"),
    "csv with semicolons": lambda path, rows: csv_file(path, rows, delimiter=";"),
}
