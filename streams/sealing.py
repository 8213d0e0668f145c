"""Old deals in blocks: what hardly changes any more leaves its own key for one that 64 share.

Below the fold, which never sees it: a deal has the value it was given, wherever that is kept. One that
changes after all has a key of its own again, which goes before its block. When a period ends, a sweep goes
through the clients, some with each message, in the order in which they came. So what is sealed follows from
the log alone, and is durable with the message that sealed it.
"""

from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec import msgpack
from msgspec.structs import replace

from commission.terms.calendar import PeriodEnded
from commission.terms.catalog import Terms
from commission.value import Value
from streams.state_codec import time_of_deal

BLOCK = 64
"""Deals of a block, at most."""
FEWEST = 16
"""A client's first block has so many at least: a few do not pay."""
MOST = 4_096
"""Deals of a client that one message seals."""
LOOKED_AT = 256
"""A message's sweep ends with the client that brings it to so many keys."""
CLIENT_COST = 8
"""How many keys a client counts as."""
MAX_CACHED_INDEXES = 20_000
"""Of clients, some 100 bytes each."""
DEAL, CLIENT = "d:", "c:"
"""What the keys of deals and clients begin with; a deal's client follows, a colon, and the deal's name."""


class Sweep(Value):
    """A way through the clients to seal their deals from before `until`, and where it has come."""

    until: datetime
    page: int = 0
    client: int = 0


class Sealing(Value):
    """What a partition has sealed, and is about to."""

    pages: int = 0
    """Pages of clients, in the order in which they came: one for each message that had new ones."""
    is_begun: bool = False
    """Whether there is any block."""
    sweep: Sweep | None = None


class _Index(Value, array_like=True):
    """The blocks of a client: the last deal that is in any, and what each begins with, "" the first."""

    last: str
    begins: tuple[str, ...]

    def of(self, name: str) -> str:
        """What the block begins with that has the place of a deal."""
        return self.begins[bisect_right(self.begins, _order(name), key=_order) - 1]


class _Block(Value, array_like=True):
    names: tuple[str, ...]
    values: tuple[bytes, ...]


_encode = msgpack.Encoder().encode
_to_index, _to_block = msgpack.Decoder(_Index).decode, msgpack.Decoder(_Block).decode
_to_page = msgpack.Decoder(tuple[str, ...]).decode
Changes = dict[str, bytes | None]


def _order(name: str) -> tuple[int, str]:
    """Deals by number: of the ids of one server the shorter come first."""
    return len(name), name


