"""Which position a deal of a terminal report belongs to: the report has no such column.

A position's number is the order that opened it. On a netting account it is found by walking the
deals of a symbol from a moment when it was flat for certain; on a hedging account closings are
matched with the Positions table by volume, time, price and every amount, or else by comment. A number
that does not follow is not guessed: such a deal goes on without it, and a better source may tell it.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from commission.events import Entry, Side
from ingest.counts import to_lots
from ingest.mt5.report_comments import among_twins, without_table
from ingest.mt5.report_rows import ListedPosition, ReportDeal
from ingest.sources import RowRejected

MAX_CLOSINGS = 16
"""Closings that may belong to a position closed in parts; with more its parts are not looked for."""
MAX_STEPS = 1_000_000
"""Steps of that search over a whole report, about a second."""

_OPPOSITE: dict[Side, Side] = {"buy": "sell", "sell": "buy"}


Key = tuple[object, ...]


class Untold(NamedTuple):
    """Why a deal's position is not known."""

    why: str
    """The same words for all deals of a kind."""
    closed_e8: int | None = None
    """What an in/out closed, where that is known all the same."""
    misfit: str = ""
    """Why the deal cannot be a netting account's, if nothing is missing before it."""


PositionOfDeal = str | Untold | RowRejected
"""A deal's position, or why it is not known; cash operations have the empty one."""


def netting_positions(
    deals: Sequence[ReportDeal | None],
    listed: Iterable[ListedPosition],
    *,
    from_start: bool,
    gaps: Collection[int] = (),
) -> list[PositionOfDeal]:
    """Walk the deals in order; None stands for a row that could not be read, after which nothing is sure.

    Nor is anything sure behind `gaps`, the places before which deals may be missing. A symbol is flat for
    certain before its first deal if the report tells the account's whole life (`from_start`), before an
    opening whose order is a listed position's number, and between a closing and an opening of the same
    side.
    """
    listed_ids = {position.position_id for position in listed}
    walks: defaultdict[str, _Walk] = defaultdict(lambda: _Walk(0 if from_start else None))
    found: list[PositionOfDeal] = []
    for number, deal in enumerate(deals):
        if deal is None or number in gaps:
            from_start = False
            walks.clear()
        if deal is None or deal.side is None:
            found.append("")
        else:
            found.append(walks[deal.symbol].step(deal, listed_ids))
    return found


@dataclass(slots=True)
class _Walk:
    """One symbol of a netting account: its position as far as it is known."""

    net_e8: int | None
    position_id: str = ""
    last: tuple[Entry | None, Side | None] = field(default=(None, None))

    def step(self, deal: ReportDeal, listed_ids: set[str]) -> PositionOfDeal:
        last, self.last = self.last, (deal.entry, deal.side)
        is_opening = deal.entry == "in" and (deal.order in listed_ids or last == ("out", deal.side))
        if is_opening and self.net_e8 is None:
            self.net_e8 = 0
        if deal.entry == "out_by":
            self.net_e8 = None
            reason = (
                "a netting account has no deals `out by`; correct the margin mode and read the file again"
            )
            return RowRejected("out_by_on_netting", reason)
        if self.net_e8 is None:
            return Untold("the report does not say what was open in the symbol before them")
        before, after = self.net_e8, self.net_e8 + deal.signed_e8
        if deal.kind != "trade":
            self.net_e8 = None
            return Untold("a cancelled deal no longer moves its position")
        if not _is_possible(deal, before, after):
            self.net_e8 = None
            misfit = (
                f"`{deal.side} {deal.entry}` of {to_lots(deal.volume_e8):f} lots does not fit a position of"
                f" {to_lots(before):f} lots of {deal.symbol}"
            )
            return Untold(
                "their direction does not fit what was open, so deals are missing before them", misfit=misfit
            )
        if before == 0:
            self.position_id = deal.order
        self.net_e8 = after
        closed_e8 = abs(before) if deal.entry == "inout" else None
        return self.position_id or Untold("their position was opened without an order", closed_e8)


def _is_possible(deal: ReportDeal, before: int, after: int) -> bool:
    """Tell whether a deal's direction fits the position: opens or adds, closes at most all, or reverses."""
    if deal.entry == "in":
        return before * deal.signed_e8 >= 0
    if deal.entry == "out":
        return before * deal.signed_e8 < 0 and before * after >= 0
    return deal.entry == "inout" and before * after < 0


def hedging_positions(
    deals: Sequence[ReportDeal | None],
    listed: Sequence[ListedPosition],
    *,
    is_whole: bool,
    by_comment: bool = False,
) -> list[PositionOfDeal]:
    """Find the positions of all deals; `is_whole` False means that a listed position could not be read.

    `by_comment`: there is no table of closed positions, and the deals are all there ever were.
    """
    read = [deal for deal in deals if deal is not None and deal.kind == "trade"]
    closings = [deal for deal in read if deal.entry in ("out", "out_by")]
    known: dict[int, str] = {}
    comments = {deal.order: deal.comment for deal in read if deal.entry == "in" and deal.order}
    if by_comment:
        known = without_table(read)
    elif is_whole:
        known = _closed_at_once(closings, listed, comments)
        rest = [deal for deal in closings if id(deal) not in known]
        closed = set(known.values())
        left = [position for position in listed if position.position_id not in closed]
        known |= _closed_in_parts(rest, left)
        known |= _opened_without_order([deal for deal in read if deal.entry == "in"], listed)
    return [_hedging(deal, known) for deal in deals]


