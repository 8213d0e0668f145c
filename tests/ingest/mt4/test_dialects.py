"""MT4 records as JSON: two spellings of one record, the same deals as from a statement."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commission.events import Deal
from ingest.mt4 import statement as mt4_statement
from ingest.mt4.dialects import Dialect, to_record
from ingest.mt4.enums import to_activation, to_command, to_state, to_ticket_reason, to_transaction
from ingest.mt4.record import to_deals
from ingest.server_time import RepeatedHour
from ingest.sources import RowRejected, ServerProfile
from schemas.wire import decode, encode
from tests.effort import tries
from tests.ingest.ingest_exports import NEW_YORK, RECEIVED, ledger, mt4, sorted_out, statement, ticket, tr

USD = mt4(currency="USD")
OPENED, CLOSED = 1748858400, 1748862000
"""2025-06-02 10:00:00 and 11:00:00 of the server's clock, as if it were UTC."""


def node(**more: Any) -> dict[str, Any]:
    """A closed trade as the mt4manager module spells it: numbers for enums, times as JavaScript's."""
    return {
        "id": 2001, "login": 5002, "symbol": "EURUSD", "digits": 5, "cmd": 0, "volume": 50,
        "openTime": "2025-06-02T10:00:00.000Z", "openPrice": Decimal("1.1"), "sl": 0, "tp": 0,
        "closeTime": "2025-06-02T11:00:00.000Z", "closePrice": Decimal("1.101"), "expiration": None,
        "reason": 5, "convRates": [1, Decimal("1.25")], "commission": Decimal("-3.5"), "commissionAgent": 0,
        "swap": Decimal("-0.25"), "profit": 50, "taxes": 0, "magic": 0, "comment": "", "gwOrder": 0,
        "gwVolume": 0, "gwOpenPrice": 0, "gwClosePrice": 0, "marginRate": 1, "timestamp": None,
        "activation": 0, "state": 3, "apiData": [0, 0, 0, 0],
    } | more  # fmt: skip


def cplugin(**more: Any) -> dict[str, Any]:
    """The same trade as the CPlugin Web API spells it: names for enums, lots beside the volume."""
    return {
        "order": 2001, "login": 5002, "symbol": "EURUSD", "digits": 5, "tradeCommand": "Buy", "volume": 50,
        "volumeLots": Decimal("0.5"), "tradeRecordState": "ClosedNormal", "openPrice": Decimal("1.10000"),
        "sl": 0, "tp": 0, "openTime": "2025-06-02T10:00:00", "closeTime": "2025-06-02T11:00:00",
        "closePrice": Decimal("1.10100"), "commission": Decimal("-3.50"), "commissionAgent": 0,
        "storage": Decimal("-0.25"), "profit": Decimal("50.00"), "taxes": 0, "magic": 0, "comment": None,
        "tradeRecordReason": "Mobile", "activationType": "None", "timeStamp": "2025-06-02T11:00:00",
        "marginRate": 1,
    } | more  # fmt: skip


def deals_of(
    raw: dict[str, Any], dialect: Dialect = "mt4manager", profile: ServerProfile = USD, **more: Any
) -> tuple[Deal, ...]:
    record = to_record(raw, profile, dialect, "bridge", **more)
    return () if record is None else to_deals(record, profile)


def code_of(raw: dict[str, Any], dialect: Dialect = "mt4manager", profile: ServerProfile = USD) -> str:
    with pytest.raises(RowRejected) as caught:
        to_record(raw, profile, dialect, "bridge")
    assert caught.value.reason
    return caught.value.code


def identity(deals: Any) -> list[tuple[str, ...]]:
    return ledger(list(deals), "deal_id", "revision", "occurred_at", "server_time", "volume_e8", "currency")


