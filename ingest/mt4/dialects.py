"""MT4 trade records as JSON: the spellings of the mt4manager module and of the CPlugin Web API.

Both send the server's own record: one ticket that mutates, its volume in hundredths of a lot, its times
the server's wall clock dressed as UTC. JSON must be parsed with `parse_float=Decimal`.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Literal, NamedTuple

from commission.events import LOT_E8
from commission.money import plain
from ingest.formats.cells import (
    MAX_AMOUNT_DIGITS,
    MAX_NUMBER,
    ZERO,
    to_comment,
    to_currency,
    to_number,
    to_symbol,
)
from ingest.mt4.enums import Transaction, to_activation, to_command, to_state, to_ticket_reason, told
from ingest.mt4.record import Mt4Record, to_close_reason
from ingest.server_time import MAX_YEAR, MIN_YEAR
from ingest.sources import RowRejected, ServerProfile

Dialect = Literal["mt4manager", "cplugin"]
ToUtc = Callable[[datetime, int], datetime]
"""Converts a server time of the ticket with the given number; `RepeatedHour.to_utc` is one."""

HUNDREDTH_E8 = 1_000_000
"""One MT4 unit of volume, 0.01 lot, in 1e-8 lots."""
MAX_VOLUME = 10**9
MAX_EPOCH_S = 4_102_444_800
"""The year 2100; a larger number is one of milliseconds."""
MAX_NUMBER_CHARS = 64
UNIT = Decimal("1e-8")
"""An amount is a double on the server: what lies beyond its 8th decimal is noise."""
RATE = Context(prec=15)
"""A rate is a quotient; a double holds 15 digits of it."""
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a server's wall clock has no zone


class _Names(NamedTuple):
    """What one dialect calls the fields, without case and underscores."""

    ticket: str
    command: str
    swap: str
    reason: str
    state: str
    activation: str


_NAMES: dict[Dialect, _Names] = {
    "mt4manager": _Names("id", "cmd", "swap", "reason", "state", "activation"),
    "cplugin": _Names(
        "order", "tradecommand", "storage", "traderecordreason", "traderecordstate", "activationtype"
    ),
}


_SHARED = frozenset(
    [
        "login",
        "symbol",
        "volume",
        "volumelots",
        "opentime",
        "closetime",
        "openprice",
        "closeprice",
        "profit",
        "commission",
        "commissionagent",
        "taxes",
        "convrates",
        "comment",
        "currency",
        "group",
        "contractsize",
        "reopenedvolume",
    ]
)


def known_fields(dialect: Dialect) -> frozenset[str]:
    """The fields of a dialect that are read, without case and underscores."""
    return _SHARED.union(_NAMES[dialect])


def to_record(
    raw: Mapping[str, object],
    profile: ServerProfile,
    dialect: Dialect,
    source: str,
    *,
    transaction: Transaction = "update",
    to_utc: ToUtc | None = None,
) -> Mt4Record | None:
    """Read one record; None for a pending order, waiting or dead. Raise `RowRejected`.

    A deleted record is a tombstone: of kind `deleted`, for both phases of its ticket. It is deleted by
    its state, or by a `delete` without a close time; with one, it is a closed trade that left the list
    of open ones. A bridge may add `currency`, `group` and `contract_size`, which MT4 keeps beside the
    record, and `reopened_volume`, the volume of the ticket that a `close_reopen` group opened for the
    rest. `to_utc` tells the passes of a repeated hour apart where tickets come in order; alone, a
    ticket counts as of the first.
    """
    names = _NAMES[dialect]
    fields = {key.replace("_", "").lower(): value for key, value in raw.items()}
    meaning = to_command(fields.get(names.command))
    if meaning is None:
        return None
    kind, side = meaning
    state = to_state(fields[names.state]) if fields.get(names.state) is not None else ""
    ticket = _number(fields, names.ticket, "ticket")
    opened = _time(fields, "opentime")
    if opened is None:
        raise RowRejected("bad_time", f"ticket {ticket} has no opening time; send the whole record")
    closed = _time(fields, "closetime") if side is not None else None
    opened_at = to_utc(opened, ticket) if to_utc is not None else profile.clock.to_utc(opened)
    record = Mt4Record(
        ticket=ticket,
        login=_number(fields, "login", "login"),
        # The pump lists open trades and says `delete` of one that is closed, too: then it has a close time.
        kind="deleted" if state == "deleted" or (transaction == "delete" and closed is None) else kind,
        side=side,
        opened_at=opened_at,
        open_time=_shown_time(opened),
        closed_at=_closed_at(closed, opened_at, profile),
        close_time=_shown_time(closed) if closed is not None else "",
        currency=_currency(fields, profile),
        group=_text(fields, "group"),
        comment=to_comment(_text(fields, "comment")),
        source=source,
    )
    if record.kind == "deleted":
        return record
    if side is None:
        return replace(record, profit=_amount(fields, "profit"))
    if closed is None and state.startswith("closed"):
        raise RowRejected("bad_time", f"ticket {ticket} is closed by its state, but has no close time")
    return _traded(record, fields, names)


def _traded(record: Mt4Record, fields: Mapping[str, object], names: _Names) -> Mt4Record:
    """Add what only a trade has; what an open ticket would gain is not known yet, whatever it shows."""
    is_closed = record.closed_at is not None
    opened_by = to_ticket_reason(fields[names.reason]) if fields.get(names.reason) is not None else ""
    closed_by = to_activation(fields[names.activation]) if fields.get(names.activation) is not None else ""
    return replace(
        record,
        symbol=to_symbol(_text(fields, "symbol")),
        volume_e8=_volume_e8(fields),
        open_price=_amount(fields, "openprice"),
        close_price=_amount(fields, "closeprice") if is_closed else None,
        profit=_amount(fields, "profit") if is_closed else ZERO,
        commission=_amount(fields, "commission"),
        taxes=_amount(fields, "taxes", ZERO),
        swap=_amount(fields, names.swap) if is_closed else ZERO,
        agent_commission=_agent_commission(fields) if is_closed else None,
        rate_profit=_closing_rate(fields) if is_closed else None,
        contract_size=_contract_size(fields),
        open_reason=opened_by,
        close_reason=closed_by or to_close_reason(record.comment) or opened_by,
        reopened_e8=_hundredths_e8(fields, "reopenedvolume") if "reopenedvolume" in fields else None,
    )


def _currency(fields: Mapping[str, object], profile: ServerProfile) -> str:
    """The deposit currency: MT4 keeps it with the group, so a bridge adds it, or the profile knows it."""
    return to_currency(_text(fields, "currency") or profile.currency)


def _closed_at(closed: datetime | None, opened_at: datetime, profile: ServerProfile) -> datetime | None:
    """The close in UTC; in a repeated hour the second pass, where the first is before the opening."""
    if closed is None:
        return None
    closed_at = profile.clock.to_utc(closed)
    return closed_at if closed_at >= opened_at else profile.clock.to_utc(closed, fold=1)


def _number(fields: Mapping[str, object], name: str, what: str) -> int:
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_NUMBER:
        return value
    return to_number(value if isinstance(value, str) else "", what)


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    raise RowRejected("bad_text", f"{name} is not a text")


def _amount(fields: Mapping[str, object], name: str, default: Decimal | None = None) -> Decimal:
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if value is None:
        raise RowRejected("missing_field", f"the record has no {name}; send it whole")
    return Decimal(plain(_decimal(value, name).quantize(UNIT)))


def _decimal(value: object, name: str) -> Decimal:
    """Take a number as it was written; a float has lost that already, so it is none."""
    number = Decimal("NaN")
    if isinstance(value, (Decimal, int)) and not isinstance(value, bool):
        number = Decimal(value)
    elif isinstance(value, str) and len(value) <= MAX_NUMBER_CHARS and value.isascii():
        with suppress(InvalidOperation):
            number = Decimal(value)
    if not number.is_finite() or number.adjusted() >= MAX_AMOUNT_DIGITS:
        raise RowRejected(
            "bad_amount",
            f"{name} `{told(value)}` is not a number of at most {MAX_AMOUNT_DIGITS} digits",
        )
    return number


def _volume_e8(fields: Mapping[str, object]) -> int:
    """Read the volume; lots beside it must say the same."""
    volume_e8 = _hundredths_e8(fields, "volume")
    lots = fields.get("volumelots")
    if lots is not None and _amount(fields, "volumelots") * LOT_E8 != volume_e8:
        raise RowRejected(
            "bad_volume",
            f"volume `{told(fields['volume'])}` and volume_lots `{told(lots)}` do not agree; volume is in"
            " hundredths of a lot",
        )
    return volume_e8


def _hundredths_e8(fields: Mapping[str, object], name: str) -> int:
    """Read hundredths of a lot, MT4's own unit."""
    volume = _decimal(fields.get(name), name)
    if volume != volume.to_integral_value() or not 0 <= volume <= MAX_VOLUME:
        raise RowRejected("bad_volume", f"{name} `{told(volume)}` is not a number of hundredths of a lot")
    return int(volume) * HUNDREDTH_E8


