"""A Deals export of any size that looks like a real broker's, all made up."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

HEADER = (
    "Deal,ID,Order,Position,Login,Name,Time,Type,Entry,Symbol,Volume,Price,S / L,T / P,Reason,"
    "Commission,Fee,Swap,Profit,Dealer,Currency,Comment"
)
START = datetime(2026, 1, 5)  # noqa: DTZ001 - the server's own clock
MAX_YEARS_SECONDS = 40_000_000
WRITTEN_ROWS = 50_000
FIRST_LOGIN = 900_001

SYMBOLS = (
    ("EURUSD", 108_500, 5), ("USDJPY", 148_244, 3), ("XAUUSD", 293_510, 2), ("GBPUSD.r", 126_420, 5),
    ("US30.cash", 421_555, 1), ("BTCUSD", 8_412_350, 2), ("AUDCAD", 90_412, 5), ("#AAPL", 22_741, 2),
)  # fmt: skip
_REASONS = ("Client", "Expert", "Mobile", "Web", "Dealer", "Stop loss", "Take profit", "Stop out", "Rollover")
_OFTEN = (24, 40, 22, 4, 3, 4, 3, 1, 1)
_NAMES = ("Ada Example", "Émile Exemple", "山田 花子", "Client 001", '"Example, Ben"')
_NAMED = (60, 20, 10, 97, 1)


def write_deals(path: Path, deals: int, *, logins: int = 10_000, seed: int = 7) -> Path:
    """Write an export of `deals` rows; the same numbers give the same file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{HEADER}\r\n")
        batch: list[str] = []
        for line in lines(deals, logins, seed):
            batch.append(line)
            if len(batch) >= WRITTEN_ROWS:
                file.write("\r\n".join(batch) + "\r\n")
                batch.clear()
        if batch:
            file.write("\r\n".join(batch) + "\r\n")
    return path


def lines(deals: int, logins: int, seed: int) -> Iterator[str]:
    """Rows in the order of their numbers; in 200 rows, one is a deposit or a withdrawal."""
    chance = random.Random(seed)
    names = chance.choices(_NAMES, _NAMED, k=logins)
    reasons = chance.choices(_REASONS, _OFTEN, k=997)
    step = MAX_YEARS_SECONDS / max(deals, MAX_YEARS_SECONDS)
    for number in range(deals):
        # Numbers are given before times are stamped, so that neighbours can be out of order.
        at = START + timedelta(seconds=int(number * step), milliseconds=chance.randrange(1_000))
        time = f"{at:%Y.%m.%d %H:%M:%S}.{at.microsecond // 1000:03}"
        owner = chance.randrange(logins)
        deal, login, name = 35_724_989 + number, FIRST_LOGIN + owner, names[owner]
        if number % 200 == 0:
            amount = chance.randrange(-50_000, 200_000) / 100
            yield f"{deal},,0,0,{login},{name},{time},balance,,,,,,,Dealer,0,0,0,{amount:.2f},7,USD,Transfer"
            continue
        symbol, base, digits = SYMBOLS[chance.randrange(len(SYMBOLS))]
        price = f"{(base + chance.randrange(-400, 400)) / 10**digits:.{digits}f}"
        is_out = chance.randrange(2)
        reason = reasons[number % 997] if is_out else reasons[number % 5]
        profit = f"{chance.randrange(-90_000, 90_000) / 100:.2f}" if is_out else "0"
        swap = f"-{chance.randrange(1, 900) / 100:g}" if is_out and number % 3 == 0 else "0"
        side = "buy" if chance.randrange(2) else "sell"
        comment = f"[sl {price}]" if reason == "Stop loss" else ("EA v2" if reason == "Expert" else "")
        yield (
            f"{deal},,{deal - 1_892_000},{deal - 1_892_000 - is_out * 640},{login},{name},{time},{side},"
            f"{'out' if is_out else 'in'},{symbol},{chance.randrange(1, 500) / 100:g},{price},0,0,{reason},"
            f"{-chance.randrange(0, 700) / 100:g},0,{swap},{profit},0,USD,{comment}"
        )
