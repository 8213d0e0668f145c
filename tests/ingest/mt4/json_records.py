"""Records of MT4 servers as JSON, for tests of all that reads them."""

from typing import Any


def node(number: int, **more: Any) -> dict[str, Any]:
    """A closed trade of mt4manager, as JSON has it."""
    return {
        "id": number, "login": 5002, "symbol": "EURUSD", "cmd": 0, "volume": 50,
        "openTime": "2025-06-02T10:00:00.000Z", "openPrice": 1.1, "closeTime": "2025-06-02T11:00:00.000Z",
        "closePrice": 1.101, "reason": 5, "convRates": [1, 1], "commission": -3.5, "swap": -0.25,
        "profit": 50, "taxes": 0, "comment": "", "activation": 0, "state": 3,
    } | more  # fmt: skip


CPLUGIN = {
    "order": 7, "login": 5002, "symbol": "EURUSD", "trade_command": "Sell", "volume": 25, "volume_lots": 0.25,
    "open_time": "2025-06-02T10:00:00", "open_price": 1.1, "close_time": "0001-01-01T00:00:00",
    "commission": -1, "storage": 0, "trade_record_state": "OpenNormal",
}  # fmt: skip
