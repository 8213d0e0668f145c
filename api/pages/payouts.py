"""Payout runs: batches and what each waits for, where IBs are paid, balances changed and held by people."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.pages.lists import AskedHere, of_memory
from api.pages.page import Page, PageHere
from api.permissions import may_decide
from api.queries.partners import names_of
from api.queries.periods import periods
from api.routes import balance_changes, payees, payouts
from api.routes.context import WHOLE, Asking
from api.shapes.payees import Payee, to_payee
from api.views.payouts import batch_view, change_view, line_view
from commission.payouts.batch import Batch
from commission.payouts.records import Line

router = APIRouter(include_in_schema=False, dependencies=[WHOLE])

LISTED = 50
LINES = 200
WARNINGS = 1_000
"""Shown to be ticked at once; a batch with more is submitted by the command line."""
FORMATS = ("pain.001.001.09", "pain.001.001.03", "nacha", "csv", "xlsx")
MAX_CHANGES = 1_000_000
"""All of them: the log is in memory."""
BATCHES: Mapping[str, Callable[[Batch], Any]] = {
    "Batch": lambda one: one.batch_id,
    "Period": lambda one: one.period,
    "State": lambda one: one.state,
    "Total": lambda one: one.total,
    "Pays": lambda one: one.paid_total,
    "Made by": lambda one: one.steps[0].by,
    "When": lambda one: one.steps[-1].at,
}
VALID: Mapping[str, Callable[[Payee], Any]] = {
    "IB": lambda one: one.ib_id,
    "Kind": lambda one: one.kind,
    "Approved by": lambda one: one.decided_by,
    "When": lambda one: one.decided_at,
}
CHANGES: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "When": lambda row: row["created_at"],
    "Kind": lambda row: row["kind"],
    "IB": lambda row: row["ib_id"],
    "Amount": lambda row: row["amount"],
    "Why": lambda row: row["reason"],
    "Asked by": lambda row: row["created_by"],
    "State": lambda row: row["state"],
}
"""What lists are ordered and searched by, each by the label of its column."""


@router.get("/payouts")
def listed(page: PageHere, desk: payouts.Desk, by: Asking, asked: AskedHere) -> HTMLResponse:
    """Batches, newest first, and the form of a new one."""
    span = page.span
    return page.show_of_period(
        "payouts.html",
        span,
        of=of_memory(
            page.link,
            asked,
            desk.newest(page.period),
            BATCHES,
            LISTED,
            key=lambda one: one.batch_id,
            view=batch_view,
        ),
        may=may_decide(by, "/v1/payouts"),
        newest=page.period or _newest_closed(page),
    )


def _newest_closed(page: Page) -> str:
    """The period that ended last; "" before the first has."""
    now = datetime.now(UTC)
    return next((row["period"] for row in periods(page.ledger) if row["ends_at"] <= now), "")


@router.get("/payouts/{batch_id}")
def batch(
    page: PageHere, desk: payouts.Desk, by: Asking, batch_id: payouts.BatchId, asked: AskedHere
) -> HTMLResponse:
    """One batch: its lines, the warnings to tick off, and what can be done with it now."""
    found = desk.get(batch_id)
    warnings = desk.warnings(batch_id) if found.state in ("created", "submitted") else []
    columns: dict[str, Callable[[Line], Any]] = {
        "IB": lambda line: line.name or line.ib_id,
        "Amount": lambda line: line.amount,
        "Tax": lambda line: line.due(found.currency) - line.amount,
        "Pays": found.paid,
        "State": lambda line: found.state_of(line.line_id),
        "End-to-end id": lambda line: line.line_id,
    }

    def view(line: Line) -> dict[str, Any]:
        return line_view(found, line)

    return page.show(
        "payout.html",
        batch=batch_view(found),
        taxed=any(line.due(found.currency) != line.amount for line in found.paid_lines),
        of=of_memory(
            page.link, asked, found.lines.values(), columns, LINES, key=lambda line: line.line_id, view=view
        ),
        warnings=[(one, is_ticked) for one, is_ticked in warnings[:WARNINGS]],
        warning_count=len(warnings),
        made_by={step.by for step in found.steps if step.what in ("created", "submitted")},
        formats=FORMATS,
        may=may_decide(by, "/v1/payouts"),
        me=by.name,
    )


@router.get("/payees")
def payee_list(page: PageHere, desk: payees.Desk, by: Asking, asked: AskedHere) -> HTMLResponse:
    """Where IBs are paid, masked: what is valid, and what waits for a second person."""
    book = desk.listed()
    known = [to_payee(one, book[ib_id]) for ib_id in sorted(book) for one in book[ib_id]]
    waiting = [one for one in known if one.state == "proposed"]
    of = of_memory(
        page.link, asked, [one for one in known if one.is_valid], VALID, LISTED, key=lambda one: one.ib_id
    )
    ids = [one.ib_id for one in (*waiting[:LISTED], *of.rows)]
    return page.show(
        "payees.html",
        waiting=waiting[:LISTED],
        waiting_count=len(waiting),
        of=of,
        may=may_decide(by, "/v1/payees"),
        me=by.name,
        names=names_of(page.ledger, page.scope, ids),
    )


@router.get("/balance-changes")
def changes(page: PageHere, desk: balance_changes.Desk, by: Asking, asked: AskedHere) -> HTMLResponse:
    """Adjustments, advances, write-offs and holds, newest first, and the forms of new ones."""
    rows = [change_view(one) for one in desk.newest(0, MAX_CHANGES)[0]]
    of = of_memory(page.link, asked, rows, CHANGES, LISTED, key=lambda row: str(row["change_id"]))
    return page.show(
        "balance_changes.html",
        of=of,
        held=_held(rows),
        may=may_decide(by, "/v1/balance-changes"),
        me=by.name,
        names=names_of(page.ledger, page.scope, (row["ib_id"] for row in of.rows)),
    )


def _held(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """The holds, of changes newest first, that nothing released since and that the books did not refuse."""
    released, held = set(), set()
    for row in rows:
        whose = row["ib_id"], row["client_id"], row["statement_id"]
        if row["books"] not in (None, "done"):
            continue
        if row["kind"] == "release":
            released.add(whose)
        elif row["kind"] == "hold" and whose not in released:
            held.add(row["change_id"])
    return held
