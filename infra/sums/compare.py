"""Whether the sums that reports read equal the rows: month by month, so that memory stays bounded."""

from datetime import date
from itertools import groupby
from typing import Any

from clickhouse_connect.driver.client import Client

from infra.sums.builder import SETTINGS
from infra.sums.tables import TABLES, SumsTable

_KEPT = """
SELECT m.day, b.build FROM (SELECT * FROM day_marks FINAL) AS m
INNER JOIN (SELECT * FROM day_builds FINAL) AS b ON b.day = m.day
WHERE NOT m.is_open AND m.mark = b.mark ORDER BY m.day LIMIT 110000
"""
_UNMARKED = """
SELECT count() FROM (SELECT DISTINCT toDate32(occurred_at) AS day FROM transfers)
WHERE day NOT IN (SELECT day FROM day_marks)
"""
_COMPARE = """
SELECT at, count() FROM (
    SELECT at, {keys}, {differences} FROM (
        SELECT day AS at, {keys}, {kept} FROM {name}
        WHERE (day, build) IN (SELECT arrayJoin(arrayZip({{days:Array(Date32)}}, {{builds:Array(UInt64)}})))
        UNION ALL
        SELECT at, {keys}, {negated} FROM ({made})
    ) GROUP BY at, {keys} HAVING {differs}
) GROUP BY at ORDER BY at
"""


def differences(client: Client) -> tuple[int, list[str]]:
    """How many days have sums, and what differs of them, one text a table and day."""
    kept = client.query(_KEPT).result_rows
    found = [
        f"{table.name} of {day}: {count} sums"
        for _, month in groupby(kept, key=lambda row: (row[0].year, row[0].month))
        for days in [list(month)]
        for table in TABLES
        for day, count in _compared(client, table, days)
    ]
    if unmarked := client.query(_UNMARKED).result_rows[0][0]:
        found.append(f"{unmarked} days of transfers that no report reads")
    return len(kept), found


def _compared(client: Client, table: SumsTable, days: list[Any]) -> list[tuple[date, int]]:
    sql = _COMPARE.format(
        name=table.name,
        keys=", ".join(table.keys),
        kept=", ".join(f"toDecimal128({name}, 8) AS of_{name}" for name in table.measures),
        negated=", ".join(f"-toDecimal128({name}, 8) AS of_{name}" for name in table.measures),
        differences=", ".join(f"sum(of_{name}) AS off_{name}" for name in table.measures),
        differs=" OR ".join(f"off_{name} != 0" for name in table.measures),
        made=table.made(),
    )
    values = {"days": [day for day, _ in days], "builds": [build for _, build in days]}
    rows: list[Any] = list(client.query(sql, parameters=values, settings=SETTINGS).result_rows)
    return rows
