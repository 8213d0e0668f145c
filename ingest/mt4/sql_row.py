"""A row of MT4's table `mt4_trades`: its columns, and what it means, whether live or from a dump."""

from collections.abc import Mapping

from ingest.formats.cells import ZERO
from ingest.mt4.partial_closes import remainder_of
from ingest.sql.cells import Family, ToNumber, wall_clock

TABLE = "mt4_trades"

_WHOLES = ("TICKET", "TIMESTAMP", "LOGIN", "CMD", "VOLUME", "REASON")
AMOUNTS = (
    "OPEN_PRICE", "CLOSE_PRICE", "CONV_RATE2", "COMMISSION", "COMMISSION_AGENT", "SWAPS", "PROFIT",
    "TAXES",
)  # fmt: skip
FAMILIES: Mapping[str, Family] = {
    **dict.fromkeys(_WHOLES, "whole"),
    **dict.fromkeys(AMOUNTS, "number"),
    **dict.fromkeys(("SYMBOL", "COMMENT"), "text"),
    **dict.fromkeys(("OPEN_TIME", "CLOSE_TIME", "MODIFY_TIME"), "time"),
}
NEEDED = (
    "TICKET", "LOGIN", "SYMBOL", "CMD", "VOLUME", "OPEN_TIME", "OPEN_PRICE", "CLOSE_TIME", "CLOSE_PRICE",
    "COMMISSION", "SWAPS", "PROFIT", "COMMENT",
)  # fmt: skip
_SPELLED = {
    "id": "TICKET", "login": "LOGIN", "symbol": "SYMBOL", "cmd": "CMD", "volume": "VOLUME",
    "reason": "REASON", "comment": "COMMENT", "group": "GROUP", "currency": "CURRENCY",
}  # fmt: skip
_SPELLED_AMOUNTS = {
    "openPrice": "OPEN_PRICE", "closePrice": "CLOSE_PRICE", "commission": "COMMISSION", "swap": "SWAPS",
    "commissionAgent": "COMMISSION_AGENT", "profit": "PROFIT", "taxes": "TAXES",
}  # fmt: skip


def to_raw(
    cells: Mapping[str, str | None], numbers: Mapping[str, ToNumber], remainders: Mapping[int, str]
) -> dict[str, object]:
    """Name a row's cells as the mt4manager module does; a dead or waiting order keeps its `cmd`."""
    raw: dict[str, object] = {name: cells.get(column) for name, column in _SPELLED.items()}
    raw |= {
        name: numbers[column](cells[column]) for name, column in _SPELLED_AMOUNTS.items() if column in numbers
    }
    if "CONV_RATE2" in numbers:
        raw["convRates"] = (ZERO, numbers["CONV_RATE2"](cells["CONV_RATE2"]))
    # Only groups that close a ticket whole and reopen the rest need it; the comment is all that MT4 tells.
    remainder = remainder_of(cells["COMMENT"] or "")
    if remainder is not None and remainder in remainders:
        raw["reopened_volume"] = remainders[remainder]
    for name, column in (("openTime", "OPEN_TIME"), ("closeTime", "CLOSE_TIME")):
        at = wall_clock(cells.get(column))
        raw[name] = None if at is None else at.isoformat()
    return raw
