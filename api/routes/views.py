"""Saved views: kept, opened by their address, renamed, shared, removed."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from api.operators import Operator
from api.paging import MAX_LIMIT, Cursor, Limit, page_of
from api.problems import Problem
from api.routes.context import SCOPED, Asking, ScopeHere
from api.routes.people import NOT_HERE
from api.saved_views import SavedViews, address_of, parameters_of, seen
from api.shapes.views import ViewChange, ViewGiven, ViewList, ViewShown
from schemas.views import View

router = APIRouter(prefix="/v1/views", tags=["views"], dependencies=[SCOPED])

ViewId = Annotated[str, Path(max_length=64)]


def _desk(request: Request) -> SavedViews:
    desk: SavedViews | None = request.app.state.views
    if desk is None:
        raise Problem(503, NOT_HERE, code="not_in_this_process")
    return desk


Desk = Annotated[SavedViews, Depends(_desk)]


@router.get("", response_model=ViewList)
def views(
    desk: Desk,
    scope: ScopeHere,
    by: Asking,
    page: Annotated[
        str, Query(max_length=64, description="Of this page, such as `/reports`; empty: all.")
    ] = "",
    limit: Limit = MAX_LIMIT,
    cursor: Cursor = "",
) -> Any:
    """Your own, and those shared by people who see no more than you do."""
    found = [one for one in seen(desk, by, scope) if page in ("", one.page)]
    shown, after = page_of(found, limit, cursor, lambda one: one.view_id)
    return {"items": [view_shown(one, by) for one in shown], "next_cursor": after}


@router.post("", response_model=ViewShown, status_code=201)
def save(desk: Desk, by: Asking, wanted: ViewGiven) -> Any:
    """Keep what is asked of a page. Only its parameters are kept: who opens it sees what they see."""
    query = parameters_of(wanted.query)
    saved = desk.save(by.caller, wanted.name, wanted.page, query, is_shared=wanted.is_shared)
    return view_shown(saved, by)


@router.post("/{view_id}", response_model=ViewShown)
def change(desk: Desk, by: Asking, view_id: ViewId, wanted: ViewChange) -> Any:
    """Rename or share one of yours, or keep other parameters."""
    query = None if wanted.query is None else parameters_of(wanted.query)
    changed = desk.change(by.caller, view_id, name=wanted.name, query=query, is_shared=wanted.is_shared)
    return view_shown(changed, by)


@router.post("/{view_id}/remove", response_model=ViewList)
def remove(desk: Desk, scope: ScopeHere, by: Asking, view_id: ViewId) -> Any:
    """Forget one of yours."""
    desk.remove(by.caller, view_id)
    return views(desk, scope, by)


def view_shown(one: View, by: Operator) -> dict[str, Any]:
    """As whoever asks is shown it."""
    names = ("view_id", "name", "page", "query", "is_shared", "owner", "saved_at")
    shown = {name: getattr(one, name) for name in names}
    return {**shown, "address": address_of(one), "is_own": one.owner == by.caller}
