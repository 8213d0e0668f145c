"""Files are known by their content."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.readers.detect import detect, read_any
from ingest.readers.formats import FORMATS, Kind
from ingest.sources import ServerProfile, UnreadableSource
from tests.ingest.ingest_exports import MT5_HEADER, RECEIVED, mt4, mt5, row, statement, ticket
from tests.ingest.ingest_reports import COLUMNS, cash
from tests.ingest.mt5.records import manager, terminal
from tests.ingest.sql_server import dump

DEPOSIT = cash("09:00:00", 1, "100.00", balance="100.00")
ONE = mt5(login=1, currency="USD")
CRM = "event,event_id,occurred_at,client_id\nregistration,e1,2026-09-01T08:30:00Z,c1\n"
FILES = {
    "mt5-deals-csv": (f"{MT5_HEADER}\r\n{row(1)}\r\n", mt5(), 1),
    "mt5-report": (
        "\n".join(",".join(cells) for cells in (COLUMNS["Deals"].split(","), DEPOSIT, "")),
        ONE,
        1,
    ),
    "mt5-terminal-json": (json.dumps([terminal(1), terminal(2)], indent=2), mt5(login=1, currency="USD"), 2),
    "mt5-web-api-json": (json.dumps({"retcode": "0 Done", "answer": [manager(1)]}), mt5(currency="USD"), 1),
    "mt5-sql-csv": (dump(1, 2), mt5(currency="USD"), 2),
    "mt4-statement": (statement(ticket(1)), mt4(), 2),
    "crm-csv": (CRM, None, 1),
}


@pytest.mark.parametrize("kind", FILES)
def test_known_files(tmp_path: Path, kind: str) -> None:
    """Each format is found and read, whatever the file is called."""
    text, profile, events = FILES[kind]
    path = tmp_path / "export.bin"
    path.write_text(text, "utf-8")
    assert detect(path) == kind
    assert len(list(read_any(path, profile, RECEIVED))) == events


def test_a_damaged_header_is_still_known(tmp_path: Path) -> None:
    """A Deals export without one column is told what is missing, not that it is unknown."""
    path = tmp_path / "d.csv"
    path.write_text(MT5_HEADER.replace("Profit", "Gain"), "utf-8")
    assert detect(path) == "mt5-deals-csv"
    with pytest.raises(UnreadableSource, match="Profit"):
        read_any(path, mt5(), RECEIVED)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"a,b,c\n1,2,3\n",
        b"<html><table></table>",
        "Deal".encode("utf-16"),
        b"PK\x03\x04\xff",
        b'[{"ticket": 1}]',
        b"{}",
    ],
)
def test_unknown_files_hear_the_known_formats(tmp_path: Path, raw: bytes) -> None:
    """Anything else is refused with the list of what is known."""
    path = tmp_path / "x"
    path.write_bytes(raw)
    with pytest.raises(UnreadableSource, match=r"mt5-deals-csv|is empty"):
        detect(path)


def test_platform_files_need_a_profile(tmp_path: Path) -> None:
    """Without a server's profile nobody knows a deal's time or account."""
    path = tmp_path / "d.csv"
    path.write_text(f"{MT5_HEADER}\n", "utf-8")
    with pytest.raises(UnreadableSource, match="name the server"):
        read_any(path, None, RECEIVED)


@pytest.mark.parametrize("server", ["", "a/b", "a|b", "a\nb", "x" * 65])
def test_server_names_keep_account_keys_apart(server: str) -> None:
    """A server's name cannot hold what separates the parts of a key."""
    with pytest.raises(ValueError, match="such as Broker-Live01"):
        ServerProfile(server, "mt5", mt5().clock)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(raw=st.binary(max_size=300))
def test_random_files(tmp_path: Path, raw: bytes) -> None:
    """No bytes make detection fail in another way."""
    path = tmp_path / "x"
    path.write_bytes(raw)
    try:
        kind = detect(path)
    except UnreadableSource as error:
        kind = str(error)
    assert kind


def test_detecting_starts_without_database_or_columns() -> None:
    """A command that reads a file waits for no database driver, nor for polars before a Deals export."""
    slow = ("sqlalchemy", "pymysql", "polars", "httpx", "fastapi", "confluent_kafka")
    code = f"import sys, ingest.readers.detect; print([name for name in {slow} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said == "[]\n"


def test_every_kind_is_listed() -> None:
    """Each kind that a file can be has its entry in the list of readers."""
    assert tuple(FORMATS) == get_args(Kind)
