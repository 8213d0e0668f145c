"""Positions: what a deal opened and closed, and which openings it closed, first in, first out."""

from bisect import insort
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from commission.client.fills import Fill, Position
from commission.events import Deal
from commission.money import EXACT, to_accrual
from commission.rating.components.spread_share import measured_at
from commission.rating.values import ZERO, Reason, Slice
from commission.terms.catalog import BEGINNING
from commission.terms.market import Rescale

Rescales = tuple[Rescale, ...]
"""How the position's symbol was rescaled, oldest first."""

MAX_FILLS = 512
"""Deals remembered of one position; beyond it the oldest, closed first, are added up."""


class Opening(NamedTuple):
    """What is left of an opening at some time, in the lots of `lots_at`."""

    fill: Fill
    left_e8: int
    lots_at: datetime


def fill_of(deal: Deal, deal_key: str) -> Fill:
    """The deal, known by its business key, as a part of its position."""
    signed = deal.volume_e8 if deal.side == "buy" else -deal.volume_e8
    opens, paid = deal.entry in ("in", "inout"), deal.commission + deal.fee
    charged = -paid if (opens and paid < 0) or (deal.entry != "in" and paid > 0) else None
    return Fill(deal.occurred_at, deal_key, signed, deal.price, measured_at(deal), opens, charged=charged)


def with_fill(position: Position, fill: Fill, rescales: Rescales = ()) -> Position:
    """The position after one more deal, in the order of time."""
    known = position.fills
    if (not known or known[-1].at < fill.at) and len(known) < MAX_FILLS:
        return Position((*known, fill))
    fills = [*known]
    insort(fills, fill, key=lambda f: (f.at, f.deal_key))
    if len(fills) > MAX_FILLS:
        fills = _compacted(fills, rescales)
    return Position(tuple(fills))


def without_fill(position: Position, deal_key: str, signed_e8: int, deal: Deal) -> Position:
    """The position without a deal; where it is no longer listed its volume is taken off."""
    fills = tuple(fill for fill in position.fills if fill.deal_key != deal_key)
    if len(fills) == len(position.fills):
        fills = (*fills, Fill(deal.occurred_at, f"undo {deal_key}", -signed_e8))
    return Position(fills)


def net_e8(position: Position, rescales: Rescales, at: datetime) -> int:
    """Signed open volume after all deals of the position, in the 1e-8 lots of `at`."""
    if not rescales:
        return position.net_e8
    net, since = 0, BEGINNING
    for fill in position.fills:
        now = max(since, fill.lots_at)
        net = rescaled_e8(net, rescales, since, now)
        net += rescaled_e8(fill.signed_e8, rescales, fill.lots_at, now)
        since = now
    return rescaled_e8(net, rescales, since, at)


def is_flat(position: Position, rescales: Rescales) -> bool:
    """Whether nothing of the position is open."""
    if not rescales:
        return not position.net_e8
    return not net_e8(position, rescales, max((fill.lots_at for fill in position.fills), default=BEGINNING))


def rescaled_e8(volume_e8: int, rescales: Rescales, since: datetime, at: datetime) -> int:
    """A volume in the lots of `since`, in those of `at`: to 1e-8 lots, as platforms keep them."""
    for rescale in rescales:
        if since < rescale.since <= at:
            volume_e8 = int((volume_e8 * rescale.lots).to_integral_value())
    return volume_e8


def split_volume(position: Position, deal: Deal, rescales: Rescales = ()) -> tuple[int, int] | Reason:
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
        before = net_e8(position, rescales, deal.occurred_at)
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


def slices(
    position: Position, deal_key: str, closed_e8: int, rescales: Rescales = ()
) -> tuple[Slice, ...] | None:
    """The openings the deal closes, oldest first; None if some of them are not known."""
    openings: list[Opening] = []
    for fill in position.fills:
        if rescales:
            openings = [_rescaled(opening, rescales, fill.lots_at) for opening in openings]
        if fill.deal_key == deal_key:
            others = [o for o in openings if o.fill.opens and (o.left_e8 > 0) != (fill.signed_e8 > 0)]
            return _slices(others, closed_e8)
        openings = _after(openings, fill)
    return None


