"""Deals that pay nothing: what waits and what would release it, what needs someone, what no plan pays."""

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.pages.lists import AskedHere, of_query
from api.pages.page import PageHere
from api.queries.unpaid import KINDS, unpaid, unpaid_counts
from api.routes.context import Code
from commission.explain.reasons import in_words

router = APIRouter(include_in_schema=False)

LISTED = 100
SORTS = {"Deal time": "time", "Deal": "deal", "Reason": "reason"}
TITLES = {"waiting": "Waiting", "someone": "Needs someone", "plan": "Not paid by plan"}
RELEASES = {
    "unknown_account": "the account's link to a client, from the CRM",
    "unregistered_client": "the client's registration, from the CRM",
    "unknown_symbol": "the symbol in the terms of its server",
    "unknown_period": "a period of this time in the terms",
    "unknown_ib": "the missing IB, or its plan, in the terms",
    "unknown_terms": "the missing IB, plan or rate in the terms",
    "no_rate": "a rate of exchange at or before the deal's time",
    "position_untold": "a source that says which position it was",
    "opening_unknown": "the deal that opened the position",
    "charge_unknown": "nothing by itself: a proposal can rate it",
}
"""What lets a deal go on that waits, for each reason."""
RELEASES_FOR_IBS = dict.fromkeys(RELEASES, "the broker, once it has added what is missing") | {
    "unknown_account": "the broker, once it has linked the account to its client",
    "unregistered_client": "the client's registration at the broker",
    "opening_unknown": "the deal that opened the position, once it is here",
}
"""The same for whoever sees a part: the terms are the broker's work, and none of theirs."""


@router.get("/unpaid")
def listed(
    page: PageHere,
    kind: Literal["waiting", "someone", "plan"] = "waiting",
    code: Code = "",
    *,
    asked: AskedHere,
) -> HTMLResponse:
    """One kind of them, of the chosen period: how many for which reason, and each, newest first."""
    span = page.span
    counts = unpaid_counts(page.ledger, page.scope, span)
    found = unpaid(page.ledger, page.scope, span, kind, code, LISTED, asked)
    return page.show_of_period(
        "unpaid.html",
        span,
        kind=kind,
        code=code,
        kinds=[(one, TITLES[one], sum(row["deals"] for row in counts[one])) for one in KINDS],
        reasons=[{**row, "meaning": in_words(row["code"])} for row in counts[kind]],
        releases=RELEASES if page.scope.is_whole else RELEASES_FOR_IBS,
        words=page.scope.is_whole,
        of=of_query(
            page.link, asked, found, SORTS | {"Since" if kind == "waiting" else "Decided": "since"}, "time"
        ),
    )
