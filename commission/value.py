"""`value`: a frozen, slotted, keyword-only dataclass whose frozenness is held by the type checker.

A dataclass that is frozen at run time sets each field through `object.__setattr__`: 2.3 µs for a
transfer's 22 fields against 0.8 µs (measured), some forty times for one deal up a tree. mypy takes
`value` for frozen and refuses every assignment, which costs nothing at run time.
"""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=True)
def value(cls: type[T]) -> type[T]:
    """Make `cls` an immutable value: equal and hashed by its fields, made by keyword."""
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)
