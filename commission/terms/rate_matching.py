"""Which rate counts: the most specific of those that match a deal's client, account and symbol."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from commission.terms.market import SymbolDefined
from commission.terms.rates import LotFactor, Rate


class Trait(NamedTuple):
    """What a rate may be chosen by, beside symbol and time."""

    client: str = ""
    login: str = ""
    group: str = ""
    country: str = ""


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


def is_in_group(pattern: str, group: str) -> bool:
    """Whether `group` is the pattern, or begins with it up to its `*`."""
    return group.startswith(pattern[:-1]) if pattern.endswith("*") else group == pattern


def group_rank(pattern: str) -> int:
    """How closely a matching pattern names a group: exactly beats any prefix, a longer prefix a shorter."""
    return len(pattern) if pattern.endswith("*") else 10_000 if pattern else 0


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
    return (bool(rate.client), bool(rate.login), group_rank(rate.group), by_symbol, bool(rate.country), dated)


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
        ((group_rank(f.group), s), f)
        for f in factors
        if (s := specificity(f.match, symbol)) is not None and (not f.group or is_in_group(f.group, group))
    ]
    return max(fits, key=lambda fit: fit[0])[1] if fits else None
