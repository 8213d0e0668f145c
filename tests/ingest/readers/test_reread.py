"""A dead letter read again: what it becomes, and what only its whole file could tell."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import Deal, DepositCleared
from ingest.crm import csv_file as crm_csv
from ingest.mt4 import statement as mt4_statement
from ingest.mt5 import deals_csv as mt5_deals_csv
from ingest.push.body import JSON_LINES, to_rows
from ingest.push.rows import Reading, client_events_of, deals_of, read_row
from ingest.readers.detect import read_any
from ingest.readers.reread import needs_server, reread
from ingest.sources import RowRejected
from schemas.dead_letters import DeadLetter, to_dead_letter
from schemas.wire import encode
from tests.ingest.ingest_exports import (
    MT5_COLUMNS,
    NEW_YORK,
    RECEIVED,
    csv_file,
    mt4,
    mt5,
    row,
    sorted_out,
    statement,
    ticket,
)
from tests.ingest.mt5.records import manager, terminal

AT = "2026-09-01T08:30:00Z"
CRM = "event,event_id,occurred_at,client_id,deposit_id,amount,currency,click.subId"


def letter_of(read: Any, path: Path, profile: Any = None) -> DeadLetter:
    _, (letter,) = sorted_out(read(path, profile, RECEIVED))
    return letter


def refused(letter: DeadLetter, payload: bytes | None = None, profile: Any = None) -> str:
    with pytest.raises(RowRejected) as caught:
        reread(letter, profile, payload)
    return caught.value.code


def test_a_corrected_row_of_a_crm_is_the_event_it_should_have_been(tmp_path: Path) -> None:
    """Its header is kept with it; it tells the line it stood in."""
    bad = f"deposit,e1,{AT},c1,d1,25O,USD,s"
    path = csv_file(tmp_path / "crm.csv", f"fraud,e0,{AT},c1,,,,", bad, header=CRM)
    letter = letter_of(crm_csv.read, path)
    assert refused(letter) == "bad_amount"
    (event,) = reread(letter, None, bad.replace("25O", "250").encode())
    assert isinstance(event, DepositCleared)
    assert (event.amount, event.source) == (250, "crm-csv crm.csv:3")
    assert refused(letter, b"") == "nothing"
    assert refused(letter, f"{bad}\n{bad}".encode()) == "many_rows"
    assert refused(dataclasses.replace(letter, header="")) == "no_header"
    assert refused(dataclasses.replace(letter, header="a,b")) == "unreadable"


def test_a_corrected_deal_is_the_same_as_from_a_corrected_file(tmp_path: Path) -> None:
    """Number, revision and amounts are equal, so reading the corrected file later does nothing."""
    profile = mt5(rule=NEW_YORK)
    good, bad = row(7, Commission="-3.50"), row(7, Commission="-3.5x")
    letter = letter_of(mt5_deals_csv.read, csv_file(tmp_path / "deals.csv", row(6), bad), profile)
    assert (needs_server(letter), letter.server) == (True, "Demo-MT5")
    assert b"Ada" not in letter.payload
    assert refused(letter, good.encode()) == "no_server"
    corrected = letter.payload.replace(b"-3.5x", b"-3.50")
    (deal,) = reread(letter, profile, corrected)
    ((_, expected), _) = sorted_out(
        mt5_deals_csv.read(csv_file(tmp_path / "deals.csv", row(6), good), profile, RECEIVED)
    )
    assert deal == expected


@pytest.mark.parametrize("name", ["Ada", '"Lovelace, ""Ada"" A."', '"Ada"', ""])
def test_a_row_keeps_its_bytes_but_for_the_name(name: str, tmp_path: Path) -> None:
    """Quotes, spaces and bytes that are no UTF-8 stay as they stood, so a replay tells the same fault."""
    cells = row(7, Profit="1.00").split(",")
    at = MT5_COLUMNS.index("Name"), MT5_COLUMNS.index("Profit")
    cells[at[0]], cells[at[1]] = name, '"1,00"'
    path = csv_file(tmp_path / "deals.csv", ",".join(cells))
    letter = letter_of(mt5_deals_csv.read, path, mt5())
    assert ("bad_amount", "bad_amount") == (letter.code, refused(letter, profile=mt5()))
    cells[at[0]] = ""
    assert ",".join(cells).encode() == letter.payload
    cells[at[0]], cells[at[1]] = name, "1.00"
    raw = ",".join(cells).encode().replace(b"1.00", b"1.00\xff")
    path.write_bytes(csv_file(path).read_bytes() + raw + b"\n")
    letter = letter_of(mt5_deals_csv.read, path, mt5())
    assert ("not_utf8", True) == (letter.code, b",1.00\xff," in letter.payload)
    assert ("not_utf8", False) == (refused(letter, profile=mt5()), b"Ada" in letter.payload)


def test_a_row_in_a_repeated_hour_is_not_read_alone(tmp_path: Path) -> None:
    """Which pass it belongs to follows from its neighbours: New York's clock repeats 01:00 on 2 November."""
    profile = mt5(rule="America/New_York")
    bad = row(7, Time="2025.11.02 01:30:00.000", Profit="x")
    letter = letter_of(mt5_deals_csv.read, csv_file(tmp_path / "d.csv", bad), profile)
    assert refused(letter, bad.replace(",x,", ",1,").encode(), profile) == "repeated_hour"
    sure = bad.replace(",x,", ",1,").replace("01:30", "03:30")
    assert isinstance(reread(letter, profile, sure.encode())[0], Deal)


