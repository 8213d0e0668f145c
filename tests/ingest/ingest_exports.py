"""Builders of exports of the true shape, all made up, and readers that gather what comes out."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from commission.events import Deal
from ingest.server_time import parse_rule
from ingest.source_items import Item
from ingest.sources import ServerProfile
from schemas.dead_letters import DeadLetter

RECEIVED = datetime(2026, 1, 2, tzinfo=UTC)
NEW_YORK = "America/New_York+7h"
MT5_HEADER = (
    "Deal,ID,Order,Position,Login,Name,Time,Type,Entry,Symbol,Volume,Price,S / L,T / P,Reason,"
    "Commission,Fee,Swap,Profit,Dealer,Currency,Comment"
)
MT5_COLUMNS = tuple(MT5_HEADER.split(","))


def mt5(margin_mode: Any = None, rule: str = "UTC", **more: Any) -> ServerProfile:
    return ServerProfile("Demo-MT5", "mt5", parse_rule(rule), margin_mode, **more)


def mt4(rule: str = "UTC", **more: Any) -> ServerProfile:
    return ServerProfile("Demo-MT4", "mt4", parse_rule(rule), **more)


def row(deal: int | str, **cells: Any) -> str:
    """One row of a Deals export: a small trade, with the cells that matter replaced."""
    usual = {
        "Deal": deal, "Order": "0", "Position": "7001", "Login": "5001", "Name": "Ada Example",
        "Time": "2025.06.02 10:00:00.000", "Type": "buy", "Entry": "in", "Symbol": "EURUSD", "Volume": "1",
        "Price": "1.1", "S / L": "0", "T / P": "0", "Reason": "Client", "Commission": "0", "Fee": "0",
        "Swap": "0", "Profit": "0", "Dealer": "0", "Currency": "USD",
    }  # fmt: skip
    named = usual | {
        {"SL": "S / L", "TP": "T / P"}.get(name, name): str(text) for name, text in cells.items()
    }
    return ",".join(
        str(named.get(column, "")) for column in (*MT5_COLUMNS, *sorted(set(named) - set(MT5_COLUMNS)))
    )


def csv_file(path: Path, *lines: str, header: str = MT5_HEADER, end: str = "\r\n") -> Path:
    path.write_bytes("".join(f"{line}{end}" for line in (header, *lines)).encode())
    return path


TITLES = (
    "Ticket", "Open Time", "Type", "Size", "Item", "Price", "S / L", "T / P", "Close Time", "Price",
    "Commission", "Taxes", "Swap", "Profit",
)  # fmt: skip


def tr(*cells: str, title: str = "") -> str:
    first, *others = cells
    return (
        f'<tr align=right><td title="{title}">{first}</td>'
        + "".join(f"<td>{c}</td>" for c in others)
        + "</tr>\n"
    )


def ticket(number: int, closed: str = "2025.06.02 11:00:00", title: str = "", **cells: str) -> str:
    """A trade's row; closed "" makes it an open trade."""
    usual = {
        "opened": "2025.06.02 10:00:00", "type": "buy", "size": "0.50", "item": "eurusd", "price": "1.10000",
        "exit": "1.10100", "commission": "-3.50", "taxes": "0.00", "swap": "-0.25", "profit": "50.00",
    } | cells  # fmt: skip
    return tr(
        str(number), usual["opened"], usual["type"], usual["size"], usual["item"], usual["price"], "0.00000",
        "0.00000", closed or "&nbsp;", usual["exit"], usual["commission"], usual["taxes"], usual["swap"],
        usual["profit"], title=title,
    )  # fmt: skip


def statement(closed: str = "", opened: str = "", working: str = "", currency: str = "USD") -> str:
    """A whole statement with its furniture: sums, spacers, sections."""
    sums = "<tr><td colspan=10>&nbsp;</td><td>-3.50</td><td>0.00</td><td>-0.25</td><td>50.00</td></tr>"
    spacer = '<tr><td colspan=14 style="font: 1pt arial">&nbsp;</td></tr>'
    header = "<tr>" + "".join(f"<td nowrap>{title}</td>" for title in TITLES) + "</tr>"
    return f"""<html><head><title>Statement: 5002 - Ada Example</title></head><body><table>
<tr><td colspan=2><b>Account: 5002</b></td><td colspan=5><b>Name: Ada Example</b></td>
<td colspan=2><b>Currency: {currency}</b></td><td colspan=2><b>Leverage: <!--LEVERAGE--></b></td>
<td colspan=3 align=right><b>2025 June 3, 09:00</b></td></tr>
<tr><td colspan=14><b>Closed Transactions:</b></td></tr>{header}
{closed}{sums}
<tr><td colspan=12><b>Closed P/L:</b></td><td colspan=2><b>46.25</b></td></tr>
<tr><td colspan=14><b>Open Trades:</b></td></tr>{header.replace("Close Time", "&nbsp;")}
{opened or "<tr><td colspan=13>No transactions</td></tr>"}{sums}
<tr><td colspan=10>&nbsp;</td><td colspan=2><b>Floating P/L:</b></td><td colspan=2><b>0.00</b></td></tr>
<tr><td colspan=14><b>Working Orders:</b></td></tr>
<tr><td>Ticket</td><td>Open Time</td><td>Type</td><td>Size</td><td>Item</td><td>Price</td><td>S / L</td>
<td>T / P</td><td colspan=2>Market Price</td><td colspan=4>&nbsp;</td></tr>
{working or "<tr><td colspan=13>No transactions</td></tr>"}{spacer}
<tr><td colspan=14><b>Summary:</b></td></tr>
<tr><td colspan=2><b>Balance:</b></td><td colspan=2><b>94 174.94</b></td></tr></table></body></html>"""


def sorted_out(items: Iterator[Item] | list[Item]) -> tuple[list[Any], list[DeadLetter]]:
    """Part what a source yields into events and dead letters."""
    events: list[Any] = []
    letters: list[DeadLetter] = []
    for item in items:
        if isinstance(item, DeadLetter):
            letters.append(item)
        else:
            events.append(item)
    return events, letters


def ledger(deals: list[Deal], *fields: str) -> list[tuple[str, ...]]:
    """Deals as lines of text: what a test compares with values written by hand."""
    return [tuple(str(getattr(deal, field)) for field in fields) for deal in deals]


def damage(valid: bytes) -> Callable[[Any], bytes]:
    """Make a function that lets hypothesis flip, cut and insert bytes of a valid file."""
    from hypothesis import strategies as st  # noqa: PLC0415 - only fuzz tests need it

    def draw_from(draw: Any) -> bytes:
        raw = bytearray(valid)
        for _ in range(draw(st.integers(1, 6))):
            place = draw(st.integers(0, max(len(raw) - 1, 0)))
            what = draw(st.sampled_from(("flip", "insert", "cut", "remove")))
            if what == "flip" and raw:
                raw[place] = draw(st.integers(0, 255))
            elif what == "insert":
                raw[place:place] = draw(
                    st.sampled_from((b'"', b",", b"\n", b"\xff", b"\x00", b"<", b"9", b"\r"))
                )
            elif what == "cut":
                del raw[max(place, len(raw) // 2) :]
            elif raw:
                del raw[place]
        return bytes(raw)

    return draw_from
