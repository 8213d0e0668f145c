"""What a deal had posted beside what it would post now: what stays, what goes and what is missing."""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from commission.client.accruals import post
from commission.client.clawback import before_clawback, due_of, left_of, shared_out
from commission.client.kyc_gate import is_forfeited, is_held, is_lost
from commission.client.outcome import RatingOutcome
from commission.client.state import Cause, ClientState, DealState, Posted
from commission.client.tallies import tally
from commission.draft import Draft
from commission.outputs import Tally
from commission.rating.values import ZERO, Earned
from commission.sums import Sums, total
from commission.terms.catalog import Terms

Kind = tuple[object, ...]


class Difference(NamedTuple):
    """What stands and would not be posted now, and what would be and does not stand."""

    kept: DealState
    """The deal with what stays: what it had posted, and what is left of that."""
    removed: tuple[Posted, ...]
    missing: tuple[Earned, ...]
    removed_tallies: tuple[Tally, ...]
    missing_tallies: tuple[Tally, ...]

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.removed or self.missing or self.removed_tallies or self.missing_tallies)


def compare(
    draft: Draft, client: ClientState, state: DealState, found: RatingOutcome, cause: Cause, terms: Terms
) -> Difference:
    """Compare what was posted, and what is left of it, with what would be had the deal come now."""
    due = [one for one in found.earned if not is_lost(client, one, cause.occurred_at)]
    aside = Draft(draft.get, draft.scan)
    trial, posted = post(aside, client, due, path=found.path, cause=cause, identity=("trial",))
    tallies = (*tally(aside, client, found.worths, cause), *found.cohorts)
    after = first = replace(state, posted=posted, tallied=tallies, first_posted=(), first_tallied=())
    if (client.clawed or state.refunds) and (posted or tallies):
        after = due_of(aside, trial, first, terms)
    before = before_clawback(state)
    standing = [entry for entry in before.posted if not is_forfeited(entry, client)]
    kept: list[Posted] = []
    left: list[Posted] = []
    missing: list[Earned] = []
    for one, entry in zip(due, posted, strict=True):
        wanted = _kind(after, entry, client, terms)
        same = next((known for known in standing if _kind(state, known, client, terms) == wanted), None)
        if same is None:
            missing.append(one)
            continue
        standing.remove(same)
        kept.append(_by_plan_of(entry, same))
        left += (_by_plan_of(entry, own) for own in _as_left(left_of(state, same), left_of(after, entry)))
    places = _same_places(state, first, after)
    known = [one for one in before.tallied if _place(one) in places]
    return Difference(
        kept=replace(
            state,
            posted=tuple(left),
            tallied=tuple(one for one in state.tallied if _place(one) in places),
            first_posted=tuple(kept) if before is not state else (),
            first_tallied=tuple(known) if before is not state else (),
        ),
        removed=tuple(own for entry in standing for own in left_of(state, entry)),
        missing=tuple(missing),
        removed_tallies=tuple(one for one in state.tallied if _place(one) not in places),
        missing_tallies=tuple(one for one in tallies if _place(one) not in places),
    )


def _kind(of: DealState, entry: Posted, client: ClientState, terms: Terms) -> Kind:
    """What makes an accrual the same as another: whose and how much money it is, what negative events
    left of it, and when it may be paid.

    Not whether it is held: that is a matter of the client's KYC when it was posted; nor the version of the
    plan, as long as that pays the same behind the same gate.
    """
    plan = terms.plan_version(entry.plan_id, entry.plan_version)
    is_gated = plan is not None and plan.kyc_gate
    left = sum((own.amount - own.taken for own in left_of(of, entry)), ZERO)
    money = (entry.ib_id, entry.component, entry.amount, left, entry.currency)
    expires_at = entry.expires_at if is_held(entry, client) else None
    return (*money, entry.by_ib, entry.matures_at, is_gated, expires_at)


def _by_plan_of(wanted: Posted, one: Posted) -> Posted:
    """What negative events take of it from now on is for the version that would have posted it."""
    return one._replace(plan_id=wanted.plan_id, plan_version=wanted.plan_version)


def _as_left(own: list[Posted], wanted: list[Posted]) -> list[Posted]:
    """What is left of an accrual, to be taken further as if no more than is due had ever been taken."""
    if not wanted:
        return own
    (due,) = wanted
    is_same = [(one.taken, one.share_taken, one.base) for one in own] == [
        (due.taken, due.share_taken, due.base)
    ]
    return own if is_same else shared_out(own, due)


def _same_places(state: DealState, first: DealState, after: DealState) -> set[Kind]:
    """Where tallies count as they would now, before the negative events and after them."""
    before = before_clawback(state)
    pairs = [(_sums(before.tallied), _sums(first.tallied)), (_sums(state.tallied), _sums(after.tallied))]
    places = {place for pair in pairs for sums in pair for place in sums}
    return {place for place in places if all(was.get(place) == wants.get(place) for was, wants in pairs)}


def _sums(tallies: Iterable[Tally]) -> dict[Kind, Sums]:
    """What tallies add up to, place by place, without those that add nothing."""
    by_place: dict[Kind, list[Tally]] = {}
    for one in tallies:
        by_place.setdefault(_place(one), []).append(one)
    totals = {place: total(one.sums for one in found) for place, found in by_place.items()}
    return {place: sums for place, sums in totals.items() if not sums.is_zero}


def _place(one: Tally) -> Kind:
    """Where a tally counts: the plan's version is part of it, for that tells bands and caps."""
    plan = (one.ib_id, one.plan_id, one.plan_version, one.component)
    return (*plan, one.occurred_at, one.currency, one.is_gated, one.forfeit_days, len(one.amounts))


def together(kept: DealState, first: DealState, fresh: DealState) -> DealState:
    """What stayed beside what was posted now, and what of both was left after the negative events."""
    before = before_clawback(kept)
    after = replace(kept, posted=(*kept.posted, *fresh.posted), tallied=(*kept.tallied, *fresh.tallied))
    all_posted, all_tallied = (*before.posted, *first.posted), (*before.tallied, *first.tallied)
    is_clawed = before is not kept or fresh != first
    return replace(
        after,
        first_posted=all_posted if is_clawed else (),
        first_tallied=all_tallied if is_clawed else (),
    )