def test_what_was_not_kept_whole_is_not_read_as_it_is(tmp_path: Path) -> None:
    """A cut payload, blanked cells, a row the file ended in: a person may give the bytes instead."""
    path = tmp_path / "deals.csv"
    path.write_bytes(csv_file(path, row(7, Profit="12.5"), header="Profit,Deal").read_bytes())
    name = mt5_deals_csv.read
    letter = letter_of(name, csv_file(tmp_path / "a.csv", row("x7")), mt5())
    assert letter.is_blanked is False
    shifted = letter_of(name, csv_file(tmp_path / "b.csv", row("x7", Login="Ada")), mt5())
    assert (shifted.is_blanked, refused(shifted, profile=mt5())) == (True, "blanked")
    assert reread(shifted, mt5(), row(7).encode())
    open_end = tmp_path / "c.csv"
    header = csv_file(open_end).read_bytes().replace(b",Comment", b"")
    open_end.write_bytes(header + row(7).rpartition(",")[0].encode())
    cut = letter_of(name, open_end, mt5())
    assert (cut.code, refused(cut, profile=mt5())) == ("truncated_row", "cut")
    assert refused(dataclasses.replace(letter, payload_bytes=10**6), profile=mt5()) == "cut"


def test_a_statement_is_read_as_a_whole(tmp_path: Path) -> None:
    """A ticket's row lacks the account and the currency."""
    path = tmp_path / "s.htm"
    path.write_text(statement(closed=ticket(1, size="x")))
    assert refused(letter_of(mt4_statement.read, path, mt4()), profile=mt4()) == "not_rereadable"


def test_a_record_of_xml(tmp_path: Path) -> None:
    """Corrected it is its event; two records in its place are refused."""
    told = f'<record event="fraud" event_id="e1" occurred_at="{AT}"/>'
    path = tmp_path / "crm.xml"
    path.write_text(f"<crm>{told}</crm>")
    letter = letter_of(read_any, path)
    assert refused(letter) == "missing_cell"
    right = told.replace("/>", ' client_id="c1"/>').encode()
    (event,) = reread(letter, None, right)
    assert (event.type, event.source) == ("client_flagged", "crm-xml crm.xml:1")
    assert refused(letter, right + right) == "many_rows"
    assert refused(letter, b"<record>") == "unreadable"


