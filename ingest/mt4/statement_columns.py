"""Which column of an MT4 statement is what: by its English headings, by a person's word, or by its shape.

A template that is not known is understood by the types of its cells and their order, and only believed
if it adds up: profits follow the prices, sums are the sums of their columns, nobody pays swap within a day.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import zip_longest
from typing import Literal, get_args

from ingest.formats.cells import ZERO, shown, to_amount
from ingest.formats.grid import GridRow
from ingest.mt4.statement_rows import Table, begins_ticket, is_record, is_side, is_time
from ingest.sources import RowRejected, UnreadableSource

Role = Literal[
    "ticket", "open_time", "type", "size", "item", "price", "sl", "tp", "close_time", "close_price",
    "commission", "taxes", "swap", "profit", "comment", "-",
]  # fmt: skip
ROLES: tuple[Role, ...] = get_args(Role)
TEMPLATE = ROLES[:14]
"""The order of MetaQuotes' own template."""
NEEDED = frozenset(TEMPLATE) - {"sl", "tp", "commission", "taxes", "swap"}
HEADINGS = (
    "Ticket", "Open Time", "Type", "Size", "Item", "Price", "S / L", "T / P",
    "Close Time", "Price", "Commission", "Taxes", "Swap", "Profit",
)  # fmt: skip
LEFT_OUT: Role = "-"
MIN_TRADE_HEADINGS = 12
"""Fewer are those of pending orders."""
UNITS = 1000
"""Sizes that are all of this or more are units of a currency; nobody trades a thousand lots each time."""

_WORDS: dict[str, tuple[Role, ...]] = {
    **dict.fromkeys(("ticket", "order", "#ticket"), ("ticket",)),
    **dict.fromkeys(("opentime", "opendate"), ("open_time",)),
    **dict.fromkeys(("type", "action"), ("type",)),
    **dict.fromkeys(("size", "volume", "lots", "lot"), ("size",)),
    **dict.fromkeys(("item", "symbol"), ("item",)),
    "price": ("price", "close_price"),
    "openprice": ("price",),
    "closeprice": ("close_price",),
    **dict.fromkeys(("s/l", "sl", "stoploss"), ("sl",)),
    **dict.fromkeys(("t/p", "tp", "takeprofit"), ("tp",)),
    **dict.fromkeys(("closetime", "closedate"), ("close_time",)),
    **dict.fromkeys(("commission", "commissions"), ("commission",)),
    **dict.fromkeys(("taxes", "tax"), ("taxes",)),
    **dict.fromkeys(("swap", "swaps", "r/oswap"), ("swap",)),
    **dict.fromkeys(("profit", "tradep/l", "p/l"), ("profit",)),
    "comment": ("comment",),
}
_AMOUNTS: dict[int, tuple[Role, ...]] = {
    1: ("profit",),
    3: ("commission", "swap", "profit"),
    4: ("commission", "taxes", "swap", "profit"),
}
"""What stands behind the closing price, by how many numbers stand there."""
_SPACES = re.compile(r"\s+")
_NUMBER = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class Layout:
    """What each column is; `note` says how that was found out, "" where the headings said it."""

    roles: tuple[Role, ...]
    note: str = ""
    at: dict[Role, int] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        places = {role: place for place, role in enumerate(self.roles) if role != LEFT_OUT}
        object.__setattr__(self, "at", places)

    def cell(self, cells: Sequence[str], role: Role) -> str:
        """The cell of a role; "" where the row or the template has none."""
        place = self.at.get(role, len(cells))
        return cells[place] if place < len(cells) else ""


class _Misfit(Exception):
    """Why columns cannot be what they were taken for."""


def to_columns(text: str) -> tuple[Role, ...]:
    """Read `ticket,open_time,-,type,…` as a person gives it; raise `UnreadableSource`."""
    aliases: dict[str, Role] = {"volume": "size", "symbol": "item", "open_price": "price", "": LEFT_OUT}
    words = [word.strip().lower() for word in text.split(",")]
    named = [aliases.get(word, word) for word in words]
    unknown = [word for word in named if word not in ROLES]
    twice = [role for role in ROLES if role != LEFT_OUT and named.count(role) > 1]
    missing = [role for role in TEMPLATE if role in NEEDED and role not in named]
    wrong = [
        f"{told} {', '.join(shown(word) for word in found)}"
        for told, found in (("it does not know", unknown), ("it has twice", twice), ("it lacks", missing))
        if found
    ]
    if wrong:
        raise UnreadableSource(
            f"--columns: {'; '.join(wrong)}. It names the columns of an MT4 statement from left to right:"
            f" {', '.join(ROLES[:-1])}, and - for a column to leave out"
        )
    return _to_roles(named)


