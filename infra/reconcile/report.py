"""A sweep for people and machines: counts, volumes by day, examples, the verdict."""

from typing import Any

from rich.markup import escape
from rich.table import Table

from infra.terminal import new_table
from ingest.counts import to_lots
from schemas.reconciliations import RECONCILIATION, DayVolume, Reconciliation

DAYS_SHOWN = 31
EXAMPLES_SHOWN = 20


def to_json(found: Reconciliation, warnings: list[str], *, dry_run: bool) -> dict[str, Any]:
    """As plain data."""
    record: dict[str, Any] = RECONCILIATION.dump_python(found, mode="json")
    return {**record, "unresolved": found.unresolved, "dry_run": dry_run, "warnings": warnings}


def counts_table(found: Reconciliation, *, dry_run: bool) -> Table:
    """What was found, and what was done about it."""
    title = f"{found.server}  {found.starts_at:%Y-%m-%d %H:%M} to {found.ends_at:%Y-%m-%d %H:%M} UTC"
    table = _table(title + ("  (dry run)" if dry_run else ""), "", "deals", "what becomes of them")
    taken = "would be ingested" if dry_run else "ingested"
    open_ = max(found.missing + found.different - found.ingested, 0)
    kept = "" if dry_run or not open_ else f", {open_:,} left"
    rows = (
        ("theirs", found.theirs, escape(found.source)),
        ("ours", found.ours, "as the ledger was before"),
        ("missing", found.missing, taken if found.missing else ""),
        ("different", found.different, taken + kept if found.different else ""),
        ("extra", found.extra, _extra(found)),
        ("disputed", found.disputed, "for a person to decide" if found.disputed else ""),
        ("unreadable", found.unreadable, "rows; dead letters" if found.unreadable else ""),
    )
    for name, count, text in rows:
        colour = "yellow" if count and name not in ("theirs", "ours") else "default"
        table.add_row(name, f"[{colour}]{count:,}[/]", f"[dim]{text}[/]")
    return table


def _extra(found: Reconciliation) -> str:
    if not found.extra:
        return ""
    if found.deleted:
        return f"{found.deleted:,} taken back as deleted"
    return "only reported; --delete-extra takes them back"


def days_table(found: Reconciliation) -> Table:
    """The volume of each day on both sides: the days that differ first in sight, all of a month."""
    shown = [day for day in found.days if day.theirs or day.ours]
    differing = [day for day in shown if _differs(day)]
    days = shown if len(shown) <= DAYS_SHOWN else differing[:DAYS_SHOWN]
    table = _table(
        "Volume by day, before the sweep (UTC)", "day", "theirs", "ours", "lots theirs", "lots ours", ""
    )
    for day in days:
        mark = "[yellow]differs[/]" if _differs(day) else "[green]✓[/]"
        lots = (f"{to_lots(day.theirs_e8):,f}", f"{to_lots(day.ours_e8):,f}")
        table.add_row(day.day.isoformat(), f"{day.theirs:,}", f"{day.ours:,}", *lots, mark)
    if len(shown) > len(days):
        table.caption = f"{len(shown):,} days, {len(differing):,} differ; --json has all"
    return table


def _differs(day: DayVolume) -> bool:
    return (day.theirs, day.theirs_e8) != (day.ours, day.ours_e8)


def example_lines(found: Reconciliation) -> list[str]:
    """The first deals that are not the same."""
    lines = [
        f"  {one.verdict:<9} {one.deal_id}  {one.occurred_at:%Y-%m-%d %H:%M:%S}"
        + (f"  {one.note}" if one.note else "")
        for one in found.examples[:EXAMPLES_SHOWN]
    ]
    total = found.missing + found.different + found.extra + found.disputed
    if total > len(lines):
        lines.append(f"  and {total - len(lines):,} more")
    return lines


def verdict_line(found: Reconciliation, *, dry_run: bool) -> str:
    """The sweep in a sentence."""
    if not found.unresolved:
        return "[green]complete:[/] theirs and ours agree"
    if dry_run:
        return (
            f"[yellow]{found.unresolved:,} differences[/]; without --dry-run the sweep takes over what it may"
        )
    return f"[yellow]{found.unresolved:,} stay open[/]; statements of that time are flagged meanwhile"


def _table(title: str, first: str, *names: str) -> Table:
    table = new_table(title)
    table.add_column(first, no_wrap=True)
    for name in names:
        table.add_column(name, justify="left" if name.startswith("what") else "right")
    return table