def test_golden_record() -> None:
    """0.5 lots bought at 10:00 and closed at 11:00: all amounts on the closing, the rate of the closing."""
    deals = deals_of(node())
    assert ledger(list(deals), "deal_id", "kind", "side", "entry", "symbol", "volume_e8", "price") == [
        ("2001:open", "trade", "buy", "in", "EURUSD", "50000000", "1.1"),
        ("2001:close", "trade", "sell", "out", "EURUSD", "50000000", "1.101"),
    ]
    assert ledger(list(deals), "profit", "commission", "fee", "swap", "reason", "rate_profit") == [
        ("0", "0", "0", "0", "mobile", "None"),
        ("50", "-3.5", "0", "-0.25", "mobile", "1.25"),
    ]
    assert [decode(line) for line in encode(deals)] == list(deals)


def test_both_spellings_and_the_statement_are_one_deal(tmp_path: Path) -> None:
    """Ids and revisions are equal from either JSON and from HTML, so a second source changes nothing."""
    html = statement(
        ticket(2001, item="EURUSD") + tr("1999", "2025.06.01 08:00:00", "balance", "Deposit", "10 000.00"),
        ticket(2002, item="EURUSD", closed="", commission="-3.00", profit="202.95"),
    )
    (tmp_path / "s.htm").write_text(html, "utf-8")
    profile = mt4(NEW_YORK, currency="USD")
    from_html, _ = sorted_out(mt4_statement.read(tmp_path / "s.htm", profile, RECEIVED))
    cash = {"cmd": 6, "symbol": "", "profit": 10000, "volume": 0}
    at = "2025-06-01T08:00:00"
    opened = {"closeTime": None, "commission": -3, "profit": Decimal("202.95"), "state": 0}
    in_node = [
        *deals_of(node(id=1999, openTime=at, closeTime=at, **cash), profile=profile),
        *deals_of(node(), profile=profile),
        *deals_of(node(id=2002, **opened), profile=profile),
    ]
    cash = {"tradeCommand": "Balance", "symbol": None, "profit": 10000}
    opened = {"closeTime": "0001-01-01T00:00:00", "commission": -3, "tradeRecordState": "OpenNormal"}
    in_cplugin = [
        *deals_of(cplugin(order=1999, openTime=at, closeTime=at, **cash), "cplugin", profile),
        *deals_of(cplugin(), "cplugin", profile),
        *deals_of(cplugin(order=2002, **opened), "cplugin", profile),
    ]
    assert len(from_html) == 4
    assert sorted(identity(from_html)) == sorted(identity(in_node)) == sorted(identity(in_cplugin))


def test_snake_case_and_epochs_are_the_same() -> None:
    """The Python SDK's snake_case, seconds and milliseconds since 1970 spell the same record."""
    snake = {
        {"order": "order"}.get(key, "".join(f"_{c.lower()}" if c.isupper() else c for c in key)): value
        for key, value in cplugin(openTime=OPENED, closeTime=CLOSED * 1000).items()
    }
    assert "trade_record_state" in snake
    assert identity(deals_of(snake, "cplugin")) == identity(deals_of(cplugin(), "cplugin"))


def test_times_are_the_servers_clock() -> None:
    """A Z is no UTC: 10:00 at New York + 7 h is 07:00 UTC in summer; an offset is refused, not guessed."""
    (opening, _) = deals_of(node(), profile=mt4(NEW_YORK, currency="USD"))
    assert opening.occurred_at == datetime(2025, 6, 2, 7, tzinfo=UTC)
    assert opening.server_time == "2025.06.02 10:00:00"
    assert code_of(node(openTime="2025-06-02T10:00:00+03:00")) == "bad_time"


def test_what_closed_a_ticket() -> None:
    """Activation says it, else the comment's mark, else who opened the ticket; a roll-back says nothing."""
    for more, expected in (
        ({"activation": 4}, "stop_out"),
        ({"activation": 1}, "stop_loss"),
        ({"activation": 2, "comment": "x[sl]"}, "take_profit"),
        ({"activation": -1}, "mobile"),
        ({"activation": 3}, "mobile"),
        ({"comment": "so: 49.8%/1.2"}, "stop_out"),
        ({"reason": 1}, "expert"),
        ({"reason": None, "activation": None}, ""),
    ):
        assert deals_of(node(**more))[1].reason == expected
    closed_by = deals_of(cplugin(activationType="StopOut", tradeRecordReason="Expert"), "cplugin")
    assert [deal.reason for deal in closed_by] == ["expert", "stop_out"]


