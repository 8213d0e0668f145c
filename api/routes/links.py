"""Tracking links: made, listed, ended, drawn as QR codes; and what became of their clicks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Annotated, Any, Literal

import segno
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.link_desk import KnownLink, LinkChange, Links, NewLink, UnknownLink
from api.links.landing import MAX_URL
from api.operators import NotAllowed, Operator
from api.paging import Cursor, Limit, decode_cursor, encode_cursor
from api.problems import Problem
from api.queries.partners import is_known
from api.routes.context import Asking, Ib, LedgerHere, ScopeHere
from api.scope import Scope
from api.shapes.links import LinkPage, LinkRow, to_link
from api.views.terms import known_terms
from commission.links.records import MAX_WINDOW_DAYS, LinkPlan

router = APIRouter(tags=["links"])

QR_SCALE = 8


def links_desk(request: Request) -> Links:
    """Whoever keeps links here."""
    desk: Links | None = request.app.state.links
    if desk is None:
        raise Problem(
            503,
            "This process keeps no links. Give `ibflow serve` IBFLOW_CLICK_KEYS.",
            code="not_in_this_process",
        )
    return desk


Desk = Annotated[Links, Depends(links_desk)]
Code = Annotated[str, Path(pattern=r"^[A-Za-z0-9_]{4,32}$", description="A link's code.")]
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=128)]
Id = Annotated[str, Field(min_length=1, max_length=128)]
Landing = Annotated[str, Field(min_length=1, max_length=MAX_URL)]
Campaign = Annotated[str, Query(max_length=100, description="A campaign's name; empty: all.")]


class PlanWanted(BaseModel):
    """Another plan for the link's clients, from a time on."""

    model_config = ConfigDict(extra="forbid")

    plan: Id | None = Field(description="A plan's id; null: the IB's own plan again.")
    since: AwareDatetime | None = Field(None, description="From then on; null, of the first only: always.")


class LandingWanted(BaseModel):
    """Another landing page."""

    model_config = ConfigDict(extra="forbid")

    landing: Landing


class LinkWanted(LandingWanted):
    """A new link."""

    ib: Id
    campaign: str = Field("", max_length=100)
    code: str = Field("", max_length=32, description="Its code in `/go/<code>`; empty: one is made.")
    plan: Id | None = Field(None, description="A plan that counts instead of the IB's, from the beginning.")
    expires_at: AwareDatetime | None = None
    window_days: int | None = Field(None, ge=1, le=MAX_WINDOW_DAYS)
    conflict: Literal["crm", "click"] | None = None
    pass_query: bool = True


@router.post("/v1/links", response_model=LinkRow, status_code=201)
def create(
    desk: Desk, ledger: LedgerHere, scope: ScopeHere, by: Asking, wanted: LinkWanted, key: Key = ""
) -> Any:
    """Make a link. Sent again with the same `Idempotency-Key`, the answer is the same link."""
    if not is_known(ledger, scope, wanted.ib):
        raise Problem(422, f"There is no IB {wanted.ib}. `GET /v1/partners` has them.")
    if wanted.plan is not None or wanted.window_days is not None or wanted.conflict is not None:
        check_terms(by)
    if wanted.plan is not None:
        _check_plan(ledger, wanted.plan)
    new = NewLink(
        ib_id=wanted.ib,
        landing=wanted.landing,
        code=wanted.code,
        campaign=wanted.campaign,
        plans=() if wanted.plan is None else (LinkPlan(plan_id=wanted.plan),),
        expires_at=wanted.expires_at,
        window_days=wanted.window_days,
        conflict=wanted.conflict,
        passes_query=wanted.pass_query,
    )
    return _row(desk, desk.create(new, by, key))


@router.get("/v1/links", response_model=LinkPage)
def listed(
    desk: Desk,
    scope: ScopeHere,
    ib: Ib = "",
    campaign: Campaign = "",
    limit: Limit = 100,
    cursor: Cursor = "",
    *,
    ended: bool = False,
) -> Any:
    """Links, the newest first; those that are over only where `ended` asks for them."""
    found = seen(desk.listed(), scope, ib, campaign, is_ended=ended)
    start = int(decode_cursor(cursor, int)[0]) if cursor else 0
    end = start + limit
    items = [_row(desk, one) for one in found[start:end]]
    return {"items": items, "next_cursor": encode_cursor([end]) if len(found) > end else None}