def _hedging(deal: ReportDeal | None, known: dict[int, str]) -> PositionOfDeal:
    if deal is None or deal.side is None:
        return ""
    if deal.entry == "inout":
        return RowRejected(
            "inout_on_hedging",
            "a hedging account has no in/out deals; correct the margin mode and read the file again",
        )
    if deal.entry == "in" and deal.order:
        return deal.order
    if deal.entry == "in":
        return known.get(id(deal)) or Untold("their position was opened without an order")
    return known.get(id(deal)) or Untold(
        "no position of the report fits their volume, time, price, swap, profit and comment, or several do"
    )


def _closed_at_once(
    closings: Iterable[ReportDeal], listed: Iterable[ListedPosition], comments: Mapping[str, str]
) -> dict[int, str]:
    """Match closings and positions that are alike in everything; of several, the comment tells."""
    deals = [
        ((d.symbol, d.side, d.volume_e8, d.server_time, d.price, d.money.swap, d.money.profit), d)
        for d in closings
    ]
    positions = [
        ((p.symbol, _OPPOSITE[p.side], p.volume_e8, p.closed_at, p.close_price, p.swap, p.profit), p)
        for p in listed
        if p.closed_at is not None
    ]
    return _alike(deals, positions, comments)


def _opened_without_order(openings: Iterable[ReportDeal], listed: Iterable[ListedPosition]) -> dict[int, str]:
    """Match openings by a dealer, which have no order, with positions that opened alike."""
    deals = [((d.symbol, d.side, d.volume_e8, d.server_time, d.price), d) for d in openings]
    positions = [((p.symbol, p.side, p.volume_e8, p.opened_at, p.open_price), p) for p in listed]
    return _alike(deals, positions)


def _alike(
    deals: Iterable[tuple[Key, ReportDeal]],
    positions: Iterable[tuple[Key, ListedPosition]],
    comments: Mapping[str, str] | None = None,
) -> dict[int, str]:
    """Give a deal whose key no other has the position whose key no other has; tell twins by comment."""
    keyed_deals: defaultdict[Key, list[ReportDeal]] = defaultdict(list)
    keyed_positions: defaultdict[Key, list[ListedPosition]] = defaultdict(list)
    for key, deal in deals:
        keyed_deals[key].append(deal)
    for key, position in positions:
        keyed_positions[key].append(position)
    found: dict[int, str] = {}
    for key, alike in keyed_deals.items():
        twins = keyed_positions.get(key, [])
        if len(alike) == len(twins) == 1:
            found[id(alike[0])] = twins[0].position_id
        elif len(alike) == len(twins) and comments is not None:
            found |= among_twins(alike, twins, comments)
    return found


def _closed_in_parts(closings: Iterable[ReportDeal], listed: Iterable[ListedPosition]) -> dict[int, str]:
    """Find the only closings that sum to a position's volume, swap and profit and end when it ended.

    None at all where the search would take too long: a sum not found might claim the same deals.
    """
    search = _Search(closings)
    parts: list[tuple[str, tuple[ReportDeal, ...]]] = []
    claims: defaultdict[int, set[str]] = defaultdict(set)
    for position in listed:
        if position.closed_at is None:
            continue
        claimed = search.sums(position)
        for deal in (deal for deals in claimed for deal in deals):
            claims[id(deal)].add(position.position_id)
        if len(claimed) == 1:
            parts.append((position.position_id, claimed[0]))
    if search.left <= 0:
        return {}
    return {
        id(deal): position_id
        for position_id, deals in parts
        if all(len(claims[id(part)]) == 1 for part in deals)
        for deal in deals
    }


class _Search:
    """Looks for closings that sum to a position; counts its steps over all positions of a report."""

    def __init__(self, closings: Iterable[ReportDeal]) -> None:
        self.left = MAX_STEPS
        self._closings: defaultdict[tuple[str, Side | None], list[ReportDeal]] = defaultdict(list)
        for deal in sorted(closings, key=lambda deal: deal.server_time):
            self._closings[deal.symbol, deal.side].append(deal)

    def sums(self, position: ListedPosition) -> list[tuple[ReportDeal, ...]]:
        """All sets that sum to the position; where too many may belong to it, one set of all of them."""
        closings = self._closings[position.symbol, _OPPOSITE[position.side]]
        start = bisect_left(closings, position.opened_at, key=lambda deal: deal.server_time)
        end = bisect_right(closings, position.closed_at, key=lambda deal: deal.server_time)
        self.left -= end - start
        if self.left <= 0:
            return []
        candidates = tuple(deal for deal in closings[start:end] if deal.volume_e8 < position.volume_e8)
        if len(candidates) > MAX_CLOSINGS:
            return [candidates, ()]
        return list(self._summing(position, candidates, 0, position.volume_e8, ()))

    def _summing(
        self,
        position: ListedPosition,
        candidates: tuple[ReportDeal, ...],
        place: int,
        missing_e8: int,
        chosen: tuple[ReportDeal, ...],
    ) -> Iterator[tuple[ReportDeal, ...]]:
        self.left -= 1
        if missing_e8 == 0 and _sums_to(position, chosen):
            yield chosen
        if missing_e8 <= 0 or place == len(candidates) or self.left <= 0:
            return
        deal = candidates[place]
        for missing, chosen_then in ((missing_e8 - deal.volume_e8, (*chosen, deal)), (missing_e8, chosen)):
            yield from self._summing(position, candidates, place + 1, missing, chosen_then)


def _sums_to(position: ListedPosition, chosen: tuple[ReportDeal, ...]) -> bool:
    return (
        max(deal.server_time for deal in chosen) == position.closed_at
        and sum(deal.money.profit for deal in chosen) == position.profit
        and sum(deal.money.swap for deal in chosen) == position.swap
    )
