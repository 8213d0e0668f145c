"""`ibflow dead-letters` against a real Kafka and the server that owns the database, worked off by a person.

The file has two deals, of which the second has an amount that is none, and a second header.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from infra.cli.app import app
from infra.cli.dead_letters import printable
from infra.connect.settings import prepare_topics
from infra.processes.server import ApiServer
from infra.verify.invariants import verify
from schemas.settings import Settings
from tests import services
from tests.eventually import eventually

TERMS = Path(__file__).parents[3] / "examples" / "broker" / "terms"
HEADER = (
    "Deal,Position,Login,Name,Time,Type,Entry,Symbol,Volume,Price,Reason,Commission,Fee,Swap,Profit,Currency"
)
GOOD = "1,7,5001,Ada Example,2026.09.02 10:00:00.000,buy,in,EURUSD,1,1.1,Client,-3.5,0,0,0,USD"
BAD = "2,7,5001,Ada Example,2026.09.02 11:00:00.000,sell,out,EURUSD,1,1.2,Client,-3.5x,0,0,10,USD"
CRM = 'event,event_id,occurred_at,client_id,country\nregistration,e1,2026-09-01T08:30:00,c1,"A\x1b[2J"\n'


@dataclass
class Running:
    """A server over its own folder, and the command line as a person uses it there."""

    server: ApiServer
    settings: Settings
    kafka: str

    def __call__(self, *arguments: str | Path, code: int = 0, **environment: str) -> Result:
        """Run a command; wait until what it wrote is stored."""
        known = {"IBFLOW_KAFKA": self.kafka, "IBFLOW_DATA_DIR": str(self.settings.data_dir)} | environment
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], env=known)
        assert result.exit_code == code, (result.output, result.stderr, result.exception)
        eventually(lambda: not self.server.sink.lag(), why=lambda: "the sink does not store")
        return result

    def letters(self, *options: str) -> dict[str, str]:
        """Id by code of what `list` shows."""
        told = json.loads(self("dead-letters", "list", "--json", *options).stdout)
        return {row["code"]: row["dead_letter_id"] for row in told["items"]}

    def rows(self, sql: str) -> list[Any]:
        """Of the database."""
        return [tuple(row) for row in self.server.client.query(sql).result_rows]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with services.kafka(tmp_path_factory.mktemp("kafka")) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="module")
def running(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The files are ingested once; each test works off letters of its own."""
    folder = tmp_path_factory.mktemp("letters")
    settings = Settings(data_dir=folder, kafka=kafka, partitions=2, api_port=0)
    prepare_topics(settings, kafka)
    server = ApiServer(settings, kafka)
    server.start()
    try:
        running = Running(server, settings, kafka)
        (folder / "deals.csv").write_text(f"{HEADER}\n{GOOD}\n{BAD}\n{HEADER}\n")
        (folder / "crm.csv").write_text(CRM)
        live = ("--terms", TERMS, "--server", "mt5-live")
        told = running("ingest", folder / "deals.csv", *live, code=3).stdout
        assert "ibflow dead-letters list" in told.splitlines()[-1]
        running("ingest", folder / "crm.csv", *live[:2], code=3)
        yield running
    finally:
        server.stop()


