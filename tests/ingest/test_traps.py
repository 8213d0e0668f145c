"""What breaks an IB's pay: each trap of the platforms from its file to the money, figures by hand.

Traps with tests of their own: tickets that mutate, split and close by (`test_mt4_lifecycle`), in/outs
(`test_mt5_report`, by a real vector), the second of two sources (`test_two_sources`).
"""

import json
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import AccountLinked, ClientRegistered, Deal
from commission.ledger import ledger_hash
from commission.terms.components import CommissionShare, Component
from ingest.readers.detect import read_any
from ingest.sources import ServerProfile
from schemas.wire import Record
from tests.build import Told, at, ended, exchange, partner, per_lot, period, plan, rates, run, symbol
from tests.ingest.ingest_exports import MT5_HEADER, NEW_YORK, RECEIVED, ledger, mt4, mt5, row, sorted_out
from tests.ingest.mt4.json_records import node
from tests.ingest.mt5.records import cash, manager, terminal

NORTH = "ib:ib-north:pending"
LONG_AGO = at(1).replace(year=2020)
SEVEN = per_lot("*=7", entry="out")
TENTH = CommissionShare(name="tenth", rates=rates("*=0.1"), entry="out")
USD = mt5(currency="USD", login=5001)


def read(folder: Path, content: object, profile: ServerProfile = USD) -> list[Deal]:
    """Deals of a file: JSON, or text as it is."""
    path = folder / "export"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    deals, letters = sorted_out(read_any(path, profile, RECEIVED))
    assert letters == []
    return deals


def answer(*records: dict[str, Any]) -> dict[str, Any]:
    """The Web API's."""
    return {"retcode": "0 Done", "answer": list(records)}


def closed(number: int, **fields: Any) -> dict[str, Any]:
    """A lot sold to close what was bought before the file begins."""
    return manager(number, **({"Action": 1, "Entry": 1} | fields))


def paid(
    deals: list[Deal],
    *components: Component,
    more: tuple[Record, ...] = (),
    after: tuple[Record, ...] = (),
) -> Told:
    """What ib-north earns, whose client has every account of the deals."""
    accounts = sorted({(deal.server, deal.login) for deal in deals})
    links = (
        AccountLinked(event_id=f"l {a}", client_id="anna", server=a[0], login=a[1], occurred_at=LONG_AGO)
        for a in accounts
    )
    symbols = [
        symbol(text, server=server, **fields)
        for server in {server for server, _ in accounts}
        for text, fields in SYMBOLS
    ]
    return run(
        *links,
        ClientRegistered(event_id="r", client_id="anna", ib_id="ib-north", occurred_at=LONG_AGO),
        *deals,
        *after,
        terms=(*symbols, plan("p USD", *(components or (SEVEN,))), partner("ib-north USD p"), *more),
    )


STANDARD = {"canonical": "EURUSD", "standard_contract_size": Decimal(100_000)}
SYMBOLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("EURUSD forex 100000 USD 0.0001", {}),
    ("EURUSDc forex 1000 USD 0.0001", STANDARD),
)


def test_1_a_lot_has_three_units(tmp_path: Path) -> None:
    """0.25 lot is 2,500 of the server's volume, 25,000,000 of its fine one, 25 of MT4's: at 7 a lot 1.75."""
    volumes: list[dict[str, Any]] = [
        {"Volume": 2500, "VolumeExt": None},
        {"Volume": 2500, "VolumeExt": 25_000_000},
    ]
    for fields in volumes:
        assert paid(read(tmp_path, answer(closed(1, **fields)))).owed == {NORTH: "1.75 USD"}
    assert paid(read(tmp_path, [terminal(1, type=1, entry=1, volume=0.25)])).owed == {NORTH: "1.75 USD"}
    assert paid(read(tmp_path, [node(1, volume=25)], mt4(currency="USD"))).owed == {NORTH: "1.75 USD"}


