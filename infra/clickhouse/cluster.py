"""The same migrations for a cluster: its replicas keep every table, its shards divide the large ones.

A cluster of one shard has each table on every replica. With more, a table of `IDENTITY` is two: one of its
name and `_local`, of which each shard has its own rows, and one of its name, which reads and writes all of
them. Every other table is on every node as a whole. Views hang on the tables that are written to, so they see
each batch as a whole, wherever its rows go.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from clickhouse_connect.driver.client import Client

from api.ledger import everywhere
from schemas.columns import LOCAL
from schemas.errors import Unusable

IDENTITY = {
    "transfers": "transfer_id",
    "transfers_by_month": "transfer_id",
    "transfer_keys": "key",
    "deals": "deal_key",
    "deal_revisions": "deal_key",
    "rejections": "deal_key",
    "books": "_topic, _partition, _offset",
}
"""What grows with deals, each with what its rows are told apart by, or a part of that.

By a hash of it rows go to their shard: all copies of one are in the same, where `FINAL` makes them one.
"""
SETTINGS: dict[str, str | int] = {
    # A position may only follow rows that outlive any one replica, in all shards.
    "insert_quorum": "auto",
    "distributed_foreground_insert": 1,
    # A block that is stored again after a crash must reach the views behind its table: the first may not.
    "insert_deduplicate": 0,
    # What a condition or a join reads is read once, of all shards, and sent to each.
    "distributed_product_mode": "global",
    "prefer_global_in_and_join": 1,
    # Every row by its hash, also of an insert from one divided table into another.
    "parallel_distributed_insert_select": 0,
    # The replica that has just been written to; no answer of some shards alone.
    "load_balancing": "in_order",
    "use_hedged_requests": 0,
    "skip_unavailable_shards": 0,
}
"""Of every client: most replicas have a row before the sink goes on, and a question is one to all rows."""
OF_TRANSFERS = f"database = currentDatabase() AND table IN ('transfers', 'transfers{LOCAL}') AND active"
"""The condition that a part holds transfers, with shards or without."""
VARIABLE = "IBFLOW_CLICKHOUSE_CLUSTER"

_NAMED = re.compile(
    r"(?:CREATE (?:TABLE|VIEW|MATERIALIZED VIEW)(?: IF NOT EXISTS)?|ALTER TABLE|OPTIMIZE TABLE"
    r"|DROP (?:TABLE|VIEW)(?: IF EXISTS)?|EXCHANGE TABLES \w+ AND) \w+"
)
_ENGINE = re.compile(r"\bENGINE = ((?:Replacing)?MergeTree)\b(?:\((\w+)\))?")
_DIVIDED = re.compile(rf"\b(?:{'|'.join(IDENTITY)})\b")
_ON_EVERY_NODE = "'/clickhouse/tables/{uuid}/all', '{shard}-{replica}'"
"""Where the copies of a whole table find each other; what is divided does so within its shard, by default."""

_SHARDS = """
SELECT uniqExact(shard_num), max(shard_weight) FROM system.clusters WHERE cluster = {cluster:String}
"""
_TABLES = """
SELECT currentDatabase(), countIf(startsWith(engine, 'Replicated')), countIf(endsWith(engine, 'MergeTree')),
    multiIf(
        countIf(name = 'transfers' AND engine = 'Distributed') > 0,
            toUInt32(anyIf(extract(engine_full, ' % (\\\\d+)'), name = 'transfers')),
        countIf(name = 'transfers') > 0, 1, 0
    )
FROM system.tables WHERE database = currentDatabase()
"""
# From the tables alone, for what goes on beside the sink.
_DIVIDED_BY = """
SELECT extract(engine_full, 'Distributed\\\\(\\'(\\\\w+)'), toUInt32(extract(engine_full, ' % (\\\\d+)'))
FROM system.tables WHERE database = currentDatabase() AND name = 'transfers' AND engine = 'Distributed'
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of the server, or, without a name, the server alone."""

    name: str = ""
    shards: int = 1
    database: str = "default"

    @property
    def parts(self) -> str:
        """The parts that the tables are kept in, as a table."""
        return everywhere(self.name, "parts")

    def statements(self, statement: str) -> Iterator[str]:
        """A statement of a migration as it runs here; what moves rows stays as it is."""
        ddl = _NAMED.match(statement) if self.name else None
        if ddl is None:
            yield statement
            return
        head, rest = ddl[0], statement[ddl.end() :]
        divided = _DIVIDED.findall(head) if self.shards > 1 else []
        if not divided:
            yield self._on_all(head) + self._whole(rest)
            return
        yield self._on_all(_DIVIDED.sub(rf"\g<0>{LOCAL}", head)) + _replicated(rest)
        if head.startswith(("CREATE", "EXCHANGE")):
            yield from map(self._over_shards, divided)
        elif head.startswith("DROP") or " COLUMN " in rest:
            yield self._on_all(head) + rest

    def _on_all(self, head: str) -> str:
        return f"{head} ON CLUSTER {self.name}"

    def _whole(self, rest: str) -> str:
        return _replicated(rest, _ON_EVERY_NODE if self.shards > 1 else "")

    def _over_shards(self, table: str) -> str:
        place = f"cityHash64({IDENTITY[table]}) % {self.shards}"
        return (
            f"CREATE OR REPLACE TABLE {table} ON CLUSTER {self.name} AS {table}{LOCAL} "
            f"ENGINE = Distributed('{self.name}', '{self.database}', '{table}{LOCAL}', {place})"
        )


def _replicated(rest: str, place: str = "") -> str:
    def engine(found: re.Match[str]) -> str:
        given = ", ".join(filter(None, (place, found[2])))
        return f"ENGINE = Replicated{found[1]}" + (f"({given})" if given else "")

    return _ENGINE.sub(engine, rest)


def settings_of(name: str) -> dict[str, str | int]:
    """Of the queries of every client: `SETTINGS` if there is a cluster."""
    return SETTINGS if name else {}


def divided_by(client: Client) -> Cluster:
    """The cluster whose shards divide the tables that are there; without shards, the server alone."""
    rows = client.query(_DIVIDED_BY).result_rows
    return Cluster(str(rows[0][0]), int(rows[0][1])) if rows else Cluster()


def known_cluster(client: Client, name: str) -> Cluster:
    """The cluster of this name; raise `Unusable` unless the tables that are there are of its kind.

    Rows stay in the shard that they were written to, so a cluster keeps as many as it began with.
    """
    database, replicated, tables, known = client.query(_TABLES).result_rows[0]
    if name and replicated < tables:
        raise Unusable(
            f"{VARIABLE}: this database has tables of one server; copy them into one of the cluster"
        )
    if not name:
        if replicated:
            raise Unusable(f"the tables of this database are replicated; {VARIABLE} must name their cluster")
        return Cluster()
    shards, weight = client.query(_SHARDS, parameters={"cluster": name}).result_rows[0]
    if not shards:
        raise Unusable(f"{VARIABLE}: the server knows no cluster {name}")
    if shards > 1 and weight > 1:
        raise Unusable(f"{VARIABLE}: the shards of {name} must have the weight 1")
    if known and known != shards:
        raise Unusable(
            f"{VARIABLE}: {name} has {shards} shards, and the rows here are in {known}; "
            "copy them into a new database"
        )
    return Cluster(name, int(shards), str(database))