def test_a_letter_is_seen_corrected_replayed_and_closed(running: Running, tmp_path: Path) -> None:
    """As it is it stays buried; corrected it is the deal; a second replay and a second reading do nothing."""
    name = running.letters("--source", "deals.csv")["bad_amount"]
    shown = running("dead-letters", "show", name).stdout
    for words in ("Commission `-3.5x`", "mt5-live", "line 3", "2,7,5001,,2026.09.02 11:00:00.000"):
        assert words in shown
    assert "Ada" not in shown
    raw = running("dead-letters", "show", name, "--raw").stdout_bytes

    again = running("dead-letters", "replay", name, "--by", "ola", code=3)
    assert "needs the profile of the server mt5-live" in again.stdout
    still = running("dead-letters", "replay", name, "--by", "ola", "--terms", TERMS, code=3)
    assert "bad_amount" in still.stdout
    corrected = tmp_path / "corrected"
    corrected.write_bytes(raw.replace(b"11:00", b"11:0x"))
    refused = running(
        "dead-letters", "edit", name, "--by", "ola", "--payload-file", corrected, "--terms", TERMS, code=3
    )
    assert "bad_time" in refused.stderr
    corrected.write_bytes(raw.replace(b"-3.5x", b"-3.50") + b"\n")
    kept = running("dead-letters", "edit", name, "--by", "ola", "--payload-file", corrected, "--terms", TERMS)
    assert '"deal_id":"2"' in kept.stdout
    command = f"kept; send it with: ibflow dead-letters replay {name} --by ola --terms {TERMS}"
    assert command == kept.stdout.splitlines()[-1]
    assert running.rows("SELECT deal_id FROM deals FINAL") == [("1",)]

    done = running("dead-letters", "replay", name, "--by", "bea", "--terms", TERMS)
    assert "1 of 1 replayed" in done.stdout
    deals = "SELECT deal_id, commission, source FROM deals FINAL ORDER BY deal_id"
    assert [(row[0], f"{row[1]:.2f}", row[2]) for row in running.rows(deals)] == [
        ("1", "-3.50", "mt5-deals-csv deals.csv:2"), ("2", "-3.50", "mt5-deals-csv deals.csv:3")
    ]  # fmt: skip
    twice = running("dead-letters", "replay", name, "--by", "bea", "--terms", TERMS)
    assert "left alone: replayed by bea" in twice.stdout
    running(
        "ingest", running.settings.data_dir / "deals.csv", "--terms", TERMS, "--server", "mt5-live", code=3
    )
    assert "bad_amount" not in running.letters()
    assert running.letters("--closed") == {"bad_amount": name}
    assert [row[0] for row in running.rows(deals)] == ["1", "2"]
    told = json.loads(running("dead-letters", "show", name, "--json").stdout)["decisions"]
    assert [(d["action"], d["by"]) for d in told] == [
        ("buried_again", "ola"), ("edited", "ola"), ("replayed", "bea")
    ]  # fmt: skip
    assert re.fullmatch(r"deal mt5-live\|2 \w+", told[-1]["became"][0])
    (deals_once,) = [f for f in verify(running.server.client).findings if f.invariant == "every deal once"]
    assert "2 dead letters" in deals_once.figures  # the second header, and the registration


def test_a_second_header_is_dismissed(running: Running) -> None:
    """With a reason; a second time there is nothing to do."""
    name = running.letters("--code", "repeated_header")["repeated_header"]
    dismiss = ("dead-letters", "dismiss", name, "--by", "ola", "--yes", "--reason")
    unasked = ("dead-letters", "dismiss", name, "--by", "ola", "--reason", "two exports joined")
    assert "1 dead letters would be closed for good" in running(*unasked, code=2).stderr
    assert "repeated_header" in running.letters()
    assert "the audit" in running(*dismiss, " ", code=2).stderr
    assert "1 of 1" in running(*dismiss, "two exports joined").stdout
    assert "0 of 1" in running(*dismiss, "again").stdout
    assert "repeated_header" not in running.letters()
    assert "dismissed by ola" in running("dead-letters", "edit", name, "--by", "ola", code=2).stderr


def test_an_editor_and_everything_open(running: Running, tmp_path: Path) -> None:
    """$EDITOR gets the bytes and gives others; `--code` replays them. A terminal is not told to clear."""
    name = running.letters()["bad_time"]
    assert "\x1b" not in running("dead-letters", "show", name).stdout
    same = running("dead-letters", "edit", name, "--by", "ola", code=2, EDITOR="true")
    assert "nothing was changed" in same.stderr
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/08:30:00/08:30:00Z/; s/A.*J/CY/' \"$1\"\n")
    editor.chmod(0o700)
    running("dead-letters", "edit", name, "--by", "ola", EDITOR=str(editor))
    replayed = json.loads(
        running("dead-letters", "replay", "--code", "bad_time", "--by", "ola", "--json").stdout
    )
    assert [(one["outcome"], one["became"]) for one in replayed] == [
        ("replayed", ["client_registered c1 e1"])
    ]
    assert running.rows("SELECT client_id FROM clients FINAL") == [("c1",)]
    gone = running("dead-letters", "edit", "x" * 32, "--by", "ola", code=2)
    assert "No dead letter" in gone.stderr


@pytest.mark.parametrize(
    "options", [(), ("--all", "--code", "x"), ("abc", "--all"), ("a/b",), ("--all", "--since", "today")]
)
def test_what_to_replay_is_said_once(running: Running, options: tuple[str, ...]) -> None:
    """Ids or a filter or all, and each well-formed."""
    assert running("dead-letters", "replay", *options, "--by", "ola", code=2).stderr


def test_bytes_are_shown_safely() -> None:
    """Escapes and bytes that are no text are spelled out; a long payload is cut."""
    assert printable(b"a\x1b]0;x\x07\xff\n\xe2\x80\xae") == "a\\x1b]0;x\\x07\\xff\n\\u202e"
    assert printable(b"x" * 9, 4) == "xxxx … 5 bytes more; see --raw"