def columns_of(tables: Sequence[Table], said: Sequence[str], name: str) -> Layout:
    """Find out what the columns are; raise `UnreadableSource` with what was tried."""
    if said:
        return Layout(_to_roles(said), f"columns as --columns names them: {', '.join(said)}")
    headed = [table.headings for table in tables if table.headings is not None and _is_of_trades(table)]
    if headed and all(is_english(headings.cells) for headings in headed):
        return Layout(TEMPLATE)
    trades = [row.cells for table in tables for row in table.rows if _is_trade(row)]
    if not trades:
        if headed and len(headed[0].cells) != len(TEMPLATE):
            raise _refused(name, headed, "it has no trade, and not the usual number of columns")
        return Layout(TEMPLATE, "columns taken as MetaQuotes' own template has them, as there are no trades")
    sums = [row.cells for table in tables for row in table.rows if not is_record(row, table.kind)]
    roles: tuple[Role, ...] = ()
    try:
        roles = _roles(_alike(trades), headed)
        checked = _check(Layout(roles), trades, sums, headed)
    except _Misfit as misfit:
        tried = f"; tried as {', '.join(roles)}" if roles else ""
        raise _refused(name, headed, f"{misfit}{tried}") from None
    words = headed[0].cells if headed else ()
    told = [
        f"{role} {f'`{shown(word)}`' if word else f'column {place + 1}'}"
        for place, (role, word) in enumerate(zip_longest(roles, words[: len(roles)], fillvalue=""))
        if role != LEFT_OUT
    ]
    return Layout(
        roles, f"columns of a template that is not known, by what is in them: {', '.join(told)}; {checked}"
    )


def _to_roles(words: Iterable[str]) -> tuple[Role, ...]:
    return tuple(role for word in words for role in ROLES if role == word)


def is_english(cells: Sequence[str]) -> bool:
    """Tell the headings of MetaQuotes' English template; above open trades the ninth is empty."""
    if tuple(cells[:8]) != HEADINGS[:8] or tuple(cells[9:14]) != HEADINGS[9:]:
        return False
    return cells[8] in ("", HEADINGS[8]) and not any(cells[14:])


def _is_of_trades(table: Table) -> bool:
    """Tell a table of trades from one of pending orders, which has fewer headings."""
    if table.kind in ("working", "after") or table.headings is None:
        return False
    return len(table.headings.filled) >= MIN_TRADE_HEADINGS or any(map(_is_trade, table.rows))


def _is_trade(row: GridRow) -> bool:
    return begins_ticket(row.cells) and any(map(is_side, row.cells[2:4]))


