"""Reports: commissions by any dimension, statements and the trial balance."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.ledger import Ledger
from api.paging import MAX_LIMIT, Cursor, Limit
from api.problems import Problem
from api.queries import balance, commissions
from api.queries import statements as statement_queries
from api.queries.commissions import DIMENSIONS, TIMES, GroupBy, ReportFilter
from api.queries.completeness import holes, statement_holes
from api.queries.periods import interval
from api.queries.subtrees import subtrees
from api.routes.context import From, Ib, LedgerHere, Period, To
from api.shapes.reports import CommissionReport, StatementPage, TrialBalance, WithdrawnPage
from api.views.csv_cells import to_csv
from api.views.statement_file import statement_file

router = APIRouter(prefix="/v1", tags=["reports"])

Symbol = Annotated[str, Query(max_length=64, description="A canonical symbol; empty: all.")]
PAGE_ROWS = 500
MAX_CSV_ROWS = 200_000
ReportLimit = Annotated[
    int | None,
    Query(ge=1, le=MAX_LIMIT, description=f"Rows of one page of JSON; {PAGE_ROWS} by default."),
]
Groups = Annotated[
    list[str],
    Query(
        description=f"{', '.join(f'`{name}`' for name in DIMENSIONS)}: repeated or with commas. "
        "Days, weeks and months are in UTC; `level` is how far the IB is above the client's own."
    ),
]
Scope = Annotated[
    list[str],
    Query(
        description="IBs whose sub-trees are reported, as the tree was when the interval ended; none: all."
    ),
]
MAX_SCOPES = 100


@router.get(
    "/reports/commissions",
    response_model=CommissionReport,
    response_model_exclude_unset=True,
    responses={200: {"content": {"text/csv": {}}, "description": "The report, or a page of it."}},
)
def commission_report(
    ledger: LedgerHere,
    ib: Ib = "",
    period: Period = "",
    from_: From = None,
    to: To = None,
    symbol: Symbol = "",
    scope: Scope = [],  # noqa: B006  - FastAPI copies a default
    group_by: Groups = ["ib"],  # noqa: B006  - FastAPI copies a default
    format: Literal["json", "csv"] = "json",  # noqa: A002  - the parameter's name on the wire
    limit: ReportLimit = None,
    cursor: Cursor = "",
) -> Any:
    """What IBs earned, by event time, grouped as asked. Totals cover all pages, one row a currency.

    `lots` and `deals` count a deal once for each group, however many IBs and components it pays.
    CSV is the whole report: it has no pages, and one that would be too long is refused.
    """
    span = interval(ledger, period, from_, to)
    if len(scope) > MAX_SCOPES:
        raise Problem(422, f"Give at most {MAX_SCOPES} IBs as `scope`.")
    wanted = ReportFilter(span, ib, subtrees(ledger, scope, span.ends_at) if scope else (), symbol)
    groups = _groups(group_by)
    if format == "csv":
        if limit is not None or cursor:
            raise Problem(422, "CSV is the whole report; ask for it without `limit` and `cursor`.")
        return _csv(ledger, wanted, groups)
    return commissions.report(ledger, wanted, groups, PAGE_ROWS if limit is None else limit, cursor)


def _csv(ledger: Ledger, wanted: ReportFilter, groups: tuple[GroupBy, ...]) -> Response:
    report = commissions.report(ledger, wanted, groups, MAX_CSV_ROWS)
    if report["next_cursor"]:
        raise Problem(422, f"The report has more than {MAX_CSV_ROWS:,} rows. Narrow it, or group it less.")
    columns = commissions.columns(groups)
    body = to_csv(columns, ([row[name] for name in columns] for row in report["items"]))
    headers = {"Content-Disposition": 'attachment; filename="commissions.csv"'}
    return Response(body, media_type="text/csv; charset=utf-8", headers=headers)


def _groups(asked: list[str]) -> tuple[GroupBy, ...]:
    known: dict[str, GroupBy] = {name: name for name in DIMENSIONS}
    names = [name for part in asked for name in part.split(",") if name]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise Problem(422, f"Group by any of {', '.join(known)}; `{','.join(unknown)}` is not among them.")
    if len(TIMES.keys() & set(names)) > 1:
        raise Problem(422, f"Group by one of {', '.join(TIMES)}, not by several.")
    return tuple(dict.fromkeys(known[name] for name in names))


@router.get("/statements", response_model=StatementPage)
def statements(
    ledger: LedgerHere, ib: Ib = "", period: Period = "", limit: Limit = 100, cursor: Cursor = ""
) -> Any:
    """Closed periods: opening + accrued - reversed - payable - rounding = closing."""
    found = statement_queries.statements(ledger, ib, period, limit, cursor)
    open_gaps = holes(ledger)
    items = [{**row, "open_holes": statement_holes(open_gaps, row)} for row in found["items"]]
    return {**found, "items": items}


@router.get("/statements/withdrawn", response_model=WithdrawnPage)
def withdrawn(
    ledger: LedgerHere, ib: Ib = "", period: Period = "", limit: Limit = 100, cursor: Cursor = ""
) -> Any:
    """Statements of periods that were closed wrongly and opened again: none is paid or counts."""
    return statement_queries.withdrawn(ledger, ib, period, limit, cursor)


@router.get(
    "/statements/{statement_id}/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "The statement's file."}},
)
def statement_export(
    request: Request, ledger: LedgerHere, statement_id: Annotated[str, Path(max_length=128)]
) -> StreamingResponse:
    """Download a statement with all of its transfers, one JSON object a line, for the IB it belongs to.

    Its hash covers every line; `ibflow verify --statement FILE` checks it without us. With
    `IBFLOW_PSEUDONYM_KEY` clients and accounts have pseudonyms, and the hash is of what is shown.
    """
    file = statement_file(ledger, statement_id, request.app.state.pseudonyms)
    if file is None:
        raise Problem(404, f"No statement {statement_id}. Find its id with /v1/statements?ib=…&period=…")
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return StreamingResponse(file.lines(), media_type="application/x-ndjson", headers=headers)


@router.get("/trial-balance", response_model=TrialBalance, response_model_exclude_unset=True)
def trial_balance(
    ledger: LedgerHere,
    account: Annotated[str, Query(max_length=200, description="Accounts that start so.")] = "",
    limit: Limit = 500,
    cursor: Cursor = "",
) -> Any:
    """All debits against all credits per currency, the soundness of the rows, and each account's balance."""
    return balance.trial_balance(ledger, limit, cursor, account)