@dataclass(slots=True)
class SealedDeals:
    """The blocks of one partition; `own` is what has a key of its own, as the next message sees it."""

    own: Callable[[str], bytes | None]
    own_keys: Callable[[str], Iterable[str]]
    _indexes: dict[str, _Index | None] = field(default_factory=dict)
    _newest: tuple[str, dict[str, bytes]] = ("", {})
    """The block that was read last, by its key: who goes through a client's deals wants it 64 times."""

    def find(self, key: str) -> bytes | None:
        """The value of a deal that has no key of its own, if it is sealed."""
        owner, name = _split(key)
        index = self._index(owner)
        if index is None or _order(name) > _order(index.last):
            return None
        return self._block(owner, index.of(name)).get(name)

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys of sealed deals that begin with a prefix, which has a client."""
        owner, _ = _split(prefix)
        index = self._index(owner)
        for begin in () if index is None else index.begins:
            for name in self._block(owner, begin):
                if (key := f"{DEAL}{owner}:{name}").startswith(prefix):
                    yield key

    def forget(self) -> None:
        """Others are sealed by now."""
        self._indexes.clear()
        self._newest = "", {}

    def after(
        self, sealing: Sealing, writes: Mapping[str, object], records: Iterable[object], terms: Terms
    ) -> tuple[Sealing, Changes]:
        """What is sealed with a message, once its records have had their effect."""
        changes: Changes = {}
        new = [key[len(CLIENT) :] for key in writes if key.startswith(CLIENT) and self.own(key) is None]
        if new:
            changes[f"@clients/{sealing.pages}"] = _encode(new)
            sealing = replace(sealing, pages=sealing.pages + 1)
        if sealing.sweep is None and (until := _old_before(records, terms)) is not None:
            sealing = replace(sealing, sweep=Sweep(until=until))
        if sealing.sweep is not None:
            sealing = self._go_on(sealing, sealing.sweep, writes, changes)
        return sealing, changes

    def _go_on(self, sealing: Sealing, sweep: Sweep, writes: Container[str], changes: Changes) -> Sealing:
        """Seal what is old of some clients more."""
        looked_at, is_begun = 0, sealing.is_begun
        while looked_at < LOOKED_AT:
            page = self.own(f"@clients/{sweep.page}")
            if page is None:
                return replace(sealing, sweep=None, is_begun=is_begun)
            clients = _to_page(page)
            keys = [key for key in self.own_keys(f"{DEAL}{clients[sweep.client]}:") if key not in changes]
            looked_at += CLIENT_COST + len(keys)
            old = self._old(keys, sweep.until, writes)
            if len(old) >= FEWEST:
                self._seal(old, changes)
                is_begun = True
            if len(old) == MOST:
                break  # the next message seals more of this client
            is_last = sweep.client + 1 == len(clients)
            place = {"page": sweep.page + 1, "client": 0} if is_last else {"client": sweep.client + 1}
            sweep = replace(sweep, **place)
        return replace(sealing, sweep=sweep, is_begun=is_begun)

    def _old(self, keys: list[str], until: datetime, writes: Container[str]) -> dict[str, bytes]:
        """What happened before `until` and is not being written, the first `MOST` of it."""
        old: dict[str, bytes] = {}
        for key in sorted(keys, key=_order):
            value = None if key in writes else self.own(key)
            if value is not None and (at := time_of_deal(value)) is not None and at < until:
                old[key] = value
                if len(old) == MOST:
                    break
        return old

    def _seal(self, old: Mapping[str, bytes], changes: Changes) -> None:
        """Move deals of one client into its blocks; a block that gets too large is cut."""
        owner, last = _split(next(iter(old)))
        known = self._read_index(owner, changes)
        index = known or _Index(last=last, begins=("",))
        news: dict[str, dict[str, bytes]] = {}
        for key, value in old.items():
            name = _split(key)[1]
            news.setdefault(index.of(name), {})[name] = value
            changes[key] = None
        begins = [*index.begins]
        for begin, own in news.items():
            block = self._read_block(owner, begin, changes) if known is not None else {}
            names = sorted(block | own, key=_order)
            values = block | own
            for start in range(0, len(names), BLOCK):
                part = names[start : start + BLOCK]
                first = part[0] if start else begin
                changes[_block_key(owner, first)] = encode_block(part, [values[name] for name in part])
                begins += [first] if start else []
        last = max(index.last, *(name for own in news.values() for name in own), key=_order)
        changes[_index_key(owner)] = _encode(_Index(last=last, begins=tuple(sorted(begins, key=_order))))

    def _index(self, owner: str) -> _Index | None:
        if owner not in self._indexes:
            if len(self._indexes) >= MAX_CACHED_INDEXES:
                self._indexes.clear()
            self._indexes[owner] = self._read_index(owner, {})
        return self._indexes[owner]

    def _block(self, owner: str, begin: str) -> dict[str, bytes]:
        key = _block_key(owner, begin)
        if self._newest[0] != key:
            self._newest = key, self._read_block(owner, begin, {})
        return self._newest[1]

    def _read_index(self, owner: str, changes: Changes) -> _Index | None:
        key = _index_key(owner)
        found = changes.get(key) or self.own(key)
        return None if found is None else _to_index(found)

    def _read_block(self, owner: str, begin: str, changes: Changes) -> dict[str, bytes]:
        key = _block_key(owner, begin)
        found = changes.get(key) or self.own(key)
        assert found is not None, f"{key} is in the index of its client"
        block = _to_block(found)
        return dict(zip(block.names, block.values, strict=True))


def encode_block(names: Sequence[str], values: Sequence[bytes]) -> bytes:
    """Deals of one client, by number, and the state of each."""
    return _encode(_Block(names=(*names,), values=(*values,)))


def _split(key: str) -> tuple[str, str]:
    """What stands for the client in a deal's key, and the deal's name under it.

    A client's id with a colon in it is cut there: its deals stand with those of others, by whole names.
    """
    owner, _, name = key[len(DEAL) :].partition(":")
    return owner, name


def _index_key(owner: str) -> str:
    return f"@blocks/{owner}"


def _block_key(owner: str, begin: str) -> str:
    return f"@block/{owner}:{begin}"


def _old_before(records: Iterable[object], terms: Terms) -> datetime | None:
    """Where a period ends, the time before which deals are old: no open period, no clawback reaches them."""
    ends = [
        found.ends_at
        for record in records
        if isinstance(record, PeriodEnded) and (found := terms.period(record.period)) is not None
    ]
    if not ends:
        return None
    days = max((plan.clawback.window_days for plans in terms.plans.values() for plan in plans), default=0)
    return max(ends) - timedelta(days=days)
