"""CPAs of a client that is one of a person's: what its IBs' books need to pay the person once.

The client book sees one client. So it posts a CPA like any other and sends each IB's book, which sees all
its clients, a claim beside it: a tally that names the accrual and the person.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from commission.client.state import ClientState, Grant, Posted
from commission.ids import digest
from commission.money import EXACT
from commission.outputs import Claim, Tally
from commission.terms.catalog import Terms
from commission.terms.components import Cpa


def claims_of(
    client: ClientState,
    name: str,
    posted: Iterable[Posted],
    at: datetime,
    terms: Terms,
    *,
    is_announced: bool = False,
) -> tuple[Tally, ...]:
    """The claims of what was posted for a CPA qualified at `at`, as far as plans pay persons once."""
    if not client.identity:
        return ()
    below: tuple[str, ...] = ()
    found: list[Tally] = []
    for entry in posted:
        one = _claim_of(client, name, entry, at, terms, is_announced=is_announced)
        if one is not None and one.claim is not None:
            found.append(replace(one, claim=replace(one.claim, paid_below=below)))
        below = (*below, entry.ib_id)
    return tuple(found)


def unclaimed(grant: Grant) -> tuple[Posted, ...]:
    """What of a grant is nobody's claim: it is paid whatever other clients of the person bring."""
    claimed = {one.claim.accrual for one in grant.tallied if one.claim is not None}
    return tuple(entry for entry in grant.posted if entry.transfer_id not in claimed)


def are_alike(some: Iterable[Tally], others: Iterable[Tally]) -> bool:
    """Whether they count the same, apart from what became of them since: told, released, another version."""
    return [_lasting(one) for one in some] == [_lasting(one) for one in others]


def _lasting(one: Tally) -> Tally:
    if one.claim is None:
        return one
    version = one.plan_version if len(one.amounts) > 1 else 0
    plan_id = one.plan_id if version else ""
    claim = replace(one.claim, is_announced=False, country="", paid_below=())
    return replace(one, plan_id=plan_id, plan_version=version, is_gated=False, forfeit_days=0, claim=claim)


def _claim_of(
    client: ClientState, name: str, entry: Posted, at: datetime, terms: Terms, *, is_announced: bool
) -> Tally | None:
    plan = terms.plan_version(entry.plan_id, entry.plan_version)
    assert plan is not None, "what was posted has its plan"
    component = plan.component(name)
    if not isinstance(component, Cpa) or component.cpa_per != "identity":
        return None
    bands = component.tiers.bands if component.tiers is not None else ()
    return Tally(
        ib_id=entry.ib_id,
        plan_id=entry.plan_id,
        plan_version=entry.plan_version,
        component=name,
        client_id=client.client_id,
        caused_by=f"cpa|{client.client_id}|{name}",
        occurred_at=at,
        currency=entry.currency,
        amounts=(entry.amount, *(EXACT.multiply(entry.amount, band.factor) for band in bands)),
        count=1,
        is_gated=entry.held,
        forfeit_days=plan.kyc_forfeit_days,
        claim=Claim(
            person=digest("person", client.identity),
            accrual=entry.transfer_id,
            click=client.click,
            country=client.country,
            is_announced=is_announced,
        ),
    )
