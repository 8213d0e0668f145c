"""Statements as documents for people: PDF, and the same rows as HTML, CSV and XLSX."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.documents import Documents
from api.problems import Problem
from api.queries.partners import names_of
from api.queries.statements import statement
from api.routes.context import LedgerHere, ScopeHere
from api.views.payouts import invoice_view

router = APIRouter(prefix="/v1/statements", tags=["reports"])


def _desk(request: Request) -> Documents:
    desk: Documents | None = request.app.state.documents
    if desk is None:
        raise Problem(
            503,
            "This process writes no documents. Ask the one that `ibflow serve` started.",
            code="not_in_this_process",
        )
    return desk


@router.get(
    "/{statement_id}/document",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}, "description": "The document."}},
)
def document(
    request: Request,
    ledger: LedgerHere,
    scope: ScopeHere,
    desk: Annotated[Documents, Depends(_desk)],
    statement_id: Annotated[str, Path(max_length=128)],
    kind: Annotated[Literal["pdf", "html", "csv", "xlsx"], Query(alias="format")] = "pdf",
) -> Response:
    """A statement for people; once a batch has billed it, the self-billing invoice that it became."""
    row = statement(ledger, scope, statement_id)
    if row is None:
        raise Problem(404, f"No statement {statement_id}. Find its id with /v1/statements?ib=…&period=…")
    name = names_of(ledger, scope, [row["ib_id"]]).get(row["ib_id"], "")
    made = desk.write(row, name, _billed(request, statement_id), kind)
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"'}
    return Response(made.body, media_type=made.media_type, headers=headers)


def _billed(request: Request, statement_id: str) -> dict[str, Any] | None:
    """The invoice that bills it, as programs are shown it."""
    log = request.app.state.payout_log
    if log is None:
        return None
    known = log()
    found = next((one for one in known.invoices.issued if statement_id in one.line.statement_ids), None)
    return None if found is None else _texts(invoice_view(known, found))


def _texts(view: dict[str, Any]) -> dict[str, Any]:
    """Times as texts, as JSON has them."""
    return {**view, "issued_at": view["issued_at"].isoformat()}
