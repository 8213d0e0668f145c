"""Lists as long files: each takes what its page takes, but for the page."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from api.exports import ListName
from api.ledger import Ledger
from api.operators import Operator
from api.permissions import why_not
from api.problems import Problem
from api.queries.client_list import Order
from api.queries.dead_letters import LetterFilter
from api.routes.clients import OfState, SortBy
from api.routes.context import SCOPED, Asking, Client, Code, Ib, LedgerHere, Period, ScopeHere
from api.routes.exports import Desk, Format, ask
from api.routes.quality import DeadLetterFilter
from api.routes.report_filter import Columns, chosen
from api.scope import Scope
from api.shapes.exports import ExportRow
from api.views.exported import Listed
from api.views.exported_lists import LISTS

router = APIRouter(prefix="/v1/exports", tags=["exports"], dependencies=[SCOPED])
Text = Annotated[str, Query(max_length=128)]


@dataclass(frozen=True, slots=True)
class _Asks:
    """Everything of a request but which list it is about."""

    desk: Desk
    ledger: Ledger
    scope: Scope
    by: Operator
    columns: list[str]
    format: Format

    def make(self, name: ListName, **asked: str) -> dict[str, Any]:
        """Have a list made for somebody who may read it."""
        of = LISTS[name]
        if why := why_not(self.by, "GET", of.reads):
            raise Problem(403, f"{why[0].upper()}{why[1:]}.", code="forbidden")
        if of.is_whole:
            self.scope.check_whole()
        question = Listed(name, self.scope, asked, chosen(self.columns, of.columns))
        return ask(self.desk, self.ledger, self.by, question, self.format)


def _asks(
    desk: Desk,
    ledger: LedgerHere,
    scope: ScopeHere,
    by: Asking,
    columns: Columns = [],  # noqa: B006  - FastAPI copies a default
    format: Format = "csv",  # noqa: A002  - the wire's name
) -> _Asks:
    return _Asks(desk, ledger, scope, by, columns, format)


Asks = Annotated[_Asks, Depends(_asks)]


@router.post("/clients", response_model=ExportRow, status_code=202)
def clients(
    asks: Asks, ib: Ib = "", state: OfState = "", sort: SortBy = "registered", order: Order = "newest"
) -> Any:
    """Have the list of clients written in the background."""
    return asks.make("clients", ib=ib, state=state, sort=sort, order=order)


@router.post("/statements", response_model=ExportRow, status_code=202)
def statements(asks: Asks, ib: Ib = "", period: Period = "") -> Any:
    """Have the statements of closed periods written in the background, a row each."""
    return asks.make("statements", ib=ib, period=period)


@router.post("/rejections", response_model=ExportRow, status_code=202)
def rejections(asks: Asks, status: Literal["", "waiting", "rejected"] = "", code: Code = "") -> Any:
    """Have the deals that pay nothing, or nothing yet, written in the background."""
    return asks.make("rejections", status=status, code=code)


@router.post("/client-events", response_model=ExportRow, status_code=202)
def client_events(
    asks: Asks,
    client: Client = "",
    kind: Annotated[str, Query(alias="type", max_length=64, description="Such as `kyc_changed`.")] = "",
) -> Any:
    """Have what the CRM reported of clients written in the background."""
    return asks.make("client-events", client=client, type=kind)


@router.post("/payouts", response_model=ExportRow, status_code=202)
def payouts(asks: Asks, period: Period = "") -> Any:
    """Have the batches of payouts written in the background, a row each."""
    return asks.make("payouts", period=period)


@router.post("/payout-lines", response_model=ExportRow, status_code=202)
def payout_lines(asks: Asks, batch: Annotated[str, Query(max_length=64, description="A batch's id.")]) -> Any:
    """Have the lines of a batch of payouts written in the background."""
    return asks.make("payout-lines", batch=batch)


@router.post("/postback-attempts", response_model=ExportRow, status_code=202)
def postback_attempts(
    asks: Asks,
    endpoint: Text = "",
    milestone: Text = "",
    outcome: Literal["", "delivered", "retry", "failed", "disabled"] = "",
) -> Any:
    """Have every try to deliver a postback written in the background."""
    return asks.make("postback-attempts", endpoint=endpoint, milestone=milestone, outcome=outcome)


@router.post("/dead-letters", response_model=ExportRow, status_code=202)
def dead_letters(asks: Asks, wanted: DeadLetterFilter) -> Any:
    """Have the input that could not be used written in the background."""
    return asks.make("dead-letters", **_texts(wanted))


@router.post("/audit-log", response_model=ExportRow, status_code=202)
def audit_log(asks: Asks) -> Any:
    """Have the whole audit log written in the background, the oldest entry first."""
    return asks.make("audit-log")


def _texts(wanted: LetterFilter) -> dict[str, str]:
    since = wanted.since.isoformat() if wanted.since else ""
    return {"code": wanted.code, "source": wanted.source, "since": since, "state": wanted.state}
