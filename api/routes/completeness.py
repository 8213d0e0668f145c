"""Whether the ledger has all deals: sweeps, their holes, and what the platform pays IBs by itself."""

from typing import Any

from fastapi import APIRouter

from api.paging import Cursor, Limit
from api.queries import completeness, native, native_by_day
from api.queries.periods import interval
from api.routes.context import From, LedgerHere, Period, ScopeHere, Server, To
from api.shapes.completeness import (
    CompletenessList,
    NativeDayPage,
    NativePaymentPage,
    PaidTwicePage,
    ReconciliationPage,
)

router = APIRouter(prefix="/v1", tags=["completeness"])


@router.get("/completeness", response_model=CompletenessList)
def meters(ledger: LedgerHere, scope: ScopeHere) -> Any:
    """Each server's last event, last sweep, open holes, and its volume by day, theirs and ours.

    Theirs is what the newest sweep of the whole day found at the platform; null: no sweep yet.
    """
    return {"items": completeness.completeness(ledger, scope)}


@router.get("/reconciliations", response_model=ReconciliationPage)
def reconciliations(
    ledger: LedgerHere,
    scope: ScopeHere,
    server: Server = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """What each sweep found and did, newest first."""
    return completeness.reconciliations(ledger, scope, server, limit, cursor)


@router.get("/native-payments", response_model=NativePaymentPage)
def native_payments(
    ledger: LedgerHere,
    scope: ScopeHere,
    server: Server = "",
    period: Period = "",
    from_: From = None,
    to: To = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """What the platform itself paid to IBs, by the IB's login and the client's. No part of the ledger."""
    return native.payments(ledger, scope, interval(ledger, period, from_, to), server, limit, cursor)


@router.get("/native-payments/days", response_model=NativeDayPage)
def native_days(
    ledger: LedgerHere,
    scope: ScopeHere,
    server: Server = "",
    period: Period = "",
    from_: From = None,
    to: To = None,
    *,
    differing: bool = False,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """What platforms pay by themselves beside what the ledger pays, by IB and day.

    MT4: its agent commission of each closed ticket that was told. MT5: agent deals that name the client's
    deal; those by day or month name none, and are not compared. Nor is a server that pays nothing.
    """
    wanted = interval(ledger, period, from_, to)
    return native_by_day.days(ledger, scope, wanted, server, limit, cursor, differing=differing)


@router.get("/native-payments/twice", response_model=PaidTwicePage)
def paid_twice(
    ledger: LedgerHere,
    scope: ScopeHere,
    server: Server = "",
    period: Period = "",
    from_: From = None,
    to: To = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """Native payments for what the ledger pays as well: the client's deal, or its account just before."""
    return native.paid_twice(ledger, scope, interval(ledger, period, from_, to), server, limit, cursor)