def test_a_gateway_ticket_is_the_platforms_own_to_its_end() -> None:
    """Opened by the gateway and closed by its stop loss, neither phase is a client's trade."""
    assert [deal.is_service for deal in deals_of(node(reason=4, activation=1))] == [True, True]
    assert [deal.is_service for deal in deals_of(node())] == [False, False]


def test_pending_orders_are_skipped() -> None:
    """Waiting, cancelled, deleted: an order that never became a trade is no deal."""
    for command in (2, 3, 4, 5):
        assert deals_of(node(cmd=command, state=6)) == ()
        assert deals_of(node(cmd=command, closeTime=None), transaction="delete") == ()
    assert deals_of(cplugin(tradeCommand="BuyLimit"), "cplugin") == ()


def test_a_deleted_trade_is_a_tombstone() -> None:
    """Erased while open, or of the state `deleted`: both phases end, and cash does too; nothing is paid."""
    erased = deals_of(node(closeTime=None, state=0), transaction="delete")
    assert ledger(list(erased), "deal_id", "kind", "volume_e8", "commission") == [
        ("2001:open", "deleted", "0", "0"),
        ("2001:close", "deleted", "0", "0"),
    ]
    by_state = deals_of(cplugin(tradeRecordState="Deleted"), "cplugin")
    assert [deal.kind for deal in by_state] == ["deleted", "deleted"]
    (cash,) = deals_of(node(cmd=6, symbol="", profit=100), transaction="delete")
    assert (cash.deal_id, cash.kind, cash.profit) == ("2001", "deleted", 0)
    assert [decode(line) for line in encode([*erased, cash])] == [*erased, cash]


def test_a_trade_that_leaves_the_pump_by_closing_is_no_tombstone() -> None:
    """The pump says `delete` of a trade that closes: it is the closed trade, as any other source tells it."""
    assert identity(deals_of(node(), transaction="delete")) == identity(deals_of(node()))


def test_a_group_change_is_the_same_revision() -> None:
    """A record sent again for its account's new group does nothing to what is paid."""
    before, after = deals_of(node(group="real\\std")), deals_of(node(group="real\\vip"))
    assert identity(before) == identity(after)
    assert {deal.group for deal in after} == {"real\\vip"}


def test_what_a_double_adds_is_dropped() -> None:
    """`1.6400000000000001` and `1e-05` are what was meant; a Python float is refused, as it meant nothing."""
    noisy = node(profit=Decimal("1.6400000000000001"), swap=Decimal("1e-05"))
    assert ledger(list(deals_of(noisy)), "profit", "swap")[1] == ("1.64", "0.00001")
    assert code_of(node(profit=1.64)) == "bad_amount"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (node(cmd=8), "unknown_type"),
        (node(cmd=True), "unknown_type"),
        (node(cmd=None), "unknown_type"),
        (node(reason=8), "unknown_reason"),
        (node(state=7), "unknown_state"),
        (node(activation=-5), "unknown_activation"),
        (node(id=0), "bad_number"),
        (node(login="Ada Example"), "bad_number"),
        (node(openTime=None), "bad_time"),
        (node(openTime="yesterday"), "bad_time"),
        (node(openTime=-1), "bad_time"),
        (node(closeTime=None), "bad_time"),
        (node(closeTime="1999-01-01T00:00:00"), "bad_time"),
        (node(symbol=""), "bad_symbol"),
        (node(symbol=5), "bad_text"),
        (node(volume=-1), "bad_volume"),
        (node(volume=Decimal("0.5")), "bad_volume"),
        (node(volume=None), "bad_amount"),
        (node(profit=None), "missing_field"),
        (node(swap=None), "missing_field"),
        (node(commission=Decimal("NaN")), "bad_amount"),
        (node(commission=Decimal("1e20")), "bad_amount"),
        (node(profit="1,5"), "bad_amount"),
        (node(profit=10**5000), "bad_amount"),
        (node(contractSize=-1), "bad_amount"),
    ],
)
def test_what_cannot_be_used_is_told(raw: dict[str, Any], code: str) -> None:
    """Every wrong field has its code and a reason; nothing is taken for something else."""
    assert code_of(raw) == code


