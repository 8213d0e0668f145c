"""What a sink knows of the deals it stores, so that it asks the database about few of them.

Deals come with rising ids: one above every id of its server that is stored is new, and a bit for each id in a
window of the newest ones tells which of those have come since. Only what may be stored already is asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from clickhouse_connect.driver.client import Client

WINDOW_BYTES = 4 * 1024 * 1024
"""Of a server: its newest 8.4 million ids; below them the database is asked."""
MAX_SERVERS = 64
MAX_MOVED = 100_000
"""Deals of several days kept at hand; if there are more, the database is asked about every deal."""
MAX_DIGITS = 18
PARTS = {"": 0, "open": 1, "close": 2}
"""A ticket of MT4 makes two deals, `7:open` and `7:close`; each has a bit of its own."""
PARTS_OF_ONE = 4

_NEWEST = f"""
SELECT maxIf(toUInt64OrZero(number), length(number) <= {MAX_DIGITS}) FROM (
    SELECT extract(substring(deal_key, length({{server:String}}) + 2), '^[0-9]+') AS number
    FROM deal_revisions WHERE startsWith(deal_key, concat({{server:String}}, '|'))
)
"""  # noqa: S608 # a constant
_MOVED = "SELECT deal_key FROM moved_deals LIMIT {limit:UInt32}"


@dataclass(slots=True)
class NewestIds:
    """A server's newest ids: nothing at `first` or above is stored that has no bit here."""

    first: int
    bits: bytearray = field(default_factory=bytearray)

    def is_new(self, number: int) -> bool:
        """Whether it was surely never given before; from now on it was."""
        place = number - self.first
        if place < 0:
            return False
        index, bit = place >> 3, 1 << (place & 7)
        if index >= len(self.bits):
            index = self._reach(index)
        is_new = not self.bits[index] & bit
        self.bits[index] |= bit
        return is_new

    def _reach(self, index: int) -> int:
        """Make the window hold an index above it; half a window of lower ids is let go of at once."""
        if index >= WINDOW_BYTES:
            gone = index - WINDOW_BYTES // 2
            del self.bits[:gone]
            self.first += gone << 3
            index -= gone
        self.bits.extend(bytes(index + 1 - len(self.bits)))
        return index


class DealMemory:
    """One for a sink, from when it takes up its positions: whatever else stores deals is unknown to it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._servers: dict[str, NewestIds] = {}
        self._moved: set[str] | None = None
        self._is_whole = False
        """Whether `_moved` holds every deal of several days."""

    def is_new(self, server: str, deal_id: str) -> bool:
        """Whether the deal is surely not stored; from now on it may be."""
        digits, _, part = deal_id.partition(":")
        if not digits.isdecimal() or not digits.isascii() or len(digits) > MAX_DIGITS or part not in PARTS:
            return False
        found = self._servers.get(server) or self._learn(server)
        return found.is_new(int(digits) * PARTS_OF_ONE + PARTS[part])

    def _learn(self, server: str) -> NewestIds:
        if len(self._servers) >= MAX_SERVERS:
            self._servers.clear()
        newest = self._client.query(_NEWEST, parameters={"server": server}).result_rows[0][0]
        return self._servers.setdefault(server, NewestIds((int(newest) + 1) * PARTS_OF_ONE))

    def note_moved(self, deals: Iterable[str]) -> None:
        """These are stored as deals of several days."""
        if self._moved is not None:
            self._moved.update(deals)
            self._is_whole = self._is_whole and len(self._moved) <= MAX_MOVED

    def may_have_moved(self, deals: set[str]) -> set[str]:
        """Those of the deals that may be of several days."""
        if self._moved is None:
            rows = self._client.query(_MOVED, parameters={"limit": MAX_MOVED + 1}).result_rows
            self._moved = {row[0] for row in rows}
            self._is_whole = len(rows) <= MAX_MOVED
        if not self._is_whole:
            self._moved.clear()
            return deals
        return deals & self._moved
