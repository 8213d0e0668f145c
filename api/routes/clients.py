"""The list of clients."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.paging import Cursor, Limit
from api.queries import client_list
from api.queries.client_list import ClientFilter, Order, Sort, State
from api.routes.context import Ib, LedgerHere, ScopeHere
from api.routes.etags import of_tables
from api.shapes.clients import ClientPage

router = APIRouter(prefix="/v1/clients", tags=["reports"])

TABLES = ("clients", "client_events", "client_milestones", "milestones")
OfState = Annotated[State, Query(description="The furthest they came; empty: all.")]
SortBy = Annotated[Sort, Query(description="By when they reached it; who did not is left out.")]


@router.get("", response_model=ClientPage, dependencies=[of_tables(*TABLES)])
def clients(
    ledger: LedgerHere,
    scope: ScopeHere,
    ib: Ib = "",
    state: OfState = "",
    sort: SortBy = "registered",
    order: Order = "newest",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """Clients, how far each has come, and what is missing for a CPA."""
    return client_list.listed(ledger, ClientFilter(scope, ib, state, sort, order), limit, cursor)
