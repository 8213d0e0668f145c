"""Statements on a terminal: a line each, or one with all of its figures."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from infra.terminal import money, new_table

_FIGURES = {
    "opening": "opening", "accrued": "accrued", "reversed": "taken back", "payable": "payable",
    "rounding": "rounding", "closing": "carried on", "held": "held, not in the sum",
}  # fmt: skip
"""opening + accrued - taken back - payable - rounding = carried on."""
_LISTED = ("opening", "accrued", "reversed", "payable", "closing")


def list_table(found: Sequence[dict[str, Any]]) -> Table:
    """A line each."""
    table = new_table()
    for name in ("period", "IB"):
        table.add_column(name, no_wrap=True)
    for name in _LISTED:
        table.add_column(_FIGURES[name], justify="right", no_wrap=True)
    for name in ("", "holes"):
        table.add_column(name)
    for row in found:
        holes = str(row["open_holes"]) if row["open_holes"] else ""
        figures = (money(row[name], row["currency"]) for name in _LISTED)
        table.add_row(escape(row["period"]), escape(row["ib_id"]), *figures, row["currency"], holes)
    return table


def ageing_table(found: Sequence[dict[str, Any]]) -> Table:
    """A line each, the parts from the youngest on."""
    table, names = new_table(), ("until_30_days", "until_60_days", "until_90_days", "older", "total")
    table.add_column("IB", no_wrap=True)
    for name in ("30 days", "60 days", "90 days", "older", "owed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for row in found:
        figures = (money(row[name], row["currency"]) for name in names)
        table.add_row(escape(row["ib_id"]), *figures, row["currency"])
    return table


def invoices_table(found: Sequence[dict[str, Any]]) -> Table:
    """A line each, in the order of their numbers."""
    table = new_table()
    for name in ("number", "issued", "IB"):
        table.add_column(name, no_wrap=True)
    for name in ("owed", "tax", "due"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("", "rule", "issuer"):
        table.add_column(name)
    for row in found:
        words = (row["number"], row["issued_at"][:10], row["ib_id"])
        figures = (money(row[name], row["currency"]) for name in ("amount", "tax", "due"))
        table.add_row(*map(escape, words), *figures, row["currency"], row["tax_label"], escape(row["issuer"]))
    return table


def statement_lines(row: dict[str, Any]) -> Iterator[str]:
    """The figures in the order in which they add up, then what proves them."""
    span = " to ".join(row[name][:16].replace("T", " ") for name in ("starts_at", "ends_at"))
    yield f"[bold]{escape(row['ib_id'])}[/]  {escape(row['period'])} ({span} UTC)"
    width = max(len(row[name]) for name in _FIGURES)
    for name, label in _FIGURES.items():
        yield f"{label:<22}{row[name]:>{width}} {row['currency']}"
    if row["open_holes"]:
        yield f"[yellow]deals may be missing, open holes: {row['open_holes']}; see `ibflow reconcile`[/]"
    yield f"statement {row['statement_id']} of {row['transfers']} transfers"
    yield f"hash {row['hash']}, after {row['previous'] or 'none'}"
    if row["replaces"]:
        yield f"in place of {row['replaces']}, which was withdrawn"
