"""Checks of lists of rates: what each matches, what it is worth, and which of two would count."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import combinations

from commission.terms.catalog import BEGINNING
from commission.terms.checks.published import Published, Subject, TermsProblem, is_positive, meant, numbered
from commission.terms.market import SymbolDefined
from commission.terms.rate_matching import part_rank, parts_of, specificity
from commission.terms.rates import Rate

COUNTRY = re.compile(r"[A-Z]{2}")
END = datetime.max.replace(tzinfo=UTC)
Period = tuple[datetime, datetime]


def check_rates(
    place: Subject, rates: Sequence[Rate], terms: Published, *, most: Decimal | None = None
) -> Iterator[TermsProblem]:
    """Find rates that match nothing, are out of bounds, never count, or leave it open which counts."""
    for name, rate in zip(numbered(rate.match for rate in rates), rates, strict=True):
        yield from check_match((*place, name), rate.match, terms)
        yield from _check_conditions((*place, name), rate)
        if not rate.value.is_finite() or rate.value < 0:
            text = f"the rate for {_told(rate)} is {rate.value}; a rate is 0 or more"
            yield TermsProblem((*place, name), "negative_rate", text)
        elif most is not None and rate.value > most:
            text = f"the share for {_told(rate)} is {rate.value}; write 35 % as 0.35"
            yield TermsProblem((*place, name), "share_above_one", text)
    yield from _check_order_of_rates(place, rates, terms)


def check_averages(place: Subject, rates: Sequence[Rate], terms: Published) -> Iterator[TermsProblem]:
    """Find spreads in pips that match nothing, are not above 0, or leave it open which counts."""
    for name, rate in zip(numbered(rate.match for rate in rates), rates, strict=True):
        yield from check_match((*place, name), rate.match, terms)
        yield from _check_conditions((*place, name), rate)
        if not is_positive(rate.value):
            text = f"{place[-1]} of {_told(rate)} is {rate.value} pips; it must be above 0"
            yield TermsProblem((*place, name), "bad_average", text)
    yield from _check_order_of_rates(place, rates, terms)


def check_match(place: Subject, match: str, terms: Published) -> Iterator[TermsProblem]:
    """Find a match that is none, or that no symbol of any server fits."""
    if not _is_match(match):
        text = f"{match!r} is not a match; write a symbol, a prefix such as XAU*, class:forex or *"
        yield TermsProblem(place, "bad_match", text)
    elif match != "*" and all(specificity(match, symbol) is None for symbol in terms.canonicals):
        text = (
            f"no server has a symbol that {match} matches; {_meant(match, terms)}correct it or add the symbol"
        )
        yield TermsProblem(place, "unknown_symbol", text)


def _meant(match: str, terms: Published) -> str:
    classes = {f"class:{symbol.asset_class}" for symbol in terms.canonicals}
    if f"class:{match}" in classes:
        return f"did you mean class:{match}? "
    return meant(match, classes | {symbol.canonical for symbol in terms.canonicals})


def check_countries(place: Subject, countries: Iterable[str]) -> Iterator[TermsProblem]:
    """Find what is no country code."""
    for country in countries:
        if not COUNTRY.fullmatch(country):
            text = f"{country!r} is not a country; write two capitals of ISO 3166, such as CY"
            yield TermsProblem(place, "bad_country", text)


def check_groups(place: Subject, masks: Sequence[str]) -> Iterator[TermsProblem]:
    """Find what is not a mask of groups, or a list of them that takes in none."""
    named, excluded = parts_of(",".join(masks))
    for part in (*named, *excluded):
        if not part or "!" in part:
            text = (
                f"{masks[0]!r} is not a mask of groups; write such as real\\*,!real\\test*, each part a "
                "group, with * for any text, ? for one character and ! before what is excluded"
            )
            yield TermsProblem(place, "bad_group", text)
            return
    if not named:
        text = f"{', '.join(masks)} only excludes, so no group is left; name the others too, such as *"
        yield TermsProblem(place, "bad_group", text)


def value_for(rates: Iterable[Rate], symbol: SymbolDefined) -> Decimal | None:
    """The most a rate may be worth for `symbol`: the plain one that counts, or one with a condition."""
    plain: dict[tuple[int, int], Decimal] = {}
    others: list[Decimal] = []
    for rate in rates:
        if (rank := specificity(rate.match, symbol)) is None:
            continue
        if _is_plain(rate):
            plain[rank] = rate.value
        else:
            others.append(rate.value)
    return max([*others, *([plain[max(plain)]] if plain else [])], default=None)


def covers(rates: Iterable[Rate], symbol: SymbolDefined) -> bool:
    """Whether some rate may match the symbol."""
    return any(specificity(rate.match, symbol) is not None for rate in rates)


def _is_match(match: str) -> bool:
    if match.startswith("class:"):
        return len(match) > len("class:") and "*" not in match
    return bool(match) and "*" not in match[:-1]


def _is_plain(rate: Rate) -> bool:
    return not (rate.client or rate.login or rate.group or rate.country or rate.since or rate.until)


def _check_conditions(place: Subject, rate: Rate) -> Iterator[TermsProblem]:
    if rate.since and rate.until and rate.since >= rate.until:
        text = f"the rate for {rate.match} ends at {rate.until}, before it begins at {rate.since}; swap them"
        yield TermsProblem(place, "bad_period", text)
    if rate.country:
        yield from check_countries(place, (rate.country,))
    if rate.login and not re.fullmatch(r"[^/]+/[0-9]+", rate.login):
        text = f"{rate.login!r} is not an account; write its server and login, such as live/1001"
        yield TermsProblem(place, "bad_login", text)
    if rate.group:
        yield from check_groups(place, (rate.group,))


# Which of two counts


def _check_order_of_rates(place: Subject, rates: Sequence[Rate], terms: Published) -> Iterator[TermsProblem]:
    names = numbered(rate.match for rate in rates)
    by_key: dict[tuple[str, ...], list[int]] = {}
    for index, rate in enumerate(rates):
        by_key.setdefault((rate.client, rate.login, rate.match), []).append(index)
    ambiguous: set[int] = set()
    for indices in by_key.values():
        for first, second in combinations(indices, 2):
            if second not in ambiguous and _is_ambiguous(rates[first], rates[second]):
                ambiguous.add(second)
                text = _ambiguity(rates[first], rates[second])
                yield TermsProblem((*place, names[second]), "ambiguous_rate", text)
    for index, rate in enumerate(rates):
        if index not in ambiguous and _is_unreachable(index, rates, terms):
            text = (
                f"the rate for {_told(rate)} never counts: other rates cover all that it matches; "
                "leave it out, or correct what was meant"
            )
            yield TermsProblem((*place, names[index]), "unreachable_rate", text, "warning")


def _is_ambiguous(one: Rate, other: Rate) -> bool:
    """Both can match one deal, neither names more than the other, and they differ."""
    if one.value == other.value or (one.country and other.country and one.country != other.country):
        return False
    if one.group != other.group and not _may_tie(one.group, other.group):
        return False
    mine, its = _named(one), _named(other)
    return not (mine < its or its < mine) and _overlap(_period(one), _period(other))


def _may_tie(one: str, other: str) -> bool:
    """Whether some group may be in both masks, named as closely by each."""
    (mine, my_excluded), (its, its_excluded) = parts_of(one), parts_of(other)
    return any(
        part_rank(part) == part_rank(rival) and _overlap_in_groups(part.casefold(), rival.casefold())
        for part in mine
        if part not in its_excluded
        for rival in its
        if rival not in my_excluded
    )


@lru_cache(maxsize=10_000)
def _overlap_in_groups(one: str, other: str) -> bool:
    """Whether some text fits both parts."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _overlap_in_groups(one[1:], other) or _overlap_in_groups(one, other[1:])
    if other[0] == "*":
        return _overlap_in_groups(other, one)
    return (one[0] == other[0] or "?" in (one[0], other[0])) and _overlap_in_groups(one[1:], other[1:])


