"""The example broker: its files are what the generator writes, and hold every special row promised."""

import csv
import io
import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from ingest.terms.folder import Broker, load_terms

FOLDER = Path(__file__).parent.parent / "examples" / "broker"
CANCELLED_DEAL = "41001827"

Row = dict[str, str]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = spec_from_file_location("example_broker_generate", FOLDER / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def live() -> list[Row]:
    return rows_of("mt5-live.deals.csv")


@pytest.fixture(scope="module")
def net() -> list[Row]:
    return rows_of("mt5-net.deals.csv")


@pytest.fixture(scope="module")
def terms() -> Broker:
    return load_terms(FOLDER / "terms")


def test_the_tree_holds_what_the_generator_writes(generator: ModuleType) -> None:
    """Byte for byte, twice in a row, and no export in the folder that it does not write."""
    written: dict[str, bytes] = generator.generate()
    assert generator.generate() == written
    assert {name: (FOLDER / name).read_bytes() for name in written} == written
    exports = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.suffix in (".csv", ".htm")}
    assert exports == set(written)


def test_the_script_writes_where_it_is_told(tmp_path: Path) -> None:
    """`--out` makes the folder, whatever the process's hash seed."""
    subprocess.run([sys.executable, FOLDER / "generate.py", "--out", tmp_path / "new"], check=True)
    for path in (tmp_path / "new").rglob("*.*"):
        assert path.read_bytes() == (FOLDER / path.relative_to(tmp_path / "new")).read_bytes()


def test_the_terms_are_sound(terms: Broker) -> None:
    """No problem and no warning; three servers, three IBs, two plans."""
    assert terms.warnings == ()
    assert set(terms.servers) == {"mt5-live", "mt5-net", "mt4-real"}
    assert Counter(record.type for record in terms.records) == {
        "period_defined": 17,
        "symbol_defined": 14,
        "plan_defined": 2,
        "partner_defined": 3,
        "rate_published": 30,
    }


def test_the_exports_have_about_five_thousand_deals(live: list[Row], net: list[Row]) -> None:
    """Enough to be a broker, few enough to read in a second."""
    tickets = sum(len(tickets_of(path)) for path in statements())
    assert 4_900 <= len(live) + len(net) + 2 * tickets <= 5_300


def test_live_has_each_kind_of_row(live: list[Row]) -> None:
    """Close-by pairs, roll-overs, cash, cents, an unknown symbol, an account nobody links."""
    distinct = list({row["Deal"]: row for row in live}.values())
    by_entry = Counter(row["Entry"] for row in distinct)
    assert by_entry["out by"] == 6
    assert by_entry["in/out"] == 0
    assert sum(row["Reason"] == "Rollover" for row in distinct) == 4
    assert Counter(row["Type"] for row in distinct)["credit"] == 2
    assert Counter(row["Type"] for row in distinct)["balance"] == 30
    assert {row["Symbol"] for row in distinct if row["Currency"] == "USC"} == {"EURUSDc", ""}
    assert [row["Entry"] for row in distinct if row["Symbol"] == "NAS100"] == ["in", "out"]
    assert sum(row["Login"] == "500099" for row in distinct) == 3
    assert {"USDJPY", "EURJPY", "XAUUSD", "US500"} <= {row["Symbol"] for row in distinct}


def test_live_has_the_faults_of_real_exports(live: list[Row]) -> None:
    """Twelve rows twice, rows out of order, four that cannot be read."""
    assert sum(count - 1 for count in Counter(tuple(row.values()) for row in live).values()) == 12
    times = [row["Time"] for row in live if row["Time"]]
    assert sum(later < earlier for earlier, later in pairwise(times)) >= 30
    bad = {row["Deal"]: row for row in live if row["Deal"].startswith("4900000")}
    assert bad["49000001"]["Volume"] == "0.1x"
    assert bad["49000002"]["Comment"] is None
    assert bad["49000003"]["Time"].startswith("2026.13.14")
    assert bad["49000004"]["Type"] == "bought"
    assert len(bad) == 4


def test_corrections_cancel_one_deal_and_repeat_ten(live: list[Row]) -> None:
    """The same deal number, now cancelled and without profit; the repeated rows are unchanged."""
    corrections = rows_of("mt5-live.corrections.csv")
    known = {row["Deal"]: row for row in live}
    before = known[CANCELLED_DEAL]
    after = next(row for row in corrections if row["Deal"] == CANCELLED_DEAL)
    assert (before["Type"], before["Entry"]) == ("buy", "out")
    assert Decimal(before["Profit"]) != 0
    assert after == {**before, "Type": "buy canceled", "Profit": "0", "Swap": "0"}
    moved = next(row for row in corrections if row["Comment"] == f"Cancel #{CANCELLED_DEAL}")
    assert (moved["Type"], moved["Profit"]) == ("balance", before["Profit"])
    assert sum(known.get(row["Deal"]) == row for row in corrections) == 10
    assert len(corrections) == 12


def test_hedging_positions_close_no_more_than_they_opened(live: list[Row]) -> None:
    """Every position has one login and is opened before it is closed, in parts or whole."""
    held: dict[str, Decimal] = {}
    logins: dict[str, set[str]] = {}
    parts: Counter[str] = Counter()
    for row in in_order(live):
        position = row["Position"]
        signed = Decimal(row["Volume"]) if row["Entry"] == "in" else -Decimal(row["Volume"])
        held[position] = held.get(position, Decimal(0)) + signed
        logins.setdefault(position, set()).add(row["Login"])
        parts[position] += row["Entry"] == "out"
        assert held[position] >= 0, row
    assert all(len(owners) == 1 for owners in logins.values())
    assert sum(count > 1 for count in parts.values()) > 100


