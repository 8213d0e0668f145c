"""Symbols and rates of exchange."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from commission.money import EXACT
from commission.value import TaggedValue, Text, Time


class SymbolDefined(TaggedValue, tag="symbol_defined"):
    """What one server's symbol means.

    `pip` is a price difference, set for every symbol: for metals, indices and crypto no rule
    derives it from the digits. `standard_contract_size` is that of one standard lot of the
    canonical symbol, so a cent symbol with contract size 1,000 against 100,000 counts 0.01 lots.
    A price difference is worth difference x contract size x lots, or, with `tick_size` and
    `tick_value` (futures), difference / tick size x tick value x lots, in the profit currency.

    A version counts for what happened from `since` on, until a newer version does: a deal is rated by the
    size of its own day, however late it comes. `rescale` says that the platform multiplied the open
    volume of every position at `since` (a split, a redenomination, another contract size): what was
    opened before it is closed by so many times its lots, at the price that keeps its worth.
    """

    server: Text
    symbol: Text
    canonical: Text
    asset_class: Text
    contract_size: Decimal
    standard_contract_size: Decimal
    pip: Decimal
    profit_currency: Text
    base_currency: Text = ""
    """The currency a lot is counted in, for pairs: EUR of EURUSD."""
    digits: int | None = None
    tick_size: Decimal | None = None
    tick_value: Decimal | None = None
    average_pips: Decimal | None = None
    """The usual spread, where neither the deal nor a component tells one."""
    since: Time | None = None
    """From when on it means this; without, from the beginning."""
    rescale: Decimal | None = None
    """Times the lots of a position that was open at `since`: 10 where 1 lot became 10."""


class Rescale(NamedTuple):
    """What a version of a symbol did to the positions open when it began."""

    since: Time
    lots: Decimal
    """Open volume is this many times what it was."""
    times: Decimal
    over: Decimal
    """An opening's price is `times / over` of what it was, so that the position is worth the same."""


def rescales_between(versions: Sequence[SymbolDefined]) -> tuple[Rescale, ...]:
    """What the versions of a symbol, oldest first, did to its positions."""
    found: list[Rescale] = []
    for before, after in pairwise(versions):
        if after.rescale is not None and after.since is not None:
            over = EXACT.multiply(after.contract_size, after.rescale)
            found.append(Rescale(after.since, after.rescale, before.contract_size, over))
    return tuple(found)


class RatePublished(TaggedValue, tag="rate_published"):
    """One unit of `base` is worth `rate` of `quote` from `as_of` on, until a newer rate."""

    base: Text
    quote: Text
    rate: Decimal
    as_of: Time
    source: Text = ""