def test_1_parts_of_a_percent_account_are_not_lost(tmp_path: Path) -> None:
    """Under 0.0001 lot `Volume` is 0: 719 times 0.00003053 lots at 7 dollars are 0.15365749."""
    small = [closed(n, Volume=0, VolumeExt=3053, PositionID=n) for n in range(1, 720)]
    told = paid(read(tmp_path, answer(*small)))
    assert sum(transfer.amount for transfer in told.transfers) == Decimal("0.15365749")


def test_2_a_lot_is_not_a_lot(tmp_path: Path) -> None:
    """One lot of 1,000 is 0.01 of the standard 100,000: 7 cents, by the deal's own size or the symbol's."""
    for size in ("1000.00", "0.00"):
        deals = read(tmp_path, answer(closed(1, Symbol="EURUSDc", ContractSize=size)))
        assert paid(deals).owed == {NORTH: "0.07 USD"}
    unknown = paid(read(tmp_path, answer(closed(1, Symbol="EURUSDx", ContractSize="0.00"))))
    assert (unknown.owed, unknown.reasons) == ({}, {"1": "waiting unknown_symbol"})


def test_4_a_deal_cancelled_in_place_is_clawed_back(tmp_path: Path) -> None:
    """Action 1 becomes 14, the profit goes to a balance operation: the 7 go back, cash pays nothing."""
    before = read(tmp_path, answer(closed(1, Profit="60.00")))
    after = read(tmp_path, answer(closed(1, Action=14, ModifyFlags=2), cash(2, "60.00")))
    assert [(deal.kind, str(deal.profit)) for deal in after] == [("cancelled", "0.00"), ("balance", "60.00")]
    assert paid(before).owed == {NORTH: "7.00 USD"}
    told = paid([*before, *after, *before])
    assert (told.balances, len(told.transfers)) == ({}, 2)


@pytest.mark.parametrize("reason", [6, 8, 11, 12, 13, 14, 15, 18, 19, 9, 20, 21])
def test_8_a_service_deal_is_no_trade(tmp_path: Path, reason: int) -> None:
    """Roll-overs, variation margin, expiries, transfers, splits and the broker's own side pay nobody."""
    told = paid(read(tmp_path, answer(closed(1, Reason=reason))))
    assert (told.owed, told.reasons) == ({}, {"1": "rejected service_deal"})


@pytest.mark.parametrize("reason", [0, 1, 2, 3, 4, 5, 7, 10, 16, 17])
def test_8_whatever_a_client_caused_is_one(tmp_path: Path, reason: int) -> None:
    """By hand, EA, dealer, stop, from outside, signal, telephone or browser: 7 a lot."""
    assert paid(read(tmp_path, answer(closed(1, Reason=reason)))).owed == {NORTH: "7.00 USD"}


def test_9_a_reason_is_a_number_of_its_dialect(tmp_path: Path) -> None:
    """7 is a client from outside on a server, a roll-over in a terminal; 4 and 5 are `take_profit`."""
    on_server = read(tmp_path, answer(closed(1, Reason=7), closed(2, Reason=4)))
    in_terminal = read(tmp_path, [terminal(n, type=1, entry=1, reason=r) for n, r in ((1, 7), (2, 5))])
    assert ledger(on_server, "reason") == [("external_client",), ("take_profit",)]
    assert ledger(in_terminal, "reason") == [("rollover",), ("take_profit",)]
    assert [paid(deals).owed for deals in (on_server, in_terminal)] == [
        {NORTH: "14.00 USD"},
        {NORTH: "7.00 USD"},
    ]


