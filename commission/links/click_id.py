"""A click's id: a ULID, the link's code, and a mark that only who has the key can make.

`01J6QZ8X9YABCDEFGHJKMNPQRS-spring24-c0123456789ABCDEF`: when somebody clicked and on what is in the id
itself, so that a registration with it needs no look at the clicks, and nobody can make one up. The mark
is the first 80 bits of an HMAC-SHA256; `b` before it instead of `c` tells that it was a bot's.
"""

import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from commission.value import Value

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no I, L, O and U."""
ULID_CHARS = 26
RANDOM_BYTES = 10
MARK_BYTES, MARK_CHARS = 10, 16
CODE = re.compile(r"[A-Za-z0-9_]{4,32}")
_CLICK_ID = re.compile(rf"([0-7][{ALPHABET}]{{25}})-([A-Za-z0-9_]{{4,32}})-([bc])[{ALPHABET}]{{16}}")
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
_PAIRS = tuple(one + other for one in ALPHABET for other in ALPHABET)
"""Two digits at a time."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Click(Value):
    """What a click id tells."""

    click_id: str
    link: str
    """The link's code."""
    at: datetime
    """To the millisecond, UTC."""
    is_bot: bool = False


def ulid(at_ms: int, random: bytes) -> str:
    """The ULID of a Unix time in milliseconds and 10 random bytes; `ulid(0, bytes(10))` is 26 zeros."""
    return _base32(at_ms << 80 | int.from_bytes(random), ULID_CHARS)


def make(at_ms: int, random: bytes, code: str, key: bytes, *, is_bot: bool = False) -> str:
    """The id of a click on the link `code`, at a Unix time in milliseconds."""
    text = f"{ulid(at_ms, random)}-{code}-{'b' if is_bot else 'c'}"
    return text + _mark(text, key)


def is_genuine(click_id: str, keys: Sequence[bytes]) -> bool:
    """Whether one of the keys made it."""
    if _CLICK_ID.fullmatch(click_id) is None:
        return False
    text, mark = click_id[:-MARK_CHARS], click_id[-MARK_CHARS:]
    return any(hmac.compare_digest(_mark(text, key), mark) for key in keys)


def parse(click_id: str) -> Click | None:
    """What an id says, genuine or not; None if it is none."""
    found = _CLICK_ID.fullmatch(click_id)
    if found is None:
        return None
    number = 0
    for letter in found[1]:
        number = number << 5 | _VALUES[letter]
    at = _EPOCH + _MILLISECOND * (number >> 80)
    return Click(click_id=click_id, link=found[2], at=at, is_bot=found[3] == "b")


def _mark(text: str, key: bytes) -> str:
    made = hmac.digest(key, b"ibflow click " + text.encode(), sha256)[:MARK_BYTES]
    return _base32(int.from_bytes(made), MARK_CHARS)


def _base32(number: int, digits: int) -> str:
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(5 * digits - 10, -1, -10)])
