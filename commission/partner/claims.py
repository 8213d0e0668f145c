"""One CPA for one person: of what its clients claim of an IB, the earliest is paid.

The client book sees one client, and accrues each CPA. What is not paid goes back by a true-up, and comes
again by another once the claims before it are withdrawn. Which is paid follows from the claims alone: the
first to qualify, of equal ones the first by client. So the order of their arrival changes no balance.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from commission import accounts
from commission.draft import Draft
from commission.ids import digest
from commission.outputs import Claim, Milestone, MilestoneKind, Tally, Transfer, milestone_id_of
from commission.rating.values import Factors
from commission.terms.catalog import Terms
from commission.terms.components import Cpa
from commission.terms.plans import PlanDefined
from commission.terms.upline import above
from commission.value import Value

KEPT_CLAIMS = 64
"""Of one person, IB and component in one state: the earliest. Each of those after them has its own key."""


class Claimed(Value):
    """A client's claim, and whether it is what its person is paid for."""

    tally: Tally
    is_paid: bool = False
    times: int = 0
    """How often it became that: part of the ids of its rows and milestones."""

    @property
    def order(self) -> tuple[datetime, str, str]:
        """The earliest is paid."""
        return self.tally.occurred_at, self.tally.client_id, self.claim.accrual

    @property
    def claim(self) -> Claim:
        """Whose and for what."""
        assert self.tally.claim is not None, "only claims are kept of a person"
        return self.tally.claim


class PersonClaims(Value):
    """The claims of one person on one CPA of an IB, the earliest first."""

    claims: tuple[Claimed, ...] = ()
    more: int = 0
    """Later ones, each under a key of its own."""


class Outcome(NamedTuple):
    """What a claim changes: rows of the ledger, clients that count in tiers, what networks hear."""

    rows: list[Transfer]
    counted: list[Tally]
    milestones: list[Milestone]


class _Change(NamedTuple):
    """A claim that came or was withdrawn, and what that changes."""

    trigger: Tally
    terms: Terms
    outcome: Outcome

    @property
    def at(self) -> datetime:
        """When it was learned."""
        return self.trigger.booked_at or self.trigger.occurred_at


def settle_claim(draft: Draft, tally: Tally, terms: Terms) -> Outcome:
    """Take a claim in, or out where its count is below 0; say what that changes for the person."""
    assert tally.claim is not None, "other tallies are settled by their period"
    place = digest(tally.ib_id, tally.component, tally.claim.person)
    person: PersonClaims = draft.get(f"p:{place}") or PersonClaims()
    change = _Change(tally, terms, Outcome([], [], []))
    if tally.count > 0:
        person = _with_claim(draft, place, person, change)
    else:
        person = _without_claim(draft, place, person, change)
    draft.put(f"p:{place}", person if person.claims else None)
    return change.outcome


def _with_claim(draft: Draft, place: str, person: PersonClaims, change: _Change) -> PersonClaims:
    fresh = Claimed(tally=change.trigger)
    fresh = replace(fresh, times=int(fresh.claim.is_announced))
    *before, after = _in_order((*person.claims, fresh))
    if person.more and after is fresh:
        _take(fresh, person.claims[0], change)
        return _set_aside(draft, place, person, fresh)
    first, *rest = (*before, after)
    if first is fresh:
        rest = [_displaced(one, fresh, change) if one.is_paid else one for one in rest]
        first = _paid_at_once(fresh, change)
    else:
        _take(fresh, first, change)
    person = replace(person, claims=(first, *rest))
    if len(person.claims) <= KEPT_CLAIMS:
        return person
    return _set_aside(draft, place, replace(person, claims=(first, *rest[:-1])), rest[-1])


def _set_aside(draft: Draft, place: str, person: PersonClaims, last: Claimed) -> PersonClaims:
    """Keep a claim that comes after all those in the person's own state under a key of its own."""
    draft.put(f"q:{place}:{last.claim.accrual}", last)
    return replace(person, more=person.more + 1)


def _without_claim(draft: Draft, place: str, person: PersonClaims, change: _Change) -> PersonClaims:
    """Without what was withdrawn; one that never came had been forfeited behind its KYC gate."""
    claim = change.trigger.claim
    assert claim is not None, "other tallies are settled by their period"
    key = f"q:{place}:{claim.accrual}"
    own = [one for one in person.claims if one.claim.accrual == claim.accrual]
    gone: Claimed | None = own[0] if own else draft.get(key)
    if gone is None:
        return person
    if not own:
        draft.put(key, None)
        person = replace(person, more=person.more - 1)
    left = tuple(one for one in person.claims if one not in own)
    if not left and person.more:
        left, person = _fetched(draft, place), replace(person, more=0)
        for late in left[KEPT_CLAIMS:]:
            person = _set_aside(draft, place, person, late)
        left = left[:KEPT_CLAIMS]
    if gone.is_paid:
        _uncount(gone, change)
        left = (*(_due_instead(one, change) for one in left[:1]), *left[1:])
    else:
        _post(gone, "undone", {"paid_client": left[0].tally.client_id}, change)
    return replace(person, claims=left)