def buried(topic: str, line: bytes, code: str = "invalid_record") -> DeadLetter:
    return to_dead_letter(
        line, source=f"topic {topic}", position="0/1 line 1", code=code, reason="x", received_at=RECEIVED
    )


def test_lines_of_topics(tmp_path: Path) -> None:
    """What is written from outside may be written again; a stage's rows and skipped lines may not."""
    crm = csv_file(tmp_path / "c.csv", f"fraud,e0,{AT},c1,,,,", header=CRM)
    ((event,), _) = sorted_out(crm_csv.read(crm, None, RECEIVED))
    (line,) = encode([event])
    assert reread(buried("client-book", line), None) == [event]
    assert refused(buried("client-book", line, "skipped")) == "skipped"
    assert refused(buried("account-book", line)) == "not_from_outside"
    assert refused(buried("partner-book", line)) == "not_from_outside"
    assert refused(buried("client-book", line[:-2])) == "invalid_record"
    ended = b'{"type":"period_ended","period":"2026-09"}'
    assert reread(buried("terms", ended), None)[0].type == "period_ended"


def json_letter(folder: Path, records: list[Any], profile: Any, name: str = "deals.json") -> DeadLetter:
    path = folder / name
    path.write_text(json.dumps(records))
    return letter_of(read_any, path, profile)


def test_a_record_of_mt5s_json_is_read_with_what_was_said_of_its_file(tmp_path: Path) -> None:
    """Login, currency, group and contract size stood beside it; the server's usual currency is another."""
    said = mt5(login=5001, currency="USC", group="cents")
    (tmp_path / "symbols.json").write_text('[{"name": "XAUUSDc", "trade_contract_size": 1.0}]')
    good = terminal(8, symbol="XAUUSDc", reason=4, volume=0.01)
    letter = json_letter(tmp_path, [terminal(7), good | {"profit": "x"}], said)
    usual = mt5(currency="USD")
    assert (needs_server(letter), letter.server, letter.position) == (True, "Demo-MT5", "record 2")
    assert refused(letter) == "no_server"
    assert refused(letter, profile=usual) == "bad_amount"
    (again,) = reread(letter, usual, letter.payload.replace(b'"x"', b'"0.0"'))
    (tmp_path / "deals.json").write_text(json.dumps([terminal(7), good]))
    (_, expected), _ = sorted_out(read_any(tmp_path / "deals.json", said, RECEIVED))
    assert again == expected
    assert (again.currency, again.group, again.login, again.contract_size) == ("USC", "cents", 5001, 1)
    assert refused(letter, json.dumps(good).encode(), usual) == "no_currency"
    assert refused(letter, b"[]", usual) == "not_a_record"


def test_a_record_of_mt5s_json_that_is_not_sure_alone(tmp_path: Path) -> None:
    """A repeated hour needs its neighbours; of a field given twice only one was kept."""
    new_york = mt5(currency="USD", rule="America/New_York")
    repeated = {"Time": 1_762_047_000, "TimeMsc": 1_762_047_000_000}
    letter = json_letter(tmp_path, [manager(7, Profit="x", **repeated)], new_york)
    assert refused(letter, letter.payload.replace(b'"x"', b'"1"'), new_york) == "repeated_hour"
    path = tmp_path / "twice.json"
    path.write_text("[" + json.dumps(manager(8))[:-1] + ', "Profit": "5"}]')
    twice = letter_of(read_any, path, mt5(currency="USD"))
    assert refused(twice, profile=mt5(currency="USD")) == "repeated_field"


