"""A terminal's deals as CSV: the same deals as in JSON, however a table spells them."""

import json
from pathlib import Path

import pytest

from ingest.counts import Counts
from ingest.mt5.terminal_csv import read
from ingest.readers.detect import detect, read_any
from ingest.readers.reread import reread
from ingest.sources import UnreadableSource
from tests.ingest.ingest_exports import RECEIVED, ledger, mt4, mt5, sorted_out
from tests.ingest.mt5.records import TEN, terminal
from tests.ingest.mt5.terminal_tables import table

ONE = mt5(login=5001, currency="USD")
FIELDS = ("deal_id", "revision", "side", "entry", "volume_e8", "position_id", "profit", "reason", "comment")


def csv_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "deals.csv"
    path.write_text(text, "utf-8")
    return path


RECORDS = (
    terminal(7, comment="an EA, or two"),
    terminal(8, type=1, entry=1, time=TEN + 60, time_msc=(TEN + 60) * 1000, profit=0.1 + 0.2, reason=4),
    terminal(9, type=2, symbol="", volume=0.0, price=0.0, position_id=0, profit=1000.0, comment="Deposit"),
)


@pytest.mark.parametrize("index", [False, True])
def test_the_same_deals_as_in_json(tmp_path: Path, index: bool) -> None:  # noqa: FBT001
    """Revisions and all; a double's noise (0.30000000000000004) is no money."""
    path, beside = csv_of(tmp_path, table(*RECORDS, index=index)), tmp_path / "x.json"
    beside.write_text(json.dumps(RECORDS), "utf-8")
    assert "mt5-terminal-csv" == detect(path)
    counts = Counts()
    found, letters = sorted_out(read_any(path, ONE, RECEIVED, counts))
    wanted, _ = sorted_out(read_any(beside, ONE, RECEIVED))
    assert [] == letters
    assert ledger(wanted, *FIELDS) == ledger(found, *FIELDS)
    assert ("8", "sell", "out", "0.3", "stop_loss") == (
        found[-1].deal_id, found[-1].side, found[-1].entry, str(found[-1].profit), found[-1].reason,
    )  # fmt: skip
    assert (3, {"trade": 2, "balance": 1}) == (counts.rows, dict(counts.deals))


def test_times_and_whole_numbers_as_a_table_spells_them(tmp_path: Path) -> None:
    """`2025-06-02 10:00:00` for 1748858400, 7.0 for 7, NaN for what is not there: one revision."""
    plain, _ = sorted_out(read(csv_of(tmp_path, table(terminal(7))), ONE, RECEIVED))
    spelled = terminal(7) | {
        "time": "2025-06-02 10:00:00",
        "time_msc": "NaN",
        "ticket": "7.0",
        "position_id": "7001.0",
        "fee": "",
        "comment": "nan",
    }
    other, letters = sorted_out(read(csv_of(tmp_path, table(spelled)), ONE, RECEIVED))
    assert ([], plain[0].revision, "") == (letters, other[0].revision, other[0].comment)


def test_contract_sizes_beside_it(tmp_path: Path) -> None:
    """`symbols.json` beside `deals.csv` tells them, as beside `deals.json`."""
    (tmp_path / "symbols.json").write_text(
        json.dumps([{"name": "EURUSD", "trade_contract_size": 1000.0}]), "utf-8"
    )
    deals, _ = sorted_out(read(csv_of(tmp_path, table(terminal(7))), ONE, RECEIVED))
    assert "1000" == f"{deals[0].contract_size:f}".rstrip("0").rstrip(".")


