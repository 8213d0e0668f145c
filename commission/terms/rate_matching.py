"""Which rate counts: the most specific of those that match a deal's client, account and symbol."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from commission.terms.market import SymbolDefined
from commission.terms.rates import LotFactor, Rate


class Trait(NamedTuple):
    """What a rate may be chosen by, beside symbol and time."""

    client: str = ""
    login: str = ""
    group: str = ""
    country: str = ""


EXACT_GROUP = 10_000
"""The rank of a group named in full; no text of the terms is half as long as would reach it."""
Rank = tuple[int, int, int, tuple[int, int], int, int]


def specificity(match: str, symbol: SymbolDefined) -> tuple[int, int] | None:
    """How closely `match` names `symbol`, comparable; None if it does not."""
    if match == symbol.canonical:
        return (3, 0)
    if match == "*":
        return (0, 0)
    if match.startswith("class:"):
        return (1, 0) if match[len("class:") :] == symbol.asset_class else None
    if match.endswith("*") and symbol.canonical.startswith(match[:-1]):
        return (2, len(match))
    return None


@lru_cache(maxsize=10_000)
def is_in_group(mask: str, group: str) -> bool:
    """Whether a mask takes in a group, as MT5's managers write masks: `real\\*,!real\\test*`.

    Of the groups that one of its parts names it takes all that no part with `!` names, whatever the order of
    the parts. `*` is any text, `?` one character. Letter case does not matter: exports do not agree on it.
    """
    named, excluded = parts_of(mask)
    return any(_fits(part, group) for part in named) and not any(_fits(part, group) for part in excluded)


def parts_of(mask: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a mask names, and what it excludes of that."""
    parts = [part.strip() for part in mask.split(",")]
    excluded = tuple(part.lstrip("!") for part in parts if part.startswith("!"))
    return tuple(part for part in parts if not part.startswith("!")), excluded


def _fits(part: str, group: str) -> bool:
    pattern = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in part)
    return re.fullmatch(pattern, group, re.IGNORECASE | re.DOTALL) is not None


@lru_cache(maxsize=10_000)
def group_rank(mask: str, group: str) -> int:
    """How closely a matching mask names a group: in full beats any `*` or `?`, then more letters fewer."""
    return max((part_rank(part) for part in parts_of(mask)[0] if _fits(part, group)), default=0)


def part_rank(part: str) -> int:
    """How closely one part of a mask names the groups it fits; 0 for none."""
    letters = len(part) - part.count("*") - part.count("?")
    if part and letters == len(part):
        return EXACT_GROUP
    return 2 * letters + part.count("?") + 1 if part else 0


def is_by_symbol(rates: Sequence[Rate]) -> bool:
    """Whether the symbol alone decides among `rates`."""
    return not any(r.client or r.login or r.group or r.country or r.since or r.until for r in rates)


def rank_of(rate: Rate, symbol: SymbolDefined, trait: Trait, at: datetime) -> Rank | None:
    """How specific `rate` is for a deal, comparable; None if it does not match."""
    by_symbol = specificity(rate.match, symbol)
    if by_symbol is None:
        return None
    if (rate.client and rate.client != trait.client) or (rate.login and rate.login != trait.login):
        return None
    if rate.group and not is_in_group(rate.group, trait.group):
        return None
    if rate.country and rate.country != trait.country:
        return None
    if (rate.since and at < rate.since) or (rate.until and at >= rate.until):
        return None
    dated = rate.since is not None or rate.until is not None
    by_group = group_rank(rate.group, trait.group) if rate.group else 0
    return (bool(rate.client), bool(rate.login), by_group, by_symbol, bool(rate.country), dated)


def most_specific(rates: Iterable[Rate], symbol: SymbolDefined, trait: Trait, at: datetime) -> Rate | None:
    """The rate that counts; of two that are as specific the first, which terms in force never have."""
    best: tuple[Rank, Rate] | None = None
    for rate in rates:
        rank = rank_of(rate, symbol, trait, at)
        if rank is not None and (best is None or rank > best[0]):
            best = rank, rate
    return best[1] if best else None


def lot_factor(factors: Iterable[LotFactor], symbol: SymbolDefined, group: str) -> LotFactor | None:
    """The factor that counts: that of the account's group before any, then the closest symbol match."""
    fits = [
        ((group_rank(f.group, group), s), f)
        for f in factors
        if (s := specificity(f.match, symbol)) is not None and (not f.group or is_in_group(f.group, group))
    ]
    return max(fits, key=lambda fit: fit[0])[1] if fits else None
