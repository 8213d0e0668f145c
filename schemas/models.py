"""Pydantic models of the core's values, for where people meet them: YAML, JSON Schema, errors.

The values read and write their JSON themselves; a model says what is wrong with a bad one, and where.
"""

from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from msgspec import NODEFAULT
from msgspec.structs import FieldInfo, fields
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from commission.value import MAX_TEXT, Value

T = TypeVar("T")
V = TypeVar("V", bound=Value)

_KINDS: dict[type[BaseModel], type[Value]] = {}
"""Model → what it is of."""

CONFIG = ConfigDict(extra="forbid", str_max_length=MAX_TEXT, allow_inf_nan=False)


@cache
def model_of(kind: type[Value]) -> type[BaseModel]:
    """The model of a value: the same fields, and its tag as one more."""
    members: dict[str, Any] = {}
    if (config := kind.__struct_config__).tag is not None:
        members[str(config.tag_field)] = (Literal[config.tag], config.tag)
    for field in fields(kind):
        members[field.name] = (_modelled(field.type), Field(**_default(field)))
    model = create_model(kind.__name__, __config__=CONFIG, __doc__=kind.__doc__, **members)
    _KINDS[model] = kind
    return model


def value_of(kind: type[V], model: BaseModel) -> V:
    """The value that a valid model tells."""
    return kind(**{field.name: _unmodelled(getattr(model, field.name)) for field in fields(kind)})


def union_of(kinds: tuple[type[Value], ...]) -> Any:
    """Any of several tagged values, told apart by their tag."""
    (tag_field,) = {kind.__struct_config__.tag_field for kind in kinds}
    return Annotated[reduce(or_, map(model_of, kinds)), Field(discriminator=tag_field)]


def default_of(field: FieldInfo) -> Any:
    """What a field has that was not given; `NODEFAULT` if it must be."""
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def read_or_none(adapter: TypeAdapter[T], message: bytes | str) -> T | None:
    """Read one message of a log; None if it is no record of it, for everyone alike."""
    try:
        return adapter.validate_json(message)
    except ValidationError:
        return None


def _default(field: FieldInfo) -> dict[str, Any]:
    usual = default_of(field)
    return {} if usual is NODEFAULT else {"default": _as_model(usual)}


def _as_model(value: Any) -> Any:
    if isinstance(value, Value):
        model = model_of(type(value))
        return model.model_construct(**{f.name: _as_model(getattr(value, f.name)) for f in fields(value)})
    return tuple(map(_as_model, value)) if isinstance(value, tuple) else value


def _modelled(hint: Any) -> Any:
    """The type of a field with models in the place of values."""
    if isinstance(hint, type) and issubclass(hint, Value):
        return model_of(hint)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _modelled(inner[0])
    if origin in (Union, UnionType):
        return reduce(or_, map(_modelled, inner))
    if origin in (tuple, dict):
        return origin[tuple(map(_modelled, inner))]
    return hint


def _unmodelled(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value_of(_KINDS[type(value)], value)
    return tuple(map(_unmodelled, value)) if isinstance(value, tuple) else value
