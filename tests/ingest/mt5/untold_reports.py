"""Reports of MT5 that do not tell positions."""

from collections.abc import Sequence
from pathlib import Path

from tests.ingest.ingest_reports import (
    COLUMNS,
    Row,
    cash,
    csv_file,
    deal,
    grid,
)

DEPOSIT = cash("09:00:00", 1, "10_000.00", balance="10 000.00")


def table(*lines: Row) -> list[list[str]]:
    """A Deals table alone, as a person cuts it out of a report."""
    return [COLUMNS["Deals"].split(","), *map(list, lines)]


def report(tmp_path: Path, account: str, *lines: Row, positions: Sequence[Row] = ()) -> Path:
    """A report as CSV; without `positions` it has no such table."""
    sections = {"Positions": positions, "Deals": lines} if positions else {"Deals": lines}
    return csv_file(tmp_path / "report.csv", grid(sections, account))


def lines_of_a_day() -> tuple[Row, ...]:
    """Gold is open before the day begins; only the last opening, after a sell out, is a position's first."""
    return (
        deal("10:00:00 11 XAUUSD sell in 4.50 2934.47 911", amounts="-15 0 0 0", balance="985"),
        deal("10:01:00 12 XAUUSD buy out 4.80 2934.85 912", amounts="-16 0 -27 100", balance="1042"),
        deal("10:02:00 13 XAUUSD buy in/out 12.90 2940.70 913", amounts="-45 0 -2 -228", balance="767"),
        deal("10:03:00 14 XAUUSD sell out 1.00 2941.00 914", amounts="-3 0 0 30", balance="794"),
        deal("10:04:00 15 XAUUSD sell in 1.00 2941.00 915", amounts="-3 0 0 0", balance="791"),
    )


def hedged_day() -> tuple[Row, ...]:
    """Bought twice, then sold against it as an opening: no netting account has that."""
    return (
        DEPOSIT,
        deal("10:00:00 2 USDCHF buy in 1.00 0.97430 101", balance="10 000.00"),
        deal("10:01:00 3 USDCHF buy in 1.00 0.97394 102", balance="10 000.00"),
        deal("10:02:00 4 USDCHF sell in 1.00 0.98059 103", balance="10 000.00"),
    )


def untabled(*closings: Row) -> tuple[Row, ...]:
    """A deposit, then openings of 0.30 and 0.20 by `grid` and 1.00 by `news`."""
    opened = [
        deal(f"10:0{n}:00 {n} EURUSD buy in {lots} 1.10000 90{n}", balance="10 000.00", comment=comment)
        for n, lots, comment in ((2, "0.30", "grid"), (3, "0.20", "grid"), (4, "1.00", "news"))
    ]
    return (DEPOSIT, *opened, *closings)