def test_10_a_servers_midnight_is_not_the_months_end(tmp_path: Path) -> None:
    """1 October 02:59 at New York + 7 h is 30 September 23:59 UTC, and on September's statement."""
    lines = [
        row(n, Type="sell", Entry="out", Position=str(n), Time=f"2026.10.01 {time}")
        for n, time in ((1, "02:59:59.999"), (2, "03:00:00.000"))
    ]
    deals = read(tmp_path, "\r\n".join((MT5_HEADER, *lines, "")), mt5(rule=NEW_YORK))
    assert [deal.occurred_at.isoformat()[:19] for deal in deals] == [
        "2026-09-30T23:59:59",
        "2026-10-01T00:00:00",
    ]
    months = ("2026-09", "2026-10")
    told = paid(deals, more=tuple(map(period, months)), after=tuple(map(ended, months)))
    assert [(one.period, one.accrued) for one in told.statements] == [("2026-09", 7), ("2026-10", 7)]


def test_11_numbers_do_not_grow_with_time(tmp_path: Path) -> None:
    """Bought by deal 9 and turned by deal 3 of the next second, in any order of lines: one ledger."""
    lines = [
        row(9, Time="2026.09.03 10:00:00.000"),
        row(3, Type="sell", Entry="in/out", Volume="1.5", Time="2026.09.03 10:00:01.000"),
        row(4, Entry="out", Volume="0.5", Time="2026.09.03 10:00:01.000"),
    ]
    hashes = set()
    for seed in range(6):
        Random(seed).shuffle(lines)
        told = paid(read(tmp_path, "\r\n".join((MT5_HEADER, *lines, "")), mt5("netting")))
        assert told.owed == {NORTH: "10.50 USD"}  # 1.00 closed by the turn, 0.50 by the last
        hashes.add(ledger_hash(told.transfers))
    assert len(hashes) == 1


def test_12_a_number_is_one_servers(tmp_path: Path) -> None:
    """Deal 1 of login 5001 on two servers are two deals of two accounts."""
    deals = read(tmp_path, answer(closed(1)))
    other = ServerProfile("Demo-MT5-2", "mt5", USD.clock, currency="USD", login=5001)
    deals += read(tmp_path, answer(closed(1)), other)
    assert {deal.deal_key for deal in deals} == {"Demo-MT5|1", "Demo-MT5-2|1"}
    assert paid(deals).owed == {NORTH: "14.00 USD"}


@pytest.mark.parametrize("action", [10, 11, 18])
def test_13_what_the_platform_pays_an_agent_is_no_trade(tmp_path: Path, action: int) -> None:
    """It is kept with its comment, by which a double payment is found, and pays nobody here."""
    native = cash(2, "2.50", Action=action, Login=9001, Comment="agent '5001' - #1")
    deals = read(tmp_path, answer(native), mt5(currency="USD"))
    assert ledger(deals, "kind", "login", "profit", "comment") == [
        ("agent", "9001", "2.50", "agent '5001' - #1")
    ]
    assert paid(deals).reasons == {"2": "rejected not_a_trade"}


def test_14_amounts_are_in_the_accounts_currency(tmp_path: Path) -> None:
    """A tenth of what the client paid: 300 yen at 0.0064 are 0.192 dollars, 300 US cents are 0.30."""
    yen = read(tmp_path, answer(closed(1, Commission="-300", DigitsCurrency=0)), mt5(currency="JPY"))
    cents = read(tmp_path, answer(closed(1, Commission="-300.00")), mt5(currency="USC"))
    assert [deals[0].currency for deals in (yen, cents)] == ["JPY", "USC"]
    rate = replace(exchange("JPY/USD 0.0064"), as_of=yen[0].occurred_at)
    assert paid(yen, TENTH, more=(rate,)).owed == {NORTH: "0.192 USD"}
    assert paid(cents, TENTH).owed == {NORTH: "0.30 USD"}


def test_15_numbers_are_text(tmp_path: Path) -> None:
    """Fifteen digits and eight decimals of an amount arrive as sent, where a double has sixteen."""
    (deal,) = read(tmp_path, answer(cash(1, "123456789012345.12345678")))
    assert str(deal.profit) == "123456789012345.12345678"
