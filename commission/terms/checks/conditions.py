"""Checks of conditions: which deals are paid."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from commission.terms.checks.published import Subject, TermsProblem
from commission.terms.checks.rates import check_countries, check_groups
from commission.terms.rates import When


def check_when(place: Subject, when: When) -> Iterator[TermsProblem]:
    """Find conditions that name what does not exist, or that nothing can meet."""
    yield from check_countries((*place, "countries"), when.countries)
    yield from check_countries((*place, "countries_not"), when.countries_not)
    if when.groups:
        yield from check_groups((*place, "groups"), when.groups)
    least = (("min_holding_s", when.min_holding_s, 0), ("min_pips", when.min_pips, 0))
    yield from check_least(place, "bad_condition", least)
    yield from check_both_lists(place, when.countries, when.countries_not)


def check_both_lists(
    place: Subject, countries: Sequence[str], countries_not: Sequence[str]
) -> Iterator[TermsProblem]:
    """Find a list of what is paid beside one of what is not."""
    if countries and countries_not:
        text = "countries and countries_not are both given; name those that are paid, or those that are not"
        yield TermsProblem((*place, "countries_not"), "bad_condition", text)


def check_least(
    place: Subject, code: str, numbers: Iterable[tuple[str, Decimal | int, int]]
) -> Iterator[TermsProblem]:
    """Find numbers below their least."""
    for key, number, least in numbers:
        if not Decimal(number).is_finite() or number < least:
            text = f"{key} is {number}; it must be {least} or more"
            yield TermsProblem((*place, key), code, text)
