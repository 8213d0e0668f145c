"""The trial balance: every account, and whether the ledger proves itself."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.pages.page import PageHere
from api.queries.balance import trial_balance

router = APIRouter(include_in_schema=False)

LISTED = 200


@router.get("/balance")
def balance(
    page: PageHere,
    account: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str, Query(max_length=2_000)] = "",
) -> HTMLResponse:
    """Debits and credits by account; of those whose name begins so."""
    found = trial_balance(page.ledger, page.scope, LISTED, cursor, account)
    after = found["next_cursor"]
    return page.show(
        "balance.html",
        found=found,
        account=account,
        next=page.link.again(cursor=after) if after else "",
    )
