"""Rows of a dump of MT4's table of trades."""

from typing import Any

MT4_HEADER = (
    "TICKET,LOGIN,SYMBOL,DIGITS,CMD,VOLUME,OPEN_TIME,OPEN_PRICE,SL,TP,CLOSE_TIME,EXPIRATION,REASON,CONV_RATE1,"
    "CONV_RATE2,COMMISSION,COMMISSION_AGENT,SWAPS,CLOSE_PRICE,PROFIT,TAXES,COMMENT,INTERNAL_ID,MARGIN_RATE,"
    "TIMESTAMP,MODIFY_TIME"
)


OPEN = "1970-01-01 00:00:00"


def mt4_row(number: int | str, **cells: Any) -> str:
    """A closed trade as the report server has it, with the cells that matter replaced."""
    usual = {
        "TICKET": number, "LOGIN": "5002", "SYMBOL": "EURUSD", "DIGITS": "5", "CMD": "0", "VOLUME": "50",
        "OPEN_TIME": "2025-06-02 10:00:00", "OPEN_PRICE": "1.1", "SL": "0", "TP": "0",
        "CLOSE_TIME": "2025-06-02 11:00:00", "EXPIRATION": OPEN, "REASON": "0", "CONV_RATE1": "1",
        "CONV_RATE2": "1", "COMMISSION": "-3.5", "COMMISSION_AGENT": "0", "SWAPS": "-0.25",
        "CLOSE_PRICE": "1.1009999999999999", "PROFIT": "50", "TAXES": "0", "COMMENT": "", "INTERNAL_ID": "0",
        "MARGIN_RATE": "1", "TIMESTAMP": "1748862000", "MODIFY_TIME": "2025-06-02 11:00:00",
    } | cells  # fmt: skip
    return ",".join(str(cell) for cell in usual.values())
