"""Statements: the list, and one with its sums, its documents and what it holds."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse

from api.pages.lists import AskedHere, of_query
from api.pages.page import PageHere
from api.problems import Problem
from api.queries import statements
from api.queries.completeness import holes, statement_holes
from api.queries.partners import names_of
from api.queries.statements import before, statement, withdrawal
from api.routes.context import Ib

router = APIRouter(prefix="/statements", include_in_schema=False)

LISTED = 100
SORTS = {
    "Period": "period", "IB": "ib", "Opening": "opening", "Accrued": "accrued", "Taken back": "reversed",
    "Payable": "payable", "Carried": "closing", "Held": "held", "Rows": "transfers",
}  # fmt: skip


@router.get("")
def listed(page: PageHere, ib: Ib = "", *, asked: AskedHere) -> HTMLResponse:
    """Closed periods, in the order of their time unless asked otherwise; of the chosen one, or of one IB."""
    if not asked.sort:
        asked = asked._replace(sort="period", order="asc")
    span = page.span
    found = statements.statements(page.ledger, page.scope, ib, page.period, LISTED, asked)
    open_gaps = holes(page.ledger)
    rows = [{**row, "open_holes": statement_holes(open_gaps, row)} for row in found["items"]]
    return page.show_of_period(
        "statements.html",
        span,
        of=of_query(page.link, asked, found | {"items": rows}, SORTS, "period"),
        ib=ib,
        withdrawn=statements.withdrawn(page.ledger, page.scope, ib, page.period, LISTED)["items"]
        if not asked.cursor
        else [],
        names=names_of(page.ledger, page.scope, (row["ib_id"] for row in rows)),
    )


@router.get("/{statement_id}")
def one(page: PageHere, statement_id: Annotated[str, Path(max_length=128)]) -> HTMLResponse:
    """A statement: how its figures add up, and its file to verify."""
    row = statement(page.ledger, page.scope, statement_id)
    if row is None:
        raise Problem(
            404,
            f"There is no statement {statement_id}. The list of statements has them all.",
            code="unknown_statement",
        )
    return page.show(
        "statement.html",
        row=row,
        withdrawn=withdrawal(page.ledger, page.scope, statement_id),
        before=before(page.ledger, page.scope, row),
        published=row["hash"] if page.request.app.state.pseudonyms is None else "",
        documents=page.request.app.state.documents.formats if page.request.app.state.documents else (),
        open_holes=statement_holes(holes(page.ledger), row),
        names=names_of(page.ledger, page.scope, [row["ib_id"]]),
    )
