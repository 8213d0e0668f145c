"""Which charges a refund is of, worked out from all deals at once: of each charge, what was refunded."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from commission.events import Deal
from commission.terms.components import CommissionShare
from tests.oracle.facts import Facts, Waits, fraction, rounded
from tests.oracle.measure import Case, case_of


@dataclass
class Charge:
    """What an account was charged by a deal, and what of it nothing has refunded yet."""

    deal: Deal
    left: Fraction


def given(deal: Deal) -> Fraction:
    """What a trade, or a commission deal, gives the client; below 0 it charges that."""
    by_itself = deal.profit if deal.kind == "commission" else 0
    return fraction(deal.commission + deal.fee + by_itself)


def counts(facts: Facts, deal: Deal) -> bool:
    """Whether the deal may be a charge or a refund, where some plan shares charges."""
    plans = facts.plans.values()
    if deal.is_service or not any(isinstance(c, CommissionShare) for plan in plans for c in plan.components):
        return False
    return deal.kind == "commission" or (deal.kind == "trade" and deal.volume_e8 > 0)


def refunded_of(facts: Facts, waits: Callable[[Case], bool]) -> dict[str, Fraction]:
    """By deal, what was refunded of its charge.

    First what the openings tell that a refund closes; then each rest, in the order of time, of one charge
    before it that has as much left, the nearest; else of several.
    """
    accounts: defaultdict[tuple[str, str], list[Deal]] = defaultdict(list)
    for deal in facts.in_time:
        try:
            if counts(facts, deal) and given(deal):
                accounts[facts.owner(deal).client_id, deal.account_key].append(deal)
        except Waits:
            continue
    found: defaultdict[str, Fraction] = defaultdict(Fraction)
    for deals in accounts.values():
        charges = {deal.deal_key: Charge(deal, -given(deal)) for deal in deals if given(deal) < 0}
        rests: list[tuple[Deal, Fraction]] = []
        for deal in deals:
            placed = placed_by(facts, deal, waits)
            if placed is None:
                continue
            for key, amount in placed.items():
                charges[key].left -= amount
            rests.append((deal, given(deal) - sum(placed.values(), Fraction(0))))
        for deal, rest in rests:
            match(deal, rest, list(charges.values()))
        for key, charge in charges.items():
            found[key] = -given(charge.deal) - charge.left
    return found


def placed_by(facts: Facts, deal: Deal, waits: Callable[[Case], bool]) -> dict[str, Fraction] | None:
    """What the openings tell that a refund closes; None where it is no refund, or waits for something."""
    if given(deal) <= 0:
        return None
    if deal.kind != "trade":
        return {}
    try:
        case = case_of(facts, deal)
        return None if waits(case) else of_openings(case)
    except Waits:
        return None


def of_openings(case: Case) -> dict[str, Fraction]:
    """A refund on a closing is first of what its openings were charged, the oldest first."""
    rest = given(case.deal)
    closings = [piece for piece in case.slices if piece.part == "out"]
    found: defaultdict[str, Fraction] = defaultdict(Fraction)
    if not all(piece.opening for piece in closings):
        return found
    for piece in closings:
        assert piece.opening is not None
        charge = max(Fraction(0), -given(piece.opening))
        taken = min(rest, rounded(charge * piece.of_opening))
        if taken:
            found[piece.opening.deal_key] += taken
            rest -= taken
    return found


def match(deal: Deal, rest: Fraction, charges: list[Charge]) -> None:
    """Take a rest of the nearest charge that has as much left; else of several, the nearest first."""
    symbol = deal.symbol if deal.kind == "trade" else ""
    there = []
    for charge in charges:
        of = charge.deal.symbol if charge.deal.kind == "trade" else ""
        if charge.deal.occurred_at <= deal.occurred_at and (not symbol or of in ("", symbol)):
            is_near = deal.kind == "trade" == charge.deal.kind and charge.deal.position_id == deal.position_id
            at = charge.deal.occurred_at, charge.deal.deal_key
            there.append(((is_near, of == symbol, *at), charge))
    there.sort(key=lambda pair: pair[0], reverse=True)
    nearest = [charge for _, charge in there if charge.left > 0]
    enough = [charge for charge in nearest if charge.left >= rest]
    for charge in enough[:1] or nearest:
        taken = min(rest, charge.left)
        charge.left -= taken
        rest -= taken
