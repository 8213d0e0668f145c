"""Tables of MT4's and MT5's databases on a real MariaDB, of the true shape, with made-up rows."""

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

from ingest.sql.database import Address

FILETIME_OF_1970 = 116_444_736_000_000_000
"""Tenths of microseconds from 1601 to 1970: 11,644,473,600 seconds."""
_numbers = itertools.count()

MT5_DEALS = """
CREATE TABLE {name} (
  `Deal` BIGINT UNSIGNED NOT NULL DEFAULT 0, `Timestamp` BIGINT NOT NULL DEFAULT 0,
  `ExternalID` VARCHAR(32) NOT NULL DEFAULT '', `Login` BIGINT UNSIGNED NOT NULL DEFAULT 0,
  `Dealer` BIGINT UNSIGNED NOT NULL DEFAULT 0, `Order` BIGINT UNSIGNED NOT NULL DEFAULT 0,
  `Action` INT UNSIGNED NOT NULL DEFAULT 0, `Entry` INT UNSIGNED NOT NULL DEFAULT 0,
  `Reason` INT UNSIGNED NOT NULL DEFAULT 0, `Digits` INT UNSIGNED NOT NULL DEFAULT 0,
  `DigitsCurrency` INT UNSIGNED NOT NULL DEFAULT 2, `ContractSize` DOUBLE NOT NULL DEFAULT 0,
  `Time` DATETIME NOT NULL DEFAULT '1970-01-01', `TimeMsc` DATETIME(6) NOT NULL DEFAULT '1970-01-01',
  `Symbol` VARCHAR(32) NOT NULL DEFAULT '', `Price` DOUBLE NOT NULL DEFAULT 0,
  `VolumeExt` BIGINT UNSIGNED NOT NULL DEFAULT 0, `Profit` DOUBLE NOT NULL DEFAULT 0,
  `Storage` DOUBLE NOT NULL DEFAULT 0, `Commission` DOUBLE NOT NULL DEFAULT 0,
  `RateProfit` DOUBLE NOT NULL DEFAULT 0, `RateMargin` DOUBLE NOT NULL DEFAULT 0,
  `ExpertID` BIGINT UNSIGNED NOT NULL DEFAULT 0, `PositionID` BIGINT UNSIGNED NOT NULL DEFAULT 0,
  `Comment` VARCHAR(32) NOT NULL DEFAULT '', `ProfitRaw` DOUBLE NOT NULL DEFAULT 0,
  `PricePosition` DOUBLE NOT NULL DEFAULT 0, `VolumeClosedExt` BIGINT UNSIGNED NOT NULL DEFAULT 0,
  `TickValue` DOUBLE NOT NULL DEFAULT 0, `TickSize` DOUBLE NOT NULL DEFAULT 0,
  `Flags` BIGINT UNSIGNED NOT NULL DEFAULT 0, `Gateway` VARCHAR(16) NOT NULL DEFAULT '',
  `PriceGateway` DOUBLE NOT NULL DEFAULT 0, `ModifyFlags` INT UNSIGNED NOT NULL DEFAULT 0,
  `Volume` BIGINT UNSIGNED NOT NULL DEFAULT 0, `VolumeClosed` BIGINT UNSIGNED NOT NULL DEFAULT 0,
  `ApiData` BLOB, PRIMARY KEY (`Deal`), KEY `IDX_Timestamp` (`Timestamp`)
) CHARACTER SET utf8mb4
"""
MT5_NEWER = (
    "ADD `Fee` DOUBLE NOT NULL DEFAULT 0, ADD `MarketBid` DOUBLE NOT NULL DEFAULT 0,"
    " ADD `MarketAsk` DOUBLE NOT NULL DEFAULT 0"
)
MT5_USERS = """
CREATE TABLE mt5_users (`Login` BIGINT UNSIGNED PRIMARY KEY, `Group` VARCHAR(64), `Name` VARCHAR(128))
"""
MT5_GROUPS = """
CREATE TABLE mt5_groups (`Group_ID` BIGINT PRIMARY KEY, `Group` VARCHAR(64), `Currency` VARCHAR(16))
"""
MT4_TRADES = """
CREATE TABLE MT4_TRADES (
  TICKET INT NOT NULL PRIMARY KEY, LOGIN INT NOT NULL, SYMBOL CHAR(16) NOT NULL,
  DIGITS INT NOT NULL DEFAULT 5, CMD INT NOT NULL, VOLUME INT NOT NULL,
  OPEN_TIME DATETIME NOT NULL, OPEN_PRICE DOUBLE NOT NULL,
  SL DOUBLE NOT NULL DEFAULT 0, TP DOUBLE NOT NULL DEFAULT 0, CLOSE_TIME DATETIME NOT NULL,
  EXPIRATION DATETIME NOT NULL DEFAULT '1970-01-01', REASON INT NOT NULL DEFAULT 0,
  CONV_RATE1 DOUBLE NOT NULL DEFAULT 0, CONV_RATE2 DOUBLE NOT NULL DEFAULT 0, COMMISSION DOUBLE NOT NULL,
  COMMISSION_AGENT DOUBLE NOT NULL DEFAULT 0, SWAPS DOUBLE NOT NULL, CLOSE_PRICE DOUBLE NOT NULL,
  PROFIT DOUBLE NOT NULL, TAXES DOUBLE NOT NULL DEFAULT 0, COMMENT CHAR(32) NOT NULL,
  INTERNAL_ID INT NOT NULL DEFAULT 0, MARGIN_RATE DOUBLE NOT NULL DEFAULT 0, TIMESTAMP INT NOT NULL,
  MAGIC INT NOT NULL DEFAULT 0, MODIFY_TIME DATETIME NOT NULL,
  KEY INDEX_STAMP (TIMESTAMP)
)
"""
MT4_USERS = """
CREATE TABLE MT4_USERS (LOGIN INT PRIMARY KEY, `GROUP` CHAR(16), NAME CHAR(128), CURRENCY CHAR(16))
"""


