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

_STATISTICS, _MERGES = "auto_statistics_types", "merge_selector_base"
_KNOWN = f"SELECT name, value FROM system.merge_tree_settings WHERE name IN ('{_STATISTICS}', '{_MERGES}')"  # noqa: S608 # constants
_TABLES = """
SELECT name, engine_full FROM system.tables
WHERE database = currentDatabase() AND endsWith(engine, 'MergeTree') ORDER BY name
"""
MERGED_AT_ONCE = 10
"""Parts are merged once together they are so many times the largest of them; by default 5 times."""


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
    _tune(client, nodes)
    return applied


def _check_version(client: Client) -> None:
    version = str(client.server_version)
    if tuple(int(number) for number in version.split(".")[:2]) < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        raise Unusable(f"the ClickHouse is {version}: ibflow needs {least} or a newer one")


def _run(client: Client, nodes: Cluster, statement: str) -> None:
    for one in nodes.statements(statement):
        client.command(one)


def _tune(client: Client, nodes: Cluster) -> None:
    """Let merges cost less: fewer of them, and without counting how many different values a column has.

    A recent ClickHouse counts those anew in every merge, a sixth of what merging rows of ours costs. Of deals
    it needs them: it orders the joins of the margin by them, which takes 0.3 s instead of 0.7. Small batches
    that follow one another are merged early by default: at 1,000 deals a second each row thrice as often.
    """
    # an older ClickHouse does not have both
    known = {str(name): str(value) for name, value in client.query(_KNOWN).result_rows}
    wanted = {_MERGES: str(MERGED_AT_ONCE)} if _MERGES in known else {}
    kinds = known.get(_STATISTICS, "").split(", ")
    kept = ", ".join(kind for kind in kinds if not kind.startswith("uniq"))
    for table, engine in client.query(_TABLES).result_rows:
        of = dict(wanted)
        if kept != ", ".join(kinds) and table not in ("deals", f"deals{LOCAL}"):
            of[_STATISTICS] = f"'{kept}'"
        if told := ", ".join(f"{name} = {value}" for name, value in of.items() if name not in engine):
            _run(client, nodes, f"ALTER TABLE {table} MODIFY SETTING {told}")


def statements(path: Path) -> list[str]:
    """The statements of a migration, in their order."""
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("--")
    ]
    return [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]
