"""MT5 deals field by field: units, enums, types of values, and the same deal from every source."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commission.events import Deal
from ingest.counts import Counts
from ingest.formats.cells import KINDS
from ingest.formats.json_text import RepeatedKeys
from ingest.mt5 import deals_csv as mt5_deals_csv
from ingest.mt5.batch import Mt5Batch, SourceRecord
from ingest.mt5.dialects import MANAGER, TERMINAL, Dialect, hand_edits, to_record
from ingest.mt5.record import to_deals
from ingest.server_time import to_us
from ingest.sources import DeadLetterWriter, RowRejected, ServerProfile
from schemas.wire import decode, encode
from tests.ingest.ingest_exports import MT5_HEADER, NEW_YORK, RECEIVED, csv_file, ledger, mt5, row, sorted_out
from tests.ingest.mt5.records import TEN, cash, manager, terminal

USD = mt5(currency="USD")
OURS = mt5(currency="USD", login=5001)


def deals_of(raw: Any, dialect: Dialect = MANAGER, profile: ServerProfile = USD, **more: Any) -> list[Deal]:
    return list(to_deals(to_record(raw, profile, dialect, "here:1", **more), profile))


def one(raw: Any, dialect: Dialect = MANAGER, profile: ServerProfile = USD, **more: Any) -> Deal:
    (deal,) = deals_of(raw, dialect, profile, **more)
    return deal


def batch(
    *raws: Any, dialect: Dialect = MANAGER, profile: ServerProfile = USD
) -> tuple[list[Any], list[Any]]:
    reader = Mt5Batch(dialect, DeadLetterWriter("test", RECEIVED))
    return sorted_out(
        reader.items(SourceRecord(raw, f"record {n}", profile) for n, raw in enumerate(raws, 1))
    )


def test_a_closing_deal_of_the_server() -> None:
    """Every field of a Web API deal arrives exactly, its volume in the fine unit, its time from the clock."""
    deal = one(
        manager(
            19090, Login=10027, Action=1, Entry=1, Reason=16, ContractSize="100.00", Symbol="XAUUSD.e",
            TimeMsc=TEN * 1000 + 804, Price="1783.450", Volume=0, VolumeExt=3053, Profit="-64.25",
            Storage="-0.31", Commission="-7.00", Fee="-0.50", RateProfit="1.00000000", PositionID=18531,
            MarketBid="1783.190", MarketAsk="0.000", Comment="[tp 1]",
        ),
        profile=mt5(rule=NEW_YORK, currency="USD", group="real\\std"),
    )  # fmt: skip
    assert ledger([deal], "deal_id", "login", "kind", "side", "entry", "symbol", "volume_e8", "price") == [
        ("19090", "10027", "trade", "sell", "out", "XAUUSD.e", "3053", "1783.450")
    ]
    assert ledger(
        [deal], "profit", "swap", "commission", "fee", "currency", "rate_profit", "position_id"
    ) == [("-64.25", "-0.31", "-7.00", "-0.50", "USD", "1.00000000", "18531")]
    assert ledger([deal], "bid", "ask", "contract_size", "reason", "group", "comment", "source") == [
        ("1783.190", "None", "100.00", "mobile", "real\\std", "[tp 1]", "here:1")
    ]
    # New York is four hours behind UTC in June, so its clock and seven hours is three ahead.
    assert ledger([deal], "occurred_at", "server_time") == [
        ("2025-06-02 07:00:00.804000+00:00", "2025.06.02 10:00:00.804")
    ]
    assert [decode(line) for line in encode([deal])] == [deal]


def test_the_same_deal_from_three_sources(tmp_path: Path) -> None:
    """A trade, a cancelled trade and a deposit have one id and one revision in CSV and both JSON dialects."""
    rows = (
        row(1, Time="2025.06.02 10:00:00.250", Type="sell", Entry="out", Volume="0.01", Price="148.244",
            Commission="-0.1", Swap="-2", Profit="30", Reason="Stop loss"),
        row(2, Type="buy canceled", Volume="0.5", Price="1.1"),
        row(3, Type="balance", Entry="", Position="0", Symbol="", Volume="", Price="", Profit="-500",
            Reason="Dealer"),
    )  # fmt: skip
    exported, _ = sorted_out(mt5_deals_csv.read(csv_file(tmp_path / "d.csv", *rows), USD, RECEIVED))
    served, _ = batch(
        manager(1, TimeMsc=TEN * 1000 + 250, Action=1, Entry=1, VolumeExt=1_000_000, Volume=100,
                Price="148.244", Commission="-0.10", Storage="-2.00", Profit="30.00", Reason=3),
        manager(2, Action=13, VolumeExt=None, Volume=5_000),
        cash(3, "-500.00"),
    )  # fmt: skip
    owned, _ = batch(
        terminal(1, time_msc=TEN * 1000 + 250, type=1, entry=1, volume=0.01, price=148.244, commission=-0.1,
                 swap=-2.0, profit=30.0, reason=4),
        terminal(2, type=13, volume=0.5),
        terminal(3, type=2, symbol="", volume=0.0, price=0.0, position_id=0, profit=-500.0),
        dialect=TERMINAL, profile=OURS,
    )  # fmt: skip
    assert len(exported) == 3
    for told in (served, owned):
        assert [(d.deal_id, d.revision, d.login, d.kind, d.occurred_at, d.server_time) for d in told] == [
            (d.deal_id, d.revision, d.login, d.kind, d.occurred_at, d.server_time) for d in exported
        ]
    assert [told[-1].reason for told in (exported, served, owned)] == ["stop_loss"] * 3


ACTIONS = {
    0: "trade", 1: "trade", 2: "balance", 3: "credit", 4: "charge", 5: "correction", 6: "bonus",
    7: "commission", 8: "commission", 9: "commission", 10: "agent", 11: "agent", 12: "interest",
    13: "cancelled", 14: "cancelled", 15: "dividend", 16: "dividend", 17: "tax", 18: "agent",
    19: "so_compensation", 20: "so_compensation",
}  # fmt: skip


@pytest.mark.parametrize("action", ACTIONS)
def test_every_type_of_deal(action: int) -> None:
    """The platform's 21 types are the kinds of the glossary; only trades and cancelled trades have a side."""
    deal = one(manager(1, Action=action))
    assert deal.kind == ACTIONS[action]
    assert deal.side == {0: "buy", 1: "sell", 13: "buy", 14: "sell"}.get(action)
    assert {kind for kind, _ in KINDS.values()} == set(ACTIONS.values())


