"""Write the example broker's exports: two MT5 servers, MT4 statements and a CRM, the same bytes every time.

    python examples/broker/generate.py [--out DIR]

Everything follows from SEED: no clock, no float, and each client draws from a generator of its
own, so that changing one client leaves the others as they were.
"""

# ruff: noqa: D102, D103, S311 # a script: nothing in it is called from outside, and its chance must repeat

import argparse
import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

SEED = 20260901
FIRST_DAY = datetime(2026, 9, 1, tzinfo=UTC)
LAST_DAY = datetime(2026, 10, 30, tzinfo=UTC)
END = LAST_DAY.replace(hour=20)
"""The Friday evening on which the exports were made; later closings have not happened yet."""

HEADER = (
    "Deal,ID,Order,Position,Login,Name,Time,Type,Entry,Symbol,Volume,Price,S / L,T / P,"
    "Reason,Commission,Fee,Swap,Profit,Dealer,Currency,Comment"
)
CRM_HEADER = (
    "event,event_id,occurred_at,client_id,ib_id,server,login,deposit_id,"
    "amount,currency,status,country,click.click_id,click.sub1"
)

CLIENTS = 40
ON_NETTING = (2, 5, 9, 20, 27, 33, 38)
ON_MT4 = (3, 6, 21, 28, 34)
TWO_ACCOUNTS = 7
"""A hedging and a netting account."""
HAND = (1, 2, 3)
"""The clients whose totals HAND.md works out."""
CENT = 10
NO_KYC = 11
KYC_LATE = 12
REGISTERED_LATE = 13
CHARGED_BACK = 14
NO_IB = 15
UNKNOWN_SYMBOL = 16
CLOSES_BY = 17
CANCELLED = 18
ROLLED_OVER = 19
UNLINKED_LOGIN = 500099

LOGIN_BASE = {"mt5-live": 500000, "mt5-net": 600000, "mt4-real": 70000}
DUPLICATED_ROWS = 12
MOVED_ROWS = 30
REPEATED_IN_CORRECTIONS = 10


@dataclass(frozen=True, slots=True)
class Spec:
    """A symbol: price digits, contract size, profit currency, first price in points, hourly step."""

    digits: int
    contract_size: int
    profit_currency: str
    points: int
    step: int

    def price(self, points: int) -> Decimal:
        return Decimal(points).scaleb(-self.digits)


SPECS = {
    "EURUSD": Spec(5, 100_000, "USD", 108_600, 45),
    "GBPUSD": Spec(5, 100_000, "USD", 129_300, 60),
    "USDJPY": Spec(3, 100_000, "JPY", 149_400, 70),
    "EURJPY": Spec(3, 100_000, "JPY", 162_200, 80),
    "XAUUSD": Spec(2, 100, "USD", 384_000, 260),
    "US500": Spec(1, 10, "USD", 66_200, 70),
    "NAS100": Spec(1, 10, "USD", 243_000, 300),
    "EURUSDc": Spec(5, 1_000, "USD", 108_600, 45),
}
HEDGING_SYMBOLS = ("EURUSD", "EURUSD", "GBPUSD", "USDJPY", "EURJPY", "XAUUSD", "XAUUSD", "US500")
NETTING_SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD")
MT4_SYMBOLS = ("EURUSD", "USDJPY", "XAUUSD")
SPREAD = {"EURUSD": 12, "GBPUSD": 15, "USDJPY": 14, "EURJPY": 20, "XAUUSD": 25, "US500": 6, "NAS100": 15}


