"""A value of the state as bytes, and back."""

from collections.abc import Callable
from functools import cache
from typing import Any

from msgspec.json import Decoder, Encoder

encode_state: Callable[[Any], bytes] = Encoder().encode
"""A value as JSON; what has its default is left out."""


def decode_state(kind: type, data: bytes) -> Any:
    """The value of a kind that `encode_state` wrote."""
    return _decoder(kind)(data)


@cache
def _decoder(kind: type) -> Callable[[bytes], Any]:
    return Decoder(kind).decode
