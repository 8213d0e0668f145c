"""Cells of exports to values: exact amounts, volumes, numbers and words, or a reason why not."""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from commission.events import DealKind, Entry, Side
from ingest.sources import RowRejected

ZERO = Decimal(0)
MAX_NUMBER = 2**64 - 1
"""Deal numbers and logins are unsigned 64-bit on the platforms."""
MAX_NUMBER_DIGITS = 20
MAX_LOTS_DIGITS = 10
MAX_AMOUNT_DIGITS = 15
MAX_SYMBOL_CHARS = 64
MAX_REASON_CHARS = 64
MAX_COMMENT_CHARS = 255
MAX_SHOWN_CHARS = 40

_REMEMBERED = 65_536
_MINUS = "\u2212"
_SPACE = "[ \u00a0\u2009\u202f]"
_is_plain = re.compile(rf"-?[0-9]{{1,{MAX_AMOUNT_DIGITS}}}(?:\.[0-9]{{1,8}})?").fullmatch
_AMOUNT = re.compile(
    rf"\s*([-+{_MINUS}]?){_SPACE}*([0-9]{{1,3}}(?:{_SPACE}[0-9]{{3}})+|[0-9]{{1,{MAX_AMOUNT_DIGITS}}})(\.[0-9]{{1,8}})?\s*"
)
_LOTS = re.compile(rf"([0-9]{{1,{MAX_LOTS_DIGITS}}})(?:\.([0-9]{{1,8}}))?")
_CURRENCY = re.compile(r"[A-Za-z][A-Za-z0-9]{1,11}")
_SPACES = re.compile(r"[\s_-]+")

KINDS: dict[str, tuple[DealKind, Side | None]] = {
    "buy": ("trade", "buy"),
    "sell": ("trade", "sell"),
    "buy canceled": ("cancelled", "buy"),
    "sell canceled": ("cancelled", "sell"),
    "buy cancelled": ("cancelled", "buy"),
    "sell cancelled": ("cancelled", "sell"),
    "canceled buy": ("cancelled", "buy"),
    "canceled sell": ("cancelled", "sell"),
    "balance": ("balance", None),
    "credit": ("credit", None),
    "charge": ("charge", None),
    "correction": ("correction", None),
    "bonus": ("bonus", None),
    "commission": ("commission", None),
    "commission daily": ("commission", None),
    "daily commission": ("commission", None),
    "commission monthly": ("commission", None),
    "monthly commission": ("commission", None),
    "agent": ("agent", None),
    "agent commission": ("agent", None),
    "agent daily": ("agent", None),
    "daily agent": ("agent", None),
    "agent monthly": ("agent", None),
    "monthly agent": ("agent", None),
    "interest": ("interest", None),
    "interest rate": ("interest", None),
    "dividend": ("dividend", None),
    "dividend franked": ("dividend", None),
    "franked dividend": ("dividend", None),
    "tax": ("tax", None),
    "so compensation": ("so_compensation", None),
    "so compensation credit": ("so_compensation", None),
    "so credit compensation": ("so_compensation", None),
    "stop out compensation": ("so_compensation", None),
}
_ENTRIES: dict[str, Entry] = {
    "in": "in",
    "out": "out",
    "in/out": "inout",
    "inout": "inout",
    "out by": "out_by",
    "out_by": "out_by",
}
_REASONS = {
    "sl": "stop_loss",
    "tp": "take_profit",
    "so": "stop_out",
    "vmargin": "variation_margin",
    "roll_over": "rollover",
}

AmountColumn = Literal[
    "Commission",
    "Fee",
    "Swap",
    "Profit",
    "Balance",
    "Price",
    "Taxes",
    "Amount",
    "ContractSize",
    "MarketBid",
    "MarketAsk",
    "RateProfit",
    "Volume",
]


def to_amount(text: str, column: AmountColumn) -> Decimal:
    """Read an exact amount: `-0.08`, `- 0.08`, `1 452.18`, also with no-break spaces or a minus sign."""
    if text == "0":
        return ZERO
    if not _is_plain(text):
        text = _to_plain(text, column)
    amount = Decimal(text)
    return amount if amount else abs(amount)  # no negative zero


@lru_cache(_REMEMBERED)
def to_volume_e8(text: str) -> int:
    """Read lots as integer 1e-8 lots, exactly: `0.00003053` is 3,053."""
    parts = _LOTS.fullmatch(text.strip())
    if parts is None:
        raise RowRejected(
            "bad_volume",
            f"Volume `{shown(text)}` is not a number of lots, with a point and at most 8 decimals,"
            " not negative",
        )
    return int(parts[1]) * 100_000_000 + int((parts[2] or "").ljust(8, "0"))


