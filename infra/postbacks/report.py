"""Endpoints for people."""

from typing import Any

from rich.markup import escape
from rich.table import Table

from infra.terminal import new_table


def list_table(found: list[dict[str, Any]]) -> Table:
    """A line for each."""
    table = new_table()
    for name in ("endpoint", "state", "method", "URL", "events", "IBs", "why"):
        table.add_column(name, no_wrap=name in {"endpoint", "state"})
    for one in found:
        ibs = ", ".join([*one["ibs"], *(f"{ib} and below" for ib in one["subtrees"])]) or "all"
        events = ", ".join(one["events"]) or "all"
        cells = (one["id"], one["state"], one["method"], one["url"], events, ibs, one["reason"])
        table.add_row(*(escape(str(cell)) for cell in cells))
    return table
