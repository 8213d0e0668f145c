"""The trial balance: every account, and whether the ledger proves itself."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.pages.lists import AskedHere, of_query
from api.pages.page import PageHere
from api.queries.balance import trial_balance

router = APIRouter(include_in_schema=False)

LISTED = 200
SORTS = {"Account": "account", "Debit": "debit", "Credit": "credit", "Balance": "balance"}


@router.get("/balance")
def balance(
    page: PageHere,
    account: Annotated[str, Query(max_length=200)] = "",
    *,
    asked: AskedHere,
) -> HTMLResponse:
    """Debits and credits by account; of those whose name begins so."""
    if not asked.sort:
        asked = asked._replace(sort="account", order="asc")
    found = trial_balance(page.ledger, page.scope, LISTED, asked, account)
    return page.show(
        "balance.html",
        found=found,
        account=account,
        of=of_query(page.link, asked, found | {"items": found["accounts"]}, SORTS, "account"),
    )
