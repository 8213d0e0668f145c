"""An MT5 server through MetaQuotes' `MT5Manager` package (Windows only): the platform's part of the bridge.

Events come in a thread of the API, which must not be kept waiting: it only copies the deal into a queue.
"""

import queue
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import MT5Manager  # type: ignore[import-not-found] # a package for Windows

from bridge.follow import Lost, Row

FIELDS = (
    "Deal", "Login", "Order", "Action", "Entry", "Reason", "ContractSize", "Time", "TimeMsc", "Symbol",
    "Price", "Volume", "VolumeExt", "VolumeClosed", "VolumeClosedExt", "Profit", "Storage", "Commission",
    "Fee", "RateProfit", "PositionID", "Comment", "ModificationFlags", "MarketBid", "MarketAsk",
)  # fmt: skip
"""What ibflow reads of a deal; nothing of it is a client's name."""
CONNECT_MS = 30_000
MAX_WAITING = 1_000_000
STEP_S = 3_600
NOT_FOUND = 13
"""MT_RET_ERR_NOTFOUND: there is no deal in a time."""


class Mt5Platform:
    """One server, its groups by a mask such as `real*`."""

    def __init__(self, server: str, login: int, password: str, groups: str) -> None:
        self._server, self._login, self._password, self._groups = server, login, password, groups
        self._manager = MT5Manager.ManagerAPI()
        self._happened: queue.Queue[tuple[str, Row]] = queue.Queue(MAX_WAITING)
        self._is_lost = False
        self._sinks = (_DealSink(self), _ConnectionSink(self))
        self._group_of = lru_cache(100_000)(self._ask_group)
        self._currency_of = lru_cache(10_000)(self._ask_currency)

    def connect(self) -> None:
        """Subscribe, then connect, so that nothing falls between."""
        self._is_lost, self._happened = False, queue.Queue(MAX_WAITING)
        self._group_of.cache_clear()
        deals, connection = self._sinks
        modes = MT5Manager.ManagerAPI.EnPumpModes
        pump = modes.PUMP_MODE_ORDERS | modes.PUMP_MODE_POSITIONS
        self._manager.Subscribe(connection)
        if not self._manager.DealSubscribe(deals):
            raise Lost(f"deals cannot be subscribed to: {MT5Manager.LastError()}")
        if not self._manager.Connect(self._server, self._login, self._password, pump, CONNECT_MS):
            raise Lost(f"{self._server} does not connect: {MT5Manager.LastError()}")

    def window(self, since_s: int, until_s: int) -> Iterator[Row]:
        """Ask hour by hour, so that no answer is large."""
        for start_s in range(since_s, until_s, STEP_S):
            end_s = min(start_s + STEP_S, until_s) - 1
            deals = self._manager.DealRequestByGroup(self._groups, start_s, end_s)
            if deals is False and not _is_none_found():
                raise Lost(f"deals cannot be read: {MT5Manager.LastError()}")
            for deal in deals or ():
                yield self._row("OnDealUpdate", _copied(deal))

    def events(self, wait_s: float) -> list[Row]:
        """Take what waits."""
        rows: list[Row] = []
        try:
            event, record = self._happened.get(timeout=wait_s)
            while True:
                rows.append(self._row(event, record))
                event, record = self._happened.get_nowait()
        except queue.Empty:
            pass
        if self._is_lost and not rows:
            raise Lost(f"{self._server} was disconnected")
        return rows

    def now_s(self) -> int:
        """The time of the trade server."""
        return int(self._manager.TimeServer())

    def close(self) -> None:
        """Unsubscribe and disconnect."""
        deals, connection = self._sinks
        self._manager.DealUnsubscribe(deals)
        self._manager.Unsubscribe(connection)
        self._manager.Disconnect()

    def happened(self, event: str, record: Row) -> None:
        """Remember an event; called by the API's thread."""
        try:
            self._happened.put_nowait((event, record))
        except queue.Full:
            self._is_lost = True

    def lost(self) -> None:
        """The API connects again by itself, but what happened meanwhile is missing."""
        self._is_lost = True

    def _row(self, event: str, record: Row) -> Row:
        if event == "OnDealClean":
            return {"event": event, "login": record["Login"]}
        group = self._group_of(record["Login"])
        named = record | {"Group": group, "Currency": self._currency_of(group) if group else ""}
        return {"event": event, "record": named}

    def _ask_group(self, login: int) -> str:
        user = self._manager.UserRequest(login)
        return str(user.Group) if user else ""

    def _ask_currency(self, group: str) -> str:
        found = self._manager.GroupRequest(group)
        return str(found.Currency) if found else ""


class _DealSink:
    def __init__(self, platform: Mt5Platform) -> None:
        self._platform = platform

    def OnDealAdd(self, deal: Any) -> None:  # noqa: N802 # the API's name
        self._platform.happened("OnDealAdd", _copied(deal))

    def OnDealUpdate(self, deal: Any) -> None:  # noqa: N802
        self._platform.happened("OnDealUpdate", _copied(deal))

    def OnDealDelete(self, deal: Any) -> None:  # noqa: N802
        self._platform.happened("OnDealDelete", _copied(deal))

    def OnDealClean(self, login: int) -> None:  # noqa: N802
        self._platform.happened("OnDealClean", {"Login": int(login)})


class _ConnectionSink:
    def __init__(self, platform: Mt5Platform) -> None:
        self._platform = platform

    def OnDisconnect(self) -> None:  # noqa: N802
        self._platform.lost()


def _copied(deal: Any) -> Row:
    """The fields this build of the API has; the deal itself is gone once the event returns."""
    return {name: getattr(deal, name) for name in FIELDS if hasattr(deal, name)}


def _is_none_found() -> bool:
    error = MT5Manager.LastError()
    code = error[0] if isinstance(error, tuple) else error
    return bool(code == NOT_FOUND)
