"""Plain data of a YAML page → the values of the terms, read by the types of their fields.

The short forms a person may write are opened into the long ones first, each by the type it stands for.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from msgspec.structs import replace
from pydantic import ValidationError

from commission.terms.checks.published import meant, numbered
from commission.value import Value
from ingest.terms.hints import number_hint
from ingest.terms.keys import keys_of, required_keys
from ingest.terms.short_forms import OPENED, as_is
from ingest.terms.yaml_countries import read_countries
from ingest.terms.yaml_page import (
    DECIMAL_HINT,
    FLAG_HINT,
    ID_HINT,
    MOMENT_HINT,
    WHOLE_HINT,
    Fields,
    Items,
    Page,
    Text,
    line_of,
    to_decimal,
    to_flag,
    to_identifier,
    to_moment,
    to_whole,
)
from schemas.models import model_of, value_of

T = TypeVar("T", bound=Value)

STEPS = {
    "component": "components",
    "parent": "parents",
    "plan": "schedule",
    "status": "statuses",
    "class": "asset_class",
    "profit": "profit_currency",
    "base": "base_currency",
    "id": "plan_id",
}
"""Steps of a subject, as checks write them, whose field has another name."""


def read_value(page: Page, cls: type[T], data: Any, label: str, line: int) -> tuple[T | None, Fields]:
    """The value, None if there is none, and its data under the names of its fields, for `line_at`.

    A number or time that cannot be read is told and a harmless one takes its place.
    """
    shaped = _shape(page, data, cls, label, line)
    if not isinstance(shaped, Fields):
        page.fail(line_of(shaped, line), f"{label} must be a mapping of `key: value`")
        return None, Fields(line)
    return _build(page, cls, shaped, label), shaped


def line_at(data: Any, subject: Iterable[str]) -> int:
    """The line of a part of `data`, or of as much of the way to it as there is."""
    line = line_of(data, 1)
    for step in subject:
        if isinstance(data, Fields):
            name = STEPS.get(step, step)
            if name not in data:
                break
            line, data = data.line_at(name), data[name]
        elif isinstance(data, Items):
            names = [*numbered(_name_of(item, "*") for item in data)]
            index = names.index(step) if step in names else int(step) if step.isdecimal() else len(data)
            if index >= len(data):
                break
            data = data[index]
            line = line_of(data, line)
    return line


# By types


def _shape(page: Page, value: Any, hint: Any, label: str, line: int) -> Any:
    line = line_of(value, line)
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        if value is None and len(kinds) < len(get_args(hint)):
            return None
        kind = _kind_of(page, value, kinds, label, line)
        return None if kind is None else _shape(page, value, kind, label, line)
    value = OPENED.get(hint, as_is)(page, value, label)
    if get_origin(hint) is tuple:
        return _shape_items(page, value, get_args(hint)[0], label, line)
    if isinstance(hint, type) and issubclass(hint, Value) and isinstance(value, Fields):
        return _shape_fields(page, value, hint, label)
    if hint in _LEAVES or get_origin(hint) is Literal:
        return _shape_leaf(page, value, hint, label, line)
    return value


def _kind_of(page: Page, value: Any, kinds: list[Any], label: str, line: int) -> Any:
    """Which of the types in a union is meant; None, and a problem, if none is."""
    if len(kinds) == 1:
        return kinds[0]
    by_kind = {_kind(kind): kind for kind in kinds}
    if not isinstance(value, Fields):
        page.fail(line, f"{label} must be a mapping of `key: value`")
    elif "kind" not in value:
        page.fail(line, f"{label} needs the key kind: {', '.join(by_kind)}")
    elif str(value["kind"]) not in by_kind:
        kind = str(value["kind"])
        told = f"{label}: kind is {kind!r}; {meant(kind, by_kind)}choose one of {', '.join(by_kind)}"
        page.fail(value.line_at("kind"), told)
    else:
        return by_kind[str(value["kind"])]
    return None


def _shape_items(page: Page, value: Any, hint: Any, label: str, line: int) -> Any:
    if value is None:
        return Items(line)
    if isinstance(value, Text):
        value = Items(line, [value])
    if not isinstance(value, Items):
        return value
    return Items(
        value.line,
        [
            _shape(page, item, hint, f"{label}/{_name_of(item, str(number))}", line_of(item, line))
            for number, item in enumerate(value, 1)
        ],
    )


def _name_of(item: Any, otherwise: str) -> str:
    if not isinstance(item, Fields):
        return otherwise
    return next((str(item[key]) for key in ("name", "match") if item.get(key)), otherwise)


def _shape_fields(page: Page, value: Fields, cls: type[Value], label: str) -> Fields:
    keys, required, hints = keys_of(cls), required_keys(cls), _hints(cls)
    page.mapping(value, label, required=required, optional=[key for key in keys if key not in required])
    shaped = Fields(value.line)
    for key, part in value.items():
        name, line = keys[key], value.line_at(key)
        told = label if key == "components" else f"{label}/{key}"
        is_id = (name == "name" and "kind" in keys) or name in ("plan_id", "ib_id")
        read = _read_identifier(page, part, told, line) if is_id else read_countries(page, part, told, name)
        shaped.put(name, _shape(page, read, hints[name], told, line), line)
    return shaped


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return {**get_type_hints(cls), "kind": str}


def _read_identifier(page: Page, value: Any, label: str, line: int) -> Any:
    if isinstance(value, Text) and to_identifier(value) is None:
        page.fail(line, f"{label} is {str(value)!r}; {ID_HINT}")
        value = Text.at(line, f"?{line}")
    return value


_LEAVES: dict[Any, tuple[Callable[[Page, str], Any], str, Any]] = {
    Decimal: (lambda _, text: to_decimal(text), DECIMAL_HINT, Decimal(1)),
    int: (lambda _, text: to_whole(text), WHOLE_HINT, 1),
    bool: (lambda _, text: to_flag(text), FLAG_HINT, False),
    datetime: (lambda page, text: to_moment(text, page.zone), MOMENT_HINT, None),
    str: (lambda _, text: text, "", "?"),
}
"""By type: how a text becomes a value, what to write, and what takes a bad one's place."""