def test_a_closed_ticket_of_mt4s_json(tmp_path: Path) -> None:
    """Closed it stays as it is; one that was open may be known as closed by now; chains need their file."""
    closed: dict[str, Any] = {
        "id": 7, "login": 5002, "symbol": "EURUSD", "cmd": 0, "volume": 50, "reason": 5, "commission": -3.5,
        "openTime": "2025-06-02T10:00:00.000Z", "openPrice": 1.1, "closeTime": "2025-06-02T11:00:00.000Z",
        "closePrice": 1.101, "convRates": [1, 0.9], "swap": 0, "profit": 50, "taxes": 0, "comment": "",
        "activation": 0, "state": 3,
    }  # fmt: skip
    said, usual = mt4(currency="USC", group="cents"), mt4(currency="USD")
    letter = json_letter(tmp_path, [closed | {"profit": "x"}], said)
    assert refused(letter, profile=usual) == "bad_amount"
    payload = letter.payload.replace(b'"x"', b"50")
    again = reread(letter, usual, payload)
    (tmp_path / "deals.json").write_text(json.dumps([closed]))
    expected, _ = sorted_out(read_any(tmp_path / "deals.json", said, RECEIVED))
    assert [replace(deal, source="") for deal in expected] == [replace(deal, source="") for deal in again]
    assert {"7:open", "7:close"} == {deal.deal_id for deal in again if isinstance(deal, Deal)}
    assert refused(letter, payload, mt4(close_reopen=("*",))) == "reopened"
    still_open = json_letter(tmp_path, [closed | {"closeTime": None, "state": 0, "openPrice": "x"}], said)
    assert refused(still_open, still_open.payload.replace(b'"x"', b"1.1"), usual) == "still_open"


def pushed(reading: Reading, row: dict[str, Any]) -> DeadLetter:
    (one,) = to_rows(json.dumps(row).encode(), JSON_LINES)
    (letter,) = read_row(one, reading, RECEIVED).items
    assert isinstance(letter, DeadLetter)
    return letter


def test_a_bridges_row_is_read_as_it_was_pushed() -> None:
    """By its dialect and server; a login that was cleaned stays for a person."""
    profile = mt5(currency="USD")
    reading = deals_of("mt5-manager", profile, "bridge-1")
    row: dict[str, Any] = {"event": "OnDealAdd", "record": manager(7, Profit="x", Name="Ada")}
    letter = pushed(reading, row)
    assert (needs_server(letter), b"Ada" in letter.payload) == (True, False)
    assert refused(letter) == "no_server"
    assert refused(letter, profile=profile) == "bad_amount"
    right = letter.payload.replace(b'"x"', b'"1.5"')
    (deal,) = reread(letter, profile, right)
    assert isinstance(deal, Deal)
    assert ("7", "1.5", "push mt5-manager bridge-1") == (deal.deal_id, str(deal.profit), deal.source)
    assert refused(letter, b"", profile) == "nothing"
    assert refused(letter, right + b"\n" + right, profile) == "many_rows"
    cleaned = pushed(reading, {"event": "OnDealClean", "login": 5001})
    assert refused(cleaned, profile=profile) == "deals_cleaned"


def test_a_crms_row_is_read_if_it_was_kept_whole() -> None:
    """A click parameter is not kept, so a row that has one is not read without it."""
    reading = client_events_of("crm-1")
    fraud = {"event": "fraud", "event_id": "e1", "occurred_at": "today"}
    letter = pushed(reading, fraud)
    assert (needs_server(letter), refused(letter)) == (False, "missing_cell")
    whole = json.dumps(fraud | {"occurred_at": AT, "client_id": "c1"}).encode()
    (event,) = reread(letter, None, whole)
    assert (event.type, event.source) == ("client_flagged", "push crm crm-1")
    clicked = pushed(reading, fraud | {"event": "registration", "click": {"sub1": "x"}})
    assert refused(clicked) == "blanked"


def test_what_a_live_server_told_is_asked_again() -> None:
    """A server's row may have changed since; a sweep reads it as it is now."""
    letter = dataclasses.replace(buried("x", b"{}"), source="mt5-sql live")
    with pytest.raises(RowRejected, match="ibflow reconcile"):
        reread(letter, mt5())