def _closing_rate(fields: Mapping[str, object]) -> Decimal | None:
    """The second of `convRates`; 0 means that the server kept none."""
    rates = fields.get("convrates")
    if not isinstance(rates, (list, tuple)) or len(rates) != 2:
        return None
    return RATE.plus(_decimal(rates[1], "convRates")) or None


def _agent_commission(fields: Mapping[str, object]) -> Decimal | None:
    return None if fields.get("commissionagent") is None else _amount(fields, "commissionagent")


def _contract_size(fields: Mapping[str, object]) -> Decimal | None:
    if fields.get("contractsize") is None:
        return None
    size = _amount(fields, "contractsize")
    if size < 0:
        raise RowRejected("bad_amount", "contract_size is negative")
    return size or None


def _time(fields: Mapping[str, object], name: str) -> datetime | None:
    """Read a server time, seconds or milliseconds since 1970 or ISO 8601; None for the platform's "never".

    A `Z` is not taken at its word: it is the wall clock that the server sends as if it were UTC.
    """
    value = fields.get(name)
    if value is None or value == "":
        return None
    at = _clock_time(value, name)
    if at.year <= _EPOCH.year:  # 1970-01-01, or .NET's 0001-01-01
        return None
    if not MIN_YEAR <= at.year <= MAX_YEAR:
        raise RowRejected("bad_time", f"{name} is of the year {at.year}")
    return at


def _clock_time(value: object, name: str) -> datetime:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_EPOCH_S * 1000:
        return _EPOCH + timedelta(seconds=value if value < MAX_EPOCH_S else value // 1000)
    if isinstance(value, str) and len(value) <= 40:
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            at = None
        if at is not None and at.tzinfo in (None, UTC):
            return at.replace(tzinfo=None, microsecond=0)
    raise RowRejected(
        "bad_time",
        f"{name} `{told(value)}` is not a server time: seconds since 1970, or 2025-06-02T10:00:00 without"
        " an offset",
    )


def _shown_time(at: datetime) -> str:
    return f"{at:%Y.%m.%d %H:%M:%S}"
