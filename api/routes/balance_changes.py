"""Balances changed by hand and payouts held, by two people."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from api.paging import Cursor, Limit, decode_cursor, encode_cursor
from api.payouts import Changes
from api.problems import Problem
from api.routes.context import WHOLE, Asking
from api.shapes.payouts import BalanceChange, BalanceChangePage
from api.views.payouts import change_view
from schemas.payouts import ChangeRequest, HoldRequest

router = APIRouter(prefix="/v1/balance-changes", tags=["payouts"], dependencies=[WHOLE])


def _desk(request: Request) -> Changes:
    desk: Changes | None = request.app.state.changes
    if desk is None:
        raise Problem(
            503,
            "This process changes no balances. Ask the one that `ibflow serve` started.",
            code="not_in_this_process",
        )
    return desk


Desk = Annotated[Changes, Depends(_desk)]
ChangeId = Annotated[str, Path(max_length=64)]
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=128)]


class Note(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=500)


@router.post("", response_model=BalanceChange, status_code=201)
def ask(desk: Desk, by: Asking, wanted: ChangeRequest, key: Key = "") -> Any:
    """Ask for an adjustment, an advance or a write-off; another person approves it."""
    return change_view(desk.ask(wanted, by, key))


@router.get("", response_model=BalanceChangePage)
def listed(desk: Desk, limit: Limit = 100, cursor: Cursor = "") -> Any:
    """Changes and holds, newest first, each with what the books made of it."""
    start = int(decode_cursor(cursor, int)[0]) if cursor else 0
    found, count = desk.newest(start, limit)
    end = start + limit
    return {
        "items": [change_view(one) for one in found],
        "next_cursor": encode_cursor([end]) if end < count else None,
    }


@router.post("/holds", response_model=BalanceChange, status_code=201)
def hold(desk: Desk, by: Asking, wanted: HoldRequest, key: Key = "") -> Any:
    """Let no batch lock an IB's money, or one statement's; or keep what a client earns out of statements."""
    return change_view(desk.hold(wanted, by, key, is_released=False))


@router.post("/releases", response_model=BalanceChange, status_code=201)
def release(desk: Desk, by: Asking, wanted: HoldRequest, key: Key = "") -> Any:
    """End a hold of another person."""
    return change_view(desk.hold(wanted, by, key, is_released=True))


@router.get("/{change_id}", response_model=BalanceChange)
def shown(desk: Desk, change_id: ChangeId) -> Any:
    """One of them."""
    return change_view(desk.get(change_id))


@router.post("/{change_id}/approve", response_model=BalanceChange)
def approve(desk: Desk, by: Asking, change_id: ChangeId) -> Any:
    """Command the books to do it. The token says who approves: somebody else than who asked."""
    return change_view(desk.decide(change_id, by, "", is_approved=True))


@router.post("/{change_id}/reject", response_model=BalanceChange)
def reject(desk: Desk, by: Asking, change_id: ChangeId, note: Note) -> Any:
    """Never do it."""
    return change_view(desk.decide(change_id, by, note.reason, is_approved=False))
