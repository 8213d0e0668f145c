"""What is kept of every deal, in a fourth of its JSON: what follows from a state's key is left out of it.

Each message packs what it changes, so this is written for speed: what is usual is told by its place.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import convert
from msgspec.structs import astuple

from commission.client.state import DealState, Parked, Posted
from commission.events import Deal
from commission.ids import recent_digest
from commission.outputs import Tally
from commission.packing import Packing, pack, plain

_DEAL_STATE, _POSTED, _TALLY, _DEAL = Packing(DealState), Packing(Posted), Packing(Tally), Packing(Deal)
_COMMON = 6
"""So many fields of a deal come first, and have places of their own: nearly every deal has them."""
_OTHERS = _DEAL_STATE.defaults[_COMMON:]
_FIRST_POSTED = _DEAL_STATE.number("first_posted")
_TALLIES = (_DEAL_STATE.number("tallied"), _DEAL_STATE.number("first_tallied"))
_USUAL = 7
"""So many fields of an accrual come first, and are always told, the id apart."""
_RARE = _POSTED.defaults[_USUAL:]
_TIMES = tuple(_POSTED.number(name) - _USUAL for name in ("expires_at", "matures_at", "earned_at"))
"""Which of the rare fields are times."""
_SERVER, _DEAL_ID, _OCCURRED_AT = map(_DEAL.number, ("server", "deal_id", "occurred_at"))
_NUMBERS = tuple(f"{number:02}" for number in range(100))
_DIGITS = 16
"""Of a revision that is a digest."""


def pack_deal(key: str, state: DealState) -> list[Any]:
    """Time, revision, times, volume and position; then what it posted, and the other fields, if any."""
    place = _place_of(key)
    values = astuple(state)
    at, revision, times, signed_e8, position, posted = values[:_COMMON]
    packed: list[Any] = [
        at if at is None or at.tzinfo is UTC else plain(at),
        _packed_revision(revision) if len(revision) == _DIGITS else revision,
        times,
        signed_e8,
        position[len(place) :] if position.startswith(place) else [position],
    ]
    is_common = values[_COMMON:] == _OTHERS
    if is_common and not posted:
        return packed
    client_id, deal_key = _names_of(key)
    base = _base(client_id, deal_key, revision, times)
    packed.append(_packed_posted(posted, base))
    if not is_common:
        others = pack(values, (*values[:_COMMON], *_OTHERS))
        if _FIRST_POSTED in others:
            others[_FIRST_POSTED] = _packed_posted(state.first_posted, base)
        known = _tally_known(client_id, deal_key, at)
        for number in _TALLIES:
            if number in others:
                others[number] = [pack(astuple(one), known) for one in values[number]]
        packed.append(others)
    return packed


def unpack_deal(key: str, packed: Sequence[Any]) -> DealState:
    """The deal that `pack_deal` was given."""
    client_id, deal_key = _names_of(key)
    _, revision, times, signed_e8, position, *more = packed
    at = time_of(packed)
    revision = revision.hex() if isinstance(revision, bytes) else revision
    position = position[0] if isinstance(position, list) else f"{_place_of(key)}{position}"
    base = _base(client_id, deal_key, revision, times) if more else ""
    posted = _unpacked_posted(more[0], base) if more else ()
    others = more[1] if len(more) > 1 else {}
    if _FIRST_POSTED in others:
        others[_FIRST_POSTED] = _unpacked_posted(others[_FIRST_POSTED], base)
    known = _tally_known(client_id, deal_key, at)
    for number in _TALLIES:
        if number in others:
            others[number] = tuple(_TALLY.unpack(one, known) for one in others[number])
    usual = (at, revision, times, signed_e8, position, posted)
    return _DEAL_STATE.unpack(others, (*usual, *_OTHERS))  # type: ignore[no-any-return] # of its kind


def time_of(packed: Sequence[Any]) -> datetime | None:
    """When a packed deal happened."""
    return None if packed[0] is None else convert(packed[0], datetime)


def pack_closing(key: str, parked: Parked) -> list[Any]:
    """A closing that is kept to be rated by its openings: its client, volumes and deal."""
    assert parked.deal is not None, f"{key} keeps a deal"
    client_id, deal_key = _names_of(key)
    whose = None if parked.client_id == client_id else parked.client_id
    fields = [*astuple(parked.deal)]
    if parked.deal.deal_key == deal_key:
        fields[_SERVER] = fields[_DEAL_ID] = None
    fields[_OCCURRED_AT] = plain(fields[_OCCURRED_AT])
    return [whose, parked.opened_e8, parked.closed_e8, *fields]


def unpack_closing(key: str, packed: Sequence[Any]) -> Parked:
    """The closing that `pack_closing` was given."""
    whose, opened_e8, closed_e8, *fields = packed
    client_id, deal_key = _names_of(key)
    if fields[_DEAL_ID] is None:
        fields[_SERVER], _, fields[_DEAL_ID] = deal_key.partition("|")
    deal = _DEAL.unpack(dict(enumerate(fields)), _DEAL.defaults)
    client_id = client_id if whose is None else whose
    return Parked(client_id=client_id, deal=deal, opened_e8=opened_e8, closed_e8=closed_e8)


def _place_of(key: str) -> str:
    """What the keys begin with of positions of the client on the server of a key `d:client:server|id`."""
    return f"o{key[1 : key.find('|')]}/"


def _names_of(key: str) -> tuple[str, str]:
    """The client and the deal of a key.

    Where the client's id has a colon in it, this is not the client, the same each time: less follows from it.
    """
    client_id, _, deal_key = key[2:].partition(":")
    return client_id, deal_key


def _base(client_id: str, deal_key: str, revision: str, times: int) -> str:
    """What the ids of the deal's accruals begin with, as `post_booked` makes them."""
    return recent_digest("accrual", client_id, deal_key, revision, str(times))


def _tally_known(client_id: str, deal_key: str, at: datetime | None) -> tuple[Any, ...]:
    return _TALLY.known(client_id=client_id, caused_by=deal_key, occurred_at=at)


def _packed_revision(revision: str) -> bytes | str:
    """A digest as bytes."""
    try:
        found = bytes.fromhex(revision)
    except ValueError:
        return revision
    return found if found.hex() == revision else revision


def _packed_posted(posted: Sequence[Posted], base: str) -> list[Any]:
    """Accruals one behind the other, each in seven parts: IB to plan version, and what is rare, if anything.

    Before that stands the id, where it does not follow from the deal.
    """
    packed: list[Any] = []
    for number, entry in enumerate(posted):
        packed += entry[1:_USUAL]
        rare = entry[_USUAL:]
        if entry[0] != base + _NUMBERS[number % 100]:
            packed.append([entry[0], *_told(rare)])
        else:
            packed.append(None if rare == _RARE else _told(rare))
    return packed


def _told(rare: tuple[Any, ...]) -> Sequence[Any]:
    for number in _TIMES:
        if (time := rare[number]) is not None and time.tzinfo is not UTC:
            return [*map(plain, rare)]
    return rare


def _unpacked_posted(packed: Sequence[Any], base: str) -> tuple[Posted, ...]:
    posted: list[Posted] = []
    for number, start in enumerate(range(0, len(packed), _USUAL)):
        *usual, rest = packed[start : start + _USUAL]
        transfer_id, rare = base + _NUMBERS[number % 100], rest or _RARE
        if len(rare) > len(_RARE):
            transfer_id, *rare = rare
        posted.append(convert((transfer_id, *usual, *rare), Posted))
    return tuple(posted)
