"""A value of the state as bytes, and back."""

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

from msgspec.json import Decoder, Encoder


def _as_text(value: Any) -> str:
    if isinstance(value, Fraction):
        return str(value)
    raise NotImplementedError(f"the state has no form for a {type(value).__name__}")


def _from_text(kind: type, text: Any) -> Any:
    if kind is Fraction:
        return Fraction(text)
    raise NotImplementedError(f"the state has no form for a {kind.__name__}")


encode_state: Callable[[Any], bytes] = Encoder(enc_hook=_as_text).encode
"""A value as JSON; what has its default is left out."""


def decode_state(kind: type, data: bytes) -> Any:
    """The value of a kind that `encode_state` wrote."""
    return _decoder(kind)(data)


@cache
def _decoder(kind: type) -> Callable[[bytes], Any]:
    return Decoder(kind, dec_hook=_from_text).decode