SERVER = """client expert dealer stop_loss take_profit stop_out rollover external_client variation_margin
gateway signal settlement transfer sync external_service migration mobile web split corporate_action ultency
coverage"""
OWN = """client mobile web expert stop_loss take_profit stop_out rollover variation_margin split
corporate_action"""


@pytest.mark.parametrize(("dialect", "numbers"), [(MANAGER, SERVER), (TERMINAL, OWN)])
def test_reasons_differ_between_server_and_terminal(dialect: Dialect, numbers: str) -> None:
    """Each dialect has its own numbers, and a number it does not have is refused."""
    build: Any = manager if dialect is MANAGER else terminal
    words = numbers.split()
    for number, word in enumerate(words):
        assert one(build(1, **{dialect.reason: number}), dialect, OURS).reason == word
    for unknown in (len(words), -1, "", "client", 1.5, None, True):
        with pytest.raises(RowRejected, match="client asked"):
            one(build(1, **{dialect.reason: unknown}), dialect, OURS)


def test_service_reasons_are_marked_in_both() -> None:
    """A roll-over is 6 on a server and 7 in a terminal, and no trade of a client in either."""
    assert one(manager(1, Reason=6)).is_service
    assert one(terminal(1, reason=7), TERMINAL, OURS).is_service
    assert not one(terminal(1, reason=6), TERMINAL, OURS).is_service


