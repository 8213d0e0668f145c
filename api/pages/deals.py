"""From an account to a deal, from a deal to what it paid whom, and from each amount to why."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse

from api.pages.lists import AskedHere, of_query
from api.pages.page import PageHere
from api.problems import Problem
from api.pseudonymous import PseudonymousLedger
from api.queries import clients, quality, transfers
from api.queries.partners import names_of
from api.queries.transfers import TransferFilter
from api.routes.context import WHOLE
from api.views.audit import revisions
from api.views.explanation import explain_deal, explain_transfer, to_deal
from commission.accounts import is_held
from commission.explain.facts import of_deal

router = APIRouter(include_in_schema=False)

Key = Annotated[str, Query(max_length=256)]
DEALS = 100
SORTS = {"Time": "time", "Deal": "deal", "Symbol": "symbol", "Lots": "lots", "Profit": "profit"}


@router.get("/accounts")
def account(page: PageHere, key: Key, *, asked: AskedHere) -> HTMLResponse:
    """A trading account, `server/login`, and its deals."""
    server, _, login = key.rpartition("/")
    if not server or not (login.isascii() and login.isdigit()) or int(login) >= 2**64:
        raise Problem(422, "Give an account as `key=server/login`.")
    client_id = clients.client_of_account(page.ledger, page.scope, key)
    is_hidden = isinstance(page.ledger, PseudonymousLedger)  # a login would name the client
    if is_hidden or (not client_id and not page.scope.is_whole):
        raise Problem(
            404, "That account is not known. Search for it, or open its client.", code="unknown_account"
        )
    found = clients.deals_of_account(page.ledger, page.scope, server, int(login), DEALS, asked)
    return page.show(
        "trading_account.html",
        key=key,
        server=server,
        login=login,
        client_id=client_id,
        of=of_query(page.link, asked, found, SORTS, "time"),
    )


@router.get("/deals")
def deal(page: PageHere, key: Key) -> HTMLResponse:
    """A deal: what it was, and who earns what from it, or why nobody does."""
    row = transfers.deal(page.ledger, page.scope, key)
    refused = quality.rejection(page.ledger, page.scope, key)
    if row is None and refused is None:
        raise _unknown(key)
    paid = transfers.transfers(page.ledger, TransferFilter(page.scope, deal=key), transfers.MAX_CHAIN)[
        "items"
    ]
    unpaid = explain_deal(page.ledger, page.scope, key)
    of_client = next(
        (one["client_id"] for one in paid if one["client_id"]), (refused or {}).get("client_id", "")
    )
    return page.show(
        "deal.html",
        key=key,
        has_bytes=page.scope.is_whole,
        deal=row,
        account=f"{row['server']}/{row['login']}" if row else (refused or {}).get("account_key", ""),
        client_id=of_client,
        facts=[*of_deal(to_deal(row))] if row else [],
        paid=paid,
        unpaid=unpaid,
        refused=refused if unpaid else None,
        names=names_of(page.ledger, page.scope, (one["ib_id"] for one in paid)),
    )


@router.get("/deals/bytes", dependencies=[WHOLE])
def deal_bytes(page: PageHere, key: Key) -> HTMLResponse:
    """The bytes of a deal as they came: each line that was read of it, and its place in the log."""
    found = [*revisions(page.ledger, page.scope, key)]
    if not found and transfers.deal(page.ledger, page.scope, key) is None:
        raise _unknown(key)
    return page.show("deal_bytes.html", key=key, lines=found)


@router.get("/transfers/{transfer_id}")
def transfer(page: PageHere, transfer_id: Annotated[str, Path(max_length=128)]) -> HTMLResponse:
    """Why a transfer exists, and what became of it."""
    found = explain_transfer(page.ledger, page.scope, transfer_id)
    if found is None:
        raise Problem(
            404,
            f"There is no transfer {transfer_id}. Search finds one by its whole id.",
            code="unknown_transfer",
        )
    row = found.transfer
    return page.show(
        "explanation.html",
        explanation=found,
        has_bytes=page.scope.is_whole and found.deal is not None,
        stated=None
        if is_held(row["credit"]) or row["period"]
        else clients.stated_in(page.ledger, page.scope, row),
        names=names_of(page.ledger, page.scope, [row["ib_id"]]),
    )


def _unknown(key: str) -> Problem:
    return Problem(404, f"No deal {key} is known. Deals are named `server|number`.", code="unknown_deal")
