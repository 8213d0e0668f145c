"""Exports of MT5 that hold no deals: known, so that a person is told which export is the right one."""

from collections.abc import Collection

MANAGER_DEALS = "export the Deals tab of MT5 Manager instead"
TERMINAL_DEALS = "save what history_deals_get() returns instead"
SERVER_DEALS = "read the table mt5_deals, or /api/deal, instead"
NO_TRADES = "orders and positions are not what a client traded"

_BY_FIELDS: tuple[tuple[frozenset[str], str, str], ...] = (
    (frozenset({"ticket", "time_setup"}), "orders of the MetaTrader5 package", TERMINAL_DEALS),
    (
        frozenset({"identifier", "price_open"}),
        "positions of the MetaTrader5 package",
        TERMINAL_DEALS,
    ),
    (frozenset({"trade_contract_size"}), "symbols of the MetaTrader5 package", ""),
    (frozenset({"order", "timesetup"}), "orders of an MT5 server", SERVER_DEALS),
    (frozenset({"position", "timecreate"}), "positions of an MT5 server", SERVER_DEALS),
    (frozenset({"login", "order", "symbol", "state"}), "an Orders export of MT5 Manager", MANAGER_DEALS),
    (frozenset({"login", "position", "symbol"}), "a Positions export of MT5 Manager", MANAGER_DEALS),
)
_BESIDE_DEALS = (
    "it goes beside the deals: as `x-symbols.json` beside `x-deals.json` it is read with them, for the"
    " contract sizes"
)


def refusal_of(fields: Collection[str]) -> str:
    """What a file with these columns or fields, in lower case without spaces, is; "" if it is not known."""
    if "deal" in fields or "cmd" in fields:
        return ""  # deals of MT5, or trades of MT4
    for signs, what, instead in _BY_FIELDS:
        if signs <= set(fields):
            return f"holds {what}: {f'{NO_TRADES}; {instead}' if instead else _BESIDE_DEALS}"
    return ""
