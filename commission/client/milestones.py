"""Milestones: what a partner network may want to hear of a client."""

from collections.abc import Iterable
from datetime import datetime

from commission.client.state import ClientState, Posted
from commission.draft import Draft
from commission.money import Money
from commission.outputs import Milestone, MilestoneKind, milestone_id_of
from commission.terms.catalog import Terms
from commission.terms.upline import above


def milestone(
    draft: Draft,
    client: ClientState,
    kind: MilestoneKind,
    of: str,
    at: datetime,
    terms: Terms,
    *,
    ib_id: str | None = None,
    money: Money | None = None,
    takes_back: str = "",
    paid_below: tuple[str, ...] = (),
) -> None:
    """Tell one, of the client's direct IB unless another is named; `of` is what it is about, once."""
    direct = client.links[0].ib_id if client.links else None
    concerned = ib_id or direct or ""
    draft.emit(
        Milestone(
            milestone_id=milestone_id_of(kind, client.client_id, of),
            kind=kind,
            client_id=client.client_id,
            ib_id=concerned,
            occurred_at=at,
            amount=money.amount if money is not None else None,
            currency=money.currency if money is not None else "",
            click=client.click,
            takes_back=takes_back,
            country=client.country,
            upline=above(terms.upline(concerned, at)),
            paid_below=paid_below,
            link=client.link_for(direct),
            **(_how_it_came(client) if kind == "registration" else {}),
        )
    )


def _how_it_came(client: ClientState) -> dict[str, str]:
    came = client.attribution
    if came is None:
        return {}
    return {"attribution": came.decision, "click_id": came.click_id, "crm_ib": came.crm_ib or ""}


def of_grants(
    draft: Draft,
    client: ClientState,
    kind: MilestoneKind,
    at: datetime,
    posted: Iterable[Posted],
    terms: Terms,
) -> None:
    """Tell each IB of its CPA, granted or taken back; `posted` begins with the lowest IB."""
    below: tuple[str, ...] = ()
    for entry in posted:
        money = Money(entry.amount, entry.currency)
        taken = kind == "cpa.clawback"
        takes_back = milestone_id_of("cpa.qualified", client.client_id, entry.transfer_id) if taken else ""
        milestone(
            draft,
            client,
            kind,
            entry.transfer_id,
            at,
            terms,
            ib_id=entry.ib_id,
            money=money,
            takes_back=takes_back,
            paid_below=below,
        )
        below = (*below, entry.ib_id)
