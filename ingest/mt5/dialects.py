"""MT5 deals field by field, as its programs spell them: the server's dialect and the terminal's.

`MANAGER` is what the Web API, the Manager API (the `MT5Manager` package) and the server's database say;
`TERMINAL` what the `MetaTrader5` package and MQL5 say. Values may be strings or have a type, but JSON
must be parsed with `parse_float=Decimal`. In both, times are the server's wall clock dressed as UTC.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from commission.events import Entry
from ingest.formats.cells import ZERO, AmountColumn, to_comment, to_currency, to_symbol
from ingest.formats.typed_cells import (
    typed_amount,
    typed_code,
    typed_lots_e8,
    typed_number,
    typed_rate,
    typed_text,
    typed_units,
)
from ingest.mt5.enums import SERVER_REASONS, TERMINAL_REASONS, edits_of, entry_of, kind_of, reason_of
from ingest.mt5.record import Money, Mt5Record
from ingest.server_time import MAX_YEAR, MIN_YEAR
from ingest.sources import RowRejected, ServerProfile

Raw = Mapping[str, object]
ToUtc = Callable[[datetime, int], datetime]
"""Converts the server time of the deal with the given number; `RepeatedHour.to_utc` is one."""

VOLUME_UNIT_E8 = 10_000
"""One unit of `Volume` (0.0001 lot) in 1e-8 lots, which is the unit of `VolumeExt`."""
MODIFY_FLAGS = ("ModifyFlags", "ModificationFlags")
"""On the wire and in the database; in the Manager API and the documents."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a server's wall clock has no zone
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_EPOCH_S = 4_102_444_800
_NO_SIZES: Mapping[str, Decimal] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one family of programs spells a deal. Neither says currency and group, and the terminal no
    login and contract size; who sends a deal may add them under these names."""

    name: str
    deal: str
    login: str
    action: str
    entry: str
    reason: str
    time: str
    time_msc: str
    symbol: str
    price: str
    volumes: tuple[str, ...]
    position: str
    order: str
    profit: str
    commission: str
    fee: str
    swap: str
    comment: str
    contract_size: str
    rate_profit: str
    bid: str
    ask: str
    currency: str
    group: str
    reasons: Mapping[int, str]

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that is read: what a dead letter may keep of a record."""
        names = (self.deal, self.login, self.action, self.entry, self.reason, self.time, self.time_msc)
        traded = (self.symbol, self.price, *self.volumes, self.position, self.order, self.contract_size)
        money = (self.profit, self.commission, self.fee, self.swap, self.rate_profit, self.bid, self.ask)
        return (*names, *traded, *money, self.currency, self.group, self.comment, *MODIFY_FLAGS)


MANAGER = Dialect(
    name="mt5-manager",
    deal="Deal",
    login="Login",
    action="Action",
    entry="Entry",
    reason="Reason",
    time="Time",
    time_msc="TimeMsc",
    symbol="Symbol",
    price="Price",
    volumes=("VolumeExt", "Volume", "VolumeClosedExt", "VolumeClosed"),
    position="PositionID",
    order="Order",
    profit="Profit",
    commission="Commission",
    fee="Fee",
    swap="Storage",
    comment="Comment",
    contract_size="ContractSize",
    rate_profit="RateProfit",
    bid="MarketBid",
    ask="MarketAsk",
    currency="Currency",
    group="Group",
    reasons=SERVER_REASONS,
)
TERMINAL = Dialect(
    name="mt5-terminal",
    deal="ticket",
    login="login",
    action="type",
    entry="entry",
    reason="reason",
    time="time",
    time_msc="time_msc",
    symbol="symbol",
    price="price",
    volumes=("volume",),
    position="position_id",
    order="order",
    profit="profit",
    commission="commission",
    fee="fee",
    swap="swap",
    comment="comment",
    contract_size="contract_size",
    rate_profit="rate_profit",
    bid="bid",
    ask="ask",
    currency="currency",
    group="group",
    reasons=TERMINAL_REASONS,
)