def _fetched(draft: Draft, place: str) -> tuple[Claimed, ...]:
    """Those under keys of their own, once none is left before them."""
    return _in_order(draft.take(key, Claimed) for key in draft.scan(f"q:{place}:"))


def _in_order(claims: Iterable[Claimed]) -> tuple[Claimed, ...]:
    return tuple(sorted(claims, key=lambda one: one.order))


# What becomes of a claim


def _paid_at_once(fresh: Claimed, change: _Change) -> Claimed:
    """It is accrued already: nothing is to be posted."""
    if fresh.claim.is_announced:
        paid = replace(fresh, is_paid=True)
    else:
        paid = replace(fresh, is_paid=True, times=1)
        _announce(paid, "cpa.qualified", change)
    _count(paid, change, paid.tally)
    return paid


def _take(fresh: Claimed, paid: Claimed, change: _Change) -> None:
    """It came after an earlier one."""
    _post(fresh, "taken", _paid_for(paid), change)
    if fresh.claim.is_announced:
        _announce(fresh, "cpa.clawback", change)


def _displaced(one: Claimed, paid: Claimed, change: _Change) -> Claimed:
    """It was paid until an earlier one came."""
    _post(one, "taken", _paid_for(paid), change)
    _uncount(one, change)
    return replace(one, is_paid=False)


def _due_instead(one: Claimed, change: _Change) -> Claimed:
    """Those before it were withdrawn."""
    one = replace(one, is_paid=True, times=one.times + 1)
    _post(one, "due", {"instead_of": change.trigger.client_id}, change)
    _count(one, change, replace(one.tally, booked_at=change.at))
    _announce(one, "cpa.qualified", change)
    return one


def _uncount(one: Claimed, change: _Change) -> None:
    tally = one.tally
    _count(one, change, replace(tally.measuring(-tally.sums), booked_at=change.at))
    _announce(one, "cpa.clawback", change)


def _count(one: Claimed, change: _Change, counted: Tally) -> None:
    """Bands by number of clients count the one that is paid."""
    plan = _plan_of(one, change)
    component = plan.component(one.tally.component)
    if isinstance(component, Cpa) and component.tiers is not None:
        change.outcome.counted.append(replace(counted, claim=None, caused_by=change.trigger.caused_by))


def _paid_for(paid: Claimed) -> Factors:
    return {
        "paid_client": paid.tally.client_id,
        "paid_since": f"{paid.tally.occurred_at:%Y-%m-%d %H:%M} UTC",
    }


def _post(one: Claimed, became: str, of_other: Factors, change: _Change) -> None:
    """A row that takes the accrual back, or gives it again; it matures when the accrual does."""
    tally, plan = one.tally, _plan_of(one, change)
    expense, pending = accounts.expense("cpa"), accounts.pending(tally.ib_id)
    is_taken = became == "taken"
    change.outcome.rows.append(
        Transfer(
            transfer_id=digest("claim", became, one.claim.accrual, str(one.times)),
            code="true_up",
            debit=pending if is_taken else expense,
            credit=expense if is_taken else pending,
            amount=tally.amounts[0],
            currency=tally.currency,
            ib_id=tally.ib_id,
            occurred_at=max(tally.occurred_at, change.at),
            caused_by=tally.caused_by,
            client_id=tally.client_id,
            component="cpa",
            rule=tally.component,
            plan_id=tally.plan_id,
            plan_version=tally.plan_version,
            matures_at=tally.occurred_at + timedelta(days=plan.hold_days) if plan.hold_days else None,
            factors={
                "claim": became,
                "accrual": one.claim.accrual,
                "qualified_at": f"{tally.occurred_at:%Y-%m-%d %H:%M} UTC",
                **of_other,
                "trigger": change.trigger.caused_by,
            },
        )
    )


def _plan_of(one: Claimed, change: _Change) -> PlanDefined:
    plan = change.terms.plan_version(one.tally.plan_id, one.tally.plan_version)
    assert plan is not None, "a claim waits for its plan"
    return plan


def _announce(one: Claimed, kind: MilestoneKind, change: _Change) -> None:
    """A network hears of the CPA that is paid for a person, and of its end."""
    tally = one.tally
    of = one.claim.accrual if one.times == 1 else f"{one.claim.accrual}|{one.times}"
    taken = milestone_id_of("cpa.qualified", tally.client_id, of) if kind == "cpa.clawback" else ""
    change.outcome.milestones.append(
        Milestone(
            milestone_id=milestone_id_of(kind, tally.client_id, of),
            kind=kind,
            client_id=tally.client_id,
            ib_id=tally.ib_id,
            occurred_at=max(tally.occurred_at, change.at),
            amount=tally.amounts[0],
            currency=tally.currency,
            click=one.claim.click,
            takes_back=taken,
            country=one.claim.country,
            upline=above(change.terms.upline(tally.ib_id, tally.occurred_at)),
            paid_below=one.claim.paid_below,
        )
    )
