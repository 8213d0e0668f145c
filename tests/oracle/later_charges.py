"""What an account is charged later, by deals of their own: for what it traded since the charge before."""

import dataclasses
from collections import defaultdict
from fractions import Fraction
from typing import Any

from msgspec.structs import replace

from commission.events import Deal
from commission.terms.components import CommissionShare
from tests.oracle.facts import E8, Facts, NoRate, Waits, fraction, rounded
from tests.oracle.measure import Case, Slice
from tests.oracle.refunds import counts, given
from tests.oracle.shares import (
    Earned,
    cut_to_budget,
    deal_components,
    less,
    money,
    refunded_of_all,
    refunded_share,
    shared_of_kind,
)

KIND = "commission_share"


def of_later_charge(facts: Facts, charge: Deal) -> list[Earned]:
    """What everybody gets of a later charge: each symbol's part of it as of a closing."""
    if not counts(facts, charge) or given(charge) >= 0:
        return []
    client = facts.owner(charge)
    chain = facts.chain(client, charge.occurred_at)
    volumes = volumes_of(facts, charge)
    earned: list[Earned] = []
    for name, amount in allocated(-given(charge), volumes).items():
        try:
            symbol = facts.symbol(replace(charge, symbol=name))
            size = fraction(symbol.contract_size) / fraction(symbol.standard_contract_size)
            lots_e8: Any = volumes[name] / size
            part = replace(charge, kind="trade", symbol=name, volume_e8=lots_e8, commission=money(-amount))
            case = Case(facts, client, part, symbol, [Slice("out", lots_e8 / E8)])
            entries = shared_of_kind(KIND, chain, case, later=True) if shares_later(chain) else []
            earned += cut_to_budget(chain, case, entries)
        except NoRate:
            raise  # one part waits, so all of it does
        except Waits:
            continue
    share = refunded_share(facts, charge)
    money_alone = (dataclasses.replace(entry, lots=Fraction(0)) for entry in earned)
    return [less(entry, Fraction(0), share) for entry in money_alone]


def allocated(amount: Fraction, volumes: dict[str, Fraction]) -> dict[str, Fraction]:
    """By volume; the last symbol has what rounding leaves."""
    total, names = sum(volumes.values()), sorted(volumes)
    found = {name: rounded(amount * volumes[name] / total) for name in names[:-1]}
    return found | {name: amount - sum(found.values(), Fraction(0)) for name in names[-1:]}


def volumes_of(facts: Facts, charge: Deal) -> dict[str, Fraction]:
    """The 1e-8 standard lots of each symbol that a charge is for.

    A charge for nothing, after one that was refunded in full, is for what that one was for.
    """
    before = [other for other in charges_beside(facts, charge) if place(other) < place(charge)]
    found: defaultdict[str, Fraction] = defaultdict(Fraction)
    for deal in facts.in_time:
        is_since = not before or before[-1].occurred_at < deal.occurred_at
        is_of_it = is_since and deal.occurred_at <= charge.occurred_at and is_beside(facts, deal, charge)
        if is_of_it and (lots := standard_e8(facts, deal)):
            found[deal.symbol] += lots
    if not found and before:
        refunded = refunded_of_all(facts).get(before[-1].deal_key, Fraction(0))
        return volumes_of(facts, before[-1]) if refunded >= -given(before[-1]) else {}
    return dict(found)


def place(deal: Deal) -> tuple[Any, ...]:
    """Its place among the charges of an account."""
    return deal.occurred_at, deal.deal_key


def charges_beside(facts: Facts, charge: Deal) -> list[Deal]:
    """All later charges of the account, in their order."""
    found = [
        deal
        for deal in facts.in_time
        if deal.kind == "commission" and not deal.is_service and given(deal) < 0
        if is_beside(facts, deal, charge)
    ]
    return sorted(found, key=place)


def is_beside(facts: Facts, deal: Deal, charge: Deal) -> bool:
    """Whether both are of one account, while it had one owner."""
    return deal.account_key == charge.account_key and facts.client_id(deal) == facts.client_id(charge)


def standard_e8(facts: Facts, deal: Deal) -> Fraction:
    """By how much a trade counts towards the next charge: where somebody above the client shares those."""
    if deal.kind != "trade" or deal.is_service or deal.volume_e8 <= 0:
        return Fraction(0)
    try:
        symbol, chain = facts.symbol(deal), facts.chain(facts.owner(deal), deal.occurred_at)
    except Waits:
        return Fraction(0)
    if not shares_later(chain):
        return Fraction(0)
    size = fraction(symbol.contract_size if deal.contract_size is None else deal.contract_size)
    return Fraction(round(deal.volume_e8 * size / fraction(symbol.standard_contract_size)))


def shares_later(chain: list[Any]) -> bool:
    """Whether somebody has a part of later charges: where the lowest IB's plan divides, that plan says it."""
    shares = [[c for c in deal_components(link) if isinstance(c, CommissionShare)] for link in chain]
    lowest = next((found for found in shares if found), [])
    if not lowest or lowest[0].override.mode in ("difference", "absolute"):
        return any(c.charges for found in shares for c in found)
    return any(c.charges for c in lowest)
