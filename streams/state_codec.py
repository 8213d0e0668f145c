"""A value of the state as bytes, and back: JSON; of what every deal leaves, its packed form as msgpack."""

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache
from typing import Any

from msgspec import json, msgpack

from commission.client import packed
from commission.client.fills import Position
from commission.client.state import DealState, Parked


def _as_text(value: Any) -> str:
    if isinstance(value, Fraction):
        return str(value)
    raise NotImplementedError(f"the state has no form for a {type(value).__name__}")


def _from_text(kind: type, text: Any) -> Any:
    if kind is Fraction:
        return Fraction(text)
    raise NotImplementedError(f"the state has no form for a {kind.__name__}")


_to_json: Callable[[Any], bytes] = json.Encoder(enc_hook=_as_text).encode
_to_msgpack: Callable[[Any], bytes] = msgpack.Encoder().encode
_from_msgpack: Callable[[bytes], Any] = msgpack.Decoder().decode
_to_position: Callable[[bytes], Position] = msgpack.Decoder(Position).decode
_LIST = b"["
"""What a position in JSON begins with, and none in msgpack."""


def encode_state(key: str, value: Any) -> bytes:
    """The value of a key; what has its default is left out, and of a deal what follows from the key."""
    if type(value) is DealState:
        return _to_msgpack(packed.pack_deal(key, value))
    if type(value) is Parked and key[0] == "k":
        return _to_msgpack(packed.pack_closing(key, value))
    if type(value) is Position and _is_in_utc(value):
        return _to_msgpack(value)
    return _to_json(value)


def decode_state(kind: type, key: str, data: bytes) -> Any:
    """The value of a kind that `encode_state` wrote under the key."""
    if kind is DealState:
        return packed.unpack_deal(key, _from_msgpack(data))
    if kind is Parked and key[0] == "k":
        return packed.unpack_closing(key, _from_msgpack(data))
    if kind is Position and data[:1] != _LIST:
        return _to_position(data)
    return _decoder(kind)(data)


def time_of_deal(data: bytes) -> datetime | None:
    """When a deal happened, as its state tells."""
    return packed.time_of(_from_msgpack(data))


def _is_in_utc(position: Position) -> bool:
    """Whether msgpack, which knows no offsets, gives the same times back."""
    for fill in position.fills:
        if fill.at.tzinfo is not UTC or (fill.counted_at or fill.at).tzinfo is not UTC:
            return False
    return True


@cache
def _decoder(kind: type) -> Callable[[bytes], Any]:
    return json.Decoder(kind, dec_hook=_from_text).decode