def check_price(price: Decimal | None) -> None:
    """Raise `RowRejected` for a trade at a price of 0: nothing was ever bought or sold so."""
    if price is not None and not price:
        raise RowRejected(
            "bad_price",
            "a trade cannot have a price of 0: the row is something else, such as a sum of archived trades;"
            " dismiss it, or correct it on the server and export it again",
        )


def to_number(text: str, column: str) -> int:
    """Read a login, deal or ticket number; never zero."""
    if not (text.isdigit() and text.isascii()):
        text = text.strip()
    if text.isdigit() and text.isascii() and len(text) <= MAX_NUMBER_DIGITS and 0 < int(text) <= MAX_NUMBER:
        return int(text)
    # Beside these columns stands the client's name; a row out of place would repeat it here.
    raise RowRejected("bad_number", f"{column} is not a number from 1 to 2^64-1")


def to_position_id(text: str) -> str:
    """Read a position number; `0` and an empty cell are no position."""
    if text.isdigit() and text.isascii() and text[0] != "0" and len(text) < MAX_NUMBER_DIGITS:
        return text
    return str(to_number(text, "Position")) if text.strip(" 0") else ""


def to_order(text: str) -> str:
    """Read an order number; `0` and an empty cell are no order, as of a deal that a dealer made."""
    return str(to_number(text, "Order")) if text.strip(" 0") else ""


@lru_cache(_REMEMBERED)
def to_login(text: str) -> int:
    """Read a login, remembering it: accounts repeat where deals do not."""
    return to_number(text, "Login")


@lru_cache(1_024)
def to_kind(text: str) -> tuple[DealKind, Side | None]:
    """Read a deal's type into its kind and, for trades, its side."""
    found = KINDS.get(_SPACES.sub(" ", text.strip().lower()))
    if found is None:
        raise RowRejected(
            "unknown_type", f"Type `{shown(text)}` is not a deal type; known: {', '.join(KINDS)}"
        )
    return found


@lru_cache(1_024)
def to_entry(text: str) -> Entry:
    """Read a deal's direction."""
    found = _ENTRIES.get(text.strip().lower())
    if found is None:
        raise RowRejected("unknown_entry", f"Entry `{shown(text)}` is not one of in, out, in/out, out by")
    return found


@lru_cache(1_024)
def to_reason(text: str) -> str:
    """Normalise a reason to lower snake words: `Stop loss` is `stop_loss`."""
    word = "".join(filter(str.isprintable, _SPACES.sub("_", text.strip().lower())[:MAX_REASON_CHARS]))
    return _REASONS.get(word, word)


@lru_cache(_REMEMBERED)
def to_symbol(text: str) -> str:
    """Check a symbol and keep it as the server spells it: suffixes are different price streams."""
    symbol = text.strip()
    if not symbol or len(symbol) > MAX_SYMBOL_CHARS or not symbol.isprintable():
        raise RowRejected(
            "bad_symbol",
            f"Symbol `{shown(text)}`: a trade names a symbol of 1 to {MAX_SYMBOL_CHARS} printable characters",
        )
    return symbol


@lru_cache(1_024)
def to_currency(text: str) -> str:
    """Check an account currency such as JPY, USC or USDT."""
    currency = text.strip()
    if not _CURRENCY.fullmatch(currency):
        raise RowRejected(
            "bad_currency",
            f"Currency `{shown(text)}` is not a currency code; export the column or set the"
            " profile's currency",
        )
    return currency


def to_comment(text: str) -> str:
    """Keep a comment for people, cut to a bounded length."""
    return text.strip()[:MAX_COMMENT_CHARS]


def shown(text: str) -> str:
    """Cut a cell to what fits a message, in characters that do nothing to a terminal."""
    cut = text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in cut)


def _to_plain(text: str, column: str) -> str:
    """Spell an amount as Decimal reads it; raise `RowRejected` if it is none."""
    parts = _AMOUNT.fullmatch(text)
    if parts is None:
        raise RowRejected("bad_amount", _why_no_amount(text, column))
    digits = re.sub(_SPACE, "", parts[2])
    if len(digits) > MAX_AMOUNT_DIGITS:
        raise RowRejected("bad_amount", f"{column} `{shown(text)}` has more than {MAX_AMOUNT_DIGITS} digits")
    return f"{'-' if parts[1] in ('-', _MINUS) else ''}{digits}{parts[3] or ''}"


def _why_no_amount(text: str, column: str) -> str:
    if not text.strip():
        return f"{column} is empty; export it with a number, 0 for none"
    if "," in text:
        return (
            f"{column} `{shown(text)}` has a comma; export with a decimal point, so that no amount is guessed"
        )
    return f"{column} `{shown(text)}` is not a number with at most {MAX_AMOUNT_DIGITS} digits and 8 decimals"