@pytest.mark.parametrize(
    ("fields", "volume_e8"),
    [
        ({"VolumeExt": 25_000_000, "Volume": 2_500}, 25_000_000),
        ({"VolumeExt": None, "Volume": 2_500}, 25_000_000),
        ({"VolumeExt": 0, "Volume": 2_500}, 25_000_000),
        ({"VolumeExt": 3_053, "Volume": 0}, 3_053),
        ({"VolumeExt": 35_632_455, "Volume": 3_563}, 35_632_455),
        ({"VolumeExt": 3_053, "Volume": None}, 3_053),
    ],
)
def test_volume_prefers_the_fine_unit(fields: dict[str, Any], volume_e8: int) -> None:
    """0.25 lot is 2,500 or 25,000,000 units; under 0.0001 lot only the fine volume knows."""
    assert one(manager(1, **fields)).volume_e8 == volume_e8


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"VolumeExt": None, "Volume": None}, "bad_volume"),
        ({"VolumeExt": None, "Volume": "1.00"}, "bad_volume"),
        ({"VolumeExt": "1.00", "Volume": "1.00"}, "bad_volume"),
        ({"VolumeExt": 100, "Volume": 100}, "bad_volume"),
        ({"VolumeExt": "-5"}, "bad_volume"),
        ({"Price": "1,1"}, "bad_amount"),
        ({"Price": None}, "bad_amount"),
        ({"Profit": "NaN"}, "bad_amount"),
        ({"Profit": ""}, "bad_amount"),
        ({"Storage": None}, "bad_amount"),
        ({"Commission": "0.123456789"}, "bad_amount"),
        ({"MarketBid": "-1"}, "bad_amount"),
        ({"Action": 21}, "unknown_type"),
        ({"Action": "buy"}, "unknown_type"),
        ({"Entry": 255}, "unknown_entry"),
        ({"Entry": None}, "unknown_entry"),
        ({"Reason": 22}, "unknown_reason"),
        ({"Symbol": ""}, "bad_symbol"),
        ({"Symbol": "EUR\ufffd"}, "bad_symbol"),
        ({"PositionID": None}, "bad_number"),
        ({"PositionID": "-1"}, "bad_number"),
        ({"Login": 0}, "bad_number"),
        ({"Login": None}, "no_login"),
        ({"Deal": 0}, "bad_number"),
        ({"Deal": 2**64}, "bad_number"),
        ({"Deal": None}, "bad_number"),
        ({"TimeMsc": None, "Time": None}, "bad_time"),
        ({"TimeMsc": "x", "Time": ""}, "bad_time"),
        ({"TimeMsc": 0, "Time": 0}, "bad_time"),
        ({"TimeMsc": 10**15, "Time": 0}, "bad_time"),
        ({"Currency": "U$"}, "bad_currency"),
    ],
)
def test_what_cannot_be_used_is_refused(fields: dict[str, Any], code: str) -> None:
    """One bad record is one dead letter with a code and a reason, and its neighbours are deals."""
    deals, letters = batch(manager(100), manager(1, **fields), manager(101))
    assert ([deal.deal_id for deal in deals], [letter.code for letter in letters]) == (["100", "101"], [code])
    assert (letters[0].source, letters[0].position) == ("test", "record 2")
    assert len(letters[0].reason) > 20


@pytest.mark.parametrize("raw", [None, 5, "deal", [], [manager(1)], RepeatedKeys(manager(1)), {}])
def test_what_is_no_record_is_buried(raw: Any) -> None:
    """Anything that is not an object with the fields of a deal is one dead letter."""
    deals, letters = batch(manager(100), raw)
    assert ([deal.deal_id for deal in deals], len(letters)) == (["100"], 1)


def test_names_are_never_kept() -> None:
    """A dead letter keeps the fields of a deal, bounded, and none of a person."""
    _, (letter,) = batch(
        manager(1, Price="x", Name="Ada Example", EMail="ada@example.com", Comment="c" * 999)
    )
    assert json.loads(letter.payload)["Price"] == "x"
    assert len(json.loads(letter.payload)["Comment"]) == 255
    assert b"Ada" not in letter.payload
    assert b"ada" not in letter.payload


def test_what_the_record_says_wins() -> None:
    """A sender may add login, currency, group and contract size; the profile speaks where it is silent."""
    added = {"login": 9, "currency": "JPY", "group": "real\\jpy", "contract_size": 1000}
    deal = one(terminal(1, **added), TERMINAL, mt5(currency="USD", group="x"))
    assert ledger([deal], "login", "currency", "group", "contract_size") == [
        ("9", "JPY", "real\\jpy", "1000")
    ]
    with pytest.raises(RowRejected, match="name it in the profile"):
        one(terminal(1), TERMINAL, USD)
    with pytest.raises(RowRejected, match="set the profile's currency"):
        one(manager(1), MANAGER, mt5())


def test_contract_sizes_of_symbols_serve_where_the_record_has_none() -> None:
    """The record's own contract size comes first; an unknown symbol has none rather than a guess."""
    sizes = {"EURUSD": Decimal(1000)}
    assert one(terminal(1), TERMINAL, OURS, contract_sizes=sizes).contract_size == 1000
    assert one(terminal(1, symbol="GBPUSD"), TERMINAL, OURS, contract_sizes=sizes).contract_size is None
    assert one(manager(1), contract_sizes=sizes).contract_size == 100_000


