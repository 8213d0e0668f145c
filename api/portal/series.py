"""A report by time as the series of a chart: the largest groups, and the rest as one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from api.ledger import Row
from api.portal.chart import MAX_SERIES, OTHERS

DATED = ("day", "week", "month")


def series_of(
    rows: Sequence[Row],
    groups: Sequence[str],
    columns: Mapping[str, str],
    currency: str,
    names: Mapping[str, str],
) -> dict[str, Any] | None:
    """Net by the first group, a date, as one line of the second group's each; None if it is no date.

    `names` are of IBs. Amounts become floats here, to be drawn; the table below has the exact ones.
    """
    if groups[0] not in DATED:
        return None
    of_currency = [row for row in rows if row["currency"] == currency]
    name = columns.get(groups[1], groups[1]) if len(groups) > 1 else ""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for row in of_currency:
        totals[row[name] if name else "net"] += row["net"]
    ranked = sorted(totals, key=lambda one: (-abs(totals[one]), one))
    kept = ranked if len(ranked) <= MAX_SERIES else ranked[: MAX_SERIES - 1]
    days = sorted({row[groups[0]] for row in of_currency})
    if len(days) < 2:
        return None
    sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in of_currency:
        label = row[name] if name else "net"
        sums[label if label in kept else OTHERS][row[groups[0]]] += row["net"]
    labels = [*kept, *([OTHERS] if len(kept) < len(ranked) else [])]
    return {
        "x": [_seconds(day) for day in days],
        "currency": currency,
        "series": [
            {"label": names.get(label, label) or "none", "y": [float(sums[label][day]) for day in days]}
            for label in labels
        ],
    }


def _seconds(day: str) -> int:
    return int(datetime.combine(date.fromisoformat(day), time(), UTC).timestamp())
