"""Statements: the list, and one with its sums, its documents and what it holds."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse

from api.pages.page import PageHere
from api.problems import Problem
from api.queries import statements
from api.queries.completeness import holes, statement_holes
from api.queries.partners import names_of
from api.queries.statements import before, statement, withdrawal
from api.routes.context import Ib

router = APIRouter(prefix="/statements", include_in_schema=False)

LISTED = 100
After = Annotated[str, Query(max_length=2_000)]


@router.get("")
def listed(
    page: PageHere, ib: Ib = "", order: statements.Order = "oldest", cursor: After = ""
) -> HTMLResponse:
    """Closed periods, in the order of their time; of the chosen one, or of one IB."""
    span = page.span
    found = statements.statements(page.ledger, page.scope, ib, page.period, LISTED, cursor, order)
    open_gaps = holes(page.ledger)
    rows = [{**row, "open_holes": statement_holes(open_gaps, row)} for row in found["items"]]
    after = found["next_cursor"]
    return page.show_of_period(
        "statements.html",
        span,
        rows=rows,
        ib=ib,
        order=order,
        withdrawn=statements.withdrawn(page.ledger, page.scope, ib, page.period, LISTED)["items"]
        if not cursor
        else [],
        next=page.link.again(cursor=after) if after else "",
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
