"""Our own CSV of CRM events."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commission.events import (
    AccountLinked,
    ChargebackReceived,
    ClientFlagged,
    ClientReassigned,
    ClientRegistered,
    DepositCleared,
    KycChanged,
    WithdrawalPaid,
)
from ingest.counts import Counts
from ingest.crm.csv_file import read
from ingest.crm.fields import FIELDS
from ingest.sources import UnreadableSource
from schemas.wire import decode, encode
from tests.effort import tries
from tests.ingest.ingest_exports import RECEIVED, csv_file, damage, sorted_out

HEADER = ",".join((*FIELDS, "click.subId", "click.gclid"))
AT = "2026-09-01T08:30:00Z"
FUZZ = settings(
    max_examples=tries(37), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def line(event: str, **cells: str) -> str:
    usual = {"event": event, "event_id": "e1", "occurred_at": AT, "client_id": "c1"}
    named = usual | cells
    return ",".join(named.get(name, "") for name in (*FIELDS, "click_subId", "click_gclid"))


def read_lines(folder: Path, *lines: str, header: str = HEADER) -> Any:
    return sorted_out(read(csv_file(folder / "crm.csv", *lines, header=header), None, RECEIVED))


def test_golden_events(tmp_path: Path) -> None:
    """Every event of the format becomes its own fact, in the order of the file."""
    events, letters = read_lines(
        tmp_path,
        line("registration", ib_id="ib7", country="MY", click_subId="s-1"),
        line("account_link", server="Demo-MT5", login="5001"),
        line("reassignment", occurred_at="2026-09-01T10:30:00+02:00", ib_id="ib8"),
        line("reassignment"),
        line("deposit", deposit_id="d1", amount="250.50", currency="USDT"),
        line("chargeback", deposit_id="d1"),
        line("kyc", status="approved"),
        line("refund", deposit_id="d1", amount="20.5"),
        line("deposit_reversal", deposit_id="d2"),
        line("withdrawal", amount="7", currency="EUR"),
        line("fraud"),
        line("bonus_removed"),
    )
    at = datetime(2026, 9, 1, 8, 30, tzinfo=UTC)
    who = {"event_id": "e1", "client_id": "c1", "occurred_at": at}
    src = [f"crm-csv crm.csv:{number}" for number in range(2, 14)]
    assert letters == []
    assert events == [
        ClientRegistered(**who, ib_id="ib7", country="MY", click={"subId": "s-1"}, source=src[0]),
        AccountLinked(**who, server="Demo-MT5", login=5001, source=src[1]),
        ClientReassigned(**who, ib_id="ib8", source=src[2]),
        ClientReassigned(**who, ib_id=None, source=src[3]),
        DepositCleared(**who, deposit_id="d1", amount=Decimal("250.50"), currency="USDT", source=src[4]),
        ChargebackReceived(**who, deposit_id="d1", source=src[5]),
        KycChanged(**who, status="approved", source=src[6]),
        ChargebackReceived(**who, deposit_id="d1", amount=Decimal("20.5"), reason="refund", source=src[7]),
        ChargebackReceived(**who, deposit_id="d2", reason="deposit_reversal", source=src[8]),
        WithdrawalPaid(**who, amount=Decimal(7), currency="EUR", source=src[9]),
        ClientFlagged(**who, verdict="fraud", source=src[10]),
        ClientFlagged(**who, verdict="bonus_removed", source=src[11]),
    ]
    assert [decode(text) for text in encode(events)] == events


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (line("registered"), "unknown_event"),
        (line("registration", event_id=""), "missing_cell"),
        (line("registration", client_id=""), "missing_cell"),
        (line("registration", client_id="a b"), "bad_id"),
        (line("registration", client_id="c:1"), "bad_id"),
        (line("registration", ib_id="x" * 129), "bad_id"),
        (line("registration", occurred_at="2026-09-01T08:30:00"), "bad_time"),
        (line("registration", occurred_at="yesterday"), "bad_time"),
        (line("registration", occurred_at="0001-01-01T00:00:00+14:00"), "bad_time"),
        (line("registration", click_gclid="x" * 201), "click_too_long"),
        (line("registration", country="x" * 65), "bad_country"),
        (line("account_link", login="5001"), "missing_cell"),
        (line("account_link", server="Demo"), "missing_cell"),
        (line("account_link", server="De/mo", login="5001"), "bad_server"),
        (line("account_link", server="Demo", login="x"), "bad_number"),
        (line("deposit", amount="5", currency="USD"), "missing_cell"),
        (line("deposit", deposit_id="d", amount="0", currency="USD"), "bad_amount"),
        (line("deposit", deposit_id="d", amount="-5", currency="USD"), "bad_amount"),
        (line("deposit", deposit_id="d", amount="5", currency="usd"), "bad_currency"),
        (line("deposit", deposit_id="d", amount="5"), "missing_cell"),
        (line("chargeback"), "missing_cell"),
        (line("refund", deposit_id="d", amount="-1"), "bad_amount"),
        (line("withdrawal", amount="5"), "missing_cell"),
        (line("kyc", status="ok"), "unknown_status"),
        ("a,b", "wrong_cells"),
    ],
)
def test_one_bad_row_is_one_dead_letter(tmp_path: Path, bad: str, code: str) -> None:
    """A bad row is buried with its line, and its neighbours are events."""
    events, letters = read_lines(tmp_path, line("registration"), bad, line("kyc", status="pending"))
    assert [event.type for event in events] == ["client_registered", "kyc_changed"]
    assert [(letter.code, letter.position) for letter in letters] == [(code, "line 3")]


def test_columns_may_be_left_out(tmp_path: Path) -> None:
    """Only the four common columns must be there; an event that needs another is buried."""
    header = "event,event_id,occurred_at,client_id"
    events, letters = read_lines(tmp_path, f"registration,e1,{AT},c1", f"deposit,e2,{AT},c1", header=header)
    assert (len(events), [letter.code for letter in letters]) == (1, ["missing_cell"])


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("event,event_id,occurred_at", "client_id"),
        (f"{HEADER},email", "email"),
        (f"{HEADER},click.", "click."),
        (HEADER + "".join(f",click.p{number}" for number in range(29)), "limit is 30"),
    ],
)
def test_bad_headers(tmp_path: Path, header: str, words: str) -> None:
    """Missing and unknown columns are named: a misspelt one must not be lost in silence."""
    with pytest.raises(UnreadableSource, match=words):
        read_lines(tmp_path, header=header)


VALID = "\n".join(
    (
        HEADER,
        line("registration", ib_id="ib7"),
        line("deposit", deposit_id="d1", amount="5", currency="USD"),
        "",
    )
).encode()


@FUZZ
@given(raw=st.composite(damage(VALID))())
def test_damaged_files(tmp_path: Path, raw: bytes) -> None:
    """However a file is damaged, every row is one event or one dead letter."""
    path, counts = tmp_path / "fuzz.csv", Counts()
    path.write_bytes(raw)
    try:
        items = list(read(path, None, RECEIVED, counts))
    except UnreadableSource:
        return
    assert len(items) == counts.rows
    encode([item for item in items if item.type != "dead_letter"])