def _rescaled(opening: Opening, rescales: Rescales, at: datetime) -> Opening:
    """The opening in the lots of `at`, at the price that keeps its worth."""
    fill, left_e8, lots_at = opening
    for rescale in rescales:
        if lots_at < rescale.since <= at:
            price, spread = (
                None if found is None else EXACT.divide(EXACT.multiply(found, rescale.times), rescale.over)
                for found in (fill.price, fill.spread)
            )
            signed_e8 = rescaled_e8(fill.signed_e8, (rescale,), lots_at, at)
            fill = fill._replace(signed_e8=signed_e8, price=price, spread=spread)
            left_e8 = rescaled_e8(left_e8, (rescale,), lots_at, at)
    return Opening(fill, left_e8, max(lots_at, at))


def _slices(openings: list[Opening], closed_e8: int) -> tuple[Slice, ...] | None:
    found: list[Slice] = []
    rest = closed_e8
    for fill, left, _ in openings:
        if rest == 0:
            break
        taken = min(abs(left), rest)
        rest -= taken
        charged = _charged(fill, taken)
        lots, charge = Decimal(taken).scaleb(-8), max(ZERO, fill.charged or ZERO)
        found.append(Slice(lots, fill.at, fill.price, fill.spread, charged or ZERO, fill.deal_key, charge))
    return tuple(found) if rest == 0 else None


def _charged(fill: Fill, left_e8: int) -> Decimal | None:
    """What the opening charged for so much of it."""
    if fill.charged is None:
        return None
    return to_accrual(max(ZERO, fill.charged) * abs(left_e8) / abs(fill.signed_e8))


def _after(openings: list[Opening], fill: Fill) -> list[Opening]:
    """What is open after one more deal: it closes the oldest openings of the other side, then opens."""
    rest = fill.signed_e8
    left: list[Opening] = []
    for opening in openings:
        if rest and opening.fill.opens and (opening.left_e8 > 0) != (rest > 0):
            taken = min(abs(opening.left_e8), abs(rest)) * (1 if rest > 0 else -1)
            rest -= taken
            if remaining := opening.left_e8 + taken:
                left.append(opening._replace(left_e8=remaining))
        else:
            left.append(opening)
    return [*left, Opening(fill, rest, fill.lots_at)] if rest else left


def _compacted(fills: list[Fill], rescales: Rescales) -> list[Fill]:
    """The older half as what it leaves open, in the lots of its last deal."""
    openings: list[Opening] = []
    half = len(fills) // 2
    for fill in fills[:half]:
        if rescales:
            openings = [_rescaled(opening, rescales, fill.lots_at) for opening in openings]
        openings = _after(openings, fill)
    last = max(fill.lots_at for fill in fills[:half])
    brought = [_rescaled(opening, rescales, last) for opening in openings]
    left = [
        fill._replace(
            deal_key=fill.deal_key if abs(volume_e8) == abs(fill.signed_e8) else "",
            signed_e8=volume_e8,
            counted_at=last,
            charged=_charged(fill, volume_e8),
        )
        for fill, volume_e8, _ in brought
    ]
    while len(left) > half // 2:
        left = [_merged(*left[n : n + 2]) for n in range(0, len(left), 2)]
    return [*left, *fills[half:]]


def _merged(one: Fill, other: Fill | None = None) -> Fill:
    """Two openings as one of the earlier time, at their mean price: past hundreds nobody tells them apart."""
    if other is None:
        return one
    total = one.signed_e8 + other.signed_e8
    charged = (
        None
        if one.charged is None and other.charged is None
        else (one.charged or ZERO) + (other.charged or ZERO)
    )
    one = one._replace(deal_key="", charged=charged)
    if not total or one.price is None or other.price is None:
        return one._replace(signed_e8=total, price=None, spread=None)
    price = (one.price * one.signed_e8 + other.price * other.signed_e8) / total
    return one._replace(signed_e8=total, price=price, spread=None)
