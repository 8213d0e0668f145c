"""Hedged volume: of what an account bought and sold of one symbol, the larger side is paid.

Volumes are compared in units of the contract (ounces, euros), each deal by the size of its own day: lots of
a cent symbol, or from before a rescale, are other lots. The openings are a list from the newest back, each
under a key of its own, so that one in the order of time costs the same however many there are.

An account that turned a position round has one position a symbol. It cannot hedge: all it opened is paid,
which is max(bought, sold) of all its deals.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from msgspec.structs import replace

from commission.client import keys
from commission.client.deal_volume import DealVolume
from commission.draft import Draft
from commission.events import Deal
from commission.money import EXACT
from commission.rating.values import Part
from commission.terms.catalog import BEGINNING
from commission.terms.market import Rescale
from commission.value import Value

NOTHING = Fraction()


class Hedged(Value):
    """What one account opened of one symbol in one period, in 1e-8 units of the contract."""

    last: str = ""
    """Key of the newest deal of it; each names the one before."""
    bought: Fraction = Fraction()
    sold: Fraction = Fraction()
    in_outs: int = 0
    """Deals that turned a position round."""


class HedgedOpening(Value):
    """A deal that counts in hedged volume, and what of it is paid."""

    trade: DealVolume
    units: Fraction
    """What it opened, in 1e-8 units of the contract."""
    paid_e8: Fraction = Fraction()
    """In 1e-8 of its own lots."""
    before: str = ""
    """Key of the deal before it, by time."""


def units(part: Part, opened_e8: int, rescales: Iterable[Rescale]) -> Fraction:
    """What a deal opened, in 1e-8 units of the contract as it was before any rescale."""
    size = Fraction(opened_e8) * Fraction(part.contract_size)
    for rescale in rescales:
        if rescale.since <= part.at:
            size *= Fraction(rescale.times) / Fraction(rescale.over)
    return size


def join(draft: Draft, place: str, trade: DealVolume, size: Fraction) -> list[DealVolume]:
    """Count an opening, or count it by another size: which others are paid otherwise now."""
    known: HedgedOpening | None = draft.get(keys.hedged_opening(place, trade.key))
    if known is not None and (known.trade, known.units) == (trade, size):
        return []
    return _change(draft, place, known, HedgedOpening(trade=trade, units=size))


def leave(draft: Draft, place: str, deal_key: str) -> list[DealVolume]:
    """Count a deal that was cancelled or changed no more: which others are paid otherwise now."""
    return _change(draft, place, draft.read(keys.hedged_opening(place, deal_key), HedgedOpening), None)


def replace_deal(draft: Draft, place: str, deal: Deal) -> None:
    """Keep a deal as another record of it gives it: it is rated again by that."""
    key = keys.hedged_opening(place, deal.deal_key)
    known = draft.read(key, HedgedOpening)
    draft.put(key, replace(known, trade=known.trade._replace(deal=deal)))


def paid_lots(draft: Draft, place: str, deal_key: str) -> Decimal:
    """What is paid of the lots that a deal opened."""
    paid_e8 = draft.read(keys.hedged_opening(place, deal_key), HedgedOpening).paid_e8
    return EXACT.divide(Decimal(paid_e8.numerator), Decimal(paid_e8.denominator)).scaleb(-8, context=EXACT)


def _in_time(opening: HedgedOpening) -> tuple[datetime, str]:
    return opening.trade.deal.occurred_at, opening.trade.key


def _change(
    draft: Draft, place: str, known: HedgedOpening | None, opening: HedgedOpening | None
) -> list[DealVolume]:
    """Put an opening in the place of its time, leave out what was known of it, and pay what comes after."""
    head: Hedged = draft.get(place) or Hedged()
    changing = [one for one in (known, opening) if one is not None]
    since, key = min(map(_in_time, changing)), changing[0].trade.key
    in_outs = head.in_outs - (known is not None and _is_in_out(known))
    in_outs += opening is not None and _is_in_out(opening)
    if bool(in_outs) != bool(head.in_outs):
        since = BEGINNING, ""
    later, before = _from(draft, place, head, since)
    sums = {"buy": head.bought, "sell": head.sold}
    for one in later:
        sums[_side(one)] -= one.units
    others = [one for one in later if one.trade.key != key]
    changed: list[DealVolume] = []
    for one in sorted([*others, opening] if opening is not None else others, key=_in_time):
        paid = _paid_e8(one, sums, is_netting=in_outs > 0)
        sums[_side(one)] += one.units
        if one.trade.key != key and one.paid_e8 != paid:
            changed.append(one.trade)
        if one is opening or (one.before, one.paid_e8) != (before, paid):
            draft.put(keys.hedged_opening(place, one.trade.key), replace(one, before=before, paid_e8=paid))
        before = one.trade.key
    if opening is None:
        draft.put(keys.hedged_opening(place, key), None)
    after = Hedged(last=before, bought=sums["buy"], sold=sums["sell"], in_outs=in_outs)
    draft.put(place, after if before else None)
    return changed


def _from(
    draft: Draft, place: str, head: Hedged, since: tuple[datetime, str]
) -> tuple[list[HedgedOpening], str]:
    """The openings from a time on, newest first, and the one before them."""
    found: list[HedgedOpening] = []
    key = head.last
    while key:
        one = draft.read(keys.hedged_opening(place, key), HedgedOpening)
        if _in_time(one) < since:
            break
        found.append(one)
        key = one.before
    return found, key


def _paid_e8(opening: HedgedOpening, sums: dict[str, Fraction], *, is_netting: bool) -> Fraction:
    """What it adds to max(bought, sold), in its own 1e-8 lots; all of it on an account that cannot hedge."""
    opened_e8 = Fraction(opening.trade.opened_e8)
    if is_netting:
        return opened_e8
    side = sums[_side(opening)]
    added = max(side + opening.units - max(sums.values()), NOTHING)
    return opened_e8 * min(added, opening.units) / opening.units


def _side(opening: HedgedOpening) -> str:
    return opening.trade.deal.side or ""


def _is_in_out(opening: HedgedOpening) -> bool:
    """Whether it turned a position round, as only an account does that cannot hedge."""
    return opening.trade.deal.entry == "inout"