class Market:
    """Mid prices: a walk of one step an hour that is pulled back to where it began."""

    def __init__(self) -> None:
        hours = int((END - FIRST_DAY) / timedelta(hours=1)) + 1
        self._path: dict[str, list[int]] = {}
        for name, spec in SPECS.items():
            rng = Random(f"{SEED}/{name[:6]}")
            at, path = spec.points, []
            for _ in range(hours):
                at += rng.randint(-spec.step, spec.step) + (spec.points - at) // 60
                path.append(at)
            self._path[name] = path

    def quote(self, symbol: str, at: datetime, side: str, rng: Random) -> Decimal:
        """What a client pays to buy, or gets to sell, near the hour's price."""
        spec, path = SPECS[symbol], self._path[symbol]
        mid = path[int((at - FIRST_DAY) / timedelta(hours=1))] + rng.randint(-spec.step // 4, spec.step // 4)
        half = SPREAD[symbol[:6]] // 2
        return spec.price(mid + half if side == "buy" else mid - half)


@dataclass(slots=True)
class Position:
    """What deals have in common; its ticket is the order that opened it, known once all are numbered."""

    ticket: int = 0


@dataclass(slots=True, kw_only=True)
class Deal:
    """One row of an MT5 export before it has its numbers."""

    at: datetime
    login: int
    type: str
    entry: str = "in"
    symbol: str = ""
    lots: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    position: Position | None = None
    reason: str = "Client"
    stop_loss: Decimal = Decimal(0)
    take_profit: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    swap: Decimal = Decimal(0)
    profit: Decimal = Decimal(0)
    dealer: int = 0
    currency: str = "USD"
    comment: str = ""
    number: int = 0
    order: int = 0


@dataclass(slots=True, kw_only=True)
class Ticket:
    """One MT4 ticket; `issued_at` orders the numbers: a remainder's ticket is newer than its opening."""

    opened_at: datetime
    type: str
    lots: Decimal = Decimal(0)
    symbol: str = ""
    open_price: Decimal = Decimal(0)
    closed_at: datetime | None = None
    close_price: Decimal = Decimal(0)
    issued_at: datetime
    commission: Decimal = Decimal(0)
    swap: Decimal = Decimal(0)
    profit: Decimal = Decimal(0)
    comment: str = ""
    remainder_of: "Ticket | None" = None
    hedge_of: "Ticket | None" = None
    number: int = 0


# Arithmetic and chance


def profit(
    symbol: str, side: str, opened: Decimal, closed: Decimal, lots: Decimal, usd_jpy: Decimal
) -> Decimal:
    """As MetaTrader: rounded in the profit currency, converted at the closing, rounded again."""
    spec = SPECS[symbol]
    move = closed - opened if side == "buy" else opened - closed
    raw = move * spec.contract_size * lots
    if spec.profit_currency == "JPY":
        return cents(raw.quantize(Decimal(1), ROUND_HALF_UP) / usd_jpy)
    # A cent account's currency is the US cent.
    return cents(raw * 100) if symbol.endswith("c") else cents(raw)


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def opposite(side: str) -> str:
    return "sell" if side == "buy" else "buy"


def trading_time(rng: Random) -> datetime:
    while True:
        day = FIRST_DAY + timedelta(days=rng.randint(0, (LAST_DAY - FIRST_DAY).days))
        if day.weekday() < 5:
            return day + timedelta(milliseconds=rng.randint(3_600_000, 68_400_000))


def later(at: datetime, rng: Random, longest_minutes: int = 2_900) -> datetime:
    """A closing time, moved over the weekend if it falls into one."""
    closed = at + timedelta(milliseconds=rng.randint(200_000, longest_minutes * 60_000))
    if closed.weekday() >= 5 or (closed.weekday() == 4 and closed.hour >= 20):
        closed += timedelta(days=7 - closed.weekday())
    return closed


def night_swap(opened: datetime, closed: datetime, lots: Decimal) -> Decimal:
    return cents(Decimal("-4.2") * lots * (closed.date() - opened.date()).days)


def some_lots(rng: Random) -> Decimal:
    return Decimal(rng.choice((1, 2, 5, 10, 10, 20, 25, 30, 50, 50, 75, 100, 150))).scaleb(-2)


def split(lots: Decimal, rng: Random) -> Decimal:
    """A part of the lots, at least 0.01 and less than all."""
    return Decimal(rng.randint(1, int(lots * 100) - 1)).scaleb(-2)


# MT5, hedging: each opening deal has a position of its own


def usd_jpy_at(market: Market, at: datetime) -> Decimal:
    return market.quote("USDJPY", at, "buy", Random(0))


def closing(
    market: Market, first: Deal, at: datetime, lots: Decimal, rng: Random, entry: str = "out"
) -> Deal:
    """The deal that closes `lots` of the position `first` opened."""
    side = opposite(first.type)
    price = market.quote(first.symbol, at, side, rng)
    gained = profit(first.symbol, first.type, first.price, price, lots, usd_jpy_at(market, at))
    deal = Deal(
        at=at,
        login=first.login,
        type=side,
        entry=entry,
        symbol=first.symbol,
        lots=lots,
        price=price,
        position=first.position,
        swap=night_swap(first.at, at, lots),
        profit=gained,
        currency=first.currency,
    )
    if entry == "out" and rng.randint(1, 5) == 1:
        deal.reason, mark = ("Take profit", "tp") if gained > 0 else ("Stop loss", "sl")
        deal.comment = f"[{mark} {price}]"
    return deal


def opening(market: Market, login: int, symbol: str, at: datetime, lots: Decimal, rng: Random) -> Deal:
    side = rng.choice(("buy", "sell"))
    price = market.quote(symbol, at, side, rng)
    step = SPECS[symbol].price(SPECS[symbol].step * 12)
    away = step if side == "buy" else -step
    has_stops = rng.randint(0, 1)
    return Deal(
        at=at,
        login=login,
        type=side,
        symbol=symbol,
        lots=lots,
        price=price,
        position=Position(),
        reason=rng.choice(("Client", "Client", "Expert", "Mobile", "Web")),
        stop_loss=price - away if has_stops else Decimal(0),
        take_profit=price + away if has_stops else Decimal(0),
        commission=cents(Decimal("-3.5") * lots),
        currency="USC" if symbol.endswith("c") else "USD",
    )


def hedging_story(market: Market, client: int, rng: Random) -> Iterator[Deal]:
    login = LOGIN_BASE["mt5-live"] + client
    symbols = ("EURUSDc",) if client == CENT else HEDGING_SYMBOLS
    for _ in range(rng.randint(58, 82)):
        lots = some_lots(rng)
        first = opening(market, login, rng.choice(symbols), trading_time(rng), lots, rng)
        yield first
        parts = [lots]
        if lots > Decimal("0.01") and rng.randint(1, 5) == 1:
            part = split(lots, rng)
            parts = [part, lots - part]
        at = first.at
        for part in parts:
            at = later(at, rng)
            if at < END:
                yield closing(market, first, at, part, rng)


def close_by_story(market: Market, client: int, rng: Random) -> Iterator[Deal]:
    """Three pairs of opposite positions, each closed by the other: two `out by`, profit on one."""
    login = LOGIN_BASE["mt5-live"] + client
    for day in (3, 17, 45):
        at = FIRST_DAY + timedelta(days=day - 1, hours=10)
        long, short = (opening(market, login, "EURUSD", at, Decimal("0.50"), rng) for _ in range(2))
        long.type, short.type, short.at = "buy", "sell", at + timedelta(hours=1)
        yield from (long, short)
        both_at = at + timedelta(hours=5)
        one, two = (closing(market, first, both_at, first.lots, rng, "out by") for first in (long, short))
        gained = profit("EURUSD", "buy", long.price, short.price, long.lots, Decimal(1))
        one.price, one.profit, one.swap = short.price, gained, Decimal(0)
        two.price, two.profit, two.swap = long.price, Decimal(0), Decimal(0)
        one.reason = two.reason = "Client"
        yield from (one, two)


def service_story(market: Market, client: int, rng: Random) -> Iterator[Deal]:
    """A position that the server closes and reopens at two nights: roll-overs are no trades."""
    at = FIRST_DAY + timedelta(days=20, hours=9)
    first = opening(market, LOGIN_BASE["mt5-live"] + client, "GBPUSD", at, Decimal("1.00"), rng)
    yield first
    for night in (1, 2):
        rolled = closing(market, first, at + timedelta(days=night, hours=-12), first.lots, rng)
        rolled.reason, rolled.comment, rolled.profit, rolled.swap = (
            "Rollover",
            "rollover",
            Decimal(0),
            Decimal(0),
        )
        again = Deal(
            at=rolled.at,
            login=first.login,
            type=first.type,
            symbol=first.symbol,
            lots=first.lots,
            price=rolled.price,
            position=first.position,
            reason="Rollover",
            comment="rollover",
        )
        yield from (rolled, again)
    yield closing(market, first, at + timedelta(days=2), first.lots, rng)


def fixed_hedging(market: Market) -> Iterator[Deal]:
    """Deals with a part to play: an unknown symbol, an account nobody links, one cancelled later."""
    rng = Random(f"{SEED}/fixed")
    at = FIRST_DAY + timedelta(days=14, hours=13)
    nas = opening(market, LOGIN_BASE["mt5-live"] + UNKNOWN_SYMBOL, "NAS100", at, Decimal("0.50"), rng)
    yield from (nas, closing(market, nas, at + timedelta(hours=2), nas.lots, rng))
    lost = opening(market, UNLINKED_LOGIN, "EURUSD", at, Decimal("0.30"), rng)
    yield lost
    for hours, lots in ((3, "0.10"), (4, "0.20")):
        yield closing(market, lost, at + timedelta(hours=hours), Decimal(lots), rng)
    doomed = opening(market, LOGIN_BASE["mt5-live"] + CANCELLED, "EURUSD", at, Decimal("1.20"), rng)
    doomed.type = "sell"
    out = closing(market, doomed, at + timedelta(hours=6), doomed.lots, rng)
    out.reason, out.comment = "Dealer", "price error"
    yield from (doomed, out)


# MT5, netting: one running position a symbol


@dataclass(slots=True)
class Running:
    """A netting position: signed lots and their average price."""

    position: Position = field(default_factory=Position)
    lots: Decimal = Decimal(0)
    price: Decimal = Decimal(0)

    def deal(
        self, market: Market, login: int, symbol: str, at: datetime, signed: Decimal, price: Decimal
    ) -> Deal:
        """Fold one execution and tell the entry, the profit and the position it belongs to."""
        before, after = self.lots, self.lots + signed
        entry, gained = "in", Decimal(0)
        if not before:
            self.position, self.price = Position(), price
        elif (before > 0) == (signed > 0):
            self.price = (abs(before) * self.price + abs(signed) * price) / abs(after)
        else:
            closed = min(abs(before), abs(signed))
            side = "buy" if before > 0 else "sell"
            gained = profit(symbol, side, self.price, price, closed, usd_jpy_at(market, at))
            entry = "out" if abs(signed) <= abs(before) else "in/out"
            if entry == "in/out":
                self.price = price
        self.lots = after
        return Deal(
            at=at,
            login=login,
            type="buy" if signed > 0 else "sell",
            entry=entry,
            symbol=symbol,
            lots=abs(signed),
            price=price,
            position=self.position,
            commission=cents(Decimal("-3.5") * abs(signed)),
            profit=gained,
        )


def netting_story(market: Market, client: int, rng: Random) -> Iterator[Deal]:
    login = LOGIN_BASE["mt5-net"] + client
    running = {symbol: Running() for symbol in NETTING_SYMBOLS}
    for at in sorted(trading_time(rng) for _ in range(rng.randint(85, 110))):
        symbol = rng.choice(NETTING_SYMBOLS)
        held = running[symbol].lots
        lots = some_lots(rng)
        signed = lots if rng.randint(0, 1) else -lots
        if held and rng.randint(1, 3) == 1:
            signed = -held
        elif abs(held) > 3:
            signed = -held - (lots if held > 0 else -lots)
        side = "buy" if signed > 0 else "sell"
        yield running[symbol].deal(market, login, symbol, at, signed, market.quote(symbol, at, side, rng))


# Clients worked out by hand


def hand_hedging() -> Iterator[Deal]:
    """c-001: a position closed in two parts, and one in yen after Europe's clocks have changed."""
    login, euro, yen = LOGIN_BASE["mt5-live"] + 1, Position(), Position()
    for moment, side, entry, symbol, lots, price, position, gained in (
        ("2026-09-08T08:15:00.250", "buy", "in", "EURUSD", "1.00", "1.08650", euro, "0"),
        ("2026-09-08T14:40:10.500", "sell", "out", "EURUSD", "0.40", "1.08790", euro, "56.00"),
        ("2026-09-09T09:05:30.125", "sell", "out", "EURUSD", "0.60", "1.08590", euro, "-36.00"),
        ("2026-10-27T13:20:00.000", "sell", "in", "USDJPY", "0.50", "150.120", yen, "0"),
        ("2026-10-28T10:30:45.750", "buy", "out", "USDJPY", "0.50", "149.820", yen, "100.12"),
    ):
        yield hand_deal(login, moment, side, entry, symbol, lots, price, position, gained)


def hand_netting() -> Iterator[Deal]:
    """c-002: 0.30 bought, 0.50 sold (0.30 closes, 0.20 opens), 0.20 bought back."""
    login, running = LOGIN_BASE["mt5-net"] + 2, Position()
    for moment, side, entry, lots, price, gained in (
        ("2026-09-15T07:30:00.000", "buy", "in", "0.30", "1.08500", "0"),
        ("2026-09-16T11:45:20.640", "sell", "in/out", "0.50", "1.08720", "66.00"),
        ("2026-10-27T15:00:05.010", "buy", "out", "0.20", "1.08400", "64.00"),
    ):
        yield hand_deal(login, moment, side, entry, "EURUSD", lots, price, running, gained)


def hand_deal(
    login: int,
    moment: str,
    side: str,
    entry: str,
    symbol: str,
    lots: str,
    price: str,
    position: Position,
    gained: str,
) -> Deal:
    return Deal(
        at=datetime.fromisoformat(f"{moment}+00:00"),
        login=login,
        type=side,
        entry=entry,
        symbol=symbol,
        lots=Decimal(lots),
        price=Decimal(price),
        position=position,
        commission=cents(Decimal("-3.5") * Decimal(lots)) if entry == "in" else Decimal(0),
        profit=Decimal(gained),
    )


def hand_mt4() -> Iterator[Ticket]:
    """c-003: one gold and one yen ticket, closed whole."""
    for opened, closed, side, lots, symbol, open_price, close_price, gained in (
        (
            "2026-09-10T09:00:00",
            "2026-09-10T15:30:00",
            "buy",
            "0.20",
            "XAUUSD",
            "3838.40",
            "3845.90",
            "150.00",
        ),
        (
            "2026-09-22T08:10:00",
            "2026-09-23T12:00:00",
            "sell",
            "0.10",
            "USDJPY",
            "149.200",
            "148.900",
            "20.15",
        ),
    ):
        at = datetime.fromisoformat(f"{opened}+00:00")
        yield Ticket(
            opened_at=at,
            issued_at=at,
            closed_at=datetime.fromisoformat(f"{closed}+00:00"),
            type=side,
            lots=Decimal(lots),
            symbol=symbol,
            open_price=Decimal(open_price),
            close_price=Decimal(close_price),
            profit=Decimal(gained),
        )


# MT5 exports


def number(deals: list[Deal], first_deal: int, first_order: int, rng: Random) -> list[Deal]:
    """Give deals, orders and positions their numbers in the order of time, with gaps as servers have."""
    ordered = sorted(deals, key=lambda deal: (deal.at, deal.login))
    deal_number, order = first_deal, first_order
    last: Deal | None = None
    for deal in ordered:
        deal_number += rng.randint(1, 3)
        deal.number = deal_number
        is_second_leg = (
            last is not None and last.entry == deal.entry == "out by" and last.order and last.at == deal.at
        )
        if deal.position is not None:
            order = order if is_second_leg else order + rng.randint(1, 4)
            deal.order = order
            deal.position.ticket = deal.position.ticket or order
        last = deal
    return ordered


def cash(login: int, at: datetime, kind: str, amount: int, comment: str, currency: str = "USD") -> Deal:
    return Deal(
        at=at,
        login=login,
        type=kind,
        reason="Dealer",
        profit=Decimal(amount),
        dealer=1000,
        currency=currency,
        comment=comment,
    )


def to_row(deal: Deal, zone: ZoneInfo, shift: timedelta) -> str:
    position = deal.position.ticket if deal.position is not None else 0
    cells = (
        deal.number,
        "",
        deal.order,
        position,
        deal.login,
        f"CLIENT {deal.login % 1000:03}",
        f"{server_time(deal.at, zone, shift):%Y.%m.%d %H:%M:%S}.{deal.at.microsecond // 1000:03}",
        deal.type,
        deal.entry,
        deal.symbol,
        plain(deal.lots),
        plain(deal.price),
        plain(deal.stop_loss),
        plain(deal.take_profit),
        deal.reason,
        plain(deal.commission),
        0,
        plain(deal.swap),
        plain(deal.profit),
        deal.dealer,
        deal.currency,
        deal.comment,
    )
    return ",".join(str(cell) for cell in cells)


def server_time(at: datetime, zone: ZoneInfo, shift: timedelta) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None) + shift


