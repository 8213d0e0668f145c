"""All deals of a period from an MT5 Web API: by masks of groups at once, by logins page for page."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from ingest.formats.typed_cells import typed_code
from ingest.mt5.dialects import MANAGER, server_time, to_epoch_s
from ingest.mt5.web_session import WebApiPool
from ingest.server_time import ServerClock
from ingest.sources import RowRejected
from schemas.errors import Unavailable

PAGE_DEALS = 100
"""More deals than this the server does not put on one page."""
MAX_PAGES = 10_000
MAX_REREADS = 5
STRANGE = timedelta(minutes=1)
"""A deal this far outside the period asked for means that the server understood another period."""

_Whose = TypeVar("_Whose", str, int)

_SECOND = timedelta(seconds=1)


class Period(NamedTuple):
    """A stretch of the server's wall clock, both ends inside."""

    first: datetime
    last: datetime


class WebDeals:
    """Reads whole periods; what changed while it was read is read again."""

    def __init__(self, pool: WebApiPool, clock: ServerClock) -> None:
        self._pool = pool
        self._api = pool.api
        self._clock = clock
        self._is_clock_checked = False

    def of(self, period: Period) -> list[object]:
        """Every record of the period, in no order; raise `TooLarge` or `Unavailable`."""
        found = self._read(period)
        times = _times(found)
        for at in times.values():
            if not period.first - STRANGE <= at <= period.last + STRANGE:
                raise Unavailable(self._misunderstood())
        if times and not self._is_clock_checked:
            self._check_clock(*next(iter(times.items())))
        return found

    def _check_clock(self, number: int, at: datetime) -> None:
        """Ask for the very second of one deal: a server that counts its periods otherwise has it not."""
        if number not in _times(self._read(Period(at - _SECOND, at + _SECOND))):
            raise Unavailable(self._misunderstood())
        self._is_clock_checked = True

    def _misunderstood(self) -> str:
        other = "utc" if self._api.period_clock == "server" else "server"
        return (
            f"the Web API at {self._api.url} answers with deals of another time than was asked for; check the"
            f" server's time rule `{self._clock.rule}`, and try period_clock: {other}"
        )

    def _read(self, period: Period) -> list[object]:
        first_s, last_s = self._epoch_s(period.first, 0), self._epoch_s(period.last, 1) + 1
        if self._api.groups:
            return _each_once(self._all(lambda group: self._batch(group, first_s, last_s), self._api.groups))
        return self._all(lambda login: self._paged(login, first_s, last_s), self._api.logins)

    def _epoch_s(self, at: datetime, fold: int) -> int:
        if self._api.period_clock == "server":
            return to_epoch_s(at)
        return int(self._clock.to_utc(at, fold).timestamp())

    def _all(self, read: Callable[[_Whose], list[object]], whose: tuple[_Whose, ...]) -> list[object]:
        """Read groups or logins side by side, as many as there are connections."""
        if len(whose) == 1:
            return read(whose[0])
        with ThreadPoolExecutor(self._api.connections) as threads:
            return [record for found in threads.map(read, whose) for record in found]

    def _batch(self, group: str, first_s: int, last_s: int) -> list[object]:
        return self._listed("/api/deal/get_batch", {"group": group, "from": first_s, "to": last_s})

    def _paged(self, login: int, first_s: int, last_s: int) -> list[object]:
        """Read every page of a login; deals that come or go meanwhile shift the pages."""
        asked: dict[str, str | int] = {"login": login, "from": first_s, "to": last_s}
        for _ in range(MAX_REREADS):
            total = self._total(asked)
            found = self._pages(asked, total)
            if found is not None and self._total(asked) == total:
                return found
        raise Unavailable(
            f"the deals of login {login} changed {MAX_REREADS} times while they were read; ask again"
        )

    def _total(self, asked: Mapping[str, str | int]) -> int:
        answer = self._pool.ask("/api/deal/get_total", asked)
        total = typed_code(answer.get("total")) if isinstance(answer, Mapping) else None
        if total is None or not 0 <= total <= MAX_PAGES * (PAGE_DEALS - 1):
            raise Unavailable(f"the Web API at {self._api.url} gave no total of deals that can be read")
        return total

    def _pages(self, asked: Mapping[str, str | int], total: int) -> list[object] | None:
        """Read `total` records; None if the pages do not fit each other.

        Each page starts with the last record of the one before: a record that was taken away would else
        draw another over the edge, unseen.
        """
        found: list[object] = []
        while len(found) < total:
            offset = max(len(found) - 1, 0)
            page = self._listed("/api/deal/get_page", {**asked, "offset": offset, "total": PAGE_DEALS})
            new = page[1:] if found else page
            if not new or (found and _number(page[0]) != _number(found[-1])):
                return None
            found += new
        is_whole = len(found) == total and len({_number(record) for record in found}) == total
        return found if is_whole else None

    def _listed(self, path: str, params: Mapping[str, str | int]) -> list[object]:
        answer = self._pool.ask(path, params)
        if not isinstance(answer, list):
            raise Unavailable(f"the Web API at {self._api.url} answered {path} without a list of deals")
        return answer


def _number(record: object) -> int | None:
    return typed_code(record.get(MANAGER.deal)) if isinstance(record, Mapping) else None


def _each_once(records: list[object]) -> list[object]:
    """A deal of a group that two masks match is there twice."""
    found: list[object] = []
    seen: set[int] = set()
    for record in records:
        number = _number(record)
        if number is None or number not in seen:
            found.append(record)
        if number is not None:
            seen.add(number)
    return found


def _times(records: list[object]) -> dict[int, datetime]:
    """The times of those records that tell number and time."""
    times: dict[int, datetime] = {}
    for record in records:
        number = _number(record)
        if number is None or not isinstance(record, Mapping):
            continue
        try:
            times[number] = server_time(record, MANAGER)
        except RowRejected:
            continue
    return times