def test_damage_stays_in_its_row(tmp_path: Path) -> None:
    """A row of another width, a number that is none, a cut file: a letter each, without names."""
    lines = table(terminal(7), terminal(8), terminal(9)).splitlines()
    lines[1] = f"Ada Example,{lines[1]}"
    lines[2] = lines[2].replace(",1.1,", ",1.1x,")
    path = csv_of(tmp_path, "\n".join(["", *lines]).strip())
    deals, letters = sorted_out(read(path, ONE, RECEIVED))
    assert [("line 2", "wrong_cells"), ("line 3", "bad_amount")] == [(x.position, x.code) for x in letters]
    assert ["9"] == [deal.deal_id for deal in deals]
    assert b"Ada" not in b"".join(letter.payload for letter in letters)
    cut = csv_of(tmp_path, table(terminal(7)).rstrip("\n").removesuffix(",,"))
    assert ["truncated_row"] == [letter.code for letter in sorted_out(read(cut, ONE, RECEIVED))[1]]


def test_a_letter_can_be_read_again(tmp_path: Path) -> None:
    """Corrected by a person, the record is the deal it would have been in its file."""
    path = csv_of(tmp_path, table(terminal(7, price="1.1x")))
    _, letters = sorted_out(read(path, ONE, RECEIVED))
    wanted, _ = sorted_out(read(csv_of(tmp_path, table(terminal(7))), ONE, RECEIVED))
    found = reread(letters[0], mt5(), letters[0].payload.replace(b"1.1x", b"1.1"))
    assert [wanted[0].revision] == [deal.revision for deal in found]  # type: ignore[union-attr] # a deal


def test_what_is_missing_is_named_at_once(tmp_path: Path) -> None:
    """Columns by name; login and currency by their options; the other platform's profile."""
    short = terminal(7, reason=None, symbol=None, time=None, time_msc=None)
    with pytest.raises(UnreadableSource, match="column reason, symbol, time or time_msc is missing"):
        read(csv_of(tmp_path, table(short)), ONE, RECEIVED)
    path = csv_of(tmp_path, table(terminal(7)))
    with pytest.raises(UnreadableSource, match=r"their login and currency; say --login, --currency$"):
        read(path, mt5(), RECEIVED)
    with pytest.raises(UnreadableSource, match="MT5 file"):
        read(path, mt4(login=1, currency="USD"), RECEIVED)


# Exports that are not of deals

OTHERS = {
    "orders.json": '[{"ticket": 1, "time_setup": 1, "state": 4, "position_id": 1}]',
    "orders.csv": "ticket,time_setup,time_done,type,state,position_id,symbol\n1,1,1,0,4,1,EURUSD\n",
    "positions.json": '[{"ticket": 1, "identifier": 1, "price_open": 1.1, "symbol": "EURUSD"}]',
    "manager-orders.csv": "Order,ID,Login,Name,Time,Type,Symbol,Volume,Price,S / L,T / P,Price,State\n",
    "manager-positions.csv": "Position;ID;Login;Name;Time;Type;Symbol;Volume;Price;Price;Profit\n",
    "mt5_orders.csv": "Order,Login,TimeSetup,Symbol,State\n",
    "web.json": '{"retcode": "0 Done", "answer": [{"Position": "1", "TimeCreate": "1"}]}',
}


@pytest.mark.parametrize("name", OTHERS)
def test_orders_and_positions_are_refused_by_the_name_of_the_right_export(tmp_path: Path, name: str) -> None:
    """They are not what a client traded; each refusal names where the deals are."""
    path = tmp_path / name
    path.write_text(OTHERS[name], "utf-8")
    with pytest.raises(UnreadableSource, match="not what a client traded; ") as refusal:
        detect(path)
    at = {"manager": "Deals tab", "mt5_ord": "mt5_deals", "web.jso": "mt5_deals"}
    right = at.get(name[:7], "history_deals_get()")
    assert right in str(refusal.value)


def test_symbols_go_beside_deals(tmp_path: Path) -> None:
    """The companion of deals is told as such."""
    path = tmp_path / "symbols.json"
    path.write_text('[{"name": "EURUSD", "trade_contract_size": 100000.0}]', "utf-8")
    with pytest.raises(UnreadableSource, match="beside the deals"):
        detect(path)