def plain(amount: Decimal) -> str:
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def to_export(rows: list[str]) -> bytes:
    return "".join(f"{row}\r\n" for row in (HEADER, *rows)).encode()


def live_exports(market: Market) -> tuple[bytes, bytes]:
    """The hedging server's export with all its faults, and the second one that corrects a deal."""
    deals = [*fixed_hedging(market), *hand_hedging()]
    for client in live_clients():
        rng = Random(f"{SEED}/live/{client}")
        login = LOGIN_BASE["mt5-live"] + client
        currency = "USC" if client == CENT else "USD"
        amount = deposit_of(client) * (100 if client == CENT else 1)
        deals.append(cash(login, FIRST_DAY + timedelta(hours=1), "balance", amount, "Deposit", currency))
        if client not in HAND:
            deals += hedging_story(market, client, rng)
        if client in (8, 22):
            deals.append(cash(login, FIRST_DAY + timedelta(days=7, hours=9), "credit", 100, "Welcome credit"))
            deals.append(cash(login, FIRST_DAY + timedelta(days=30, hours=9), "balance", -150, "Withdrawal"))
    deals += close_by_story(market, CLOSES_BY, Random(f"{SEED}/close-by"))
    deals += service_story(market, ROLLED_OVER, Random(f"{SEED}/service"))
    rng = Random(f"{SEED}/live")
    numbered = number(deals, 41_000_000, 39_000_000, rng)
    zone, shift = ZoneInfo("America/New_York"), timedelta(hours=7)
    rows = [to_row(deal, zone, shift) for deal in numbered]
    cancelled = next(deal for deal in numbered if deal.comment == "price error")
    moved = cash(cancelled.login, END - timedelta(hours=2), "balance", 0, f"Cancel #{cancelled.number}")
    moved.number, moved.profit = numbered[-1].number + 5, cancelled.profit
    cancelled.type, cancelled.profit, cancelled.swap = f"{cancelled.type} canceled", Decimal(0), Decimal(0)
    corrected = [to_row(cancelled, zone, shift), to_row(moved, zone, shift)]
    again = rng.sample(rows, REPEATED_IN_CORRECTIONS)
    return to_export(with_faults(rows, rng)), to_export([*again, *corrected])


