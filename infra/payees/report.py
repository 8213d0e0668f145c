"""Payee details for people, masked."""

from typing import Any

from rich.markup import escape
from rich.table import Table

from infra.terminal import new_table


def list_table(found: list[dict[str, Any]]) -> Table:
    """A line for each version."""
    table = new_table()
    for name in (
        "IB",
        "version",
        "kind",
        "details",
        "paid in",
        "tax",
        "state",
        "proposed by",
        "decided by",
        "note",
    ):
        table.add_column(name, no_wrap=name in {"IB", "details"})
    for one in found:
        state = "valid" if one["is_valid"] else one["state"]
        note = one["rejection"] or one["note"]
        cells = (one["ib_id"], one["version"], one["kind"], one["masked"], one["currency"], one["tax"], state)
        people = (one["proposed_by"], one["decided_by"] or "", note)
        table.add_row(*(escape(str(cell)) for cell in (*cells, *people)))
    return table
