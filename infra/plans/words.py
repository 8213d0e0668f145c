"""Values of the terms as a person would say them."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import fields

from commission.money import plain
from commission.terms.components import PlanComponent
from commission.terms.rates import Rate
from commission.value import Value
from schemas.models import default_of


def label_of(item: Any) -> str:
    """What tells it from its neighbours in a list: a match, a name; empty if nothing does."""
    if isinstance(item, Rate):
        return _rate_label(item)
    if not isinstance(item, Value):
        return ""
    if hasattr(item, "start"):
        return f"from {plain(item.start)}"
    named: str = getattr(item, "name", "") or getattr(item, "rank", "") or getattr(item, "country", "")
    return named or ("amount" if hasattr(item, "amount") else "")


def _rate_label(rate: Rate) -> str:
    told: dict[str, Any] = {
        "client": rate.client,
        "login": rate.login,
        "group": rate.group,
        "country": rate.country,
        "from": rate.since and f"{rate.since:%Y-%m-%d}",
        "until": rate.until and f"{rate.until:%Y-%m-%d}",
    }
    return " ".join((rate.match, *(f"{name} {value}" for name, value in told.items() if value)))


def words(value: Any) -> str:
    """A value as a person would say it: `none`, `yes`, `5`, `*: 5`, `mode split, shares 0.7, 0.3`."""
    match value:
        case None | "" | ():
            told = "none"
        case bool():
            told = "yes" if value else "no"
        case Decimal():
            told = plain(value)
        case datetime():
            told = f"{value:%Y-%m-%d %H:%M} UTC"
        case Rate():
            told = f"{label_of(value)}: {plain(value.value)}"
        case tuple():
            told = ", ".join(words(item) for item in value)
        case Value():
            told = "; ".join(_unusual(value)) or "all usual"
        case _:
            told = str(value)
    return told


def _unusual(value: Value) -> Iterator[str]:
    """What a person would mention: the kind, and what differs from the default."""
    if isinstance(value, PlanComponent):
        yield f"kind {value.kind}"
    for field in fields(value):
        if (own := getattr(value, field.name)) != default_of(field):
            yield f"{field.name} {words(own)}"
