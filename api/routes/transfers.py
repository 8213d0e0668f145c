"""Transfers and why they exist."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse

from api.paging import Cursor, Limit
from api.portal.render import render
from api.problems import Problem
from api.queries import transfers as queries
from api.queries.transfers import TransferFilter
from api.routes.context import Client, Ib, LedgerHere, ScopeHere
from api.shapes.transfers import ExplanationAnswer, TransferPage, TransferRow
from api.views.explanation import Explained, explain_transfer

router = APIRouter(prefix="/v1/transfers", tags=["transfers"])

TransferId = Annotated[str, Path(max_length=128)]
DealKey = Annotated[str, Query(max_length=256, description="A deal's key, `server|deal_id`; empty: all.")]


@router.get("", response_model=TransferPage)
def transfers(
    ledger: LedgerHere,
    scope: ScopeHere,
    ib: Ib = "",
    client: Client = "",
    deal: DealKey = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """The ledger's rows, newest first."""
    return queries.transfers(ledger, TransferFilter(scope, ib, client, deal), limit, cursor)


@router.get("/{transfer_id}", response_model=TransferRow)
def transfer(ledger: LedgerHere, scope: ScopeHere, transfer_id: TransferId) -> Any:
    """One row of the ledger."""
    row = queries.transfer(ledger, scope, transfer_id)
    if row is None:
        raise _missing(transfer_id)
    return row


@router.get(
    "/{transfer_id}/explain",
    response_model=ExplanationAnswer,
    responses={200: {"content": {"text/plain": {}, "text/html": {}}, "description": "The explanation."}},
)
def explanation(
    request: Request,
    ledger: LedgerHere,
    scope: ScopeHere,
    transfer_id: TransferId,
    format: Literal["json", "text", "html"] = "json",  # noqa: A002  - the parameter's name on the wire
) -> Any:
    """Why this transfer exists: its deal, the way up the tree, every factor in order, what became of it."""
    found = explain_transfer(ledger, scope, transfer_id)
    if found is None:
        raise _missing(transfer_id)
    return _in_format(request, found, format)


def _in_format(request: Request, found: Explained, wanted: str) -> Response | dict[str, Any]:
    if wanted == "text":
        return PlainTextResponse(found.text)
    if wanted == "html":
        return render(request, "explanation.html", explanation=found, stated=None, names={}, has_bytes=False)
    return found.to_answer()


def _missing(transfer_id: str) -> Problem:
    return Problem(
        404,
        f"No transfer {transfer_id}. Find its id with /v1/transfers?deal=… or ?client=…",
        code="unknown_transfer",
    )
