"""Whose client somebody is who came by a tracking link: decided at the registration, once.

The last click that counts decides. One counts that is genuine, no bot's, on a link that was not over, within
the link's window before the registration. Where the CRM names another IB than the click, the link says who
wins.
"""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from commission.events import ClientRegistered
from commission.links.click_id import Click, parse
from commission.links.records import LinkSaved
from commission.terms.catalog import Terms
from commission.value import Value

CLOCK_SKEW = timedelta(minutes=1)
"""A CRM's clock may be so much behind ours: a click that seems later than its registration still counts."""

ClickVerdict = Literal["counts", "older", "unknown", "bot", "unknown_link", "expired", "too_old", "too_late"]
Decision = Literal["click", "agreed", "crm_wins", "click_wins", "no_click"]
"""`click`: the CRM named nobody; `agreed`: both named one; `…_wins`: they named two; `no_click` counts."""


class Judged(NamedTuple):
    """A click id of the registration, and whether it counts, or why it does not."""

    click_id: str
    verdict: ClickVerdict


class Attribution(Value):
    """How it was decided whose client somebody is."""

    decision: Decision
    crm_ib: str | None
    """Whom the CRM named."""
    ib_id: str | None
    """Whose client it is."""
    clicks: tuple[Judged, ...]
    """In the order in which the CRM told them."""
    link: str = ""
    """The link of the click that counts."""
    click_id: str = ""
    clicked_at: datetime | None = None
    click_ib: str = ""

    def link_for(self, ib_id: str | None) -> str:
        """The link that a client of the IB came by; "" if that link is another IB's."""
        return self.link if self.link and ib_id == self.click_ib else ""


def attribute(event: ClientRegistered, terms: Terms) -> Attribution | None:
    """Decide whose client it is; None if the registration has no click: the CRM's word is all there is."""
    if not event.click_ids:
        return None
    genuine = {name: click for name in event.genuine_clicks if (click := parse(name)) is not None}
    why = {click_id: _verdict(genuine.get(click_id), event, terms) for click_id in event.click_ids}
    counting = [genuine[click_id] for click_id, verdict in why.items() if verdict == "counts"]
    last = max(counting, key=lambda click: (click.at, click.click_id), default=None)
    for click in counting:
        if click is not last:
            why[click.click_id] = "older"
    clicks = tuple(Judged(click_id, verdict) for click_id, verdict in why.items())
    if last is None:
        return Attribution(decision="no_click", crm_ib=event.ib_id, ib_id=event.ib_id, clicks=clicks)
    link = terms.links[last.link]
    decision = _decide(event.ib_id, link)
    return Attribution(
        decision=decision,
        crm_ib=event.ib_id,
        ib_id=event.ib_id if decision == "crm_wins" else link.ib_id,
        clicks=clicks,
        link=link.code,
        click_id=last.click_id,
        clicked_at=last.at,
        click_ib=link.ib_id,
    )


def _verdict(click: Click | None, event: ClientRegistered, terms: Terms) -> ClickVerdict:  # noqa: PLR0911 — one a verdict
    if click is None:
        return "unknown"
    if click.is_bot:
        return "bot"
    link = terms.links.get(click.link)
    if link is None:
        return "unknown_link"
    if link.is_over(click.at):
        return "expired"
    if click.at > event.occurred_at + CLOCK_SKEW:
        return "too_late"
    if click.at + timedelta(days=link.window_days) < event.occurred_at:
        return "too_old"
    return "counts"


def _decide(crm_ib: str | None, link: LinkSaved) -> Decision:
    if crm_ib is None:
        return "click"
    if crm_ib == link.ib_id:
        return "agreed"
    return "crm_wins" if link.conflict == "crm" else "click_wins"