def _shape_leaf(page: Page, value: Any, hint: Any, label: str, line: int) -> Any:
    if not isinstance(value, Text):
        page.fail(line, f"{label} must be a single value")
        return _LEAVES[hint][2] if hint in _LEAVES else get_args(hint)[0]
    if hint not in _LEAVES:
        return value
    parse, told, bad = _LEAVES[hint]
    if (parsed := parse(page, value)) is not None:
        return parsed
    hint = number_hint(value) if hint is Decimal else ""
    page.fail(line, f"{label} is {str(value)!r}; {hint or told}")
    return bad


# Into values


def _build(page: Page, cls: type[T], shaped: Fields, label: str) -> T | None:
    """The value; its components are made one by one, so that each problem names one kind."""
    components: tuple[Any, ...] = ()
    data: dict[str, Any] = dict(shaped)
    if isinstance(parts := shaped.get("components"), Items):
        parts[:] = [part for part in parts if isinstance(part, Fields)]
        kinds = {_kind(one): one for one in get_args(get_args(_hints(cls)["components"])[0])}
        built = [
            _build(page, kinds[part["kind"]], part, f"{label}/{_name_of(part, 'component')}")
            for part in parts
        ]
        components = tuple(component for component in built if component is not None)
        data["components"] = ()
        parts[:] = [part for part, component in zip(parts, built, strict=True) if component is not None]
    try:
        value = value_of(cls, model_of(cls).model_validate(data))
    except ValidationError as error:
        for found in error.errors(include_url=False):
            if found["type"] != "missing":  # told before, by its key
                _tell(page, shaped, label, found)
        return None
    return replace(value, components=components) if components else value


def _kind(cls: Any) -> str:
    return str(cls.__struct_config__.tag)


_MESSAGES = {
    "model_type": "must be a mapping of `key: value`",
    "tuple_type": "must be a list, each entry behind a dash",
}


def _tell(page: Page, shaped: Fields, label: str, found: Any) -> None:
    """Turn an error of pydantic into a problem at the line of the value it is about."""
    line, path = shaped.line, label
    data: Any = shaped
    for step in found["loc"]:
        if isinstance(data, Fields):
            line = data.line_at(step)
            data, path = data.get(step), f"{path}/{step}"
        elif isinstance(data, Items) and isinstance(step, int):
            data = data[step]
            line, path = line_of(data, line), f"{path}/{_name_of(data, str(step + 1))}"
    if found["type"] == "literal_error":
        options = found["ctx"]["expected"].replace(" or ", ", ").replace("'", "")
        word = str(found["input"])
        page.fail(line, f"{path} is {word!r}; {meant(word, options.split(', '))}choose one of {options}")
    else:
        page.fail(line, f"{path} {_MESSAGES.get(found['type'], found['msg'])}")