def with_faults(rows: list[str], rng: Random) -> list[str]:
    """Rows out of order, rows twice, and four rows that no reader can use."""
    rows = list(rows)
    for _ in range(MOVED_ROWS):
        row = rows.pop(rng.randrange(len(rows)))
        rows.insert(rng.randrange(len(rows)), row)
    for row in rng.sample(rows, DUPLICATED_ROWS):
        rows.insert(rng.randrange(len(rows)), row)
    base = "49000001,,49000001,49000001,500004,CLIENT 004,2026.09.14 12:00:00.000,buy,in,EURUSD,0.1,1.0861"
    rest = "0,0,Client,0,0,0,0,0,USD,"
    bad = (
        f"{base.replace(',0.1,', ',0.1x,')},{rest}",
        base.replace("49000001", "49000002"),
        f"{base.replace('49000001', '49000003').replace('2026.09.14', '2026.13.14')},{rest}",
        f"{base.replace('49000001', '49000004').replace(',buy,', ',bought,')},{rest}",
    )
    for row in bad:
        rows.insert(rng.randrange(len(rows)), row)
    return rows


def net_export(market: Market) -> bytes:
    deals = list(hand_netting())
    for client in (*ON_NETTING, TWO_ACCOUNTS):
        rng = Random(f"{SEED}/net/{client}")
        login = LOGIN_BASE["mt5-net"] + client
        if client != TWO_ACCOUNTS:
            at = FIRST_DAY + timedelta(hours=2)
            deals.append(cash(login, at, "balance", deposit_of(client), "Deposit"))
        if client not in HAND:
            deals += netting_story(market, client, rng)
    rows = number(deals, 7_200_000, 6_900_000, Random(f"{SEED}/net"))
    return to_export([to_row(deal, ZoneInfo("Europe/Helsinki"), timedelta(0)) for deal in rows])


