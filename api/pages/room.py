"""An IB's own room: its first page, where it is paid and what it was paid, its plan in plain words."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.operators import Operator
from api.pages.page import Page, PageHere
from api.permissions import why_not
from api.portal import room
from api.problems import Problem
from api.queries.partners import names_of
from api.queries.periods import interval
from api.routes.context import Asking
from api.scope import Scope
from api.shapes.payees import to_payee
from commission.payouts.log import Payouts

router = APIRouter(include_in_schema=False)

MAX_VERSIONS = 20
"""Of the details of one IB, the newest."""


def home(page: Page, by: Operator) -> HTMLResponse:
    """The first page of an IB; of the running period, unless another one or `all` is asked for."""
    asked = page.request.query_params.get("period")
    period = page.period if asked is not None else room.running_period(page.ledger)
    span = interval(page.ledger, period)
    found = room.room(page.ledger, page.scope, _own_ibs(by), span, page.currency)
    return replace(page, period=period).show_of_period("room.html", span, room=found)


@router.get("/payments")
def payments(page: PageHere, request: Request, by: Asking) -> HTMLResponse:
    """What an IB was paid and is about to be, where to, and a form to propose other details."""
    own = _own(page, by)
    log: Callable[[], Payouts] | None = request.app.state.payout_log
    desk = request.app.state.payees
    paid = [*islice(room.payments(log(), own.has), room.MAX_PAYMENTS + 1)] if log else []
    versions = {ib: desk.versions(ib) if desk else () for ib in sorted(own.ibs or ())}
    return page.show(
        "payments.html",
        payments=paid[: room.MAX_PAYMENTS],
        has_more=len(paid) > room.MAX_PAYMENTS,
        details=[
            to_payee(one, known) for known in versions.values() for one in [*known][::-1][:MAX_VERSIONS]
        ],
        has_desk=desk is not None,
        may={ib for ib in versions if by.is_person and not why_not(by, "POST", f"/v1/payees/{ib}")},
        names=names_of(page.ledger, page.scope, versions),
    )


@router.get("/plan")
def plan(page: PageHere, by: Asking) -> HTMLResponse:
    """What an IB earns and when, in plain words."""
    plans = room.own_plans(page.ledger, _own(page, by), datetime.now(UTC))
    return page.show("plan.html", plans=plans)


def _own_ibs(by: Operator) -> tuple[str, ...]:
    if by.role != "ib" or not by.ibs:
        raise Problem(404, "That is of an IB who signs in. The pages of IBs show what each of them has.")
    return by.ibs


def _own(page: Page, by: Operator) -> Scope:
    """The IBs that whoever asks is, without those below."""
    return page.scope.narrowed(_own_ibs(by))
