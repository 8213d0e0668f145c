"""An existing folder is carried over by the migrations, wherever one of them is interrupted."""

from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.queries.days import days_of
from infra.clickhouse import migrations
from infra.sums.builder import SumsBuilder
from infra.sums.compare import differences
from tests.infra.sums import naive
from tests.infra.sums.random_ledger import RandomLedger

READS = migrations.HERE / "0030_reads.sql"

LATER = ("stored_at", "agent_commission")


def test_a_ledger_of_the_old_layout_is_carried_over(tmp_path: Path) -> None:
    """Interrupted before each of its statements in turn: each row is there once, and its day known."""
    with clickhouse_connect.get_client(interface="chdb", path=str(tmp_path / "db")) as client:
        migrations.migrate(client, until="0029")
        source = RandomLedger(4)
        for _ in range(10):
            insert(client, source)
        before = {table: rows(client, table) for table in ("transfers", "rejections", "deals")}
        assert all(before.values())
        for reached in range(len(migrations.statements(READS))):
            for statement in migrations.statements(READS)[:reached]:
                client.command(statement)
            if reached:  # `transfers` is there after every statement
                assert before["transfers"] == rows(client, "transfers")
        assert ["0030_reads"] == [name for name in migrations.migrate(client) if name == "0030_reads"]
        assert before == {table: rows(client, table) for table in before}
        days = {
            row["occurred_at"].date()
            for table in ("transfers", "rejections")
            for row in naive.read(client, table)
        }
        assert days == set(days_of(Ledger(lambda: client)).by_rows)
        SumsBuilder(lambda: client, quiet_s=0).build()
        assert (len(days), []) == differences(client)
        assert taken_back(client) == {row["transfer_id"] for row in naive.read(client, "taken_back")}
        for _ in range(5):  # and goes on
            source.batch().store(client)
        SumsBuilder(lambda: client, quiet_s=0).build()
        assert not days_of(Ledger(lambda: client)).by_rows
        assert [] == differences(client)[1]
        assert taken_back(client) == {row["transfer_id"] for row in naive.read(client, "taken_back")}


def taken_back(client: Client) -> set[str]:
    """What was reversed whole."""
    rows = naive.read(client, "transfers")
    return {row["reverses"] for row in rows if row["reverses"] and "share" not in row["factors"]}


def insert(client: Client, source: RandomLedger) -> None:
    """Rows as the sink of that time stored them: it marked no days."""
    for table, lines in source.batch().lines.items():
        settings = {"date_time_input_format": "best_effort", "input_format_skip_unknown_fields": 1}
        block = b"\n".join(lines)
        client.raw_insert(table, insert_block=block, fmt="JSONEachRow", settings=dict(settings))


def rows(client: Client, table: str) -> list[str]:
    """Each row once, as text, without when it was stored and the columns that came later."""
    kept = [name for name in (*naive.read(client, table)[0],) if name not in LATER]
    return sorted(str({name: row[name] for name in kept}) for row in naive.read(client, table))


def test_merges_cost_less(tmp_path: Path) -> None:
    """Fewer, of every table, and without counts of values, of all but deals; a start later changes none."""
    with clickhouse_connect.get_client(interface="chdb", path=str(tmp_path / "db")) as client:
        default = "SELECT value FROM system.merge_tree_settings WHERE name = 'auto_statistics_types'"
        assert [("basic, uniq_v2",)] == [tuple(row) for row in client.query(default).result_rows]
        migrations.migrate(client)
        tables = """
            SELECT name, extract(engine_full, 'auto_statistics_types = \\'([^\\']*)') AS kinds,
                position(engine_full, 'merge_selector_base = 10') > 0 AS is_seldom, metadata_modification_time
            FROM system.tables WHERE endsWith(engine, 'MergeTree') ORDER BY name
        """
        told = client.query(tables).result_rows
        assert {"basic"} == {kinds for name, kinds, *_ in told if name != "deals"}
        assert [""] == [kinds for name, kinds, *_ in told if name == "deals"]
        assert all(is_seldom for *_, is_seldom, _ in told)
        assert {"transfers", "books", "migrations"} <= {name for name, *_ in told}
        client.insert("transfer_keys", [[n, "a"] for n in range(9)], column_names=["key", "ib_id"])
        client.command("OPTIMIZE TABLE transfer_keys FINAL")
        assert [] == migrations.migrate(client)
        assert told == client.query(tables).result_rows
