"""Proposals: corrections of what is posted, which one person proposes and another approves."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from api.paging import Cursor, Limit, decode_cursor, encode_cursor
from api.problems import Problem
from api.proposals import Proposals
from api.routes.context import WHOLE, Asking
from api.shapes.proposals import ChangePage, ProposalPage
from schemas.proposals import Proposal, ProposalRequest

router = APIRouter(prefix="/v1/proposals", tags=["proposals"], dependencies=[WHOLE])


def _desk(request: Request) -> Proposals:
    desk: Proposals | None = request.app.state.proposals
    if desk is None:
        raise Problem(
            503,
            "This process computes no proposals. Ask the one that `ibflow serve` started.",
            code="not_in_this_process",
        )
    return desk


Desk = Annotated[Proposals, Depends(_desk)]
ProposalId = Annotated[str, Path(max_length=64)]
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=128)]


class Decided(BaseModel):
    """Why, in the history of the proposal."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field("", max_length=500)


@router.post("", response_model=Proposal, status_code=201)
def create(desk: Desk, by: Asking, wanted: ProposalRequest, key: Key = "") -> Any:
    """Rate a window of deals again in memory, by the terms known now, and keep what that would post.

    Sent again with the same `Idempotency-Key`, the answer is the same proposal.
    """
    return desk.create(wanted, by, key)


@router.get("", response_model=ProposalPage)
def proposals(desk: Desk, limit: Limit = 100, cursor: Cursor = "") -> Any:
    """Proposals with what each changes by IB, newest first."""
    return proposal_page(desk, limit, cursor)


@router.get("/{proposal_id}", response_model=Proposal)
def proposal(desk: Desk, proposal_id: ProposalId) -> Any:
    """One proposal: what was asked, what it changes by IB, who did what."""
    return desk.get(proposal_id)


@router.get("/{proposal_id}/rows", response_model=ChangePage)
def changes(desk: Desk, proposal_id: ProposalId, limit: Limit = 100, cursor: Cursor = "") -> Any:
    """Every row it would post, in order: what each takes back or gives, and the statement it lands in."""
    start = int(decode_cursor(cursor, int)[0]) if cursor else 0
    total, end = desk.get(proposal_id).preview.rows, start + limit
    found = desk.changes(proposal_id, start, end)
    return {"items": found, "next_cursor": encode_cursor([end]) if end < total else None}


@router.post("/{proposal_id}/approve", response_model=Proposal)
def approve(desk: Desk, by: Asking, proposal_id: ProposalId, decided: Decided | None = None) -> Any:
    """Post it. The token says who approves: an operator other than the one who created it.

    Sent again by the same person, it goes on where that stopped, and the answer is the same.
    """
    return desk.approve(proposal_id, by, decided.note if decided is not None else "")


@router.post("/{proposal_id}/reject", response_model=Proposal)
def reject(desk: Desk, by: Asking, proposal_id: ProposalId, decided: Decided) -> Any:
    """Never post it."""
    return desk.reject(proposal_id, by, decided.note)


@router.post("/{proposal_id}/post", response_model=Proposal)
def post(desk: Desk, by: Asking, proposal_id: ProposalId) -> Any:
    """Post again what was approved and, for a failure, not posted to the end."""
    return desk.post(proposal_id, by)


def proposal_page(desk: Proposals, limit: int, cursor: str) -> dict[str, Any]:
    """One page of proposals, newest first."""
    after = decode_cursor(cursor, str, str) if cursor else None
    found = desk.newest(limit + 1, (after[0], after[1]) if after else None)
    kept = found[:limit]
    more = len(found) > limit
    last = [f"{kept[-1].created_at:%Y-%m-%d %H:%M:%S.%f}", kept[-1].proposal_id] if kept else []
    return {"items": kept, "next_cursor": encode_cursor(last) if more else None}
