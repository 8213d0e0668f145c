"""Long lists of a question told in parts: a ClickHouse server takes no field of a form beyond 128 KiB."""

import re

MAX_CHARACTERS = 60_000
"""Of a part, each in at most two bytes; the client sends longer parameters than 4 KB as fields of a form."""
_SHORT = 400
"""Items that are sent as they are: ids have at most 128 characters."""


def in_parts(sql: str, values: dict[str, object]) -> tuple[str, dict[str, object]]:
    """The same question: too long an `{ids:Array(String)}` becomes an `arrayConcat` of parameters."""
    told = dict(values)
    for name, value in values.items():
        if not isinstance(value, list) or len(value) <= _SHORT:
            continue
        parts = {f"{name}_part_{number}": part for number, part in enumerate(_parts(value))}
        if len(parts) > 1:
            joined = ", ".join(f"{{{part}:\\1}}" for part in parts)
            sql = re.sub(rf"\{{{name}:(Array\([^{{}}]*\))\}}", rf"arrayConcat({joined})", sql)
            del told[name]
            told |= parts
    return sql, told


def _parts(items: list[object]) -> list[list[object]]:
    """Of as many items each as have room, with quotes and a comma."""
    parts: list[list[object]] = [[]]
    size = 0
    for item in items:
        length = len(str(item)) + 3
        if size + length > MAX_CHARACTERS and parts[-1]:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += length
    return parts
