"""A cluster of two shards inside the embedded ClickHouse, for tests: it reads and writes as a server's does.

Both shards are this process, and of each divided table one holds the rows of both: which of them a shard sees
is a filter by the same hash that sends a row to its shard. Nothing is replicated here and there is no Keeper,
so `ON CLUSTER` and the replicated engines are left out of statements, and nothing else is.
"""

import re
from pathlib import Path
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from infra.clickhouse.cluster import IDENTITY, SETTINGS, Cluster
from schemas.columns import LOCAL

CLUSTER = Cluster("two", 2)
_REPLICATED = re.compile(r"Replicated((?:Replacing)?MergeTree)(?:\('/[^']*', '[^']*'(?:, )?(\w*)\))?")
_FILE = f"""
<clickhouse><tcp_port>9000</tcp_port><remote_servers><{CLUSTER.name}>
{"<shard><replica><host>localhost</host><port>9000</port></replica></shard>" * CLUSTER.shards}
</{CLUSTER.name}></remote_servers></clickhouse>
"""
_OWN_ROWS = {
    f"{table}{LOCAL}": f"cityHash64({key}) % {CLUSTER.shards} = shardNum() - 1"
    for table, key in IDENTITY.items()
}
"""What a shard sees of a table; read as a table of this process, by `shardNum() = 0`, nothing."""


def here(statement: str) -> str:
    """A statement for the nodes of the cluster, as one for this process."""
    plain = statement.replace(f" ON CLUSTER {CLUSTER.name}", "")
    return _REPLICATED.sub(lambda found: f"{found[1]}({found[2]})" if found[2] else found[1], plain)


class ShardedClient:
    """A client of such a cluster, as `clickhouse_connect` has one for a server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def command(self, sql: str, *given: Any, **named: Any) -> Any:
        """Run a statement; what empties a table empties it in all shards."""
        emptied = re.match(r"TRUNCATE TABLE (\w+)$", sql)
        local = LOCAL if emptied and emptied[1] in IDENTITY else ""
        return self._client.command(here(sql) + local, *given, **named)

    def query(self, sql: str, *given: Any, **named: Any) -> Any:
        """Ask; tables of this process are as good as replicated ones."""
        asked = sql.replace("startsWith(engine, 'Replicated')", "endsWith(engine, 'MergeTree')")
        return self._client.query(asked, *given, **named)

    def __enter__(self) -> "ShardedClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def sharded_client(folder: Path) -> Any:
    """One more client on the database in a folder."""
    file = folder.with_suffix(".xml")
    if not file.exists():
        file.write_text(_FILE, encoding="utf-8")
    settings: dict[str, Any] = SETTINGS | {"additional_table_filters": str(_OWN_ROWS)}
    return ShardedClient(
        clickhouse_connect.get_client(
            interface="chdb", path=str(folder), chdb_options={"config-file": str(file)}, settings=settings
        )
    )