@dataclass(frozen=True, slots=True)
class SqlServer:
    """A database of its own on the server, and who may do everything there."""

    address: Address
    connection: "pymysql.Connection[Any]"

    def run(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Run one statement; its rows."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, arguments or None)
            return list(cursor.fetchall())

    def insert(self, table: str, *rows: Mapping[str, object]) -> None:
        """Insert rows, or replace those of the same number."""
        for names, alike in itertools.groupby(rows, key=tuple):
            columns, marks = ", ".join(f"`{name}`" for name in names), ", ".join(["%s"] * len(names))
            into = f"REPLACE INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - our own names
            with self.connection.cursor() as cursor:
                cursor.executemany(into, [tuple(row.values()) for row in alike])

    def kill_connections(self) -> int:
        """Kill every connection but our own, as an administrator would."""
        others = self.run(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE ID != CONNECTION_ID() AND DB = %s",
            self.address.database,
        )
        for (number,) in others:
            self.run(f"KILL CONNECTION {number}")
        return len(others)


@contextmanager
def fresh(address: str) -> Iterator[SqlServer]:
    """A new database at the address, dropped at the end."""
    parts = urlsplit(address)
    name = f"ibflow_{os.getpid()}_{next(_numbers)}"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    host, port = parts.hostname or "", parts.port or 3306
    connection = pymysql.connect(host=host, port=port, user=user, password=password, autocommit=True)
    with connection:
        own = Address(host=host, port=port, database=name, user=user, password=password)
        server = SqlServer(own, connection)
        server.run(f"CREATE DATABASE {name}")
        server.run(f"USE {name}")
        try:
            yield server
        finally:
            server.run(f"DROP DATABASE {name}")


def filetime(at: datetime) -> int:
    """Windows' count of a moment."""
    return FILETIME_OF_1970 + (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10


def deal(number: int, at: datetime, **columns: object) -> dict[str, object]:
    """A row of `mt5_deals`: a small trade on a server whose clock shows UTC, written as it happened."""
    return {
        "Deal": number, "Timestamp": filetime(at), "Login": 5001, "Action": 0, "Entry": 0, "Reason": 0,
        "Digits": 5, "ContractSize": 100_000, "Time": at.replace(tzinfo=None, microsecond=0),
        "TimeMsc": at.replace(tzinfo=None), "Symbol": "EURUSD", "Price": 1.1, "VolumeExt": 100_000_000,
        "Volume": 10_000, "PositionID": 7001,
    } | columns  # fmt: skip


def ticket(number: int, at: datetime, **columns: object) -> dict[str, object]:
    """A row of `MT4_TRADES`: an open ticket of half a lot on a server whose clock shows UTC."""
    opened = at.replace(tzinfo=None, microsecond=0)
    return {
        "TICKET": number, "LOGIN": 4001, "SYMBOL": "EURUSD", "CMD": 0, "VOLUME": 50, "OPEN_TIME": opened,
        "OPEN_PRICE": 1.1, "CLOSE_TIME": "1970-01-01", "COMMISSION": -3.5, "SWAPS": 0, "CLOSE_PRICE": 1.2,
        "PROFIT": 0, "COMMENT": "", "TIMESTAMP": int(at.timestamp()), "MODIFY_TIME": opened,
    } | columns  # fmt: skip


DUMPED = (
    "Deal,Timestamp,ExternalID,Login,Dealer,Order,Action,Entry,Reason,Digits,DigitsCurrency,ContractSize,Time,"
    "TimeMsc,Symbol,Price,VolumeExt,Profit,Storage,Commission,RateProfit,RateMargin,ExpertID,PositionID,Comment,"
    "ProfitRaw,PricePosition,VolumeClosedExt,TickValue,TickSize,Flags,Gateway,PriceGateway,ModifyFlags,Volume,"
    "VolumeClosed,ApiData"
)
"""The columns of a real dump of `mt5_deals`, in its order."""


def dumped(number: int, **columns: object) -> str:
    """A line of a dump: a trade of one lot; on that server's clock it was 10:00:<number> of 2 June 2025."""
    at = datetime(2025, 6, 2, 10, 0, number % 60, 445_000, tzinfo=UTC)
    usual = {"Entry": 0, "Timestamp": filetime(at), "ApiData": "[]"}
    cells = deal(number, at) | {"TimeMsc": f"{at:%Y-%m-%d %H:%M:%S.%f}"} | usual | columns
    texts = {"ExternalID", "Gateway", "Comment"}
    return ",".join(str(cells.get(name, "" if name in texts else 0)) for name in DUMPED.split(","))


def dump(*rows: int | str, header: str = DUMPED) -> str:
    """A dump of trades by number, or of lines as they are."""
    return "".join(f"{row if isinstance(row, str) else dumped(row)}\n" for row in (header, *rows))
