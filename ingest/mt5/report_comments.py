"""Closings paired with openings by comment: a closing carries the comment of the position it closes.

On a report with its Positions table, 195 of 196 closings did, the other had one of its own. So the
comment only decides where everything else is alike, or where nothing else tells, and only if it leaves
one possibility.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from commission.events import Side
from ingest.mt5.report_rows import ListedPosition, ReportDeal

_STOP = re.compile(r"\[?(sl|tp|so)\b", re.IGNORECASE)
"""The platform's own words for a stop, which stand in place of a comment."""
_OPPOSITE: Mapping[Side, Side] = {"buy": "sell", "sell": "buy"}


def among_twins(
    closings: Sequence[ReportDeal], positions: Sequence[ListedPosition], comments: Mapping[str, str]
) -> dict[int, str]:
    """Pair closings and positions alike in everything else, as many of one as of the other.

    `comments` are those of the openings, by position. Nothing is told unless all of them are known and
    are the closings' as well; then a comment that one position has is one closing's.
    """
    theirs = [comments.get(position.position_id, "") for position in positions]
    if not all(theirs) or Counter(theirs) != Counter(closing.comment for closing in closings):
        return {}
    by_comment = {closing.comment: closing for closing in closings}
    return {
        id(by_comment[comment]): position.position_id
        for comment, position in zip(theirs, positions, strict=True)
        if theirs.count(comment) == 1
    }


def without_table(deals: Iterable[ReportDeal]) -> dict[int, str]:
    """Pair closings with openings of the same symbol and comment where the volumes leave one possibility.

    The deals must be an account's all: an opening that is not among them could be meant as well.
    """
    openings: defaultdict[tuple[str, Side | None, str], list[ReportDeal]] = defaultdict(list)
    closings: defaultdict[tuple[str, Side | None, str], list[ReportDeal]] = defaultdict(list)
    for deal in deals:
        if deal.side is None or not deal.comment or _STOP.match(deal.comment):
            continue
        if deal.entry == "in":
            openings[deal.symbol, deal.side, deal.comment].append(deal)
        elif deal.entry == "out":
            closings[deal.symbol, _OPPOSITE[deal.side], deal.comment].append(deal)
    found: dict[int, str] = {}
    for key, group in closings.items():
        found |= _paired(group, openings.get(key, ()))
    return found


def _paired(closings: Sequence[ReportDeal], openings: Sequence[ReportDeal]) -> dict[int, str]:
    """The largest closing first: what only one opening is large enough for is its, and so on."""
    left: Counter[str] = Counter()
    for opening in openings:  # an order that was filled in parts has several
        left[opening.order] += opening.volume_e8
    found: dict[int, str] = {}
    for closing in sorted(closings, key=lambda deal: -deal.volume_e8):
        fitting = {
            opening.order
            for opening in openings
            if left[opening.order] >= closing.volume_e8 and _may_close(closing, opening)
        }
        if not fitting:
            return {}
        if len(fitting) > 1 or "" in fitting:
            break
        (order,) = fitting
        left[order] -= closing.volume_e8
        found[id(closing)] = order
    return found


def _may_close(closing: ReportDeal, opening: ReportDeal) -> bool:
    """Whether the closing came later, at a price that makes its profit a profit and its loss a loss."""
    if closing.server_time < opening.server_time or closing.price is None or opening.price is None:
        return False
    moved = closing.price - opening.price if opening.side == "buy" else opening.price - closing.price
    return moved * closing.money.profit >= 0 and not (moved == 0 and closing.money.profit)
