"""What a run's faults were and how soon the pipeline recovered: a table for people, JSON for machines."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any

from rich.table import Table

from tests.chaos.driver import Recovery


@dataclass(frozen=True, slots=True)
class KindReport:
    """Faults of one kind on one target, and seconds from their end until all was applied and stored."""

    kind: str
    target: str
    faults: int
    p50: float
    p95: float
    max: float


def summarise(recoveries: Iterable[Recovery]) -> list[KindReport]:
    """One line for each kind and target, and one for all."""
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for recovery in recoveries:
        target = recovery.fault.target
        target = "worker" if target.startswith("worker-") else target
        seconds[recovery.fault.kind, target].append(recovery.seconds)
        seconds["all", ""].append(recovery.seconds)
    everything = seconds.pop(("all", ""), [])
    lines = [(kind, target, found) for (kind, target), found in sorted(seconds.items())]
    return [_line(*line) for line in (*lines, ("all", "", everything)) if line[2]]


def _line(kind: str, target: str, found: list[float]) -> KindReport:
    cuts = quantiles(found, n=20, method="inclusive") if len(found) > 1 else found * 19
    return KindReport(kind, target, len(found), *(round(s, 1) for s in (cuts[9], cuts[18], max(found))))


def table(lines: list[KindReport], title: str) -> Table:
    """For people."""
    shown = Table(title=title, title_justify="left", caption="seconds from the fault's end until caught up")
    for name in ("fault", "of"):
        shown.add_column(name)
    for name in ("faults", "p50", "p95", "max"):
        shown.add_column(name, justify="right")
    for line in lines:
        times = (f"{seconds:.1f}" for seconds in (line.p50, line.p95, line.max))
        shown.add_row(line.kind, line.target, str(line.faults), *times, end_section=line.kind == "all")
    return shown


def to_json(lines: list[KindReport], **facts: Any) -> dict[str, Any]:
    """For machines."""
    return {**facts, "faults": [asdict(line) for line in lines]}
