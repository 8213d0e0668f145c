"""Payout runs: batches and what each waits for, where IBs are paid, balances changed and held by people."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.pages.page import Page, PageHere
from api.paging import decode_cursor, encode_cursor
from api.permissions import may_decide
from api.queries.partners import names_of
from api.queries.periods import periods
from api.routes import balance_changes, payees, payouts
from api.routes.context import WHOLE, Asking
from api.shapes.payees import to_payee
from api.views.payouts import batch_view, change_view, line_view

router = APIRouter(include_in_schema=False, dependencies=[WHOLE])

LISTED = 50
LINES = 200
WARNINGS = 1_000
"""Shown to be ticked at once; a batch with more is submitted by the command line."""
FORMATS = ("pain.001.001.09", "pain.001.001.03", "nacha", "csv", "xlsx")
After = Annotated[str, Query(max_length=2_000)]


@router.get("/payouts")
def listed(page: PageHere, desk: payouts.Desk, by: Asking, cursor: After = "") -> HTMLResponse:
    """Batches, newest first, and the form of a new one."""
    span = page.span
    start = _start(cursor)
    found = desk.newest(page.period)
    return page.show_of_period(
        "payouts.html",
        span,
        rows=[batch_view(batch) for batch in found[start : start + LISTED]],
        count=len(found),
        may=may_decide(by, "/v1/payouts"),
        newest=page.period or _newest_closed(page),
        next=_next(page, start + LISTED, len(found)),
    )


def _newest_closed(page: Page) -> str:
    """The period that ended last; "" before the first has."""
    now = datetime.now(UTC)
    return next((row["period"] for row in periods(page.ledger) if row["ends_at"] <= now), "")


@router.get("/payouts/{batch_id}")
def batch(
    page: PageHere, desk: payouts.Desk, by: Asking, batch_id: payouts.BatchId, cursor: After = ""
) -> HTMLResponse:
    """One batch: its lines, the warnings to tick off, and what can be done with it now."""
    start = _start(cursor)
    found = desk.get(batch_id)
    warnings = desk.warnings(batch_id) if found.state in ("created", "submitted") else []
    lines = [*found.lines.values()]
    shown = [line_view(found, line) for line in lines[start : start + LINES]]
    return page.show(
        "payout.html",
        batch=batch_view(found),
        lines=shown,
        line_count=len(lines),
        warnings=[(one, is_ticked) for one, is_ticked in warnings[:WARNINGS]],
        warning_count=len(warnings),
        made_by={step.by for step in found.steps if step.what in ("created", "submitted")},
        formats=FORMATS,
        may=may_decide(by, "/v1/payouts"),
        me=by.name,
        next=_next(page, start + LINES, len(lines)),
    )


@router.get("/payees")
def payee_list(page: PageHere, desk: payees.Desk, by: Asking, cursor: After = "") -> HTMLResponse:
    """Where IBs are paid, masked: what is valid, and what waits for a second person."""
    book = desk.listed()
    after = str(decode_cursor(cursor, str)[0]) if cursor else ""
    ids = sorted(ib_id for ib_id in book if ib_id > after)
    shown = [to_payee(one, book[ib_id]) for ib_id in ids[:LISTED] for one in book[ib_id]]
    return page.show(
        "payees.html",
        waiting=[one for one in shown if one.state == "proposed"],
        valid=[one for one in shown if one.is_valid],
        may=may_decide(by, "/v1/payees"),
        me=by.name,
        names=names_of(page.ledger, page.scope, ids[:LISTED]),
        next=page.link.again(cursor=encode_cursor([ids[LISTED - 1]])) if len(ids) > LISTED else "",
    )


@router.get("/balance-changes")
def changes(page: PageHere, desk: balance_changes.Desk, by: Asking, cursor: After = "") -> HTMLResponse:
    """Adjustments, advances, write-offs and holds, newest first, and the forms of new ones."""
    start = _start(cursor)
    found, count = desk.newest(start, LISTED)
    rows: list[dict[str, Any]] = [change_view(one) for one in found]
    return page.show(
        "balance_changes.html",
        rows=rows,
        count=count,
        may=may_decide(by, "/v1/balance-changes"),
        me=by.name,
        names=names_of(page.ledger, page.scope, (row["ib_id"] for row in rows)),
        next=_next(page, start + LISTED, count),
    )


def _start(cursor: str) -> int:
    return int(decode_cursor(cursor, int)[0]) if cursor else 0


def _next(page: Page, end: int, count: int) -> str:
    return page.link.again(cursor=encode_cursor([end])) if end < count else ""