def _alike(trades: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The trades whose cells are of the commonest kinds, closed ones first: a damaged row tells nothing."""
    kinds = [tuple(_kind([cell]) for cell in row) for row in trades]
    is_closed = [kind.count("time") > 1 for kind in kinds]
    shapes = [
        tuple("text" if one == "empty" else one for one in kind) if closed or not any(is_closed) else ()
        for kind, closed in zip(kinds, is_closed, strict=True)
    ]
    (commonest, _), *_ = Counter(shape for shape in shapes if shape).most_common(1)
    return [row for row, shape in zip(trades, shapes, strict=True) if shape == commonest]


def _refused(name: str, headed: Sequence[GridRow], why: str) -> UnreadableSource:
    words = ", ".join(shown(cell) for cell in headed[0].cells if cell)[:300] if headed else "none"
    return UnreadableSource(
        f"{name} is an MT4 statement of a template that is not known (headings: {words}), and its columns"
        f" could not be recognised by what is in them: {why}. Name them from left to right with --columns"
        f" {','.join(TEMPLATE)}; - leaves one out, and what a template lacks is left away"
    )


def _roles(trades: Sequence[Sequence[str]], headed: Sequence[GridRow]) -> tuple[Role, ...]:
    """Say what each column is by types and order, then let known words correct the amounts."""
    width = max(map(len, trades))
    columns = [[row[place] if place < len(row) else "" for row in trades] for place in range(width)]
    roles: list[Role] = [LEFT_OUT] * width
    kinds = [_kind(column) for column in columns]
    opened = _first(kinds, "time", 0, "times")
    roles[opened] = "open_time"
    roles[_ticket(columns, opened)] = "ticket"
    roles[_first(kinds, "side", 0, "buy and sell")] = "type"
    item = _first(kinds, "text", opened, "symbols")
    roles[item] = "item"
    closed = next((at for at in range(item + 1, width) if kinds[at] in ("time", "empty")), None)
    if closed is None:
        raise _Misfit("no column behind the symbols has closing times")
    roles[closed] = "close_time"
    middle = [at for at in range(opened + 1, closed) if kinds[at] == "number"]
    if len(middle) not in (2, 4):
        raise _Misfit(f"between the times are {len(middle)} columns of numbers, not size, price, S/L, T/P")
    for at, role in zip(middle, TEMPLATE[3:4] + TEMPLATE[5:8], strict=False):
        roles[at] = role
    behind = [at for at in range(closed + 1, width) if kinds[at] == "number"]
    named = _named(headed, behind[1:])
    amounts = named or _AMOUNTS.get(len(behind) - 1)
    if amounts is None:
        raise _Misfit(
            f"behind the closing time there are {len(behind)} columns of numbers; known are a price,"
            " commission, taxes, swap and profit"
        )
    for at, role in zip(behind, ("close_price", *amounts), strict=True):
        roles[at] = role
    for at in range(closed + 1, width):
        if kinds[at] == "text" and "comment" not in roles:
            roles[at] = "comment"
    return tuple(roles)


def _kind(column: Sequence[str]) -> Literal["time", "side", "number", "text", "empty"]:
    """What all filled cells of a column are."""
    filled = [cell for cell in column if cell]
    if not filled:
        return "empty"
    if all(map(is_time, filled)):
        return "time"
    if all(map(is_side, filled)):
        return "side"
    return "number" if all(_number(cell) is not None for cell in filled) else "text"


def _first(kinds: Sequence[str], kind: str, start: int, what: str) -> int:
    found = [at for at in range(start, len(kinds)) if kinds[at] == kind]
    if not found:
        raise _Misfit(f"no column has {what} in every row")
    return found[0]


def _ticket(columns: Sequence[Sequence[str]], opened: int) -> int:
    """The column of ticket numbers: the last of whole numbers before the time; one before it counts rows."""
    whole = [at for at in range(opened) if all(_NUMBER.fullmatch(cell) for cell in columns[at])]
    if not whole or len(set(columns[whole[-1]])) < len(columns[whole[-1]]):
        raise _Misfit("no column before the opening times has a number of its own for each trade")
    return whole[-1]


def _named(headed: Sequence[GridRow], places: Sequence[int]) -> tuple[Role, ...]:
    """The amounts as their headings call them, where all are called by a known word."""
    if not headed:
        return ()
    found = [_word(headed[0], place) for place in places]
    roles = tuple(words[0] for words in found if words)
    return roles if len(set(roles)) == len(places) and "profit" in roles else ()


def _word(headings: GridRow, place: int) -> tuple[Role, ...]:
    cell = headings.cells[place] if place < len(headings.cells) else ""
    return _WORDS.get(_SPACES.sub("", cell).casefold(), ())


def _check(
    layout: Layout, trades: Sequence[Sequence[str]], sums: Sequence[Sequence[str]], headed: Sequence[GridRow]
) -> str:
    """Say what proves the columns: known headings, or what adds up; raise `_Misfit` for what does not."""
    _check_words(layout, headed)
    if headed and all(_word(headed[0], place) for role, place in layout.at.items()):
        _check_sizes(layout, trades)
        return "all are known words"
    closed = [row for row in trades if layout.cell(row, "close_time")]
    _check_times(layout, closed)
    _check_sizes(layout, trades)
    proven = sum(_follows(layout, row) for row in closed)
    if "swap" in layout.at and not any("swap" in _word(one, layout.at["swap"]) for one in headed):
        _check_swaps(layout, closed)
    summed = _check_sums(layout, trades, sums)
    if not proven and not summed:
        raise _Misfit("no trade has a profit that could be compared with its prices, and no row has sums")
    told = [f"the profits of {proven:,} trades follow their prices"] if proven else []
    return " and ".join(told + (["the sums are those of the columns"] if summed else []))


def _check_words(layout: Layout, headed: Sequence[GridRow]) -> None:
    for headings in headed:
        if headings.filled[-1] >= len(layout.roles):
            raise _Misfit(
                f"its rows have {len(layout.roles)} columns, its headings {headings.filled[-1] + 1}"
            )
        for place, role in enumerate(layout.roles):
            words = _word(headings, place)
            if words and role not in words:
                raise _Misfit(f"`{shown(headings.cells[place])}` is where {role} should be")


def _check_times(layout: Layout, closed: Sequence[Sequence[str]]) -> None:
    for row in closed:
        # Spelled alike, times sort as text; the repeated hour of a year may run backwards.
        opened_at, closed_at = layout.cell(row, "open_time"), layout.cell(row, "close_time")
        if closed_at[:10] < opened_at[:10]:
            raise _Misfit("a trade would close before the day it opened")


def _check_sizes(layout: Layout, trades: Sequence[Sequence[str]]) -> None:
    sizes = [_number(layout.cell(row, "size")) or ZERO for row in trades]
    if any(size < 0 or size * 100 % 1 for size in sizes):
        raise _Misfit("what should be sizes are not hundredths of a lot")
    if min(sizes) >= UNITS:
        raise _Misfit(
            f"every size is {UNITS:,} or more, so they count units and not lots, and would be paid as lots"
        )


def _follows(layout: Layout, row: Sequence[str]) -> bool:
    """Tell whether a trade's profit has the sign of its price's way; raise `_Misfit` for the other sign."""
    opened, closed = _number(layout.cell(row, "price")), _number(layout.cell(row, "close_price"))
    profit = _number(layout.cell(row, "profit"))
    if not opened or not closed or not profit or opened == closed:
        return False  # an archived summary, or nothing won and nothing lost
    way = closed - opened if layout.cell(row, "type").lower() == "buy" else opened - closed
    if (way > 0) != (profit > 0):
        raise _Misfit(
            f"ticket {layout.cell(row, 'ticket')} would have a profit of {profit} where its price went"
            f" {way:f} its way"
        )
    return True


def _check_swaps(layout: Layout, closed: Sequence[Sequence[str]]) -> None:
    for row in closed:
        if layout.cell(row, "open_time")[:10] == layout.cell(row, "close_time")[:10] and _number(
            layout.cell(row, "swap")
        ):
            raise _Misfit(
                f"ticket {layout.cell(row, 'ticket')} was closed on the day it opened, and what should be"
                " its swap is not 0"
            )


def _check_sums(layout: Layout, trades: Sequence[Sequence[str]], sums: Iterable[Sequence[str]]) -> bool:
    """Compare rows of sums with their columns: of closed trades, of open ones, whichever they stand under."""
    roles: list[Role] = [role for role in TEMPLATE[-4:] if role in layout.at]
    places = [layout.at[role] for role in roles]
    told = [
        [_number(row[place]) or ZERO for place in places]
        for row in sums
        if len(places) > 1 and len(row) > max(places) and _is_sums(row, places)
    ]
    parts = (
        [row for row in trades if layout.cell(row, "close_time")],
        [row for row in trades if not layout.cell(row, "close_time")],
    )
    real = [
        [sum((_number(layout.cell(row, role)) or ZERO for row in part), ZERO) for role in roles]
        for part in parts
    ]
    for amounts in told:
        if amounts not in real:
            raise _Misfit(
                f"a row of sums says {', '.join(map(str, amounts))}, but the columns come to"
                f" {', '.join(map(str, real[0]))}"
            )
    return bool(told) and any(any(amounts) for amounts in told)


def _is_sums(row: Sequence[str], places: Sequence[int]) -> bool:
    others = [cell for place, cell in enumerate(row) if place not in places and cell]
    return not others and all(_number(row[place]) is not None for place in places)


def _number(cell: str) -> Decimal | None:
    try:
        return to_amount(cell, "Amount")
    except RowRejected:
        return None