def test_values_may_have_types() -> None:
    """A database's numbers, decimals and times give the very deal of the Web API's strings."""
    at = datetime(2025, 6, 2, 10, 0, 0, 250_000)  # noqa: DTZ001 - as a driver returns a DATETIME(6)
    typed = manager(1) | {
        "Deal": 1, "Login": 5001, "Action": 0, "Entry": 0, "Reason": 0, "VolumeExt": 100_000_000,
        "Time": at.replace(microsecond=0), "TimeMsc": at, "Price": 1.1, "Profit": Decimal("0.00"),
        "Storage": 0, "Commission": -0.1, "PositionID": 7001, "ContractSize": 100000.0,
    }  # fmt: skip
    told = manager(1, TimeMsc=TEN * 1000 + 250, Commission="-0.10")
    assert one(typed).revision == one(told).revision
    assert one(typed).occurred_at == datetime(2025, 6, 2, 10, 0, 0, 250_000, tzinfo=UTC)
    assert one(typed).server_time == "2025.06.02 10:00:00.250"


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("1.6400000000000001", "1.64"),
        ("148.24400000000003", "148.244"),
        ("3.053e-05", "0.00003053"),
        ("-1.1102230246251565e-16", "0"),
        ("-0.0", "0"),
        ("99999999999.99", "99999999999.99"),
        ("1e3", "1000"),
    ],
)
def test_noise_of_doubles_is_cut(told: str, meant: str) -> None:
    """What a double adds in its last digits is not money; Decimal and float of one spelling agree."""
    for value in (Decimal(told), float(told)):
        profit = one(manager(1) | {"Profit": value}).profit
        assert profit == Decimal(meant)
        assert not (profit == 0 and profit.is_signed())


@pytest.mark.parametrize(
    "value", ["1.123456789", "0.001640000111", "Infinity", "NaN", "1e15", "1e999999", "0.0000000015"]
)
def test_what_is_no_exact_amount_is_refused(value: str) -> None:
    """More than 8 decimals, too large, or no number: refused, not rounded."""
    with pytest.raises(RowRejected, match="Profit"):
        one(manager(1) | {"Profit": Decimal(value)})


@given(e8=st.integers(-(10**15), 10**15))
def test_every_amount_of_8_decimals_survives_its_double(e8: int) -> None:
    """Up to 10 million with 8 decimals, an amount through a double and back is the same."""
    exact = Decimal(e8).scaleb(-8)
    assert one(manager(1) | {"Profit": float(exact)}).profit == exact


@given(e8=st.integers(0, 10**13))
def test_lots_of_a_terminal_are_exact(e8: int) -> None:
    """Lots as a double are the integer 1e-8 lots they were made of."""
    assert one(terminal(1, volume=e8 / 10**8), TERMINAL, OURS).volume_e8 == e8


@pytest.mark.parametrize("volume", [-1.0, None, "x", float("nan"), Decimal("0.000000001"), 1e12])
def test_lots_that_are_none(volume: Any) -> None:
    """Lots that are negative, missing, finer than 1e-8 or endless are refused."""
    with pytest.raises(RowRejected, match="volume"):
        one(terminal(1) | {"volume": volume}, TERMINAL, OURS)


@pytest.mark.parametrize(
    ("flags", "hands"),
    [
        ({"ModifyFlags": "0"}, ()),
        ({"ModifyFlags": "1"}, ("admin",)),
        ({"ModificationFlags": 34}, ("manager", "api_manager")),
        ({"ModifyFlags": "12"}, ()),
        ({"ModifyFlags": 64 + 128 + 256}, ("api_server", "api_gateway", "api_server_add")),
        ({"ModifyFlags": "?"}, ()),
        ({}, ()),
    ],
)
def test_edits_by_hand_are_told(flags: dict[str, Any], hands: tuple[str, ...]) -> None:
    """Both spellings of the flags name who edited; an inherited or restored deal is not edited."""
    assert hand_edits(flags) == hands


