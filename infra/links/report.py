"""Links for people."""

from typing import Any

from rich.markup import escape
from rich.table import Table

from infra.terminal import new_table


def list_table(found: list[dict[str, Any]]) -> Table:
    """A line for each."""
    table = new_table()
    for name in ("link", "IB", "campaign", "leads to", "plan", "over", "address"):
        table.add_column(name, no_wrap=name == "link")
    for one in found:
        plan = one["plans"][-1]["plan_id"] if one["plans"] else None
        cells = (
            one["code"],
            one["ib_id"],
            one["campaign"],
            one["landing"],
            plan or "",
            one["expires_at"] or "",
        )
        table.add_row(*(escape(str(cell)) for cell in (*cells, one["url"])))
    return table
