"""Values that arrive with a type (JSON numbers, database columns) to the exact values of `cells`.

JSON must be parsed with `parse_float=Decimal`. A float from a driver is taken at its shortest spelling,
the one that reads back as the same double, and no arithmetic is done with it.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal

from commission.events import LOT_E8
from ingest.formats.cells import MAX_AMOUNT_DIGITS, MAX_NUMBER, AmountColumn, shown, to_amount, to_number
from ingest.sources import RowRejected

MAX_VOLUME_E8 = 10**18
"""Ten thousand million lots, as many as a cell of an export can hold."""
MAX_TEXT_CHARS = 255

_UNIT = Decimal("1e-8")
_LIMIT = Decimal(10) ** MAX_AMOUNT_DIGITS
_TINY = Decimal("1e-12")
_NOISE = 2**50
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_RATE = Context(prec=15, rounding=ROUND_HALF_EVEN)
"""A rate is a quotient; a double holds 15 digits of it."""


def typed_amount(value: object, column: AmountColumn) -> Decimal:
    """Read an exact amount of at most 8 decimals; what a double adds beyond them is noise, and cut."""
    if isinstance(value, str):
        return to_amount(value, column)
    number = _finite(value, column)
    exact = number.quantize(_UNIT, context=_EXACT)
    if exact == number:
        return number if number else abs(number)
    rest = abs(_EXACT.subtract(exact, number))
    if rest > _TINY and rest * _NOISE > abs(number):
        raise RowRejected("bad_amount", f"{column} `{shown(str(value))}` has more than 8 decimals")
    exact = exact.normalize(_EXACT)
    return exact if exact else abs(exact)


def typed_rate(value: object, column: AmountColumn) -> Decimal | None:
    """Read a rate to 15 digits; zero and None mean that the platform did not record it."""
    if value is None:
        return None
    rate = to_amount(value, column) if isinstance(value, str) else _RATE.plus(_finite(value, column))
    if rate < 0:
        raise RowRejected("bad_amount", f"{column} `{shown(str(value))}` is negative")
    return rate or None


def typed_number(value: object, column: str) -> int:
    """Read a login, deal or position number, 1 to 2^64-1."""
    if type(value) is str:
        return to_number(value, column)
    if type(value) is int and 0 < value <= MAX_NUMBER:
        return value
    whole = _whole(value)
    if whole is not None and 0 < whole <= MAX_NUMBER:
        return whole
    raise RowRejected("bad_number", f"{column} is not a number from 1 to 2^64-1")


def typed_units(value: object, column: str) -> int:
    """Read a whole number of units, not negative; `1.00` is refused, since it may mean lots."""
    whole = _whole(value)
    if whole is None or not 0 <= whole <= MAX_VOLUME_E8:
        raise RowRejected(
            "bad_volume",
            f"{column} `{shown(str(value))}` is not a whole number of the platform's own units; lots with a"
            " point are another dialect",
        )
    return whole


def typed_lots_e8(value: object, column: str) -> int:
    """Read lots as integer 1e-8 lots, exactly."""
    try:
        lots = typed_amount(value, "Volume")
    except RowRejected:
        lots = Decimal(-1)
    if not 0 <= lots * LOT_E8 <= MAX_VOLUME_E8:
        raise RowRejected(
            "bad_volume",
            f"{column} `{shown(str(value))}` is not a number of lots with at most 8 decimals, not negative",
        )
    return int(_EXACT.multiply(lots, Decimal(LOT_E8)))


def typed_code(value: object) -> int | None:
    """Read the number of an enum; None for anything else."""
    return value if type(value) is int else _whole(value)


def typed_text(value: object, column: str) -> str:
    """Read a text; None is none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowRejected("bad_text", f"{column} is not a text; send it as the platform spells it")
    if value.isascii():
        return value
    # JSON can spell half a character (`\\ud83d` alone), which no text can be written with.
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _finite(value: object, column: str) -> Decimal:
    if isinstance(value, float):
        value = Decimal(repr(value))
    elif isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < _LIMIT:
        return value
    if value is None:
        raise RowRejected("bad_amount", f"{column} is missing; send it with a number, 0 for none")
    raise RowRejected(
        "bad_amount",
        f"{column} `{shown(str(value)[:MAX_TEXT_CHARS])}` is not a number with at most"
        f" {MAX_AMOUNT_DIGITS} digits",
    )


def _whole(value: object) -> int | None:
    if type(value) is int:
        return value
    if isinstance(value, str) and value.isdigit() and value.isascii() and len(value) <= MAX_AMOUNT_DIGITS + 5:
        return int(value)
    if isinstance(value, Decimal) and value.is_finite() and value.as_tuple().exponent == 0:
        return int(value)
    return None