def live_clients() -> list[int]:
    return [client for client in range(1, CLIENTS + 1) if client not in (*ON_NETTING, *ON_MT4)]


# MT4 statements


def mt4_story(market: Market, rng: Random) -> Iterator[Ticket]:
    for _ in range(rng.randint(38, 52)):
        symbol, at, lots = rng.choice(MT4_SYMBOLS), trading_time(rng).replace(microsecond=0), some_lots(rng)
        side = rng.choice(("buy", "sell"))
        first = Ticket(
            opened_at=at,
            issued_at=at,
            type=side,
            lots=lots,
            symbol=symbol,
            open_price=market.quote(symbol, at, side, rng),
        )
        first.commission = cents(Decimal("-3.5") * lots)
        yield first
        if lots > Decimal("0.01") and rng.randint(1, 6) == 1:
            first.lots = split(lots, rng)
            rest = close_part(market, first, lots - first.lots, rng)
            if rest is not None:
                yield rest
            continue
        close_ticket(market, first, later(at, rng), rng)
    yield from dead_pendings(market, rng)
    yield from closed_by_pair(market, rng)


def close_ticket(market: Market, ticket: Ticket, at: datetime, rng: Random) -> None:
    at = at.replace(microsecond=0)
    seen_at = min(at, END - timedelta(seconds=1))
    ticket.close_price = market.quote(ticket.symbol, seen_at, opposite(ticket.type), rng)
    prices = (ticket.open_price, ticket.close_price)
    ticket.profit = profit(ticket.symbol, ticket.type, *prices, ticket.lots, usd_jpy_at(market, seen_at))
    ticket.swap = night_swap(ticket.opened_at, seen_at, ticket.lots)
    if at < END:
        ticket.closed_at = at
        ticket.comment = ticket.comment or rng.choice(("", "", "[sl]" if ticket.profit < 0 else "[tp]"))


