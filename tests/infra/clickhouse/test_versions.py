"""Which ClickHouse is new enough, and that nothing of ours needs a newer one than we say."""

import re
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from infra.clickhouse import migrations
from schemas.errors import Unusable
from tests import services

ROOT = Path(__file__).parents[3]
ROOMS = ("api", "infra", "streams")
ASKED_FOR = {"auto_statistics_types"}
"""Set only in a ClickHouse that says it has it."""
# A setting is in this table once it is new, and again whenever its default changes.
NEW_SETTINGS = """
SELECT change.name AS name, groupArray(version) AS versions
FROM system.settings_changes ARRAY JOIN changes AS change
WHERE change.reason ILIKE '%new setting%' OR change.previous_value = change.new_value
GROUP BY name
"""
FUNCTIONS = "SELECT name, introduced_in FROM system.functions WHERE introduced_in != ''"


def number(version: str) -> tuple[int, ...]:
    """So that 25.12 is newer than 25.9."""
    return tuple(int(part) for part in version.split(".")[:2])


def words(pattern: str, *endings: str) -> set[str]:
    """What a pattern finds in the files of the rooms that ask ClickHouse."""
    files = (path for room in ROOMS for ending in endings for path in (ROOT / room).rglob(f"*{ending}"))
    return {word for path in files for word in re.findall(pattern, path.read_text(encoding="utf-8"))}


def test_no_setting_or_function_is_newer_than_the_least_version(tmp_path: Path) -> None:
    """By ClickHouse's own lists of what came when: of settings everywhere, of functions in migrations."""
    with services.clickhouse("chdb", tmp_path) as client:
        settings = {name: min(map(number, told)) for name, told in client.query(NEW_SETTINGS).result_rows}
        functions = {name: number(version) for name, version in client.query(FUNCTIONS).result_rows}
    named = words(r"\b[a-z]+(?:_[a-z]+)+\b", ".py", ".sql") & settings.keys() - ASKED_FOR
    called = words(r"\b(\w+)\(", ".sql") & functions.keys()
    assert {"low_priority_query_wait_time_ms", "query_plan_optimize_join_order_limit"} <= named
    assert {"arrayFilter", "arrayJoin"} <= called
    newer = {name for name in named if settings[name] > migrations.LEAST_VERSION}
    newer |= {name for name in called if functions[name] > migrations.LEAST_VERSION}
    assert newer == set()
    assert max(settings[name] for name in named) == migrations.LEAST_VERSION, "an older one would do"


def test_an_older_clickhouse_is_refused(connected: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is made in it, and with both versions."""
    monkeypatch.setattr(migrations, "LEAST_VERSION", (99, 10))
    with pytest.raises(Unusable, match=r"the ClickHouse is \d+\.\d+.*: ibflow needs 99\.10 or a newer one"):
        migrations.migrate(connected)


def test_the_image_is_new_enough() -> None:
    """Of `docker compose up`, and of these tests where Docker answers."""
    assert number(services.CLICKHOUSE_IMAGE.partition(":")[2]) >= migrations.LEAST_VERSION
