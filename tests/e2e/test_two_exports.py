"""Two exports of one period that differ: the sweep heals the ledger, on real Kafka, Faust and ClickHouse.

Two exports of the same two days of a real broker differed by two deals in the middle. Here the first
export lacks an opening and a closing that the second one has.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result
from typer.testing import CliRunner

from commission.ledger import ledger_hash
from infra.cli.app import app
from infra.commands.example import BROKER, Example
from infra.commands.rate import rate, read_events
from infra.processes.stack import Stack
from infra.sources.files import Input, feed, read_inputs
from infra.verify.invariants import read_transfers, verify
from ingest.counts import Counts
from ingest.publish.publisher import publish_terms
from schemas.dead_letters import DeadLetter
from schemas.settings import Settings
from schemas.wire import encode
from tests import services

SERVER = "mt5-live"
WINDOW = ("--from", "2026-08-31", "--to", "2026-11-10")
LOGIN, OPENING, CLOSING = "500001", "41000920", "41000949"
"""A lot of c-001, opened and closed; the closing pays ib-north 2.00 and ib-master 0.80 by lots."""


def export(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(f"{line}\r\n" for line in lines), encoding="utf-8", newline="")
    return path


@dataclass(frozen=True)
class Exports:
    """What the broker's back office saved, and when it saved it again."""

    folder: Path
    first: Path
    second: Path
    crm: Input


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """A quarter of the accounts of the example's export, without its four bad rows; and without two deals."""
    folder = tmp_path_factory.mktemp("exports")
    server = Example.load().broker.servers[SERVER]
    path = BROKER / "mt5-live.deals.csv"
    bad = {
        int(item.position.removeprefix("line ")) for item in read_inputs([Input(path, server)], Counts())
        if isinstance(item, DeadLetter)
    }  # fmt: skip
    assert 4 == len(bad)
    lines = path.read_text(encoding="utf-8").splitlines()
    good = [line for number, line in enumerate(lines, 1) if number not in bad]
    some = {LOGIN, *sorted({line.split(",")[4] for line in good[1:]})[::4]}
    whole = [good[0], *(line for line in good[1:] if line.split(",")[4] in some)]
    part = [line for line in whole if line.split(",")[0] not in (OPENING, CLOSING)]
    assert 2 == len(whole) - len(part)
    return Exports(
        folder, export(folder / "first.csv", part), export(folder / "second.csv", whole),
        Input(BROKER / "crm.csv"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def stack(exports: Exports) -> Iterator[Stack]:
    """The whole pipeline, fed with the first export."""
    example = Example.load()
    settings = Settings(data_dir=exports.folder / "data", partitions=4, api_port=0)
    with Stack(services.prepared(settings)) as stack:
        publish_terms(example.broker.records, stack.kafka, example.broker.name)
        feed([exports.crm, Input(exports.first, example.broker.servers[SERVER])], stack.kafka, Counts())
        stack.drain()
        yield stack


def reconcile(stack: Stack, source: Path, *more: str) -> Result:
    environment = {"IBFLOW_DATA_DIR": str(stack.settings.data_dir), "IBFLOW_KAFKA": stack.kafka}
    command = (
        "reconcile",
        "--server",
        SERVER,
        "--terms",
        str(BROKER / "terms"),
        *WINDOW,
        "--source",
        str(source),
    )
    result = CliRunner().invoke(app, [*command, *more], env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def told(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def counts(found: dict[str, Any]) -> dict[str, int]:
    names = ("missing", "different", "extra", "disputed", "unreadable", "ingested", "deleted", "unresolved")
    return {name: found[name] for name in names if found[name]}


def ledger(stack: Stack) -> str:
    return ledger_hash(read_transfers(stack.server.client))


def at_once(source: Path, exports: Exports, folder: Path) -> str:
    """The ledger of a broker whose export was complete from the beginning, folded in memory."""
    example = Example.load()
    items = read_inputs([exports.crm, Input(source, example.broker.servers[SERVER])], Counts())
    path = folder / "events.jsonl"
    path.write_bytes(b"\n".join(encode(item for item in items if not isinstance(item, DeadLetter))))
    return rate(example.broker.records, read_events(path))[1]


def swept(stack: Stack) -> int:
    return int(stack.server.client.query("SELECT count() FROM reconciliations FINAL").result_rows[0][0])


def test_two_exports_that_differ_are_healed(stack: Stack, exports: Exports, tmp_path: Path) -> None:
    """A dry run only tells; the sweep takes over two deals, and the ledger is that of the complete export."""
    before = ledger(stack)
    dry = reconcile(stack, exports.second, "--dry-run", "--json")
    assert (1, {"missing": 2, "unresolved": 2}) == (dry.exit_code, counts(told(dry)))
    stack.drain()
    assert (before, 0) == (ledger(stack), swept(stack))
    whole = at_once(exports.second, exports, tmp_path)
    assert before != whole

    healed = reconcile(stack, exports.second)
    assert (0, True) == (healed.exit_code, "complete: theirs and ours agree" in healed.stdout)
    assert "missing   41000949" in healed.stdout
    stack.drain()
    assert whole == ledger(stack)
    assert verify(stack.server.client).holds

    again = reconcile(stack, exports.second, "--json")
    assert (0, {}) == (again.exit_code, counts(told(again)))
    stack.drain()
    assert (whole, 2) == (ledger(stack), swept(stack))
    (live,) = httpx.get(f"{stack.server.url}/v1/completeness").json()["items"]
    assert (SERVER, 2, 0) == (live["server"], live["missing_found"], live["open_holes"])
    assert all(day["theirs"] == day["ours"] for day in live["days"])


def test_what_only_we_have_stays_open_until_a_person_says_so(stack: Stack, exports: Exports) -> None:
    """The first export lacks two deals we hold: told, flagged; --delete-extra takes them back."""
    reported = reconcile(stack, exports.first, "--json")
    assert (1, {"extra": 2, "unresolved": 2}) == (reported.exit_code, counts(told(reported)))
    stack.drain()
    (warning,) = verify(stack.server.client).warnings
    assert f"{SERVER} 2026-08-31 00:00 to 2026-11-10 00:00: a sweep left 2 unresolved" in warning

    rows = list(read_transfers(stack.server.client))
    earned = {
        (row.ib_id, row.component): row.amount for row in rows if row.caused_by == f"{SERVER}|{CLOSING}"
    }
    assert {Decimal("2.00"), Decimal("0.80")} <= set(earned.values())
    deleted = reconcile(stack, exports.first, "--delete-extra", "--yes", "--json")
    assert (0, {"extra": 2, "deleted": 2}) == (deleted.exit_code, counts(told(deleted)))
    stack.drain()
    assert () == verify(stack.server.client).warnings
    rows = list(read_transfers(stack.server.client))
    own = [row for row in rows if row.caused_by == f"{SERVER}|{CLOSING}"]
    standing = sum(row.amount if row.code == "accrual" else -row.amount for row in own)
    assert (0, {"accrual", "reversal"}) == (standing, {row.code for row in own})

    again = reconcile(stack, exports.second, "--json")
    assert (1, {"disputed": 2, "unresolved": 2}) == (again.exit_code, counts(told(again)))
    stack.drain()
    assert verify(stack.server.client).holds


def test_what_cannot_be_compared_is_a_sentence(stack: Stack, exports: Exports) -> None:
    """A window that is not over, an unknown server, a CRM file, no source: told, exit 2, nothing written."""
    before = swept(stack)
    later = datetime.now(UTC).strftime("%Y") + "-12-31"
    cases = (
        (("--to", f"2999{later[4:]}"), exports.second, "window ends at 2999-12-31"),
        (("--server", "mt5-other"), exports.second, "broker.yaml has no server mt5-other"),
        ((), BROKER / "crm.csv", "is a CRM file"),
        (("--login", "1"), BROKER / "mt4-real" / "70003.htm", "MT4 file"),
    )
    for options, source, message in cases:
        result = reconcile(stack, source, *options)
        assert (2, True) == (result.exit_code, message in result.stderr), result.stderr
    assert before == swept(stack)
