"""Builders of MT5 records as its programs spell them, all made up: a small trade, with fields replaced."""

from typing import Any

TEN = 1_748_858_400
"""2025-06-02 10:00:00, as seconds since 1970 of whatever clock."""


def manager(deal: int, **fields: Any) -> dict[str, Any]:
    """A deal as the Web API sends it: every value a string."""
    usual = {
        "Deal": deal, "ExternalID": "", "Login": 5001, "Dealer": 0, "Order": 7001, "Action": 0, "Entry": 0,
        "Reason": 0, "Digits": 5, "DigitsCurrency": 2, "ContractSize": "100000.00", "Time": TEN,
        "TimeMsc": TEN * 1000, "Symbol": "EURUSD", "Price": "1.10000", "Volume": 10_000,
        "VolumeExt": 100_000_000, "Profit": "0.00", "Storage": "0.00", "Commission": "0.00", "Fee": "0.00",
        "RateProfit": "0.00000000", "RateMargin": "1.10000000", "ExpertID": 0, "PositionID": 7001,
        "Comment": "", "ProfitRaw": "0.00", "PricePosition": "0.00000", "PriceSL": "0.00000",
        "PriceTP": "0.00000", "VolumeClosed": 0, "VolumeClosedExt": 0, "Flags": 0, "Gateway": "",
        "ModifyFlags": 0, "Value": "0.00", "MarketBid": "1.09990", "MarketAsk": "1.10000",
        "MarketLast": "0.00000",
    }  # fmt: skip
    return {name: str(value) for name, value in (usual | fields).items() if value is not None}


def cash(deal: int, profit: str, **fields: Any) -> dict[str, Any]:
    """A balance operation as the Web API sends it."""
    none = {
        "Symbol": "",
        "Volume": 0,
        "VolumeExt": 0,
        "PositionID": 0,
        "Price": "0.00",
        "ContractSize": "0.00",
    }
    return manager(deal, **({"Action": 2, "Reason": 2, "Profit": profit} | none | fields))


def terminal(ticket: int, **fields: Any) -> dict[str, Any]:
    """A deal as the `MetaTrader5` package gives it: numbers, and lots."""
    usual = {
        "ticket": ticket, "order": 7001, "time": TEN, "time_msc": TEN * 1000, "type": 0, "entry": 0,
        "magic": 0, "position_id": 7001, "reason": 0, "volume": 1.0, "price": 1.1, "commission": 0.0,
        "swap": 0.0, "profit": 0.0, "fee": 0.0, "symbol": "EURUSD", "comment": "", "external_id": "",
    }  # fmt: skip
    return {name: value for name, value in (usual | fields).items() if value is not None}
