"""What people decide about tracking links: records that the client book is told of as well."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from commission.value import TaggedValue, Text, Time, Value

MAX_LINKS = 20_000
"""Of all times: an ended link's clicks count for their window, its plan for the clients who came by it."""
MAX_PLANS = 100
"""Assignments of one link."""
MAX_WINDOW_DAYS = 3_650

Version = Annotated[int, Meta(ge=1, le=1_000_000)]
Conflict = Literal["crm", "click"]
"""Whose word counts where the CRM names one IB and the click another."""


class LinkPlan(Value):
    """From `since` on the link's clients are rated by `plan_id`; None: by the IB's own plan."""

    since: Time | None = None
    plan_id: Text | None = None


class LinkSaved(TaggedValue, tag="link_saved"):
    """A new link, or another version of one; on the log it counts if nobody wrote a version in between."""

    code: Text
    """Its id, in `/go/<code>`."""
    version: Version
    ib_id: Text
    campaign: Text = ""
    landing: Text = ""
    """Where clicks go, with macros such as `{click_id}`."""
    plans: Annotated[tuple[LinkPlan, ...], Meta(max_length=MAX_PLANS)] = ()
    """What counts instead of the IB's own plan, the oldest first."""
    expires_at: Time | None = None
    window_days: Annotated[int, Meta(ge=1, le=MAX_WINDOW_DAYS)] = 30
    """A click counts for a registration within so many days."""
    conflict: Conflict = "crm"
    passes_query: bool = True
    """Whether the landing page gets the parameters that no macro names."""
    by: Text
    at: Time

    def is_over(self, at: datetime) -> bool:
        """Whether clicks at `at` count no more."""
        return self.expires_at is not None and at >= self.expires_at

    def plan_at(self, at: datetime) -> str | None:
        """The plan that counts at `at` instead of the IB's own, if any."""
        begun = [plan for plan in self.plans if plan.since is None or plan.since <= at]
        return begun[-1].plan_id if begun else None


class LinkTold(TaggedValue, tag="link_told"):
    """Every partition of the client book has a version of a link: from then on it may be clicked.

    So each registration with a click on it stands behind the link, whatever was down meanwhile.
    """

    code: Text
    version: Version


def why_refused(known: LinkSaved | None, record: LinkSaved, count: int) -> str:
    """Why a record of a link counts for nothing, or ""; `known` is the link, and there are `count` in all."""
    version = known.version if known is not None else 0
    if record.version != version + 1:
        return f"the next version is {version + 1}, not {record.version}; somebody was faster"
    if known is None:
        return f"there are {MAX_LINKS:,} links, the most that is kept" if count >= MAX_LINKS else ""
    if record.ib_id != known.ib_id:
        return f"{record.code} is {known.ib_id}'s for ever: make another link"
    return ""


def links_after(links: Mapping[str, LinkSaved], news: Iterable[LinkSaved]) -> dict[str, LinkSaved]:
    """What a fold needs of every link after more records of them: the newest version, in whatever order.

    Which versions count was decided before they were told.
    """
    found = dict(links)
    for record in news:
        known = found.get(record.code)
        if known is None or record.version > known.version:
            found[record.code] = replace(record, landing="", campaign="", by="")
    return found
