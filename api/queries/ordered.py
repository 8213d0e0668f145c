"""Lists that grow, in the order somebody chose, searched, a page at a time: one way for all of them.

Columns to order and search by are named here and nowhere else; what was asked is a parameter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from api.ledger import Ledger, Row
from api.paging import decode_cursor, encode_cursor, strange_cursor
from api.problems import Problem

Order = Literal["desc", "asc"]
Kind = Literal["time", "text", "number", "amount"]
_PLACE: Mapping[Kind, str] = {
    "time": "toUnixTimestamp64Micro({})",
    "text": "toString({})",
    "number": "toInt64({})",
    "amount": "toDecimal128({}, 8)",
}
_AFTER: Mapping[Kind, str] = {
    "time": "{after:Int64}",
    "text": "{after:String}",
    "number": "{after:Int64}",
    "amount": "toDecimal128({after:String}, 8)",
}
_OF_CLIENTS = ("client_id", "account_key")


class Asked(NamedTuple):
    """What somebody asks of a list; without a `sort` it has the order that is usual for it."""

    sort: str = ""
    order: Order = "desc"
    find: str = ""
    cursor: str = ""

    def by(self, known: Mapping[str, Any], usual: str) -> str:
        """The column to order by; raise `Problem` for one that the list has not."""
        if self.sort and self.sort not in known:
            raise Problem(
                422,
                f"`sort` is one of {', '.join(known)} here, not `{self.sort[:32]}`.",
                code="invalid_request",
            )
        return self.sort or usual


NEWEST = Asked()


@dataclass(frozen=True, slots=True)
class Listing:
    """One list: its rows, what they can be ordered by, what names one, what is searched."""

    sql: str
    """A SELECT without an order or a limit."""
    sorts: Mapping[str, tuple[str, Kind]]
    """By the name of an order: its column and what that holds. The first is the usual one."""
    unique: tuple[str, ...]
    """Columns of text or numbers that tell rows apart which are alike in the order."""
    searched: tuple[str, ...] = ()

    def page(self, ledger: Ledger, asked: Asked, limit: int, **values: object) -> dict[str, Any]:
        """One page of what was asked for, and the cursor of the next one."""
        rows = self.rows(ledger, asked, limit + 1, **values)
        kept = rows[:limit]
        after = self.cursor(asked, kept[-1]) if len(rows) > limit else None
        return {"items": [_shown(row) for row in kept], "next_cursor": after}

    def rows(self, ledger: Ledger, asked: Asked, limit: int, **values: object) -> list[Row]:
        """So many rows from after the cursor on, each with its place for `cursor`."""
        column, kind = self.sorts[self._by(asked)]
        names = [f"toString({name})" for name in self.unique]
        searched = [name for name in self.searched if not (ledger.hides_clients and name in _OF_CLIENTS)]
        texts = ", ".join(f"toString({name})" for name in searched)
        found = f"positionCaseInsensitiveUTF8(concat({texts}, ''), {{find:String}}) > 0" if texts else "0"
        way = "<" if asked.order == "desc" else ">"
        place: dict[str, object] = {}
        later = ""
        if asked.cursor:
            after, *ids = self._decoded(asked, kind)
            place = {"after": after, **{f"after_{n}": one for n, one in enumerate(ids)}}
            beside = ", ".join(f"{{after_{n}:String}}" for n in range(len(ids)))
            later = (
                f" AND (sort_place {way} {_AFTER[kind]}"
                f" OR (sort_place = {_AFTER[kind]} AND ({', '.join(names)}) > ({beside})))"
            )
        sql = f"""
            SELECT *, {_PLACE[kind].format(column)} AS sort_place FROM ({self.sql})
            WHERE ({{find:String}} = '' OR {found}){later}
            ORDER BY sort_place {asked.order.upper()}, {", ".join(names)} LIMIT {{limit:UInt32}}
        """  # noqa: S608  - the parts are constants; values are parameters
        return ledger.rows(sql, find=asked.find, limit=limit, **place, **values)

    def cursor(self, asked: Asked, row: Row) -> str:
        """What goes on after a row."""
        place = row["sort_place"]
        ids = [str(row[name]) for name in self.unique]
        return encode_cursor([self._by(asked), f"{place:f}" if isinstance(place, Decimal) else place, *ids])

    def _by(self, asked: Asked) -> str:
        return asked.by(self.sorts, next(iter(self.sorts)))

    def _decoded(self, asked: Asked, kind: Kind) -> list[Any]:
        """The parts of a cursor of this list in this order; one of another order is none of it."""
        kinds = (str, int if kind in ("time", "number") else str, *[str] * len(self.unique))
        by, *place = decode_cursor(asked.cursor, *kinds)
        if by != self._by(asked) or (kind == "amount" and not _is_amount(place[0])):
            raise strange_cursor()
        return place


def _is_amount(text: str) -> bool:
    digits = text.removeprefix("-")
    return len(text) <= 30 and digits.replace(".", "", 1).isdigit() and digits.isascii()


def _shown(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "sort_place"}
