"""Numbers without an end: JSON has none, but a text that is read as a decimal may be one, `"NaN"`."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any, get_args

from msgspec.structs import fields

from commission.value import Value


@cache
def _holds_decimals(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, Value):
        return any(_holds_decimals(field.type) for field in fields(hint))
    return hint is Decimal or any(map(_holds_decimals, get_args(hint)))


@cache
def _places(kind: type[Value]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where a kind has decimals, also in values inside it, and which of its fields may hold others."""
    plain: list[str] = []
    others: list[str] = []
    for field in fields(kind):
        if field.type in (Decimal, Decimal | None):
            plain.append(field.name)
        elif isinstance(field.type, type) and issubclass(field.type, Value):
            inner = _places(field.type)
            plain += [f"{field.name}.{name}" for name in inner[0]]
            others += [f"{field.name}.{name}" for name in inner[1]]
        elif _holds_decimals(field.type):
            others.append(field.name)
    return tuple(plain), tuple(others)


Getter = Callable[[Value], Iterable[Any]]


@cache
def _getters(kind: type[Value]) -> tuple[Getter, Getter | None]:
    """What stands at these places, at C speed; None where a kind has no others."""
    plain, others = (_getter(names) for names in _places(kind))
    return plain or (lambda _: ()), others


def _getter(names: Sequence[str]) -> Getter | None:
    if len(names) == 1:
        one = attrgetter(*names)
        return lambda value: (one(value),)
    return attrgetter(*names) if names else None


def is_finite(part: Any) -> bool:
    """Whether every decimal of a value has an end, at any depth."""
    if isinstance(part, Value):
        plain, others = _getters(type(part))
        if not all(map(Decimal.is_finite, filter(None, plain(part)))):  # a NaN is no zero
            return False
        return others is None or all(map(is_finite, others(part)))
    if isinstance(part, tuple):
        return all(map(is_finite, part))
    return not isinstance(part, Decimal) or part.is_finite()


def infinite_place(part: Any, place: str) -> str:
    """Where the first number without an end stands in it, as `place.field`."""
    if isinstance(part, Value):
        for name in (name for names in _places(type(part)) for name in names):
            if not is_finite(one := attrgetter(name)(part)):
                return infinite_place(one, f"{place}.{name}")
    if isinstance(part, tuple):
        return infinite_place(next(one for one in part if not is_finite(one)), place)
    return place
