"""Commissions by whatever their reader asks: two groups, filters, the time before, a chart, files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse

from api.pages.page import Page, PageHere
from api.portal.series import series_of
from api.problems import Problem
from api.queries import commissions, comparison
from api.queries.commission_sql import ReportFilter
from api.queries.dimensions import TIMES, GroupBy
from api.queries.partners import names_of
from api.queries.periods import Interval, interval
from api.queries.subtrees import subtrees
from api.routes.report_filter import Of

router = APIRouter(prefix="/reports", include_in_schema=False)

LABELS: dict[GroupBy, str] = {
    "ib": "IB", "level": "Level", "client": "Client", "country": "Country", "server": "Server",
    "group": "Account group", "symbol": "Symbol", "class": "Class", "component": "Component", "plan": "Plan",
    "day": "Day (UTC)", "week": "Week (UTC)", "month": "Month (UTC)", "period": "Period",
}  # fmt: skip
COLUMNS = {"ib": "ib_id", "client": "client_id", "plan": "plan_id"}
MEASURES: dict[commissions.Measure, str] = {
    "net": "Net", "accrued": "Accrued", "reversed": "Taken back", "held": "Held", "lots": "Lots",
    "deals": "Deals",
}  # fmt: skip
FILES = ("csv", "xlsx", "parquet")
ROWS = 200
ROWS_OF_TIME = 1_000
"""Of a report by days, which is drawn as well."""

Text = Annotated[str, Query(max_length=128)]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The report's own parameters, as texts of its form."""

    groups: tuple[GroupBy, ...]
    from_: datetime | None
    to: datetime | None
    by: commissions.Measure | None
    compares: bool
    cursor: str


def _asked(
    group_by: Text = "ib",
    then_by: Text = "",
    from_: Annotated[str, Query(alias="from", max_length=40)] = "",
    to: Annotated[str, Query(max_length=40)] = "",
    by: Text = "",
    compare: Text = "",
    cursor: Annotated[str, Query(max_length=2_000)] = "",
) -> _Asked:
    known: dict[str, GroupBy] = {name: name for name in LABELS}
    names = [name for name in dict.fromkeys((group_by or "ib", then_by)) if name]
    if unknown := [name for name in names if name not in known]:
        raise Problem(422, f"Group by any of {', '.join(known)}; `{unknown[0]}` is not among them.")
    if len(TIMES.keys() & set(names)) > 1:
        raise Problem(422, f"Group by one of {', '.join(TIMES)}, not by two of them.")
    measure = next((name for name in MEASURES if name == by), None)
    if by and measure is None:
        raise Problem(422, f"Order by any of {', '.join(MEASURES)}.")
    groups = tuple(known[name] for name in names)
    return _Asked(groups, _time(from_), _time(to), measure, bool(compare), cursor)


@router.get("")
def report(
    page: PageHere,
    asked: Annotated[_Asked, Depends(_asked)],
    of: Of,
    below: Text = "",
) -> HTMLResponse:
    """The report; all that was asked is in its address, which can be kept and sent."""
    has_dates = asked.from_ is not None or asked.to is not None
    span = interval(page.ledger, "" if has_dates else page.period, asked.from_, asked.to)
    ibs = subtrees(page.ledger, page.scope, [below.strip()], span.ends_at) if below.strip() else ()
    wanted = ReportFilter(
        page.scope, span, ibs, page.currency, {name: value for name, value in of.items() if value}
    )
    found = _found(page, wanted, asked)
    after = found.get("next_cursor")
    rows: list[dict[str, Any]] = found["items"]
    columns = [(LABELS[one], COLUMNS.get(one, one)) for one in asked.groups]
    known = dict(columns) | {label: name for name, label in MEASURES.items()} | {"Currency": "currency"}
    shown = page.link.columns("report", list(known))
    chosen = [known[label] for label in shown] if len(shown) < len(known) else []
    names = names_of(page.ledger, page.scope, (row.get("ib_id", "") for row in rows))
    currency = page.currency or commissions.busiest(found["totals"])
    return page.show_of_period(
        "reports.html",
        span,
        has_dates=has_dates,
        sees_all=page.scope.is_whole,
        exports=page.request.app.state.exports is not None,
        asked=asked,
        below=below,
        labels=LABELS,
        measures=MEASURES,
        columns=columns,
        filters=[(name, LABELS[name], value) for name, value in of.items()],
        rows=rows,
        totals=found["totals"],
        before=found.get("before"),
        chart=None if asked.compares else series_of(rows, asked.groups, COLUMNS, currency, names),
        currencies=sorted({row["currency"] for row in found["totals"]} | {page.currency} - {""}),
        currency=page.currency,
        next=page.link.again(cursor=after) if after else "",
        files=[(kind, _file(kind, asked, of, below, span, page.currency, chosen)) for kind in FILES],
        names=names,
    )


def _found(page: Page, wanted: ReportFilter, asked: _Asked) -> dict[str, Any]:
    """The rows: beside the time before; those with most of a measure first; or in their own order."""
    if asked.compares:
        return comparison.compared(page.ledger, wanted, asked.groups, ROWS, asked.cursor)
    if asked.by is not None:
        return commissions.largest(page.ledger, wanted, asked.groups, asked.by, ROWS)
    limit = ROWS_OF_TIME if asked.groups[0] in TIMES else ROWS
    return commissions.report(page.ledger, wanted, asked.groups, limit, asked.cursor)


def _file(
    kind: str,
    asked: _Asked,
    of: dict[GroupBy, str],
    below: str,
    span: Interval,
    currency: str,
    columns: Sequence[str],
) -> str:
    """The address of the whole report as a file, with the columns that are shown."""
    values: dict[str, str] = {
        "format": kind,
        "group_by": ",".join(asked.groups),
        "period": span.period,
        "from": asked.from_.isoformat() if asked.from_ else "",
        "to": asked.to.isoformat() if asked.to else "",
        "scope": below.strip(),
        "currency": currency,
        "columns": ",".join(columns),
    } | {str(name): value for name, value in of.items()}
    return f"/v1/reports/commissions?{urlencode({name: value for name, value in values.items() if value})}"


def _time(text: str) -> datetime | None:
    """A day or a time of UTC; "" is none."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Problem(422, f"`{text}` is no time; write such as 2026-09-01.") from None
    if not 1970 <= found.year < 2200:
        raise Problem(422, "A time between 1970 and 2199 is expected.")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
