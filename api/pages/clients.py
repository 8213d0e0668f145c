"""Clients: the list, and the page of one: its way to a CPA, its accounts, what IBs earned from it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse

from api.ledger import Row
from api.pages.lists import AskedHere, of_query
from api.pages.page import PageHere
from api.portal.qualification import checks_of
from api.problems import Problem
from api.queries import client_list, clients, commissions, quality, transfers
from api.queries.client_list import ClientFilter, Order, Sort, State
from api.queries.commission_sql import ReportFilter
from api.queries.partners import names_of
from api.queries.transfers import TransferFilter
from api.routes.context import Ib
from commission.links.click_id import parse

router = APIRouter(prefix="/clients", include_in_schema=False)

LISTED = 100
EVENTS = 50
NEWEST = 20
GROUPS = 100
BY: dict[str, Sort] = {one: one for one in client_list.SORTS}
SORTS = {
    "Registered": "registered",
    "First deposit": "deposited",
    "Qualified": "qualified",
    "Clawed back": "lost",
}


@router.get("")
def listed(
    page: PageHere,
    ib: Ib = "",
    state: State = "",
    *,
    asked: AskedHere,
) -> HTMLResponse:
    """All clients that are seen, those that registered last first, and how far each has come."""
    sort = BY[asked.by(BY, "registered")]
    order: Order = "newest" if asked.order == "desc" else "oldest"
    wanted = ClientFilter(page.scope, ib.strip(), state, sort, order, asked.find)
    found = client_list.listed(page.ledger, wanted, LISTED, asked.cursor)
    of = of_query(page.link, asked, found, SORTS, "registered", can_find=not page.ledger.hides_clients)
    return page.show(
        "clients.html",
        of=of,
        ib=ib,
        state=state,
        states=client_list.STATES,
        sort=sort,
        order=order,
        names=names_of(page.ledger, page.scope, (row["ib_id"] or "" for row in of.rows)),
    )


@router.get("/{client_id:path}")
def one(page: PageHere, client_id: Annotated[str, Path(max_length=128)]) -> HTMLResponse:
    """What is known of a client; 404 if no row names it."""
    span, ledger, scope = page.span, page.ledger, page.scope
    known = clients.client(ledger, scope, client_id)
    accounts = clients.accounts(ledger, scope, client_id)
    events = quality.client_events(ledger, scope, client_id, "", EVENTS)["items"]
    if known is None and not accounts and not events:
        raise Problem(
            404,
            f"There is no client {client_id}. Search finds clients by how their id begins.",
            code="unknown_client",
        )
    wanted = ReportFilter(scope, span, of={"client": client_id})
    earned = commissions.report(ledger, wanted, ("ib", "component"), GROUPS)
    reached = clients.milestones(ledger, scope, client_id)
    newest = transfers.transfers(ledger, TransferFilter(scope, client=client_id, interval=span), NEWEST)[
        "items"
    ]
    ibs = [row["ib_id"] for row in (*earned["items"], *newest)] + ([known["ib_id"] or ""] if known else [])
    return page.show_of_period(
        "client.html",
        span,
        client_id=client_id,
        known=known,
        clicked=_clicked(known),
        accounts=accounts,
        events=events,
        checks=checks_of(ledger, scope, known, [row["account_key"] for row in accounts], reached)
        if known
        else [],
        earned=earned["items"],
        totals=earned["totals"],
        milestones=reached,
        transfers=newest,
        names=names_of(ledger, scope, ibs),
    )


def _clicked(known: Row | None) -> datetime | None:
    """When it clicked on the link that it came by."""
    click = parse(known["click_id"]) if known is not None else None
    return click.at if click is not None else None