def close_part(market: Market, ticket: Ticket, rest_lots: Decimal, rng: Random) -> Ticket | None:
    """MT4 closes the part under the old number; the remainder lives on as a new ticket."""
    whole = ticket.lots + rest_lots
    close_ticket(market, ticket, later(ticket.opened_at, rng, 400), rng)
    if ticket.closed_at is None:
        ticket.lots = whole
        return None
    ticket.comment = "to #"
    rest = Ticket(
        opened_at=ticket.opened_at,
        issued_at=ticket.closed_at,
        type=ticket.type,
        lots=rest_lots,
        symbol=ticket.symbol,
        open_price=ticket.open_price,
        comment="from #",
        remainder_of=ticket,
    )
    ticket.commission, rest.commission = (cents(Decimal("-3.5") * t.lots) for t in (ticket, rest))
    close_ticket(market, rest, later(ticket.closed_at, rng), rng)
    return rest


def dead_pendings(market: Market, rng: Random) -> Iterator[Ticket]:
    for _ in range(3):
        at = trading_time(rng).replace(microsecond=0)
        price = market.quote("EURUSD", at, "buy", rng) - Decimal("0.00400")
        yield Ticket(
            opened_at=at,
            issued_at=at,
            type="buy limit",
            lots=some_lots(rng),
            symbol="EURUSD",
            open_price=price,
            closed_at=min(later(at, rng).replace(microsecond=0), END),
            close_price=price + Decimal("0.00400"),
            comment="cancelled",
        )


def closed_by_pair(market: Market, rng: Random) -> Iterator[Ticket]:
    """The first leg carries lots and profit; the second is left with no volume."""
    at = FIRST_DAY + timedelta(days=9, hours=10, minutes=rng.randint(0, 59))
    until = at + timedelta(hours=4)
    short_at = at + timedelta(hours=1)
    long_price, short_price = (
        market.quote("EURUSD", t, s, rng) for t, s in ((at, "buy"), (short_at, "sell"))
    )
    long = Ticket(
        opened_at=at,
        issued_at=at,
        type="buy",
        lots=Decimal("0.40"),
        symbol="EURUSD",
        open_price=long_price,
        closed_at=until,
        close_price=short_price,
        profit=profit("EURUSD", "buy", long_price, short_price, Decimal("0.40"), Decimal(1)),
    )
    yield long
    yield Ticket(
        opened_at=short_at,
        issued_at=short_at,
        type="sell",
        symbol="EURUSD",
        open_price=short_price,
        closed_at=until,
        close_price=short_price,
        comment="close hedge by #",
        hedge_of=long,
    )


def mt4_statements(market: Market) -> dict[str, bytes]:
    stories: dict[int, list[Ticket]] = {}
    for client in ON_MT4:
        rng = Random(f"{SEED}/mt4/{client}")
        paid_in = Ticket(
            opened_at=FIRST_DAY + timedelta(hours=2),
            issued_at=FIRST_DAY + timedelta(hours=2),
            type="balance",
            profit=Decimal(deposit_of(client)),
            comment="Deposit",
        )
        trades = hand_mt4() if client in HAND else mt4_story(market, rng)
        stories[LOGIN_BASE["mt4-real"] + client] = [paid_in, *trades]
    rng, ticket_number = Random(f"{SEED}/mt4"), 81_500_000
    for ticket in sorted((t for story in stories.values() for t in story), key=lambda t: t.issued_at):
        ticket_number += rng.randint(1, 9)
        ticket.number = ticket_number
    for story in stories.values():
        name_relatives(story)
    return {f"mt4-real/{login}.htm": statement(login, story) for login, story in stories.items()}


def name_relatives(story: list[Ticket]) -> None:
    for ticket in story:
        if ticket.remainder_of is not None:
            ticket.remainder_of.comment = f"to #{ticket.number}"
            ticket.comment = f"from #{ticket.remainder_of.number}"
        if ticket.hedge_of is not None:
            ticket.comment = f"close hedge by #{ticket.hedge_of.number}"


