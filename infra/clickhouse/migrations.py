"""Numbered SQL migrations, applied in order, each once."""

from pathlib import Path

from clickhouse_connect.driver.client import Client

from infra.clickhouse.cluster import Cluster, known_cluster
from schemas.columns import LOCAL
from schemas.errors import Unusable

HERE = Path(__file__).parent
LEAST_VERSION = (25, 9)
"""Of ClickHouse: an older one does not know all settings that our questions name, and refuses these."""

MADE = (
    "CREATE TABLE IF NOT EXISTS migrations "
    "(name String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)) ENGINE = MergeTree ORDER BY name"
)

_STATISTICS = "SELECT value FROM system.merge_tree_settings WHERE name = 'auto_statistics_types'"
_WITH_ALL = f"""
SELECT name FROM system.tables
WHERE database = currentDatabase() AND endsWith(engine, 'MergeTree')
    AND position(engine_full, 'auto_statistics_types') = 0 AND name NOT IN ('deals', 'deals{LOCAL}')
ORDER BY name
"""  # noqa: S608 # a constant


def migrate(client: Client, *, until: str = "9999", cluster: str = "") -> list[str]:
    """Apply the migrations the database has not seen, up to a number; return their names.

    A crash inside of one repeats its statements, so each may run twice. With a cluster, on all its nodes.
    Raise `Unusable` for a ClickHouse that is too old.
    """
    _check_version(client)
    nodes = known_cluster(client, cluster)
    _run(client, nodes, MADE)
    seen = {str(row[0]) for row in client.query("SELECT name FROM migrations").result_rows}
    applied = []
    for path in sorted(HERE.glob("[0-9][0-9][0-9][0-9]_*.sql")):
        if path.stem in seen or path.stem[:4] > until:
            continue
        for statement in statements(path):
            _run(client, nodes, statement)
        client.insert("migrations", [[path.stem]], column_names=["name"])
        applied.append(path.stem)
    _count_no_values(client, nodes)
    return applied


def _check_version(client: Client) -> None:
    version = str(client.server_version)
    if tuple(int(number) for number in version.split(".")[:2]) < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        raise Unusable(f"the ClickHouse is {version}: ibflow needs {least} or a newer one")


def _run(client: Client, nodes: Cluster, statement: str) -> None:
    for one in nodes.statements(statement):
        client.command(one)


def _count_no_values(client: Client, nodes: Cluster) -> None:
    """Leave out of a table's statistics how many different values each column has.

    A recent ClickHouse counts them anew in every merge, which is a sixth of what merging rows of ours costs.
    Of deals it needs them: it orders the joins of the margin by them, which takes 0.3 s instead of 0.7.
    """
    known = client.query(_STATISTICS).result_rows  # none: a ClickHouse that has no such thing
    kinds = str(known[0][0]).split(", ") if known else []
    kept = ", ".join(kind for kind in kinds if not kind.startswith("uniq"))
    if kept == ", ".join(kinds):
        return
    for (table,) in client.query(_WITH_ALL).result_rows:
        _run(client, nodes, f"ALTER TABLE {table} MODIFY SETTING auto_statistics_types = '{kept}'")


def statements(path: Path) -> list[str]:
    """The statements of a migration, in their order."""
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("--")
    ]
    return [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]
