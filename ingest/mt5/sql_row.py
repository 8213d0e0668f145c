"""A row of MT5's table `mt5_deals`: its columns, and what it means, whether live or from a dump.

`Timestamp` is a Windows FILETIME, the true UTC of the row's last write.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from ingest.mt5.dialects import MANAGER, to_record
from ingest.mt5.record import Mt5Record
from ingest.server_time import ServerClock
from ingest.sources import ServerProfile
from ingest.sql.cells import Family, ToNumber, wall_clock

NUMBERS = (
    "Price", "Profit", "Storage", "Commission", "Fee", "ContractSize", "RateProfit", "MarketBid", "MarketAsk",
)  # fmt: skip
_WHOLES = (
    "Deal", "Timestamp", "Login", "Action", "Entry", "Reason", "VolumeExt", "Volume", "VolumeClosedExt",
    "VolumeClosed", "PositionID", "Order", "ModifyFlags",
)  # fmt: skip
FAMILIES: Mapping[str, Family] = {
    **dict.fromkeys(_WHOLES, "whole"),
    **dict.fromkeys(NUMBERS, "number"),
    **dict.fromkeys(("Symbol", "Comment"), "text"),
    **dict.fromkeys(("Time", "TimeMsc"), "time"),
}
NEEDED = (
    "Deal", "Timestamp", "Login", "Action", "Entry", "Reason", "Symbol", "Price", "Profit", "Storage",
    "Commission", "PositionID",
)  # fmt: skip
EITHER = (("Time", "TimeMsc"), ("Volume", "VolumeExt"))

FRESH = timedelta(minutes=30)
"""A row written this soon after its deal tells by its stamp which pass of a repeated hour it is of."""
FILETIME_PER_US = 10
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def row_record(
    cells: Mapping[str, str | None], numbers: Mapping[str, ToNumber], profile: ServerProfile, source: str
) -> Mt5Record:
    """Read one row of a table of deals, a text a column; raise `RowRejected`."""
    raw: dict[str, object] = dict(cells)
    for name, to_number in numbers.items():
        raw[name] = to_number(cells[name])
    raw["TimeMsc"] = precise = wall_clock(cells.get("TimeMsc"))
    raw["Time"] = wall_clock(cells.get("Time")) if precise is None else None
    written_at = from_filetime(int(cells["Timestamp"] or 0))
    return to_record(
        raw, profile, MANAGER, source, to_utc=lambda at, _: pass_of(profile.clock, at, written_at)
    )


def to_filetime(at: datetime) -> int:
    """Windows' count of a moment: tenths of microseconds since 1601."""
    return (at - _FILETIME_EPOCH) // _MICROSECOND * FILETIME_PER_US


def from_filetime(filetime: int) -> datetime:
    """The moment of a FILETIME."""
    return _FILETIME_EPOCH + timedelta(microseconds=filetime // FILETIME_PER_US)


def pass_of(clock: ServerClock, server_time: datetime, written_at: datetime) -> datetime:
    """The UTC time of a deal; in a repeated hour the pass in which its row was written.

    A row that was written much later than either pass (an edited deal) counts as of the first.
    """
    if not clock.is_repeated(server_time):
        return clock.to_utc(server_time)
    second = clock.to_utc(server_time, fold=1)
    is_second = second - FRESH / 30 <= written_at < second + FRESH
    return second if is_second else clock.to_utc(server_time)
