"""What a broker owes in the end, worked out from its final facts alone."""

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from tests.oracle.clients import client_amounts, once_for_a_person
from tests.oracle.facts import Facts, Waits
from tests.oracle.later_charges import of_later_charge
from tests.oracle.measure import case_of
from tests.oracle.negative import left_after
from tests.oracle.net_deposits import net_shares
from tests.oracle.periods import period_amounts
from tests.oracle.shares import Earned, shared

Key = tuple[str, str, str]
"""IB (or `client:<id>`), kind of component, currency."""


def expected(records: Iterable[Any]) -> dict[Key, Fraction]:
    """Everybody's final sum: what was earned, less what was taken back, plus periods' results."""
    facts = Facts(records)
    earned = [entry for deal in facts.in_time for entry in of_deal(facts, deal)]
    entries = [left_after(facts, entry) for entry in (*earned, *client_amounts(facts))]
    entries = once_for_a_person(facts, entries)
    entries += period_amounts(facts, entries) + net_shares(facts)
    sums: defaultdict[Key, Fraction] = defaultdict(Fraction)
    for entry in entries:
        if entry.paid:
            sums[entry.who, entry.kind, entry.currency] += entry.amount
    return {key: amount for key, amount in sums.items() if amount}


def of_deal(facts: Facts, deal: Any) -> list[Earned]:
    """What one deal earns; nothing while something about it is unknown."""
    try:
        if deal.kind == "commission":
            return of_later_charge(facts, deal)
        return shared(facts, case_of(facts, deal)) if deal.kind == "trade" else []
    except Waits:
        return []
