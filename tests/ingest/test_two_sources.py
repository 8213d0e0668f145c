"""One account read from two sources: one set of deals and one ledger, whichever came first."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from commission.events import AccountLinked, ClientRegistered, Deal
from commission.ledger import ledger_hash
from ingest.readers.detect import read_any
from tests.build import Told, at, partner, per_lot, plan, run, symbol
from tests.ingest.ingest_exports import RECEIVED, mt4, mt5, row, sorted_out, statement, ticket
from tests.ingest.ingest_exports import csv_file as manager_csv
from tests.ingest.ingest_reports import csv_file, grid, html_file, xlsx_file
from tests.ingest.mt4.json_records import node
from tests.ingest.mt5.records import cash, manager, terminal
from tests.ingest.mt5.reports import WHOLE

LOGIN = 80000001
MT5 = mt5(currency="USD", login=LOGIN)
NORTH = "ib:ib-north:pending"

# The five deals of `test_mt5_report`: time, number, type, entry, lots, price, position, reason, amounts.
FIVE = """
09:00:00 500 balance -   0    0       0    -  0     0     0     10000
10:00:00 501 buy     in  1    1.10000 9001 -  -3.50 -0.25 0     0
10:05:00 502 sell    in  0.50 1.10100 9002 -  0     0     0     0
11:00:00 503 sell    out 1    1.10060 9001 tp -3.50 -0.25 -1.25 60
12:00:00 504 buy     out 0.50 1.10110 9002 -  0     0     0     -5
"""
TYPES = {"buy": 0, "sell": 1, "balance": 2}


def five() -> list[tuple[str, ...]]:
    return [tuple(line.split()) for line in FIVE.strip().splitlines()]


def epoch(time: str) -> int:
    return int(datetime.fromisoformat(f"2026-09-03T{time}").replace(tzinfo=UTC).timestamp())


def in_csv(path: Path) -> Path:
    rows = [
        row(
            number, Login=LOGIN, Time=f"2026.09.03 {time}.123", Type=kind, Entry=entry.strip("-"),
            Volume=lots, Symbol="" if kind == "balance" else "EURUSD", Price=price, Position=position,
            Commission=paid, Fee=fee, Swap=swap, Profit=profit,
            Reason="Take profit" if reason == "tp" else "Client",
        )
        for time, number, kind, entry, lots, price, position, reason, paid, fee, swap, profit in five()
    ]  # fmt: skip
    return manager_csv(path, *rows)


def in_web_api(path: Path) -> Path:
    records = []
    for time, number, kind, entry, lots, price, position, reason, paid, fee, swap, profit in five():
        when = {"Login": LOGIN, "Time": epoch(time), "TimeMsc": epoch(time) * 1000 + 123}
        if kind == "balance":
            records.append(cash(int(number), profit, **when))
            continue
        units = int(float(lots) * 10_000)
        records.append(
            manager(
                int(number), Action=TYPES[kind], Entry=("in", "out").index(entry), Volume=units,
                VolumeExt=units * 10_000, Price=price, PositionID=position, Commission=paid, Fee=fee,
                Storage=swap, Profit=profit, Reason=4 if reason == "tp" else 16, **when,
            )
        )  # fmt: skip
    path.write_text(json.dumps({"retcode": "0 Done", "answer": records}))
    return path


def in_terminal(path: Path) -> Path:
    records = []
    for time, number, kind, entry, lots, price, position, reason, paid, fee, swap, profit in five():
        records.append(
            terminal(
                int(number), time=epoch(time), time_msc=epoch(time) * 1000 + 123, type=TYPES[kind],
                entry=1 if entry == "out" else 0, volume=float(lots), price=float(price),
                position_id=int(position), commission=float(paid), fee=float(fee), swap=float(swap),
                profit=float(profit), symbol="" if kind == "balance" else "EURUSD",
                reason=5 if reason == "tp" else 1,
            )
        )  # fmt: skip
    path.write_text(json.dumps(records))
    return path


def _in_report(write: Callable[..., Path]) -> Callable[[Path], Path]:
    return lambda path: write(path, grid(WHOLE))


MT5_SOURCES: dict[str, Callable[[Path], Path]] = {
    "manager csv": in_csv,
    "web api": in_web_api,
    "terminal": in_terminal,
    "report html": _in_report(html_file),
    "report xlsx": _in_report(xlsx_file),
    "report csv": _in_report(csv_file),
}


def in_statement(path: Path) -> Path:
    path.write_text(statement(ticket(1) + ticket(2, type="sell", size="0.20"), ticket(3, closed="")))
    return path


def _mt4_records(**names: str) -> list[dict[str, Any]]:
    closed, opened = [node(1), node(2, cmd=1, volume=20)], [node(3, closeTime=None, state=0)]
    return [{names.get(name, name): cell for name, cell in raw.items()} for raw in (*closed, *opened)]


def in_mt4manager(path: Path) -> Path:
    path.write_text(json.dumps(_mt4_records()))
    return path


def in_cplugin(path: Path) -> Path:
    records = _mt4_records(id="order", cmd="trade_command", state="trade_record_state", swap="storage")
    for raw in records:
        raw["trade_command"] = ("Buy", "Sell")[raw["trade_command"]]
        raw["trade_record_state"] = {0: "OpenNormal", 3: "ClosedNormal"}[raw["trade_record_state"]]
        raw["reason"] = "Mobile"
    path.write_text(json.dumps(records))
    return path


MT4_SOURCES = {"statement": in_statement, "mt4manager": in_mt4manager, "cplugin": in_cplugin}
PAIRS = [*permutations(MT5_SOURCES, 2), *permutations(MT4_SOURCES, 2)]


def deals_from(folder: Path, name: str) -> list[Deal]:
    sources, profile = (
        (MT5_SOURCES, MT5) if name in MT5_SOURCES else (MT4_SOURCES, mt4(currency="USD", symbols=EURUSD))
    )
    deals, letters = sorted_out(read_any(sources[name](folder / name), profile, RECEIVED))
    assert letters == []
    return deals


EURUSD = frozenset({"EURUSD"})


def paid(*deals: Deal) -> Told:
    """What ib-north gets at 7 dollars a lot closed, for the account of the deals."""
    server, login = deals[0].server, deals[0].login
    return run(
        AccountLinked(event_id="l", client_id="anna", server=server, login=login, occurred_at=at(1)),
        ClientRegistered(event_id="r", client_id="anna", ib_id="ib-north", occurred_at=at(1)),
        *deals,
        terms=(
            symbol("EURUSD forex 100000 USD 0.0001", server=server),
            plan("p USD", per_lot("*=7", entry="out")),
            partner("ib-north USD p"),
        ),
    )


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_second_source_adds_nothing(tmp_path: Path, first: str, second: str) -> None:
    """Ids and revisions are equal, and the ledger of both is that of one: no row more, none other."""
    one, other = deals_from(tmp_path, first), deals_from(tmp_path, second)
    assert [(deal.deal_id, deal.revision) for deal in one] == [
        (deal.deal_id, deal.revision) for deal in other
    ]
    both = paid(*one, *other)
    assert ledger_hash(both.transfers) == ledger_hash(paid(*one).transfers)
    assert len(both.transfers) == 2  # two closings


@pytest.mark.parametrize("name", [*MT5_SOURCES, *MT4_SOURCES])
def test_each_source_pays_what_was_closed(tmp_path: Path, name: str) -> None:
    """MT5: 1.00 + 0.50 lots closed are 10.50 at 7 a lot; MT4: 0.50 + 0.20 are 4.90."""
    owed = "10.50 USD" if name in MT5_SOURCES else "4.90 USD"
    assert paid(*deals_from(tmp_path, name)).owed == {NORTH: owed}


# A report does not say that a deal was a roll-over; the server's own interfaces do.


def rolled_over(folder: Path, reason: str) -> list[Deal]:
    """A lot closed and opened again, by the client or by the platform at midnight."""
    usual = {"Position": "9001", "Reason": reason, "Price": "1.1"}
    path = manager_csv(
        folder / f"{reason}.csv",
        row(501, Time="2026.09.03 10:00:00", **(usual | {"Reason": "Client"})),
        row(502, Time="2026.09.04 00:00:00", Type="sell", Entry="out", **usual),
        row(503, Time="2026.09.04 00:00:00", **(usual | {"Position": "9002"})),
    )
    return sorted_out(read_any(path, mt5(), RECEIVED))[0]


def test_a_service_deal_counts_as_one_whichever_source_came_first(tmp_path: Path) -> None:
    """Told without its reason a roll-over of one lot earned 7; told with it, before or after, nothing."""
    poor, better = rolled_over(tmp_path, "Client"), rolled_over(tmp_path, "Rollover")
    assert paid(*poor).owed == {NORTH: "7.00 USD"}
    for told in ([*better], [*poor, *better], [*better, *poor], [*poor, *better, *poor]):
        assert paid(*told).owed == {}
    assert len(paid(*better, *poor).transfers) == 0
    assert [deal.revision for deal in poor[1:]] == [deal.revision.rstrip("s") for deal in better[1:]]


def test_an_edit_of_a_service_deal_is_still_an_edit(tmp_path: Path) -> None:
    """The mark hides no change: the same roll-over cancelled, or told as the client's at another price."""
    better: list[Any] = rolled_over(tmp_path, "Rollover")
    path = manager_csv(
        tmp_path / "edited.csv",
        row(502, Time="2026.09.04 00:00:00", Type="sell", Entry="out", Position="9001", Price="1.2"),
    )
    edited = sorted_out(read_any(path, mt5(), RECEIVED))[0]
    assert paid(*better, *edited).owed == {NORTH: "7.00 USD"}
