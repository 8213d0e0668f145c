"""Whether a report is of a hedging or a netting account: what only one of them can have proves it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from commission.events import Side
from ingest.counts import to_lots
from ingest.mt5.report_rows import ListedPosition, ReportDeal
from ingest.sources import MarginMode


class Proof(NamedTuple):
    """The margin mode, and what the other one could not have."""

    mode: MarginMode
    place: str
    """Of the row: `line 8`."""
    what: str


class _Least(NamedTuple):
    """What an account that nets has open in a symbol at least."""

    side: Side
    volume_e8: int


def proof_of(
    deals: Sequence[ReportDeal | None], listed: Iterable[ListedPosition], gaps: Collection[int] = ()
) -> Proof | None:
    """Find the first row that only one margin mode can have; None where the report may be of either.

    `gaps` are the places in `deals` before which deals may be missing.
    """
    for deal in deals:
        if deal is not None and deal.entry in ("inout", "out_by"):
            mode: MarginMode = "netting" if deal.entry == "inout" else "hedging"
            words = "an `in/out` turns a position round" if mode == "netting" else "an `out by`"
            return Proof(mode, deal.row.place, f"{words}, which only a {mode} account has")
    return _opposed(deals, gaps) or _side_by_side(listed)


def _opposed(deals: Sequence[ReportDeal | None], gaps: Collection[int]) -> Proof | None:
    """A deal that would have another direction if the account netted, by what is open for certain."""
    least: dict[str, _Least] = {}
    for number, deal in enumerate(deals):
        if deal is None or number in gaps:
            least.clear()
        if deal is None or deal.side is None or deal.entry is None:
            continue
        if deal.kind != "trade":
            least.pop(deal.symbol, None)
            continue
        known = least.get(deal.symbol)
        opens = deal.entry == "in"
        if known is not None and known.volume_e8 and (deal.side == known.side) != opens:
            return Proof(
                "hedging",
                deal.row.place,
                f"`{deal.side} {deal.entry}` of {to_lots(deal.volume_e8):f} lots while"
                f" {to_lots(known.volume_e8):f} lots of {deal.symbol} or more are open by `{known.side}`,"
                " which a netting account would net",
            )
        before = known.volume_e8 if known is not None else 0
        after = before + deal.volume_e8 if opens else max(0, before - deal.volume_e8)
        side: Side = deal.side if opens else "sell" if deal.side == "buy" else "buy"
        least[deal.symbol] = _Least(side, after)
    return None


def _side_by_side(listed: Iterable[ListedPosition]) -> Proof | None:
    """Two listed positions of one symbol that were open at once."""
    by_symbol: defaultdict[str, list[ListedPosition]] = defaultdict(list)
    for position in listed:
        by_symbol[position.symbol].append(position)
    for symbol, positions in by_symbol.items():
        positions.sort(key=lambda position: position.opened_at)
        last: ListedPosition | None = None
        for position in positions:
            if last is not None and position.opened_at < _end(last) and position != last:
                what = (
                    f"position {position.position_id} opens while {last.position_id} of {symbol} is open, and"
                    " a netting account has one a symbol"
                )
                return Proof("hedging", "the table of positions", what)
            if last is None or _end(position) > _end(last):
                last = position
    return None


def _end(position: ListedPosition) -> datetime:
    return datetime.max if position.closed_at is None else position.closed_at  # noqa: DTZ901 - a server's clock
