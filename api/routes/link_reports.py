"""What became of clicks on links, and of the registrations that came with them."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from api.paging import Cursor, Limit
from api.queries import links as queries
from api.routes.context import Client, From, Ib, LedgerHere, ScopeHere, To
from api.routes.links import Campaign, Code, Desk, seen, seen_link
from api.shapes.links import AttributionPage, Funnel, FunnelPage

router = APIRouter(tags=["links"])

FIRST = datetime(1971, 1, 1, tzinfo=UTC)
LAST = datetime(2199, 1, 1, tzinfo=UTC)


@router.get("/v1/links/{code}/funnel", response_model=Funnel)
def funnel(
    desk: Desk, ledger: LedgerHere, scope: ScopeHere, code: Code, since: From = None, until: To = None
) -> Any:
    """From clicks to registrations, first deposits and CPAs."""
    seen_link(desk, scope, code)
    return queries.funnels(ledger, scope, [code], since or FIRST, until or LAST)[code]


@router.get("/v1/link-funnels", response_model=FunnelPage)
def funnels(
    desk: Desk,
    ledger: LedgerHere,
    scope: ScopeHere,
    ib: Ib = "",
    campaign: Campaign = "",
    since: From = None,
    until: To = None,
    by: Annotated[Literal["link", "campaign"], Query(description="A row for each of these.")] = "link",
) -> Any:
    """The same for the newest thousand links, by link or by an IB's campaign."""
    found = seen(desk.listed(), scope, ib, campaign, is_ended=True)[: queries.MAX_LINKS_ASKED]
    counts = queries.funnels(ledger, scope, [one.saved.code for one in found], since or FIRST, until or LAST)
    rows: dict[tuple[str, str, str], dict[str, int]] = defaultdict(lambda: dict(queries.NONE))
    for one in found:
        saved = one.saved
        row = rows[saved.code if by == "link" else "", saved.ib_id, saved.campaign]
        for name, count in counts[saved.code].items():
            row[name] += count
    items = [
        {"link": link, "ib_id": ib_id, "campaign": name, **row} for (link, ib_id, name), row in rows.items()
    ]
    return {"items": items}


@router.get("/v1/attributions", response_model=AttributionPage)
def attributions(
    ledger: LedgerHere,
    scope: ScopeHere,
    client: Client = "",
    link: Annotated[str, Query(max_length=32, description="A link's code; empty: all.")] = "",
    limit: Limit = 100,
    cursor: Cursor = "",
    *,
    conflicts: Annotated[bool, Query(description="Only where the CRM and the click named two IBs.")] = False,
) -> Any:
    """Registrations that came with clicks, and how it was decided whose clients they are."""
    return queries.attributions(ledger, scope, limit, cursor, client=client, link=link, conflicts=conflicts)
