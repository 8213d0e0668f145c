"""What a request may carry: parameters its route knows, once each, in characters that mean something.

A parameter that nobody reads is a mistake that costs: a misspelled `?client=…` would answer for all clients.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any
from unicodedata import category

from fastapi import Request
from fastapi.dependencies.models import Dependant
from pydantic import AfterValidator

from api.problems import Problem

COLUMNS = "columns"
"""Every page takes it: which columns of its lists are shown, `list:Column`, repeated."""
FIRST_YEAR, LAST_YEAR = 1970, 2199
"""Of the times that can be asked about: what the ledger can hold, with room at both ends."""
_NO_TEXT = ("Cc", "Cs")
"""Unicode's control characters and lone surrogates."""


def check_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not read, one given twice, and control characters."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    lists = dict(_parameters(dependant)) if isinstance(dependant, Dependant) else {}
    given = request.query_params.multi_items()
    if not request.url.path.startswith("/v1/"):
        lists[COLUMNS] = True
    for name in dict.fromkeys(name for name, _ in given):
        if name not in lists:
            known = f"it takes {', '.join(sorted(lists))}" if lists else "it takes no parameters"
            raise Problem(
                422,
                f"`{name[:64]}` is not a parameter of {request.url.path}; {known}.",
                code="unknown_parameter",
            )
        if not lists[name] and len(request.query_params.getlist(name)) > 1:
            raise Problem(422, f"Give `{name}` once.", code="repeated_parameter")
    for name, value in [*given, *((name, str(value)) for name, value in request.path_params.items())]:
        if not is_text(value):
            raise Problem(
                422, f"`{name}` holds a control character or half of one; send text.", code="not_text"
            )


def is_text(value: str) -> bool:
    """Whether it holds neither control characters nor lone surrogates."""
    return not any(category(character) in _NO_TEXT for character in value)


def _parameters(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """Each query parameter's name, and whether it may be repeated."""
    for field in dependant.query_params:
        yield field.alias, field.field_info.annotation is not None and _is_list(field.field_info.annotation)
    for inner in dependant.dependencies:
        yield from _parameters(inner)


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", annotation) is list


def _in_range(at: datetime) -> datetime:
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"a time between {FIRST_YEAR} and {LAST_YEAR} is expected")
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


Time = Annotated[datetime, AfterValidator(_in_range)]
"""A time the ledger can hold; without a zone it is UTC."""