def test_lots_beside_the_volume_must_agree() -> None:
    """Volume in hundredths and lots are one number; if not, one of the units is misunderstood."""
    assert code_of(cplugin(volumeLots=Decimal("50")), "cplugin") == "bad_volume"


def test_no_currency_is_told() -> None:
    """MT4 keeps the currency with the group: without a bridge's or the profile's word there is none."""
    assert code_of(node(), profile=mt4()) == "bad_currency"
    assert {deal.currency for deal in deals_of(node(currency="JPY"))} == {"JPY"}


def test_a_contract_size_may_come_with_the_record() -> None:
    """What a bridge looks up in the symbol's settings is kept; 0 is none."""
    assert {deal.contract_size for deal in deals_of(node(contractSize=1000))} == {Decimal(1000)}
    assert {deal.contract_size for deal in deals_of(node(contractSize=0))} == {None}


def test_repeated_hour() -> None:
    """01:30 of the night the clock goes back is the first pass alone, and the second by tickets in order."""
    night = {"openTime": "2025-11-02T01:30:00", "closeTime": "2025-11-02T01:10:00"}
    profile = mt4("America/New_York", currency="USD")
    opening, closing = deals_of(node(**night), profile=profile)
    assert (opening.occurred_at.hour, closing.occurred_at.hour) == (5, 6)
    passes = RepeatedHour(profile.clock)
    first = {**night, "openTime": "2025-11-02T01:50:00", "closeTime": None, "state": 0}
    deals_of(node(id=1, **first), profile=profile, to_utc=passes.to_utc)
    (opening, _) = deals_of(node(id=2, **night | {"closeTime": "2025-11-02T01:40:00"}), profile=profile,
                            to_utc=passes.to_utc)  # fmt: skip
    assert opening.occurred_at == datetime(2025, 11, 2, 6, 30, tzinfo=UTC)


def test_enums_have_their_numbers_and_their_names() -> None:
    """The header's numbers, its names and those of the dialects are one."""
    assert [to_command(word) for word in (1, "1", "Sell", "OP_SELL")] == [("trade", "sell")] * 4
    assert [to_command(word) for word in (5, "SellStop", "OP_SELL_STOP")] == [None] * 3
    assert to_command("OP_CREDIT") == ("credit", None)
    assert [to_ticket_reason(word) for word in (7, "API", "TR_REASON_API")] == ["api"] * 3
    assert [to_state(word) for word in (4, "ClosedPart", "TS_CLOSED_PART")] == ["closedpart"] * 3
    assert [to_activation(word) for word in (4, "Stopout", "ACTIVATION_STOPOUT")] == ["stop_out"] * 3
    assert [to_activation(word) for word in (-4, "StopoutRollback", 0, 3)] == [""] * 4
    words = (1, "delete", "TRANS_DELETE")
    assert [to_transaction(word) for word in words] == ["delete"] * 3
    assert [to_transaction(word) for word in (3, "change_group", "TRANS_CHANGE_GRP")] == ["change_group"] * 3
    with pytest.raises(RowRejected):
        to_transaction("close")


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.decimals(), st.text(max_size=20),
    st.lists(st.one_of(st.integers(), st.decimals(), st.text(max_size=3)), max_size=3),
    st.sampled_from(["2025-06-02T10:00:00", "Buy", "0", "-1", "1e999999", "9" * 70, OPENED]),
)  # fmt: skip


@settings(max_examples=tries(75), deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(node())), VALUES, max_size=5))
def test_whatever_comes_is_deals_or_a_reason(damage: dict[str, Any]) -> None:
    """Any JSON values in any field: a record whose deals can be sent, a skip, or a `RowRejected`."""
    try:
        found = deals_of(node(**damage))
    except RowRejected:
        return
    encode(found)
    assert all(json.loads(line)["login"] > 0 for line in encode(found))