def _ambiguity(one: Rate, other: Rate) -> str:
    return (
        f"{one.match} has two values, {one.value} for {_told(one)} and {other.value} for {_told(other)}; "
        "a deal may match both and neither is more specific, so keep one or make them differ"
    )


def _named(rate: Rate) -> set[str]:
    dated = rate.since is not None or rate.until is not None
    return {word for word, has in (("country", bool(rate.country)), ("period", dated)) if has}


def _told(rate: Rate) -> str:
    """The rate in words: `EURUSD, country CY, from 2026-09-01`."""
    words = [rate.match]
    words += [
        f"{key} {getattr(rate, key)}" for key in ("client", "login", "group", "country") if getattr(rate, key)
    ]
    words += [f"from {rate.since:%Y-%m-%d}"] if rate.since else []
    words += [f"until {rate.until:%Y-%m-%d}"] if rate.until else []
    return ", ".join(words)


def _period(rate: Rate) -> Period:
    return (rate.since or BEGINNING, rate.until or END)


def _overlap(one: Period, other: Period) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


def _is_unreachable(index: int, rates: Sequence[Rate], terms: Published) -> bool:
    """Whether rates that beat it cover it at all times, for each of its symbols.

    `*` for symbols to come is prudent, so only rates equal to it in match can make it idle.
    """
    rate = rates[index]
    rivals = [
        (at, other)
        for at, other in enumerate(rates)
        if at != index
        and (other.client, other.login, other.group) == (rate.client, rate.login, rate.group)
        and other.country in ("", rate.country)
    ]
    if _is_covered(rate, [o for at, o in rivals if o.match == rate.match and _beats(o, at, rate, index)]):
        return True
    symbols = [s for s in terms.canonicals if specificity(rate.match, s) is not None]
    if rate.match == "*" or not symbols:
        return False
    return all(_is_covered(rate, [o for _, o in rivals if _is_closer(o, rate, s)]) for s in symbols)


def _beats(other: Rate, at: int, rate: Rate, index: int) -> bool:
    """With one match and no other country: by its period, or as the first of two that are the same."""
    mine, its = _named(rate), _named(other)
    return mine < its or (mine == its and other.value == rate.value and at < index)


def _is_closer(other: Rate, rate: Rate, symbol: SymbolDefined) -> bool:
    rank, own = specificity(other.match, symbol), specificity(rate.match, symbol)
    return rank is not None and own is not None and rank > own


def _is_covered(rate: Rate, others: Iterable[Rate]) -> bool:
    """Whether the periods of `others` together leave no time of the rate's own."""
    reached, end = _period(rate)
    for since, until in sorted(_period(other) for other in others):
        if since > reached:
            break
        reached = max(reached, until)
    return reached >= end
