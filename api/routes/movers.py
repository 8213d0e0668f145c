"""Top movers: whose commission changed most."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.paging import MAX_LIMIT
from api.queries.comparison import interval_before
from api.queries.dimensions import tables_of
from api.queries.movers import movers
from api.routes.context import LedgerHere
from api.routes.etags import TagsHere
from api.routes.report_filter import Wanted
from api.shapes.margin import Movers

router = APIRouter(prefix="/v1/reports", tags=["reports"])

Count = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="So many IBs of each currency.")]


@router.get("/movers", response_model=Movers)
def top_movers(ledger: LedgerHere, tags: TagsHere, wanted: Wanted, limit: Count = 20) -> Any:
    """The IBs whose net commission changed most against the period before, or as long a time before `from`.

    The largest change comes first, up or down; `moved` counts all IBs and currencies that changed.
    """
    spans = (wanted.interval, interval_before(ledger, wanted.interval))
    tags.of_days(spans, *tables_of(wanted.of), of=(wanted.ibs, *spans))
    return movers(ledger, wanted, limit)
