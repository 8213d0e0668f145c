"""What the pages of IBs show: a place in the tree, the way up to it, and what is under it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from api.portal.overview import Line, lines
from api.queries.partners import walk

MAX_SHOWN = 200
"""IBs of one branch, or of one answer to a search."""

Node = dict[str, Any]
Order = Literal["", "earned", "payable", "clients", "name"]
ORDERS: dict[Order, tuple[str, Callable[[Line], Any]]] = {
    "": ("Most with downline", lambda line: -line.subtree),
    "earned": ("Most earned", lambda line: -line.totals["earned"]),
    "payable": ("Most payable", lambda line: -line.totals["payable"]),
    "clients": ("Most clients", lambda line: -line.node["clients"]),
    "name": ("By name", lambda line: (line.node["name"] or line.node["ib_id"]).casefold()),
}
"""Each with what people call it; IBs that are equal in it stand as in the first."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Some IBs beside each other, and how many more there are."""

    lines: tuple[Line, ...]
    more: int


def find(roots: Sequence[Node], ib_id: str) -> tuple[Node, ...]:
    """The way from the root to an IB, itself last; () if it is in no tree."""
    for node in roots:
        if node["ib_id"] == ib_id:
            return (node,)
        if below := find(node["children"], ib_id):
            return (node, *below)
    return ()


def busiest(nodes: Sequence[Node]) -> str:
    """The currency in which most of these IBs earned."""
    counts: dict[str, int] = {}
    for node in nodes:
        for row in node["totals"]:
            counts[row["currency"]] = counts.get(row["currency"], 0) + 1
    declared = next((node["currency"] for node in nodes if node["currency"]), "")
    return max(sorted(counts), key=lambda currency: counts[currency], default=declared)


def currencies(nodes: Sequence[Node]) -> list[str]:
    """Those that any of them earned in."""
    return sorted({row["currency"] for node in nodes for row in node["totals"]})


def branch(nodes: Sequence[Node], currency: str, order: Order = "", *, hides_zero: bool) -> Branch:
    """These IBs with their totals; without those that with their downline earned nothing, if asked."""
    found = lines(list(nodes), currency, nodes)
    found.sort(key=ORDERS[order][1])
    if hides_zero:
        found = [line for line in found if not is_zero(line)]
    return Branch(tuple(found[:MAX_SHOWN]), max(len(found) - MAX_SHOWN, 0))


def named_like(roots: Sequence[Node], text: str, currency: str, order: Order = "") -> Branch:
    """The IBs whose name or id holds a text, wherever they are in the tree."""
    wanted = text.casefold()
    named = (
        node
        for node in walk(roots)
        if wanted in node["ib_id"].casefold() or wanted in (node["name"] or "").casefold()
    )
    found = lines(list(roots), currency, named)
    found.sort(key=ORDERS[order][1])
    return Branch(tuple(found[:MAX_SHOWN]), max(len(found) - MAX_SHOWN, 0))


def is_zero(line: Line) -> bool:
    """Whether nothing was earned or held there, nor below."""
    held: Decimal = line.totals["held"]
    return not (line.subtree or held or line.totals["earned"])


def below(node: Node) -> int:
    """How many IBs are under one."""
    return len(walk(node["children"]))