def to_record(
    raw: Raw,
    profile: ServerProfile,
    dialect: Dialect,
    source: str,
    *,
    to_utc: ToUtc | None = None,
    contract_sizes: Mapping[str, Decimal] = _NO_SIZES,
    is_deleted: bool = False,
) -> Mt5Record:
    """Read one deal; raise `RowRejected`.

    `to_utc` tells the passes of a repeated hour apart where deals come in order; alone, a deal counts as
    of the first. A deleted deal is a tombstone: of kind `deleted`, without amounts. `contract_sizes`, by
    symbol, serve where the record has none.
    """
    deal = deal_number(raw, dialect)
    at = server_time(raw, dialect)
    kind, side = kind_of(raw.get(dialect.action))
    is_trade = side is not None
    entry = entry_of(raw.get(dialect.entry)) if is_trade else None
    symbol = _symbol(raw, dialect) if is_trade else ""
    volume_e8, closed_e8 = _volumes_e8(raw, dialect, entry) if is_trade else (0, None)
    bid, ask = raw.get(dialect.bid), raw.get(dialect.ask)
    return Mt5Record(
        deal=deal,
        login=_login(raw, profile, dialect),
        kind="deleted" if is_deleted else kind,
        side=side,
        entry=entry,
        occurred_at=profile.clock.to_utc(at) if to_utc is None else to_utc(at, deal),
        server_time=shown_time(at),
        money=Money(ZERO) if is_deleted else _money(raw, dialect, is_trade=is_trade),
        currency=_currency(raw, profile, dialect),
        symbol=symbol,
        volume_e8=volume_e8,
        volume_closed_e8=closed_e8,
        price=typed_amount(raw.get(dialect.price), "Price") if is_trade else None,
        position_id=_position_id(raw, dialect) if is_trade else "",
        order=_order(raw, dialect) if entry == "out_by" else "",
        contract_size=_contract_size(raw, dialect, symbol, contract_sizes) if is_trade else None,
        bid=typed_rate(bid, "MarketBid") if is_trade else None,
        ask=typed_rate(ask, "MarketAsk") if is_trade else None,
        rate_profit=typed_rate(raw.get(dialect.rate_profit), "RateProfit") if is_trade else None,
        reason=reason_of(raw.get(dialect.reason), dialect.reasons),
        group=typed_text(raw.get(dialect.group), "Group"),
        comment=to_comment(typed_text(raw.get(dialect.comment), "Comment")),
        source=source,
    )


def deal_number(raw: Raw, dialect: Dialect) -> int:
    """Read a deal's number."""
    return typed_number(raw.get(dialect.deal), dialect.deal)


def server_time(raw: Raw, dialect: Dialect) -> datetime:
    """Read the server's wall clock at the deal, to the millisecond where the record tells it."""
    precise = raw.get(dialect.time_msc)
    at = _wall_clock(raw.get(dialect.time), 1) if _is_unset(precise) else _wall_clock(precise, 1_000)
    if at is None or not MIN_YEAR <= at.year <= MAX_YEAR:
        raise RowRejected(
            "bad_time",
            f"{dialect.time_msc} and {dialect.time} give no time of the years {MIN_YEAR} to {MAX_YEAR}; they"
            " count milliseconds and seconds since 1970",
        )
    return at


def shown_time(at: datetime) -> str:
    """Spell a server time as the platform's exports do: `2025.03.13 00:36:37.445`."""
    return f"{at:%Y.%m.%d %H:%M:%S}.{at.microsecond // 1000:03d}"


def to_epoch_s(at: datetime) -> int:
    """Seconds since 1970 of a server's wall clock, as the platform counts them."""
    return (at - _EPOCH) // timedelta(seconds=1)


def hand_edits(raw: Raw) -> tuple[str, ...]:
    """Tell who edited the deal by hand (`admin`, `api_manager`, …): its price and volume want an audit."""
    return next((edits_of(raw[name]) for name in MODIFY_FLAGS if name in raw), ())


def _is_unset(value: object) -> bool:
    """Tell whether a number or time says nothing: missing, empty, zero, a database's 1970."""
    if isinstance(value, datetime):
        return value.year < MIN_YEAR
    return value is None or value == "" or typed_code(value) == 0


