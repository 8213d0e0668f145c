"""`ibflow reconcile` asks the server: a real MariaDB against the ledger on real Kafka and ClickHouse."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from infra.cli.app import app
from infra.commands.example import BROKER, Example
from infra.processes.stack import Stack
from infra.sources.files import Input, feed
from infra.verify.invariants import read_transfers, verify
from ingest.counts import Counts
from ingest.publish.publisher import publish_terms
from schemas.settings import Settings
from tests import services
from tests.ingest.sql_server import MT5_DEALS, SqlServer, deal, fresh
from tests.services import mariadb

SERVER = "mt5-live"
WINDOW = ("--from", "2026-09-01", "--to", "2026-09-08")
AT = datetime(2026, 9, 2, 10, tzinfo=UTC)
CLOCK = timedelta(hours=3)
"""New York + 7 hours, in summer."""
LOGIN = 500012
"""Of c-012, a client of ib-north."""


def trade(number: int, minutes: int, lots: str, **columns: object) -> dict[str, object]:
    """A row of half a round trip in EURUSD, as the server's own clock has it."""
    at = AT + timedelta(minutes=minutes)
    volume_e8 = int(Decimal(lots) * 100_000_000)
    return deal(
        number, at, Login=LOGIN, Time=(at + CLOCK).replace(tzinfo=None),
        TimeMsc=(at + CLOCK).replace(tzinfo=None), VolumeExt=volume_e8, Volume=volume_e8 // 10_000,
        PositionID=(number + 1) // 2, **columns,
    )  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A broker whose server is a database, with the pipeline that read it once."""

    stack: Stack
    sql: SqlServer
    terms: Path

    def run(self, *command: str) -> Result:
        """An `ibflow` command for the server."""
        environment = {
            "IBFLOW_DATA_DIR": str(self.stack.settings.data_dir),
            "IBFLOW_KAFKA": self.stack.kafka,
            "MT5_PASSWORD": self.sql.address.password,
        }
        result = CliRunner().invoke(app, [*command, "--terms", str(self.terms)], env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    def sweep(self, *options: str) -> tuple[int, dict[str, int], str]:
        """The exit code of a sweep, what it counted, and its source; the ledger has all of it after."""
        result = self.run("reconcile", "--server", SERVER, *WINDOW, "--json", *options)
        found: dict[str, Any] = json.loads(result.stdout)
        self.stack.drain()
        names = ("theirs", "missing", "different", "extra", "unreadable", "ingested", "deleted", "unresolved")
        return result.exit_code, {name: found[name] for name in names if found[name]}, found["source"]

    def lots_paid(self) -> dict[str, Decimal]:
        """What stands for ib-north by deal: 5 USD a lot of what was closed."""
        standing: dict[str, Decimal] = {}
        for row in read_transfers(self.stack.server.client):
            if row.ib_id == "ib-north" and row.component == "per_lot":
                amount = row.amount if row.code == "accrual" else -row.amount
                standing[row.caused_by] = standing.get(row.caused_by, Decimal(0)) + amount
        return {key.removeprefix(f"{SERVER}|"): amount for key, amount in standing.items() if amount}


def terms(folder: Path, sql: SqlServer) -> Path:
    """The example's terms, whose server mt5-live has the database as its feed."""
    shutil.copytree(BROKER / "terms", folder)
    own = sql.address
    feed = (
        f"feed: {{kind: mt5-sql, host: {own.host}, port: {own.port}, database: {own.database},"
        f" user: {own.user}, password_env: MT5_PASSWORD}}"
    )
    file = folder / "broker.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.strip().startswith(f"{SERVER}:")]
    lines[at] = lines[at].rstrip("}") + f", currency: USD, {feed}}}"
    file.write_text("\n".join(lines), encoding="utf-8")
    return folder


