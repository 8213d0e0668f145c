"""The keys of the terms files, by the values they make."""

from functools import cache

from msgspec import NODEFAULT
from msgspec.structs import FieldInfo, fields

from commission.terms.components import PlanComponent
from commission.value import Value
from schemas.plan_schema import ALSO_REQUIRED, RENAMED


@cache
def keys_of(cls: type[Value]) -> dict[str, str]:
    """The keys of a value in YAML and the field of each; required ones first."""
    names = RENAMED.get(cls, {})
    listed = sorted(fields(cls), key=lambda f: not _is_required(cls, f))
    keys = {"kind": "kind"} if _has_kind(cls) else {}
    return keys | {names.get(f.name, f.name): f.name for f in listed}


@cache
def required_keys(cls: type[Value]) -> tuple[str, ...]:
    """The keys that must be there."""
    needed = {f.name for f in fields(cls) if _is_required(cls, f)}
    return tuple(key for key, name in keys_of(cls).items() if name in needed)


def _has_kind(cls: type[Value]) -> bool:
    """A component that can be one has its tag; msgspec gives the others their class's name."""
    return issubclass(cls, PlanComponent) and cls.__struct_config__.tag != cls.__name__


def _is_required(cls: type[Value], field: FieldInfo) -> bool:
    has_none = field.default is NODEFAULT and field.default_factory is NODEFAULT
    return has_none or field.name in ALSO_REQUIRED.get(cls, ())
