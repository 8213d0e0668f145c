"""The keys of the terms files, by the values they make."""

from dataclasses import MISSING, fields
from functools import cache
from typing import Any

from schemas.plan_schema import ALSO_REQUIRED, RENAMED


@cache
def keys_of(cls: type) -> dict[str, str]:
    """The keys of a value in YAML and the field of each; required ones first."""
    names = RENAMED.get(cls, {})
    listed = sorted((f for f in fields(cls) if f.name != "type"), key=lambda f: not _is_required(cls, f))
    return {names.get(f.name, f.name): f.name for f in listed}


@cache
def required_keys(cls: type) -> tuple[str, ...]:
    """The keys that must be there."""
    needed = {f.name for f in fields(cls) if _is_required(cls, f)}
    return tuple(key for key, name in keys_of(cls).items() if name in needed)


def _is_required(cls: type, field: Any) -> bool:
    has_none = field.default is MISSING and field.default_factory is MISSING
    return has_none or field.name in ALSO_REQUIRED.get(cls, ())
