"""One set of migrations: a cluster's replicas keep every table, and its shards divide the large ones."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from infra.clickhouse.cluster import IDENTITY, Cluster, divided_by
from infra.clickhouse.migrations import HERE, MADE, migrate, statements
from schemas.columns import LOCAL
from schemas.errors import Unusable
from tests import services

STATEMENTS = [MADE, *(one for path in sorted(HERE.glob("0*.sql")) for one in statements(path))]
ONE, TWO = Cluster("two"), Cluster("two", 2, "ibflow")
"""Replicas of one shard; two shards."""


@pytest.fixture
def chdb(tmp_path: Path) -> Iterator[Client]:
    """Of use as a parser: it knows the engines, and has no replicas."""
    with clickhouse_connect.get_client(interface="chdb", path=str(tmp_path / "db")) as client:
        yield client


def test_every_statement_is_one_that_clickhouse_reads(chdb: Client) -> None:
    """Its own parser takes each apart; what defines something names the cluster, what moves rows does not."""
    assert len(STATEMENTS) > 90
    for cluster in (ONE, TWO):
        for statement in STATEMENTS:
            for found in cluster.statements(statement):
                (told,) = chdb.query("SELECT formatQuery({sql:String})", parameters={"sql": found}).first_row
                moves_rows = found.startswith("INSERT INTO")
                assert moves_rows is (" ON CLUSTER two" not in told), found
                assert moves_rows is (statement == found)


def test_every_table_is_replicated_and_nothing_else_changes(chdb: Client) -> None:
    """As many tables as one server has, each of them by the engine it has there."""
    made = [one for one in STATEMENTS if one.startswith("CREATE TABLE")]
    for statement in made:
        (found,) = ONE.statements(statement)
        engines = re.findall(r"ENGINE = (\w+)", found)
        assert [f"Replicated{one}" for one in re.findall(r"ENGINE = (\w+)", statement)] == engines
        assert statement == found.replace(" ON CLUSTER two", "").replace("ENGINE = Replicated", "ENGINE = ")
    migrate(chdb)
    tables = {row[0] for row in chdb.query("SHOW TABLES").result_rows}
    views = {
        row[0] for row in chdb.query("SELECT name FROM system.tables WHERE engine LIKE '%View'").result_rows
    }
    named = {re.match(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", one)[1] for one in made}  # type: ignore[index]
    assert tables - views <= named


WHOLE = "'/clickhouse/tables/{uuid}/all', '{shard}-{replica}'"
REPLACING = f"ReplacingMergeTree({WHOLE}, b)"
DEALS = "Distributed('two', 'ibflow', 'deals_local', cityHash64(deal_key) % 2)"


@pytest.mark.parametrize(
    ("statement", "expected", "divided"),
    [
        ("CREATE TABLE IF NOT EXISTS t (a Int8) ENGINE = ReplacingMergeTree(b)",
         "CREATE TABLE IF NOT EXISTS t ON CLUSTER two (a Int8) ENGINE = ReplicatedReplacingMergeTree(b)",
         [f"CREATE TABLE IF NOT EXISTS t ON CLUSTER two (a Int8) ENGINE = Replicated{REPLACING}"]),
        ("CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a",
         "CREATE TABLE t ON CLUSTER two (a Int8) ENGINE = ReplicatedMergeTree ORDER BY a",
         [f"CREATE TABLE t ON CLUSTER two (a Int8) ENGINE = ReplicatedMergeTree({WHOLE}) ORDER BY a"]),
        ("CREATE TABLE deals (a Int8) ENGINE = ReplacingMergeTree(b)",
         "CREATE TABLE deals ON CLUSTER two (a Int8) ENGINE = ReplicatedReplacingMergeTree(b)",
         ["CREATE TABLE deals_local ON CLUSTER two (a Int8) ENGINE = ReplicatedReplacingMergeTree(b)",
          f"CREATE OR REPLACE TABLE deals ON CLUSTER two AS deals_local ENGINE = {DEALS}"]),
        ("CREATE MATERIALIZED VIEW v TO t AS SELECT a FROM deals",
         "CREATE MATERIALIZED VIEW v ON CLUSTER two TO t AS SELECT a FROM deals",
         ["CREATE MATERIALIZED VIEW v ON CLUSTER two TO t AS SELECT a FROM deals"]),
        ("ALTER TABLE deals ADD COLUMN c Int8 AFTER a",
         "ALTER TABLE deals ON CLUSTER two ADD COLUMN c Int8 AFTER a",
         ["ALTER TABLE deals_local ON CLUSTER two ADD COLUMN c Int8 AFTER a",
          "ALTER TABLE deals ON CLUSTER two ADD COLUMN c Int8 AFTER a"]),
        ("ALTER TABLE deals DROP INDEX IF EXISTS i",
         "ALTER TABLE deals ON CLUSTER two DROP INDEX IF EXISTS i",
         ["ALTER TABLE deals_local ON CLUSTER two DROP INDEX IF EXISTS i"]),
        ("DROP VIEW IF EXISTS v", "DROP VIEW IF EXISTS v ON CLUSTER two",
         ["DROP VIEW IF EXISTS v ON CLUSTER two"]),
        ("DROP TABLE deals", "DROP TABLE deals ON CLUSTER two",
         ["DROP TABLE deals_local ON CLUSTER two", "DROP TABLE deals ON CLUSTER two"]),
        ("EXCHANGE TABLES t AND u", "EXCHANGE TABLES t AND u ON CLUSTER two",
         ["EXCHANGE TABLES t AND u ON CLUSTER two"]),
        ("EXCHANGE TABLES deals AND rejections", "EXCHANGE TABLES deals AND rejections ON CLUSTER two",
         ["EXCHANGE TABLES deals_local AND rejections_local ON CLUSTER two",
          f"CREATE OR REPLACE TABLE deals ON CLUSTER two AS deals_local ENGINE = {DEALS}",
          "CREATE OR REPLACE TABLE rejections ON CLUSTER two AS rejections_local ENGINE = "
          + DEALS.replace("deals_local", "rejections_local")]),
        ("OPTIMIZE TABLE deals PARTITION ID '1' FINAL",
         "OPTIMIZE TABLE deals ON CLUSTER two PARTITION ID '1' FINAL",
         ["OPTIMIZE TABLE deals_local ON CLUSTER two PARTITION ID '1' FINAL"]),
        ("INSERT INTO deals SELECT 1", "INSERT INTO deals SELECT 1", ["INSERT INTO deals SELECT 1"]),
    ],
)  # fmt: skip
def test_a_statement_for_a_cluster(statement: str, expected: str, divided: list[str]) -> None:
    """By hand, one of each kind: of one shard, of two; without a cluster it stays as it is."""
    assert [statement] == list(Cluster().statements(statement))
    assert [expected] == list(ONE.statements(statement))
    assert divided == list(TWO.statements(statement))


def test_all_copies_of_a_row_are_in_one_shard(tmp_path: Path) -> None:
    """A shard is chosen by a part of what a table's rows are sorted by, and told apart by, alone."""
    with services.ledger(tmp_path / "db", "shards") as client:
        assert ("two", 2) == (divided_by(client).name, divided_by(client).shards)
        rows = client.query("""
            SELECT name, engine_full, sorting_key FROM system.tables WHERE database = currentDatabase()
        """).result_rows
        engines = {name: engine for name, engine, _ in rows}
        sorted_by = {name: set(re.findall(r"\w+", key)) for name, _, key in rows}
    divided = {name for name, engine in engines.items() if engine.startswith("Distributed")}
    assert divided == IDENTITY.keys() - {"transfers_by_month"}
    for table in divided:
        key = set(IDENTITY[table].split(", "))
        assert engines[table].endswith(f"'{table}{LOCAL}', cityHash64({IDENTITY[table]}) % 2)")
        assert key <= sorted_by[table + LOCAL]


@pytest.mark.parametrize(
    ("cluster", "replicated", "shards", "known", "told"),
    [
        ("two", 0, (0, 0), 0, "knows no cluster two"),
        ("two", 0, (3, 2), 0, "must have the weight 1"),
        ("two", 2, (3, 1), 2, "two has 3 shards, and the rows here are in 2"),
        ("two", 2, (2, 1), 1, "two has 2 shards, and the rows here are in 1"),
        ("two", 1, (1, 1), 1, "tables of one server"),
        ("", 2, (1, 1), 1, "must name their cluster"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(
    cluster: str, replicated: int, shards: tuple[int, int], known: int, told: str
) -> None:
    """A cluster that is not there or has other shards than its rows; tables of the other kind."""

    class Server:
        """Knows so many shards and their weight; has two tables whose rows are in `known` shards, or none."""

        server_version = "26.9.2.1"

        def query(self, sql: str, parameters: object = None) -> Any:
            tables = [("ibflow", replicated, 2 if replicated else 0, known)]
            return type("Result", (), {"result_rows": [shards] if parameters else tables})

    with pytest.raises(Unusable, match=told):
        migrate(Server(), cluster=cluster)  # type: ignore[arg-type]
