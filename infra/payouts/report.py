"""Exports of payout lines for people."""

from typing import Any

from rich.markup import escape
from rich.table import Table

from infra.terminal import new_table


def list_table(found: list[dict[str, Any]]) -> Table:
    """A line each."""
    table = new_table()
    table.add_column("id", no_wrap=True)
    for name in ("period", "by", "at (UTC)"):
        table.add_column(name)
    for name in ("lines", "exported before", "blocked", "over the limit"):
        table.add_column(name, justify="right")
    for one in found:
        counts = (str(one[name]) for name in ("lines", "exported_before", "blocked", "over_limit"))
        at = str(one["at"])[:16].replace("T", " ")
        table.add_row(one["export_id"], escape(one["period"]), escape(one["by"]), at, *counts)
    return table
