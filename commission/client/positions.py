"""Positions: what a deal opened and closed, and which openings it closed, first in, first out."""

from bisect import insort
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from commission.client.state import Fill, Position
from commission.events import Deal
from commission.rating.components.spread_share import measured_at
from commission.rating.values import Reason, Slice

MAX_FILLS = 512
"""Deals remembered of one position; beyond it the oldest, closed first, are added up."""


class Opening(NamedTuple):
    """What is left of an opening at some time."""

    fill: Fill
    left_e8: int


def fill_of(deal: Deal, deal_key: str) -> Fill:
    """The deal, known by its business key, as a part of its position."""
    signed = deal.volume_e8 if deal.side == "buy" else -deal.volume_e8
    opens = deal.entry in ("in", "inout")
    return Fill(deal.occurred_at, deal_key, signed, deal.price, measured_at(deal), opens)


def with_fill(position: Position, fill: Fill) -> Position:
    """The position after one more deal, in the order of time."""
    known = position.fills
    if (not known or known[-1].at < fill.at) and len(known) < MAX_FILLS:
        return Position((*known, fill))
    fills = [*known]
    insort(fills, fill, key=lambda f: (f.at, f.deal_key))
    if len(fills) > MAX_FILLS:
        fills = _compacted(fills)
    return Position(tuple(fills))


def without_fill(position: Position, deal_key: str, signed_e8: int, deal: Deal) -> Position:
    """The position without a deal; where it is no longer listed its volume is taken off."""
    fills = tuple(fill for fill in position.fills if fill.deal_key != deal_key)
    if len(fills) == len(position.fills):
        fills = (*fills, Fill(deal.occurred_at, f"undo {deal_key}", -signed_e8))
    return Position(fills)


def split_volume(position: Position, deal: Deal) -> tuple[int, int] | Reason:
    """Opened and closed 1e-8 lots; an in/out closes the running position unless its source says more."""
    if deal.entry == "in":
        return deal.volume_e8, 0
    if deal.entry in ("out", "out_by"):
        return 0, deal.volume_e8
    closed = deal.volume_closed_e8
    if closed is None and deal.position_id is None:
        text = (
            "its source tells neither the position of the in/out nor what it closed; read the Deals export "
            "of MT5 Manager, the Web API or the database"
        )
        return Reason("position_untold", text, waits=True)
    if closed is None:
        before = position.net_e8
        closes = before < 0 if deal.side == "buy" else before > 0
        if not closes or abs(before) >= deal.volume_e8:
            text = (
                f"an in/out of {deal.volume_e8} (1e-8 lots) against a position of {before}: "
                "deals of this position are missing; import them and replay the deal"
            )
            return Reason("position_unknown", text, waits=False)
        closed = abs(before)
    if not 0 <= closed <= deal.volume_e8:
        text = f"an in/out of {deal.volume_e8} (1e-8 lots) that closes {closed}; see its source row"
        return Reason("incomplete_deal", text, waits=False)
    return deal.volume_e8 - closed, closed


def slices(position: Position, deal_key: str, closed_e8: int) -> tuple[Slice, ...] | None:
    """The openings the deal closes, oldest first; None if some of them are not known."""
    openings: list[Opening] = []
    for fill in position.fills:
        if fill.deal_key == deal_key:
            others = [o for o in openings if o.fill.opens and (o.left_e8 > 0) != (fill.signed_e8 > 0)]
            return _slices(others, closed_e8)
        openings = _after(openings, fill)
    return None


def _slices(openings: list[Opening], closed_e8: int) -> tuple[Slice, ...] | None:
    found: list[Slice] = []
    rest = closed_e8
    for fill, left in openings:
        if rest == 0:
            break
        taken = min(abs(left), rest)
        rest -= taken
        found.append(Slice(Decimal(taken).scaleb(-8), fill.at, fill.price, fill.spread))
    return tuple(found) if rest == 0 else None


def _after(openings: list[Opening], fill: Fill) -> list[Opening]:
    """What is open after one more deal: it closes the oldest openings of the other side, then opens."""
    rest = fill.signed_e8
    left: list[Opening] = []
    for opening in openings:
        if rest and opening.fill.opens and (opening.left_e8 > 0) != (rest > 0):
            taken = min(abs(opening.left_e8), abs(rest)) * (1 if rest > 0 else -1)
            rest -= taken
            if remaining := opening.left_e8 + taken:
                left.append(Opening(opening.fill, remaining))
        else:
            left.append(opening)
    return [*left, Opening(fill, rest)] if rest else left


def _compacted(fills: list[Fill]) -> list[Fill]:
    """The older half as what it leaves open."""
    openings: list[Opening] = []
    half = len(fills) // 2
    for fill in fills[:half]:
        openings = _after(openings, fill)
    left = list(_left(openings))
    while len(left) > half // 2:
        left = [_merged(*left[n : n + 2]) for n in range(0, len(left), 2)]
    return [*left, *fills[half:]]


def _merged(one: Fill, other: Fill | None = None) -> Fill:
    """Two openings as one of the earlier time, at their mean price: past hundreds nobody tells them apart."""
    if other is None:
        return one
    total = one.signed_e8 + other.signed_e8
    if not total or one.price is None or other.price is None:
        return one._replace(signed_e8=total, price=None, spread=None)
    price = (one.price * one.signed_e8 + other.price * other.signed_e8) / total
    return one._replace(signed_e8=total, price=price, spread=None)


def _left(openings: list[Opening]) -> Iterator[Fill]:
    for fill, left in openings:
        yield fill._replace(signed_e8=left)
