"""Tracking links, what became of their clicks, and how registrations were attributed."""

from datetime import datetime

from pydantic import Field

from api.link_desk import KnownLink
from api.shapes.base import Shape


class LinkPlanRow(Shape):
    """From `since` on the link's clients are rated by `plan_id`; null: by the IB's own plan."""

    since: datetime | None
    plan_id: str | None


class LinkRow(Shape):
    """A link as it stands."""

    code: str
    url: str = Field(description="Of its redirect; a path alone where IBFLOW_PUBLIC_URL is not set.")
    ib_id: str
    campaign: str
    landing: str
    plans: tuple[LinkPlanRow, ...]
    expires_at: datetime | None
    window_days: int
    conflict: str = Field(description="Who wins where the CRM names another IB: `crm` or `click`.")
    pass_query: bool
    version: int
    created_by: str
    created_at: datetime


class LinkPage(Shape):
    """Links, the newest first."""

    items: list[LinkRow]
    next_cursor: str | None


class Funnel(Shape):
    """From clicks to what IBs are paid for; clients count by the link whose click counted for them."""

    clicks: int = Field(description="All, with those of bots and duplicates.")
    bots: int
    duplicates: int = Field(description="Of people: the same network and browser within minutes.")
    visitors: int = Field(description="Clicks that are neither.")
    registrations: int
    first_deposits: int
    qualified: int = Field(description="Clients with a CPA.")


class FunnelOf(Funnel):
    """The same of one link or one campaign."""

    link: str
    ib_id: str
    campaign: str


class FunnelPage(Shape):
    """By link, or by campaign, where `link` is empty."""

    items: list[FunnelOf]


class AttributionRow(Shape):
    """A registration with clicks, and how it was decided whose client it is."""

    client_id: str
    occurred_at: datetime
    ib_id: str
    crm_ib: str = Field(description="Whom the CRM named; empty: nobody.")
    decision: str = Field(
        description="`click`: the CRM named nobody; `agreed`; `crm_wins` and `click_wins`: they named two;"
        " `no_click`: none counted."
    )
    link: str = Field(description="The link whose click counts; empty where the CRM won.")
    click_id: str = Field(description="The last click that counts; empty: none does.")


class AttributionPage(Shape):
    """The newest first."""

    items: list[AttributionRow]
    next_cursor: str | None


def to_link(known: KnownLink, url: str) -> LinkRow:
    """A link for readers."""
    saved = known.saved
    return LinkRow(
        code=saved.code,
        url=url,
        ib_id=saved.ib_id,
        campaign=saved.campaign,
        landing=saved.landing,
        plans=tuple(LinkPlanRow(since=plan.since, plan_id=plan.plan_id) for plan in saved.plans),
        expires_at=saved.expires_at,
        window_days=saved.window_days,
        conflict=saved.conflict,
        pass_query=saved.passes_query,
        version=saved.version,
        created_by=known.created_by,
        created_at=known.created_at,
    )
