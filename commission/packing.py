"""A value as a few plain parts, and back: fields by their number, without those that have their default."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_type_hints

from msgspec import NODEFAULT, Struct, convert, to_builtins
from msgspec.structs import fields as fields_of

Packed = Mapping[int, Any]
"""Fields by number, of what msgpack knows by itself."""


class Packing:
    """How the values of one kind, a struct or a named tuple, are packed."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._is_struct = issubclass(kind, Struct)
        if self._is_struct:
            found = fields_of(kind)
            self._names = tuple(field.name for field in found)
            self._types = tuple(field.type for field in found)
            self.defaults: tuple[Any, ...] = tuple(
                field.default if field.default_factory is NODEFAULT else field.default_factory()
                for field in found
            )
            """By number; `NODEFAULT` where a field has none."""
        else:
            self._names = kind._fields
            self._types = tuple(get_type_hints(kind).values())
            self.defaults = tuple(kind._field_defaults.get(name, NODEFAULT) for name in self._names)

    def number(self, name: str) -> int:
        """The number of a field."""
        return self._names.index(name)

    def known(self, **follows: Any) -> tuple[Any, ...]:
        """The defaults, but for fields that follow from elsewhere."""
        pairs = zip(self._names, self.defaults, strict=True)
        return tuple(follows.get(name, default) for name, default in pairs)

    def unpack(self, packed: Packed, known: tuple[Any, ...]) -> Any:
        """The value whose fields were packed beside the same `known` ones."""
        types, found = self._types, [*known]
        for number, one in packed.items():
            found[number] = convert(one, types[number])
        if not self._is_struct:
            return self._kind(*found)
        names, defaults = self._names, self.defaults
        return self._kind(**{names[n]: one for n, one in enumerate(found) if one is not defaults[n]})


def pack(values: tuple[Any, ...], known: tuple[Any, ...]) -> dict[int, Any]:
    """The fields, from a value's own as a tuple, that are not as they are known."""
    return {
        number: plain(one)
        for number, (one, other) in enumerate(zip(values, known, strict=True))
        if one is not other and (one != other or not _reads_the_same(one, other))
    }


def plain(value: Any) -> Any:
    """A value as msgpack takes it; a time that is not in UTC as its text, which keeps its offset."""
    kind = type(value)
    if kind is datetime:
        return value if value.tzinfo is UTC else value.isoformat()
    return value if kind in _PLAIN else to_builtins(value)


def _reads_the_same(one: Any, other: Any) -> bool:
    """Whether what is equal has one text: 0 and 0.00 have two, and so has a time in two zones."""
    return type(one) not in (Decimal, datetime) or str(one) == str(other)


_PLAIN = (str, int, bool, Decimal, type(None))