ROWS: tuple[Mapping[str, object], ...] = (
    trade(1, 0, "1.00"),
    trade(2, 30, "1.00", Action=1, Entry=1, Profit=12.5),
    trade(3, 60, "0.50"),
    trade(4, 90, "0.50", Action=1, Entry=1, Profit=-3.75),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The pipeline after `ibflow poll` read the first three deals of four."""
    folder = tmp_path_factory.mktemp("live")
    with mariadb(folder / "mariadb") as address, fresh(address) as sql:
        sql.run(MT5_DEALS.format(name="mt5_deals"))
        sql.insert("mt5_deals", *ROWS[:3])
        settings = Settings(data_dir=folder / "data", partitions=4, api_port=0)
        with Stack(services.prepared(settings)) as stack:
            publish_terms(Example.load().broker.records, stack.kafka, "example")
            feed([Input(BROKER / "crm.csv")], stack.kafka, Counts())
            site = Site(stack, sql, terms(folder / "terms", sql))
            polled = site.run("poll", SERVER, "--once")
            assert 0 == polled.exit_code, polled.stderr
            stack.drain()
            yield site


def test_what_no_stamp_tells_is_healed(site: Site) -> None:
    """A row that came late under an old stamp and one edited under its own: both are taken over."""
    assert {"2": Decimal(5)} == site.lots_paid()
    assert (0, {"theirs": 3}, "the server itself") == site.sweep()
    site.sql.insert("mt5_deals", ROWS[3], trade(2, 30, "0.40", Action=1, Entry=1, Profit=12.5))
    open_ones = {"theirs": 4, "missing": 1, "different": 1, "unresolved": 2}
    assert (1, open_ones, "the server itself") == site.sweep("--dry-run")
    assert {"2": Decimal(5)} == site.lots_paid()
    healed = {"theirs": 4, "missing": 1, "different": 1, "ingested": 2}
    assert (0, healed, "the server itself") == site.sweep("--login", str(LOGIN))
    assert {"2": Decimal("2.00"), "4": Decimal("2.50")} == site.lots_paid()
    assert (0, {"theirs": 4}, "the server itself") == site.sweep()
    assert verify(site.stack.server.client).holds


def test_what_vanished_from_the_server_is_told_and_taken_back_on_a_word(site: Site) -> None:
    """A deleted row leaves no trace; a row that cannot be read is told once and stops the deleting."""
    # Its own time is an hour before midnight UTC, so two slices of a day come by it.
    late = trade(9, 60 * 13, "1.00", VolumeClosed=0) | {"Volume": 1}
    site.sql.insert("mt5_deals", late)
    site.sql.run("DELETE FROM mt5_deals WHERE Deal = 4")
    stays = {"theirs": 3, "extra": 1, "unreadable": 1, "unresolved": 2}
    assert (1, stays, "the server itself") == site.sweep("--delete-extra", "--yes")
    assert Decimal("2.50") == site.lots_paid()["4"]
    site.sql.run("DELETE FROM mt5_deals WHERE Deal = 9")
    gone = {"theirs": 3, "extra": 1, "deleted": 1}
    assert (0, gone, "the server itself") == site.sweep("--delete-extra", "--yes")
    assert {"2": Decimal("2.00")} == site.lots_paid()
    assert (0, {"theirs": 3}, "the server itself") == site.sweep()
    assert verify(site.stack.server.client).holds


def test_a_server_that_cannot_be_asked_is_a_sentence(site: Site) -> None:
    """No feed in broker.yaml: told with what to do."""
    result = site.run("reconcile", "--server", "mt5-net", *WINDOW)
    assert (2, True) == (result.exit_code, "broker.yaml has no feed for mt5-net" in result.stderr)


def test_a_poller_sweeps_before_it_goes_on(site: Site) -> None:
    """A row that came late while nobody polled is found at the next start, taken over and put on record."""
    site.sql.insert("mt5_deals", trade(12, 120, "0.10"))
    polled = site.run("poll", SERVER, "--once")
    assert (0, True) == (polled.exit_code, "1 missing, 0 different, 0 left open" in polled.stderr)
    site.stack.drain()
    sql = "SELECT record FROM reconciliations FINAL ORDER BY finished_at DESC LIMIT 1"
    record = json.loads(site.stack.server.client.query(sql).result_rows[0][0])
    assert (1, 1) == (record["missing"], record["ingested"])
    assert [(1,)] == site.stack.server.client.query(
        "SELECT count() FROM deals FINAL WHERE deal_id = '12'"
    ).result_rows