STATEMENT = """\
<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">
<html>
  <head>
    <title>Statement: {login} - CLIENT {client:03}</title>
  </head>
<body topmargin=1 marginheight=1>
<div align=center>
<div style="font: 20pt Times New Roman"><b>Meridian Trading, Société de démonstration</b></div><br>


<table cellspacing=1 cellpadding=3 border=0>
<tr align=left>
    <td colspan=2><b>Account: {login}</b></td>
    <td colspan=5><b>Name: CLIENT {client:03}</b></td>
    <td colspan=2><b>Currency: USD</b></td>
    <td colspan=2><b>Leverage: 1:100</b></td>
    <td colspan=3 align=right><b>2026 October 30, 22:15</b></td></tr>

<tr align=left><td colspan=14><b>Closed Transactions:</b></td></tr>
<tr align=center bgcolor="#C0C0C0">
   <td>Ticket</td><td nowrap>Open Time</td><td>Type</td><td>Size</td><td>Item</td>
   <td>Price</td><td>S / L</td><td>T / P</td><td nowrap>Close Time</td>
   <td>Price</td><td>Commission</td><td>Taxes</td><td>Swap</td><td>Profit</td></tr>
{closed}
<tr align=right>
    <td colspan=12 align=right><b>Closed P/L:</b></td>
    <td colspan=2 align=right title="Commission + Swap + Profit + Taxes" class=mspt><b>{closed_sum}</b></td>
</tr>

<tr align=left><td colspan=14><b>Open Trades:</b></td></tr>
<tr align=center bgcolor="#C0C0C0">
    <td>Ticket</td><td nowrap>Open Time</td><td>Type</td><td>Size</td><td>Item</td>
    <td>Price</td><td>S / L</td><td>T / P</td><td>&nbsp;</td>
    <td>Price</td><td>Commission</td><td>Taxes</td><td>Swap</td><td>Profit</td></tr>
{open}
<tr><td colspan=10>&nbsp;</td><td colspan=2 align=right><b>Floating P/L:</b></td>
    <td colspan=2 align=right title="Commission + Swap + Profit + Taxes"
     class=mspt><b>{open_sum}</b></td></tr>

<tr align=left><td colspan=14><b>Working Orders:</b></td></tr>
<tr align=center bgcolor="#C0C0C0">
    <td>Ticket</td><td nowrap>Open Time</td><td>Type</td><td>Size</td><td>Item</td>
    <td>Price</td><td>S / L</td><td>T / P</td><td colspan=2 nowrap>Market Price</td>
    <td colspan=4>&nbsp;</td></tr>
<tr align=right><td colspan=13 align=center>No transactions</td></tr>

<tr><td colspan=14 style="font: 1pt arial">&nbsp;</td></tr>

<tr align=left><td colspan=14><b>Summary:</b></td></tr>
<tr align=right>
    <td colspan=2><b>Deposit/Withdrawal:</b></td>
    <td colspan=2 class=mspt><b>{deposits}</b></td>
    <td colspan=4><b>Credit Facility:</b></td>
    <td class=mspt><b>0.00</b></td>
    <td colspan=5>&nbsp;</td></tr>
<tr align=right>
    <td colspan=2><b>Balance:</b></td>
    <td colspan=2 class=mspt><b>{balance}</b></td>
    <td colspan=4><b>Equity:</b></td>
    <td class=mspt><b>{equity}</b></td>
    <td colspan=5>&nbsp;</td></tr>
</table>
</div></body></html>
"""


def statement(login: int, story: list[Ticket]) -> bytes:
    """As the terminal saves it: the code page of the PC, the newest closing first."""
    closed = [ticket for ticket in story if ticket.closed_at is not None or ticket.type == "balance"]
    still_open = [ticket for ticket in story if ticket not in closed]
    closed.sort(key=lambda ticket: (ticket.closed_at or ticket.opened_at, ticket.number), reverse=True)
    trades = sum_of(ticket for ticket in closed if ticket.type != "balance")
    deposits = sum_of(ticket for ticket in closed if ticket.type == "balance")
    floating = sum_of(still_open)
    text = STATEMENT.format(
        login=login,
        client=login % 1000,
        closed="\n".join(html_row(ticket, index) for index, ticket in enumerate(closed)),
        open="\n".join(html_row(ticket, index) for index, ticket in enumerate(still_open)),
        closed_sum=spaced(trades),
        open_sum=spaced(floating),
        deposits=spaced(deposits),
        balance=spaced(trades + deposits),
        equity=spaced(trades + deposits + floating),
    )
    return text.replace("\n", "\r\n").encode("cp1252")


def sum_of(tickets: Iterable[Ticket]) -> Decimal:
    return sum((ticket.commission + ticket.swap + ticket.profit for ticket in tickets), Decimal(0))


def spaced(amount: Decimal) -> str:
    return f"{cents(amount):,.2f}".replace(",", " ")


