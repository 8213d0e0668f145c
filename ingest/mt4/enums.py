"""MT4's numbers for commands, reasons, states and activations, and the words JSON dialects use for them."""

import re
from decimal import Decimal
from typing import Literal

from commission.events import DealKind, Side
from ingest.formats.cells import shown
from ingest.sources import RowRejected

Transaction = Literal["add", "delete", "update", "change_group"]
"""What the pump says about a record; `delete`: it is no longer among the open ones."""

MAX_SHOWN = 10**30
"""A longer number is not worth its text."""

_COMMANDS = (
    "buy", "sell", "buylimit", "selllimit", "buystop", "sellstop", "balance", "credit",
)  # fmt: skip
_MEANINGS: dict[str, tuple[DealKind, Side | None]] = {
    "buy": ("trade", "buy"),
    "sell": ("trade", "sell"),
    "balance": ("balance", None),
    "credit": ("credit", None),
}
_REASONS = ("client", "expert", "dealer", "signal", "gateway", "mobile", "web", "api")
_STATES = (
    "opennormal", "openremand", "openrestored", "closednormal", "closedpart", "closedby", "deleted",
)  # fmt: skip
_ACTIVATIONS = ("none", "sl", "tp", "pending", "stopout")
_CLOSES = {"sl": "stop_loss", "tp": "take_profit", "stopout": "stop_out"}
_TRANSACTIONS: tuple[Transaction, ...] = ("add", "delete", "update", "change_group")
_NO_LETTER = re.compile(r"[^a-z]")
_PREFIXES = ("op", "trreason", "ts", "activation", "trans")


def to_command(value: object) -> tuple[DealKind, Side | None] | None:
    """Read `cmd` (0, `Buy`, `OP_BUY`): what a record is; None is a pending order, which is no deal."""
    return _MEANINGS.get(_word(value, _COMMANDS, "unknown_type", "command"))


def to_ticket_reason(value: object) -> str:
    """Read who opened a ticket: `TR_REASON_MOBILE`, `Mobile` and 5 are `mobile`."""
    return _word(value, _REASONS, "unknown_reason", "reason")


def to_state(value: object) -> str:
    """Read `state`: 4, `ClosedPart` and `TS_CLOSED_PART` are `closedpart`."""
    return _word(value, _STATES, "unknown_state", "state")


def to_activation(value: object) -> str:
    """Read what closed a ticket: `stop_out`, `stop_loss`, `take_profit`, or "" for a person or an EA.

    Negative numbers and `…Rollback` mean that the price came back, so nothing was activated.
    """
    if isinstance(value, int) and not isinstance(value, bool) and -len(_ACTIVATIONS) < value < 0:
        return ""
    if isinstance(value, str) and _letters(value).endswith("rollback"):
        return ""
    return _CLOSES.get(_word(value, _ACTIVATIONS, "unknown_activation", "activation"), "")


def to_transaction(value: object) -> Transaction:
    """Read the type of a transaction event: 1, `delete` and `TRANS_DELETE` are `delete`."""
    known = tuple(_letters(word) for word in _TRANSACTIONS)
    if value in ("CHANGE_GRP", "TRANS_CHANGE_GRP"):
        return "change_group"
    return _TRANSACTIONS[known.index(_word(value, known, "unknown_transaction", "transaction"))]


def _word(value: object, words: tuple[str, ...], code: str, what: str) -> str:
    """The word for a number, a name or a number as text; raise `RowRejected` for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 3:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(words):
        return words[value]
    if isinstance(value, str):
        found = _letters(value)
        for prefix in ("", *_PREFIXES):
            if found.startswith(prefix) and found.removeprefix(prefix) in words:
                return found.removeprefix(prefix)
    raise RowRejected(
        code,
        f"{what} `{told(value)}` is not one MT4 has: 0 to {len(words) - 1}, {', '.join(words)}",
    )


def told(value: object) -> str:
    """Show a value of JSON in a message: a number or a text, cut; of anything else its type."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, Decimal) or (isinstance(value, int) and abs(value) < MAX_SHOWN):
        return shown(str(value))
    return type(value).__name__


def _letters(text: str) -> str:
    return _NO_LETTER.sub("", text[:64].lower())