def _wall_clock(value: object, units: int) -> datetime | None:
    """Read seconds or milliseconds since 1970, or a database's own time."""
    if isinstance(value, datetime):
        at = value if value.tzinfo is None else (value - _EPOCH_UTC) + _EPOCH
        return at.replace(microsecond=at.microsecond // 1000 * 1000)
    try:
        count = typed_units(value, "Time")
    except RowRejected:
        return None
    if count > _MAX_EPOCH_S * units:
        return None
    return _EPOCH + timedelta(microseconds=count * (1_000_000 // units))


def _login(raw: Raw, profile: ServerProfile, dialect: Dialect) -> int:
    value = raw.get(dialect.login)
    if value is None:
        if profile.login is None:
            raise RowRejected("no_login", "the deal does not say its login; name it in the profile")
        return profile.login
    return typed_number(value, "Login")


def _currency(raw: Raw, profile: ServerProfile, dialect: Dialect) -> str:
    currency = typed_text(raw.get(dialect.currency), "Currency") or profile.currency
    if not currency:
        raise RowRejected(
            "no_currency", "the deal does not say its account's currency; set the profile's currency"
        )
    return to_currency(currency)


def _symbol(raw: Raw, dialect: Dialect) -> str:
    symbol = to_symbol(typed_text(raw.get(dialect.symbol), "Symbol"))
    if "\ufffd" in symbol:
        raise RowRejected(
            "bad_symbol", "Symbol has bytes that are not UTF-8, so nobody knows what was traded"
        )
    return symbol


def _position_id(raw: Raw, dialect: Dialect) -> str:
    value = raw.get(dialect.position)
    return "" if value is not None and _is_unset(value) else str(typed_number(value, "Position"))


def _order(raw: Raw, dialect: Dialect) -> str:
    value = raw.get(dialect.order)
    return "" if _is_unset(value) else str(typed_number(value, "Order"))


def _contract_size(raw: Raw, dialect: Dialect, symbol: str, known: Mapping[str, Decimal]) -> Decimal | None:
    return typed_rate(raw.get(dialect.contract_size), "ContractSize") or known.get(symbol)


def _money(raw: Raw, dialect: Dialect, *, is_trade: bool) -> Money:
    """Read the amounts; a cash operation's profit must be there, a trade's all but the fee."""
    return Money(
        typed_amount(raw.get(dialect.profit), "Profit"),
        _amount(raw, dialect.commission, "Commission", is_needed=is_trade),
        _amount(raw, dialect.fee, "Fee", is_needed=False),
        _amount(raw, dialect.swap, "Swap", is_needed=is_trade),
    )


def _amount(raw: Raw, name: str, column: AmountColumn, *, is_needed: bool) -> Decimal:
    value = raw.get(name)
    return ZERO if value is None and not is_needed else typed_amount(value, column)


def _volumes_e8(raw: Raw, dialect: Dialect, entry: Entry | None) -> tuple[int, int | None]:
    """Read the volume, and what an in/out closed of it where the record tells."""
    if len(dialect.volumes) == 1:
        return typed_lots_e8(raw.get(dialect.volumes[0]), "volume"), None
    volume_e8 = _units_e8(raw, "VolumeExt", "Volume")
    if volume_e8 is None:
        raise RowRejected("bad_volume", "VolumeExt and Volume are missing; send one of them")
    closed_e8 = _units_e8(raw, "VolumeClosedExt", "VolumeClosed") if entry == "inout" else None
    return volume_e8, closed_e8 or None


def _units_e8(raw: Raw, fine: str, coarse: str) -> int | None:
    """Prefer the fine volume: many real deals are under 0.0001 lot, where the coarse one is 0."""
    told, coarse_told = raw.get(fine), raw.get(coarse)
    fine_e8 = None if told is None else typed_units(told, fine)
    if coarse_told is None:
        return fine_e8
    coarse_e8 = typed_units(coarse_told, coarse) * VOLUME_UNIT_E8
    if not fine_e8:
        return coarse_e8
    if coarse_e8 and abs(fine_e8 - coarse_e8) >= VOLUME_UNIT_E8:
        raise RowRejected(
            "bad_volume",
            f"{fine} is {fine_e8} (1e-8 lots) and {coarse} {coarse_e8}: they do not give the same volume",
        )
    return fine_e8