def html_row(ticket: Ticket, index: int) -> str:
    """14 cells for a trade, 5 for a balance operation, 11 for a pending order that died."""
    shade = " bgcolor=#E0E0E0" if index % 2 else ""
    start = f'<tr{shade} align=right><td title="{ticket.comment}">{ticket.number}</td>'
    start += f"<td class=msdate nowrap>{mt4_time(ticket.opened_at)}</td><td>{ticket.type}</td>"
    if ticket.type == "balance":
        money = f"<td class=mspt>{spaced(ticket.profit)}</td></tr>"
        return f"{start}<td colspan=10 align=left>{ticket.comment}</td>{money}"
    digits = SPECS[ticket.symbol].digits
    style = f'<td style="mso-number-format:0\\.{"0" * digits};">'
    zero = f"{style}{0:.{digits}f}</td>"
    closed_at = mt4_time(ticket.closed_at) if ticket.closed_at is not None else "&nbsp;"
    middle = (
        f"<td class=mspt>{ticket.lots:.2f}</td><td>{ticket.symbol.lower()}</td>"
        f"{style}{ticket.open_price:.{digits}f}</td>{zero}{zero}"
        f"<td class=msdate nowrap>{closed_at}</td>{style}{ticket.close_price:.{digits}f}</td>"
    )
    if ticket.type == "buy limit":
        return f"{start}{middle}<td colspan=4>{ticket.comment}</td></tr>"
    money = "".join(
        f"<td class=mspt>{spaced(amount)}</td>"
        for amount in (ticket.commission, Decimal(0), ticket.swap, ticket.profit)
    )
    return f"{start}{middle}{money}</tr>"


def mt4_time(at: datetime) -> str:
    return f"{server_time(at, ZoneInfo('Europe/London'), timedelta(hours=2)):%Y.%m.%d %H:%M:%S}"


# CRM


def ib_of(client: int) -> str:
    fixed = {
        1: "ib-north",
        2: "ib-south",
        3: "ib-master",
        NO_KYC: "ib-north",
        CHARGED_BACK: "ib-south",
        NO_IB: "",
    }
    return fixed.get(client, ("ib-north", "ib-south", "ib-north", "ib-south", "ib-master")[client % 5])


def deposit_of(client: int) -> int:
    """Dollars paid in; the clients of HAND.md stay below what a CPA asks for."""
    if client in HAND:
        return 250
    return 1000 if client == CHARGED_BACK else Random(f"{SEED}/deposit/{client}").randint(3, 60) * 100


def accounts_of(client: int) -> list[str]:
    if client == TWO_ACCOUNTS:
        return ["mt5-live", "mt5-net"]
    return ["mt5-net" if client in ON_NETTING else "mt4-real" if client in ON_MT4 else "mt5-live"]


Event = dict[str, str]


def crm_events() -> tuple[list[Event], list[Event]]:
    """What the CRM knew in time, and what it told late."""
    known: list[Event] = []
    late: list[Event] = []
    for client in range(1, CLIENTS + 1):
        registration, *others = client_events(client)
        (late if client == REGISTERED_LATE else known).append(registration)
        known += others
    deposit = next(e for e in known if e["event"] == "deposit" and e["client_id"] == f"c-{CHARGED_BACK:03}")
    back = moment(FIRST_DAY + timedelta(days=49, hours=9))
    late.append({**deposit, "event": "chargeback", "occurred_at": back, "amount": "", "currency": ""})
    known.sort(key=lambda event: event["occurred_at"])
    for index, event in enumerate((*known, *late), 1):
        event["event_id"] = f"crm-{index:05}"
    return known, late


def client_events(client: int) -> Iterator[Event]:
    rng = Random(f"{SEED}/crm/{client}")
    at = FIRST_DAY - timedelta(days=rng.randint(2, 18), minutes=rng.randint(0, 600))
    who = {"client_id": f"c-{client:03}"}
    click = {
        "click.click_id": f"clk{rng.randrange(16**8):08x}",
        "click.sub1": rng.choice(("fx", "gold", "news")),
    }
    country = rng.choice(("CY", "DE", "ES", "IT", "JP", "PL", "TH", "ZA"))
    first = {"event": "registration", "occurred_at": moment(at), "ib_id": ib_of(client), "country": country}
    yield {**who, **first, **(click if ib_of(client) else {})}
    for index, server in enumerate(accounts_of(client)):
        login = str(LOGIN_BASE[server] + client)
        linked_at = moment(at + timedelta(hours=1 + index))
        yield {**who, "event": "account_link", "occurred_at": linked_at, "server": server, "login": login}
    if client != NO_KYC:
        late = FIRST_DAY + timedelta(days=43, hours=11)
        kyc_at = late if client == KYC_LATE else at + timedelta(hours=rng.randint(5, 40))
        yield {**who, "event": "kyc", "occurred_at": moment(kyc_at), "status": "approved"}
    paid = {"deposit_id": f"dep-{client:03}-1", "amount": f"{deposit_of(client)}.00", "currency": "USD"}
    yield {**who, "event": "deposit", "occurred_at": moment(FIRST_DAY + timedelta(minutes=client)), **paid}


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def to_crm_csv(events: list[Event]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, CRM_HEADER.split(","), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(events)
    return text.getvalue().encode()


def generate() -> dict[str, bytes]:
    """Every generated file by its path in the folder."""
    market = Market()
    live, corrections = live_exports(market)
    known, late = crm_events()
    return {
        "mt5-live.deals.csv": live,
        "mt5-live.corrections.csv": corrections,
        "mt5-net.deals.csv": net_export(market),
        **mt4_statements(market),
        "crm.csv": to_crm_csv(known),
        "crm-late.csv": to_crm_csv(late),
    }


def main() -> None:
    """Write the files beside this script, or where `--out` says."""
    parser = argparse.ArgumentParser(description="Write the example broker's exports.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    out: Path = parser.parse_args().out
    for name, content in generate().items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)


if __name__ == "__main__":
    main()