def test_netting_labels_follow_from_the_running_position(net: list[Row]) -> None:
    """`in` adds, `out` reduces, `in/out` closes the whole and opens the rest, under one position."""
    held: dict[tuple[str, str], Decimal] = {}
    ids: dict[tuple[str, str], str] = {}
    for row in in_order(net):
        key = (row["Login"], row["Symbol"])
        before = held.get(key, Decimal(0))
        signed = Decimal(row["Volume"]) * (1 if row["Type"] == "buy" else -1)
        is_added = before == 0 or (before > 0) == (signed > 0)
        assert row["Entry"] == ("in" if is_added else "out" if abs(signed) <= abs(before) else "in/out"), row
        assert before == 0 or row["Position"] == ids[key], row
        held[key], ids[key] = before + signed, row["Position"]
    assert sum(row["Entry"] == "in/out" for row in net) > 20


def test_statements_are_mt4s() -> None:
    """Code page 1252, lower-case symbols, partial closes, close-by legs without volume, dead pendings."""
    for path in statements():
        text = path.read_bytes().decode("cp1252")
        assert "Société" in text
        assert {symbol for _, _, symbol in tickets_of(path)} <= {"eurusd", "usdjpy", "xauusd"}
        if path.name == "70003.htm":
            continue
        assert len(re.findall(r'title="to #(\d+)"', text)) >= 1
        assert text.count("close hedge by #") == 1
        assert text.count("<td colspan=4>cancelled</td>") == 3
        assert [lots for _, lots, _ in tickets_of(path)].count("0.00") == 1


def test_the_crm_tells_what_the_deals_need() -> None:
    """Forty clients: one without IB, one without KYC, one approved late, one registered late."""
    crm, late = rows_of("crm.csv"), rows_of("crm-late.csv")
    assert Counter(row["event"] for row in crm) == {
        "registration": 39,
        "account_link": 41,
        "deposit": 40,
        "kyc": 39,
    }
    assert [(row["event"], row["client_id"]) for row in late] == [
        ("registration", "c-013"),
        ("chargeback", "c-014"),
    ]
    registered = {row["client_id"]: row for row in (*crm, *late) if row["event"] == "registration"}
    assert [client for client, row in registered.items() if not row["ib_id"]] == ["c-015"]
    assert Counter(row["ib_id"] for row in registered.values()).keys() == {
        "ib-master",
        "ib-north",
        "ib-south",
        "",
    }
    approved = {row["client_id"]: row["occurred_at"] for row in crm if row["event"] == "kyc"}
    assert set(registered) - set(approved) == {"c-011"}
    assert [client for client, at in approved.items() if at > "2026-09-01"] == ["c-012"]
    assert len({row["event_id"] for row in (*crm, *late)}) == len(crm) + len(late)
    assert "500099" not in {row["login"] for row in crm}


def test_the_charged_back_deposit_is_all_that_client_paid(live: list[Row]) -> None:
    """It qualified: 1,000 USD and 3 lots in September; charged back within 60 days."""
    deposits = [
        row for row in rows_of("crm.csv") if row["client_id"] == "c-014" and row["event"] == "deposit"
    ]
    back = rows_of("crm-late.csv")[1]
    assert [(row["deposit_id"], row["amount"]) for row in deposits] == [(back["deposit_id"], "1000.00")]
    closed = [
        Decimal(row["Volume"])
        for row in live
        if row["Login"] == "500014" and row["Entry"] == "out" and row["Time"] < "2026.10"
    ]
    assert sum(closed) > 3
    assert back["occurred_at"] == "2026-10-20T09:00:00Z"


def test_hand_names_every_deal_of_its_clients(live: list[Row], net: list[Row]) -> None:
    """What is worked out by hand is all that these clients traded."""
    text = (FOLDER / "HAND.md").read_text(encoding="utf-8")
    traded = {
        row["Deal"] for row in (*live, *net) if row["Login"] in ("500001", "600002") and row["Symbol"]
    } | {ticket for ticket, _, _ in tickets_of(FOLDER / "mt4-real" / "70003.htm")}
    assert set(re.findall(r"^\| (\d{7,8}) \|", text, re.MULTILINE)) == traded


def rows_of(name: str) -> list[Row]:
    """A row that is cut short has None in its last cells."""
    return list(csv.DictReader(io.StringIO((FOLDER / name).read_bytes().decode())))


def in_order(rows: list[Row]) -> list[Row]:
    """Trades that can be read, each once, as they happened."""
    trades = {
        row["Deal"]: row
        for row in rows
        if row["Symbol"] and row["Position"] and not row["Deal"].startswith("4900000")
    }
    return sorted(trades.values(), key=lambda row: (row["Time"], int(row["Deal"])))


def statements() -> list[Path]:
    return sorted((FOLDER / "mt4-real").glob("*.htm"))


def tickets_of(path: Path) -> list[tuple[str, str, str]]:
    """Ticket, lots and symbol of each trade: rows whose type is buy or sell."""
    text = path.read_bytes().decode("cp1252")
    start = r'">(\d{8})</td><td class=msdate nowrap>[^<]*</td><td>(?:buy|sell)</td>'
    return re.findall(start + r"<td class=mspt>([^<]*)</td><td>([^<]*)<", text)