@router.get("/v1/links/{code}", response_model=LinkRow)
def one(desk: Desk, scope: ScopeHere, code: Code) -> Any:
    """One link."""
    return _row(desk, seen_link(desk, scope, code))


@router.put("/v1/links/{code}/landing", response_model=LinkRow)
def lead_elsewhere(desk: Desk, scope: ScopeHere, by: Asking, code: Code, wanted: LandingWanted) -> Any:
    """Lead to another page from now on."""
    seen_link(desk, scope, code)
    return _row(desk, desk.change(code, LinkChange(landing=wanted.landing), by))


@router.post("/v1/links/{code}/plans", response_model=LinkRow)
def assign(
    desk: Desk, ledger: LedgerHere, scope: ScopeHere, by: Asking, code: Code, wanted: PlanWanted
) -> Any:
    """Rate the link's clients by another plan from a time on. What was paid is not rated again."""
    check_terms(by)
    seen_link(desk, scope, code)
    if wanted.plan is not None:
        _check_plan(ledger, wanted.plan)
    return _row(
        desk, desk.change(code, LinkChange(plan=LinkPlan(since=wanted.since, plan_id=wanted.plan)), by)
    )


@router.post("/v1/links/{code}/end", response_model=LinkRow)
def end(desk: Desk, scope: ScopeHere, by: Asking, code: Code) -> Any:
    """Let clicks from now on count no more; those before count for their window."""
    seen_link(desk, scope, code)
    return _row(desk, desk.end(code, by))


@router.get(
    "/v1/links/{code}/qr",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {}, "image/png": {}}, "description": "The image."}},
)
def qr(
    desk: Desk,
    scope: ScopeHere,
    code: Code,
    kind: Annotated[Literal["svg", "png"], Query(alias="format", description="Of the image.")] = "svg",
) -> Response:
    """The link as a QR code, to be printed."""
    seen_link(desk, scope, code)
    url = desk.address(code)
    if url.startswith("/"):
        raise Problem(422, "Set IBFLOW_PUBLIC_URL: a QR code needs the whole address of this server.")
    made = BytesIO()
    segno.make(url, error="m", micro=False).save(made, kind=kind, scale=QR_SCALE)
    return Response(made.getvalue(), media_type="image/svg+xml" if kind == "svg" else "image/png")


def seen(
    links: Mapping[str, KnownLink], scope: Scope, ib: str, campaign: str, *, is_ended: bool
) -> list[KnownLink]:
    """Those that are seen and asked for, the newest first."""
    now = datetime.now(UTC)
    return [
        one
        for one in reversed(list(links.values()))
        if scope.has(one.saved.ib_id)
        and ib in ("", one.saved.ib_id)
        and campaign in ("", one.saved.campaign)
        and (is_ended or not one.saved.is_over(now))
    ]


def seen_link(desk: Links, scope: Scope, code: str) -> KnownLink:
    """A link that is there and seen; of others it is not told whether they are there."""
    found = desk.listed().get(code)
    if found is None or not scope.has(found.saved.ib_id):
        raise UnknownLink(f"there is no link {code}; `GET /v1/links` has them")
    return found


def check_terms(by: Operator) -> None:
    """What a link pays and whose word counts is the broker's to say."""
    if by.role == "ib":
        raise NotAllowed("plan, window and conflicts of a link are the broker's to decide: leave them out")


def _check_plan(ledger: LedgerHere, plan_id: str) -> None:
    if plan_id not in known_terms(ledger).plans:
        raise Problem(422, f"There is no plan {plan_id}. `GET /v1/terms` has them.")


def _row(desk: Links, known: KnownLink) -> LinkRow:
    return to_link(known, desk.address(known.saved.code))
