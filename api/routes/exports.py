"""Long files: asked for, looked after, taken away once they are made."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import FileResponse

from api.export_desk import Export, Exports, Kind
from api.ledger import Ledger
from api.operators import Operator
from api.permissions import why_not
from api.problems import Problem
from api.pseudonymous import PseudonymousLedger
from api.queries.commissions import columns as commission_columns
from api.queries.periods import interval
from api.queries.transfers import TransferFilter
from api.routes.context import SCOPED, Asking, Client, From, Ib, LedgerHere, Period, ScopeHere, To
from api.routes.report_filter import Columns, Currency, Groups, Wanted, chosen, groups_of
from api.routes.transfers import DealKey
from api.shapes.exports import ExportList, ExportRow
from api.views.exported import Commissions, Question, Transfers
from api.views.report_files import FILES
from schemas.columns import TRANSFER_COLUMNS

router = APIRouter(prefix="/v1/exports", tags=["exports"], dependencies=[SCOPED])

Format = Annotated[Kind, Query(description="A Parquet file has types; a workbook at most 1,000,000 rows.")]
ExportId = Annotated[str, Path(max_length=64)]


def _desk(request: Request) -> Exports:
    desk: Exports | None = request.app.state.exports
    if desk is None:
        raise Problem(
            503,
            "This process makes no exports. Ask the one that `ibflow serve` started.",
            code="not_in_this_process",
        )
    return desk


Desk = Annotated[Exports, Depends(_desk)]


@router.post("/commissions", response_model=ExportRow, status_code=202)
def commissions(
    desk: Desk,
    ledger: LedgerHere,
    by: Asking,
    wanted: Wanted,
    group_by: Groups = ["ib"],  # noqa: B006  - FastAPI copies a default
    columns: Columns = [],  # noqa: B006  - as above
    format: Format = "csv",  # noqa: A002  - the wire's name
) -> Any:
    """Have a commission report made in the background, all of its groups; look after it by its id."""
    groups = groups_of(group_by)
    question = Commissions(wanted, groups, chosen(columns, commission_columns(groups)))
    return ask(desk, ledger, by, question, format)


@router.post("/transfers", response_model=ExportRow, status_code=202)
def transfers(
    desk: Desk,
    ledger: LedgerHere,
    scope: ScopeHere,
    by: Asking,
    ib: Ib = "",
    client: Client = "",
    deal: DealKey = "",
    currency: Currency = "",
    period: Period = "",
    from_: From = None,
    to: To = None,
    columns: Columns = [],  # noqa: B006  - as above
    format: Format = "csv",  # noqa: A002  - as above
) -> Any:
    """Have the ledger's rows written in the background, the oldest first."""
    span = interval(ledger, period, from_, to)
    wanted = TransferFilter(scope, ib, client, deal, currency, span)
    question = Transfers(wanted, chosen(columns, TRANSFER_COLUMNS))
    return ask(desk, ledger, by, question, format)


def ask(desk: Exports, ledger: Ledger, by: Operator, question: Question, kind: Kind) -> dict[str, Any]:
    """The scope of whoever asks is in the question, as it is now."""
    asked = desk.ask(by.caller, question, kind, is_pseudonymous=isinstance(ledger, PseudonymousLedger))
    return export_view(asked)


@router.get("", response_model=ExportList)
def exports(desk: Desk, by: Asking) -> Any:
    """Those that you asked for, the newest first."""
    return {"items": [export_view(one) for one in desk.listed(by.caller)]}


@router.get("/{export_id}", response_model=ExportRow)
def export(desk: Desk, by: Asking, export_id: ExportId) -> Any:
    """How far one is."""
    return export_view(desk.one(by.caller, export_id))


@router.post("/{export_id}/cancel", response_model=ExportRow)
def cancel(desk: Desk, by: Asking, export_id: ExportId) -> Any:
    """Make it no further; of one that is done, remove the file."""
    return export_view(desk.cancel(by.caller, export_id))


@router.get(
    "/{export_id}/file",
    response_class=FileResponse,
    responses={200: {"content": {"text/csv": {}}, "description": "The file, of the format asked for."}},
)
def file(desk: Desk, ledger: LedgerHere, scope: ScopeHere, by: Asking, export_id: ExportId) -> FileResponse:
    """Take the file away. Whoever sees less now than when it was asked for is refused."""
    found = desk.one(by.caller, export_id)
    is_seen = found.is_within(scope, shows_pseudonyms=isinstance(ledger, PseudonymousLedger))
    if not is_seen or why_not(by, "GET", found.question.reads):
        raise Problem(
            403, "You see less now than this file holds. Ask for it anew.", code="export_out_of_scope"
        )
    path = desk.path(by.caller, export_id)
    if path is None:
        raise Problem(409, _why_no_file(found), code="export_not_ready")
    return FileResponse(path, media_type=FILES[found.kind].media_type, filename=file_name(found))


def _why_no_file(found: Export) -> str:
    if found.is_unfinished:
        return "The file is not made yet. Look after it, and take it once its state is `done`."
    return f"There is no file: {found.why or 'it was cancelled'}. Ask for it anew."


def file_name(found: Export) -> str:
    """Such as `transfers-2026-11-30.csv`."""
    return f"{found.question.name}-{found.asked_at:%Y-%m-%d}.{found.kind}"


def export_view(found: Export) -> dict[str, Any]:
    """As programs are shown it."""
    names = ("export_id", "state", "rows", "total", "size", "asked_at", "ended_at", "expires_at", "why")
    address = f"/v1/exports/{found.export_id}/file" if found.state == "done" else ""
    shown = {name: getattr(found, name) for name in names}
    return {**shown, "of": found.question.name, "format": found.kind, "file": address}
