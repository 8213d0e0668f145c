"""The same migrations for a cluster: every table is on each replica, and a statement runs on all of them."""

import re

from clickhouse_connect.driver.client import Client

from schemas.errors import Unusable

_NAMED = re.compile(
    r"(?:CREATE (?:TABLE|VIEW|MATERIALIZED VIEW)(?: IF NOT EXISTS)?|ALTER TABLE"
    r"|DROP (?:TABLE|VIEW)(?: IF EXISTS)?|EXCHANGE TABLES \w+ AND) \w+"
)
_ENGINE = re.compile(r"\bENGINE = (?=(?:Replacing)?MergeTree\b)")
SETTINGS = {
    # A position may only follow rows that outlive any one replica.
    "insert_quorum": "auto",
    # A block that is stored again after a crash must reach the views behind its table: the first may not.
    "insert_deduplicate": 0,
}
"""Of every client, for its inserts: most replicas have a row before the sink goes on."""
VARIABLE = "IBFLOW_CLICKHOUSE_CLUSTER"

_SHARDS = "SELECT uniqExact(shard_num) FROM system.clusters WHERE cluster = {cluster:String}"
_TABLES = """
SELECT countIf(startsWith(engine, 'Replicated')), count() FROM system.tables
WHERE database = currentDatabase() AND endsWith(engine, 'MergeTree')
"""


def for_cluster(statement: str, cluster: str) -> str:
    """A statement of a migration for all replicas; what moves rows stays as it is, for replicas copy them."""
    ddl = _NAMED.match(statement) if cluster else None
    if ddl is None:
        return statement
    on_all = f"{ddl[0]} ON CLUSTER {cluster}{statement[ddl.end() :]}"
    return _ENGINE.sub("ENGINE = Replicated", on_all)


def check_cluster(client: Client, cluster: str) -> None:
    """Raise `Unusable` unless the tables that are there are of the kind that is asked for.

    A cluster must be replicas of one shard: see docs/scale.md.
    """
    replicated, tables = client.query(_TABLES).result_rows[0]
    if cluster and replicated < tables:
        raise Unusable(
            f"{VARIABLE}: this database has tables of one server; copy them into one of the cluster"
        )
    if not cluster:
        if replicated:
            raise Unusable(f"the tables of this database are replicated; {VARIABLE} must name their cluster")
        return
    shards = int(client.query(_SHARDS, parameters={"cluster": cluster}).result_rows[0][0])
    if not shards:
        raise Unusable(f"{VARIABLE}: the server knows no cluster {cluster}")
    if shards > 1:
        raise Unusable(f"{VARIABLE}: {cluster} has {shards} shards; all rows of a deal must be in one")
