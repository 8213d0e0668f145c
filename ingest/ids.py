"""Ids and texts of events that arrive as events; doors that read records hold the rule field by field."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from commission.value import Value
from ingest.formats.cells import shown
from ingest.iso_codes import COUNTRY_HINT, to_country
from ingest.sources import RowRejected

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+=#~-]{0,127}")
_DEAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+=#~:-]{0,127}")
"""MT4 trades have two: `ticket:open` and `ticket:close`."""
MAX_TEXT_CHARS = 1_000


def bad_id(name: str, text: str) -> RowRejected:
    """What to say of an id that is none."""
    return RowRejected(
        "bad_id",
        f"{name} `{shown(text)}`: an id has 1 to 128 letters, digits and . _ @ + = # ~ -, no spaces",
    )


def check_country(text: str) -> None:
    """Raise `RowRejected` for a country that is not spelled as plans do: its spelling decides money."""
    if text and to_country(text) != text:
        raise RowRejected("bad_country", f"country `{shown(text)}` is unknown; {COUNTRY_HINT}")


def check_texts(event: Any) -> None:
    """Raise `RowRejected` for an event with an id or a text that no other door would let in."""
    for name, text in _texts(event):
        if name.endswith("_id"):
            rule = _DEAL_ID if name in ("deal_id", "position_id") else ID
            if text and not rule.fullmatch(text):
                raise bad_id(name, text)
        elif len(text) > MAX_TEXT_CHARS or not text.isprintable():
            raise RowRejected(
                "bad_text", f"{name} `{shown(text)}`: send at most {MAX_TEXT_CHARS} printable characters"
            )
        elif name == "country":
            check_country(text)


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Each text of a value with the name of its field, those of inner values as well."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Value):
        for field in value.__struct_fields__:
            yield from _texts(getattr(value, field), field)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"a key of {name}", key
            yield from _texts(inner, name)
    elif isinstance(value, tuple):
        for inner in value:
            yield from _texts(inner, name)
