"""What a replay found, one line a partition."""

from rich.table import Table

from infra.replay.compare import Replay
from infra.terminal import new_table

HASH_SHOWN = 12
"""Hex digits that tell two partitions apart; the whole is in `--json`."""


def replay_table(found: Replay) -> Table:
    """One row a partition, for people."""
    title = f"the books folded again, from {found.source}"
    table = new_table(title)
    table.add_column("", no_wrap=True)
    table.add_column("partition", no_wrap=True)
    for name in ("messages", "rows", "stored", "behind"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("hash", no_wrap=True)
    table.add_column("what differs")
    for one in found.partitions:
        mark = "[green]✓[/]" if one.same else "[bold red]✗[/]"
        counts = (f"{n:,}" for n in (one.messages, one.rows, one.stored_rows, one.behind))
        is_other = one.hash != one.stored_hash
        notes = (f"stored as {one.stored_hash[:HASH_SHOWN]}" if is_other else "", one.note)
        told = "; ".join(note for note in notes if note)
        table.add_row(mark, one.partition, *counts, one.hash[:HASH_SHOWN], told)
    if found.strays:
        table.add_row(
            "[bold red]✗[/]", "none", "", "", f"{found.strays:,}", "", "", "rows no message brought"
        )
    return table