def test_an_in_out_tells_what_it_closed() -> None:
    """The server tells what a reversal closed, in either unit; a terminal does not; it is one deal."""
    netting = mt5("netting", currency="USD", login=5001)
    turn = {"Action": 1, "Entry": 2, "VolumeExt": 101_000_000, "Volume": 10_100}
    fine = one(manager(8, VolumeClosedExt=100_000_000, VolumeClosed=10_000, **turn), profile=netting)
    coarse = one(manager(8, VolumeClosedExt=None, VolumeClosed=10_000, **turn), profile=netting)
    untold = one(terminal(8, type=1, entry=2, volume=1.01), TERMINAL, netting)
    closed = [(d.deal_id, d.entry, d.volume_closed_e8) for d in (fine, coarse, untold)]
    assert closed == [("8", "inout", 10**8), ("8", "inout", 10**8), ("8", "inout", None)]
    assert fine.revision == coarse.revision == untold.revision
    with pytest.raises(RowRejected, match="hedging"):
        one(manager(8, **turn), profile=mt5("hedging", currency="USD"))


def test_a_leg_of_a_close_by_tells_its_order() -> None:
    """Server and terminal tell the order that both legs share; of no other deal is it kept."""
    leg = {"Entry": 3, "Order": 7009}
    told = (
        one(manager(8, **leg)),
        one(terminal(8, entry=3, order=7009), TERMINAL, mt5(currency="USD", login=1)),
    )
    assert ["7009", "7009"] == [deal.close_by for deal in told]
    untold = [one(manager(8, Entry=3, Order=order)) for order in (0, None)]
    assert ["", "", ""] == [deal.close_by for deal in (*untold, one(manager(8, Entry=1)))]
    with pytest.raises(RowRejected, match="Order is not a number"):
        one(manager(8, Entry=3, Order="-1"))


def test_edits_by_hand_are_counted() -> None:
    """A summary says how many deals somebody edited on the platform."""
    counts = Counts()
    reader = Mt5Batch(MANAGER, DeadLetterWriter("test", RECEIVED), counts=counts)
    records = [manager(1, ModifyFlags=1), manager(2, ModifyFlags=None, ModificationFlags=1), manager(3)]
    list(reader.items(SourceRecord(raw, "1", USD) for raw in records))
    assert counts.rows == 3
    assert "edited by hand on the platform: 2 admin" in counts.lines()


def test_a_deleted_deal_is_a_tombstone() -> None:
    """Deletion keeps the deal's number, login and time, takes its amounts, and is another revision."""
    gone = one(manager(1, Profit="5.00"), is_deleted=True)
    assert ledger([gone], "deal_id", "login", "kind", "profit") == [("1", "5001", "deleted", "0")]
    assert gone.revision != one(manager(1, Profit="5.00")).revision


def test_repeated_hour_follows_deal_numbers() -> None:
    """In the repeated hour, deals after the jump back of time are an hour later in UTC, as in the CSV."""
    hour = 1_762_070_400  # 2025-11-02 08:00:00
    minutes = {11: 50, 12: 5, 13: 51, 10: 4}
    deals, _ = batch(
        *(manager(deal, TimeMsc=(hour + minute * 60) * 1000) for deal, minute in minutes.items()),
        profile=mt5(rule=NEW_YORK, currency="USD"),
    )
    assert [(deal.deal_id, f"{deal.occurred_at:%H:%M}") for deal in deals] == [
        ("10", "05:04"), ("11", "05:50"), ("12", "06:05"), ("13", "06:51"),
    ]  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from([*MANAGER.fields, *TERMINAL.fields]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.decimals()
        | st.lists(st.none()),
    )
)
def test_any_values_are_a_deal_or_a_dead_letter(fields: dict[str, Any]) -> None:
    """Whatever stands in a record, it is one deal that can be sent, or one dead letter."""
    for raw, dialect in ((manager(1) | fields, MANAGER), (terminal(1) | fields, TERMINAL)):
        deals, letters = batch(raw, dialect=dialect, profile=OURS)
        assert len(deals) + len(letters) == 1
        assert [decode(line) for line in encode(deals)] == deals
        assert all(to_us(deal.occurred_at) for deal in deals)


def test_csv_header_has_no_field_of_the_json() -> None:
    """The CSV's spelling is another dialect and is not taken for JSON's."""
    assert "Storage" not in MT5_HEADER
    _, letters = batch({"Deal": "1", "Time": "2025.06.02 10:00:00.000"})
    assert [letter.code for letter in letters] == ["bad_time"]
