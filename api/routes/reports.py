"""Reports: commissions by any dimension, statements and the trial balance."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.ledger import Ledger
from api.paging import MAX_LIMIT, Cursor, Limit
from api.problems import Problem
from api.queries import balance, commissions, comparison
from api.queries import statements as statement_queries
from api.queries.commission_sql import ReportFilter
from api.queries.commissions import Measure
from api.queries.completeness import holes, statement_holes
from api.queries.dimensions import GroupBy, tables_of
from api.routes.context import Ib, LedgerAsItIs, LedgerHere, Period, ScopeHere
from api.routes.etags import IfNoneMatch, Tags, TagsHere, check, of_tables, tag_of
from api.routes.report_filter import Columns, Groups, Wanted, chosen, groups_of
from api.shapes.reports import CommissionReport, StatementPage, TrialBalance, WithdrawnPage
from api.views.report_files import FILES, ReportFile
from api.views.statement_file import statement_file

router = APIRouter(prefix="/v1", tags=["reports"])

PAGE_ROWS = 500
ReportLimit = Annotated[
    int | None,
    Query(ge=1, le=MAX_LIMIT, description=f"Rows of one page of JSON; {PAGE_ROWS} by default."),
]
Top = Annotated[
    int | None,
    Query(ge=1, le=MAX_LIMIT, description="Only so many groups of each currency, those with most of `by`."),
]
Compare = Annotated[
    Literal["", "before"],
    Query(description="`before`: beside the period before, or as long a time before `from`."),
]


@router.get(
    "/reports/commissions",
    response_model=CommissionReport,
    response_model_exclude_unset=True,
    responses={
        200: {
            "content": {kind.media_type: {} for kind in FILES.values()},
            "description": "The report, or a page of it.",
        }
    },
)
def commission_report(
    ledger: LedgerHere,
    tags: TagsHere,
    wanted: Wanted,
    group_by: Groups = ["ib"],  # noqa: B006  - FastAPI copies a default
    compare: Compare = "",
    top: Top = None,
    by: Measure = "net",
    format: Literal["json", "csv", "xlsx", "arrow", "parquet"] = "json",  # noqa: A002  - the wire's name
    columns: Columns = [],  # noqa: B006  - as above
    limit: ReportLimit = None,
    cursor: Cursor = "",
) -> Any:
    """What IBs earned, by event time, grouped as asked. Totals cover all pages, one row a currency.

    `lots` and `deals` count a deal once for each group, however many IBs and components it pays.
    A file is the whole report: it has no pages, and one that would be too long is refused.
    """
    groups = groups_of(group_by)
    if format != "json":
        if limit is not None or cursor or compare or top is not None:
            raise Problem(
                422, "A file is the whole report; ask for it without `limit`, `cursor`, `compare` and `top`."
            )
        kept = _tag(ledger, tags, wanted, groups)
        every = commissions.columns(groups)
        return _file(FILES[format], format, kept, (ledger, wanted, groups, chosen(columns, every) or every))
    if columns:
        raise Problem(422, "Columns are of a file; ask for it with `format`.")
    if top is not None:
        if limit is not None or cursor or compare:
            raise Problem(422, "Ask for `top` without `limit`, `cursor` and `compare`.")
        _tag(ledger, tags, wanted, groups)
        return commissions.largest(ledger, wanted, groups, by, top)
    rows = PAGE_ROWS if limit is None else limit
    _tag(ledger, tags, wanted, groups, compares=bool(compare))
    if compare:
        return comparison.compared(ledger, wanted, groups, rows, cursor)
    return commissions.report(ledger, wanted, groups, rows, cursor)


def _tag(
    ledger: Ledger, tags: Tags, wanted: ReportFilter, groups: tuple[GroupBy, ...], *, compares: bool = False
) -> dict[str, str]:
    """Headers of a report; raise `NotModified` where the one that the caller has still holds."""
    spans = [wanted.interval]
    spans += [comparison.interval_before(ledger, wanted.interval)] if compares else []
    return tags.of_days(spans, *tables_of((*groups, *wanted.of)), of=(wanted.ibs, *spans))


def _file(
    file: ReportFile,
    kind: str,
    kept: dict[str, str],
    of: tuple[Ledger, ReportFilter, tuple[GroupBy, ...], Sequence[str]],
) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="commissions.{kind}"', **kept}
    return Response(file.write(*of), media_type=file.media_type, headers=headers)


STATEMENTS = ("statements", "statement_withdrawals")


@router.get(
    "/statements",
    response_model=StatementPage,
    dependencies=[of_tables(*STATEMENTS, "reconciliations")],
)
def statements(
    ledger: LedgerHere,
    scope: ScopeHere,
    ib: Ib = "",
    period: Period = "",
    order: statement_queries.Order = "oldest",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """Closed periods: opening + accrued - reversed - payable - rounding = closing."""
    asked = statement_queries.BY_TIME[order]._replace(cursor=cursor)
    found = statement_queries.statements(ledger, scope, ib, period, limit, asked)
    open_gaps = holes(ledger)
    items = [{**row, "open_holes": statement_holes(open_gaps, row)} for row in found["items"]]
    return {**found, "items": items}


@router.get("/statements/withdrawn", response_model=WithdrawnPage, dependencies=[of_tables(*STATEMENTS)])
def withdrawn(
    ledger: LedgerHere,
    scope: ScopeHere,
    ib: Ib = "",
    period: Period = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """Statements of periods that were closed wrongly and opened again: none is paid or counts."""
    return statement_queries.withdrawn(ledger, scope, ib, period, limit, cursor)


@router.get(
    "/statements/{statement_id}/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "The statement's file."}},
)
def statement_export(
    request: Request,
    ledger: LedgerAsItIs,
    scope: ScopeHere,
    statement_id: Annotated[str, Path(max_length=128)],
    if_none_match: IfNoneMatch = "",
) -> StreamingResponse:
    """Download a statement with all of its transfers, one JSON object a line, for the IB it belongs to.

    Its hash covers every line; `ibflow verify --statement FILE` checks it without us. With
    `IBFLOW_PSEUDONYM_KEY` clients and accounts have pseudonyms, and the hash is of what is shown.
    """
    row = statement_queries.statement(ledger, scope, statement_id)
    is_withdrawn = statement_queries.withdrawal(ledger, scope, statement_id) is not None
    kept = check(if_none_match, tag_of(request, row["hash"], is_withdrawn)) if row is not None else {}
    file = statement_file(ledger, scope, statement_id, request.app.state.pseudonyms)
    if file is None:
        raise Problem(
            404,
            f"No statement {statement_id}. Find its id with /v1/statements?ib=…&period=…",
            code="unknown_statement",
        )
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"', **kept}
    return StreamingResponse(file.lines(), media_type="application/x-ndjson", headers=headers)


@router.get("/trial-balance", response_model=TrialBalance, response_model_exclude_unset=True)
def trial_balance(
    ledger: LedgerHere,
    scope: ScopeHere,
    account: Annotated[str, Query(max_length=200, description="Accounts that start so.")] = "",
    limit: Limit = 500,
    cursor: Cursor = "",
) -> Any:
    """All debits against all credits per currency, the soundness of the rows, and each account's balance."""
    return balance.trial_balance(ledger, scope, limit, balance.BY_ACCOUNT._replace(cursor=cursor), account)
