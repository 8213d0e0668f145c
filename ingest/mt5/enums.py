"""The numbers MT5 gives to types, directions, reasons and edits of a deal, as the words of `cells`.

The server's numbers (Manager API, Web API, SQL) and the terminal's (MQL5, `MetaTrader5` package) agree on
types and directions and differ on reasons: 4 is a take-profit on a server and a stop-loss in a terminal.
"""

from collections.abc import Mapping

from commission.events import DealKind, Entry, Side
from ingest.formats.cells import shown, to_entry, to_kind, to_reason
from ingest.formats.typed_cells import typed_code
from ingest.sources import RowRejected

_ACTIONS = (
    "buy", "sell", "balance", "credit", "charge", "correction", "bonus", "commission", "commission daily",
    "commission monthly", "agent daily", "agent monthly", "interest", "buy canceled", "sell canceled",
    "dividend", "dividend franked", "tax", "agent", "so compensation", "so compensation credit",
)  # fmt: skip
_ENTRIES = ("in", "out", "in/out", "out by")
_SERVER_REASONS = (
    "client", "expert", "dealer", "sl", "tp", "so", "rollover", "external client", "vmargin", "gateway",
    "signal", "settlement", "transfer", "sync", "external service", "migration", "mobile", "web", "split",
    "corporate action", "ultency", "coverage",
)  # fmt: skip
_TERMINAL_REASONS = (
    "client", "mobile", "web", "expert", "sl", "tp", "so", "rollover", "vmargin", "split", "corporate action",
)  # fmt: skip

KINDS: Mapping[int, tuple[DealKind, Side | None]] = {n: to_kind(word) for n, word in enumerate(_ACTIONS)}
ENTRIES: Mapping[int, Entry] = {n: to_entry(word) for n, word in enumerate(_ENTRIES)}
SERVER_REASONS: Mapping[int, str] = {n: to_reason(word) for n, word in enumerate(_SERVER_REASONS)}
TERMINAL_REASONS: Mapping[int, str] = {n: to_reason(word) for n, word in enumerate(_TERMINAL_REASONS)}

EDITS = {
    1: "admin",
    2: "manager",
    16: "api_admin",
    32: "api_manager",
    64: "api_server",
    128: "api_gateway",
    256: "api_server_add",
}
"""Bits of ModifyFlags that say who touched a deal by hand. Not among them: 4, inherited from the position
closed, and 8, restored from a backup."""


def kind_of(value: object) -> tuple[DealKind, Side | None]:
    """Read the number of a deal's type."""
    found = KINDS.get(_code(value))
    if found is None:
        raise RowRejected("unknown_type", f"deal type `{_shown(value)}` is not one of 0 to {len(KINDS) - 1}")
    return found


def entry_of(value: object) -> Entry:
    """Read the number of a deal's direction."""
    found = ENTRIES.get(_code(value))
    if found is None:
        raise RowRejected(
            "unknown_entry", f"Entry `{_shown(value)}` is not one of 0 in, 1 out, 2 in/out, 3 out by"
        )
    return found


def reason_of(value: object, reasons: Mapping[int, str]) -> str:
    """Read the number of a deal's reason in one dialect: an unknown one may be no client's trade."""
    found = reasons.get(_code(value))
    if found is None:
        raise RowRejected(
            "unknown_reason",
            f"Reason `{_shown(value)}` is not one of 0 to {len(reasons) - 1}; nobody knows whether a client"
            " asked for this deal. A newer platform needs a newer ibflow",
        )
    return found


def edits_of(value: object) -> tuple[str, ...]:
    """Tell who edited a deal by hand, from its ModifyFlags."""
    bits = _code(value)
    return tuple(word for bit, word in EDITS.items() if bits > 0 and bits & bit)


def _code(value: object) -> int:
    code = typed_code(value)
    return -1 if code is None else code


def _shown(value: object) -> str:
    return shown(str(value)) if isinstance(value, str | int) else type(value).__name__
