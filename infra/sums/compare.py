"""Whether the sums that reports read equal the rows: month by month, so that memory stays bounded."""

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Any

from clickhouse_connect.driver.client import Client

from api.queries.days import KeptDay, fingerprint, month_of
from infra.sums.tables import SETTINGS, STRETCHED, TABLES, SumsTable

_KEPT = """
SELECT m.day, b.build FROM (SELECT * FROM day_marks FINAL) AS m
INNER JOIN (SELECT * FROM day_builds FINAL) AS b ON b.day = m.day
WHERE NOT m.is_open AND m.mark = b.mark ORDER BY m.day LIMIT 110000
"""
_MONTHS = "SELECT month, of, build FROM month_builds FINAL"
_STRETCHES = """
SELECT day, builds, ends FROM day_stretches FINAL
WHERE build = (SELECT max(build) FROM day_stretches) ORDER BY day LIMIT 100
"""
_UNMARKED = """
SELECT count() FROM (SELECT DISTINCT toDate32(occurred_at) AS day FROM transfers)
WHERE day NOT IN (SELECT day FROM day_marks)
"""
_COMPARE = """
SELECT at, count() FROM (
    SELECT at, {keys}, {differences} FROM (
        SELECT {at} AS at, {keys}, {kept} FROM {name}
        WHERE (day, build) IN (SELECT arrayJoin(arrayZip({{days:Array(Date32)}}, {{builds:Array(UInt64)}})))
        UNION ALL
        {other}
    ) GROUP BY at, {keys} HAVING {differs}
) GROUP BY at ORDER BY at
"""


def differences(client: Client, only: date | None = None) -> tuple[int, list[str]]:
    """How many days have sums, and what differs of them, one text a table and day; of all months, or of one.

    While rows arrive: a day that was written meanwhile is no longer kept, and may differ.
    """
    kept = _kept(client)
    built: dict[date, Any] = {row[0]: row for row in client.query(_MONTHS).result_rows}
    found: list[tuple[set[KeptDay], str]] = []
    for month, group in groupby(kept, key=lambda one: month_of(one[0])):
        if only and month != only:
            continue
        days = list(group)
        _, of, build = built.get(month, (month, "", 0))
        for table in TABLES:
            builds = dict(days)
            for day, count in _compared(client, table, days):
                found.append(({(day, builds[day])}, f"{table.name} of {day}: {count} sums"))
            if of == fingerprint(days):
                for _, count in _compared_month(client, table, days, month, build):
                    found.append((set(days), f"{table.name} of {month}, all of it: {count} sums"))
    still = set(_kept(client)) if found else set()
    told = [text for of_days, text in found if of_days <= still]
    told += list(_stretches(client))
    if unmarked := client.query(_UNMARKED).result_rows[0][0]:
        told.append(f"{unmarked} days of transfers that no report reads")
    return len(kept), told


def _kept(client: Client) -> list[KeptDay]:
    return [(day, build) for day, build in client.query(_KEPT).result_rows]


def _stretches(client: Client) -> Iterator[str]:
    """What differs of a day that is being written: its sums are those of the rows below some offsets."""
    for day, builds, ends in client.query(_STRETCHES).result_rows:
        for table in STRETCHED:
            other = f"SELECT at, {', '.join(table.keys)}, {_negated(table)} FROM ({table.made_below()})"  # noqa: S608 # our own
            for _, count in _ask(client, table, other, [(day, build) for build in builds], ends=list(ends)):
                yield f"{table.name} of a stretch of {day}: {count} sums"


def _compared(client: Client, table: SumsTable, days: list[KeptDay]) -> list[tuple[date, int]]:
    """Days whose sums are not those of their rows."""
    other = f"SELECT at, {', '.join(table.keys)}, {_negated(table)} FROM ({table.made()})"  # noqa: S608 # our own
    return _ask(client, table, other, days)


def _compared_month(
    client: Client, table: SumsTable, days: list[KeptDay], month: date, build: int
) -> list[tuple[date, int]]:
    """Whether a month's sums are not those of its days: then it has a row, by the name of its first day."""
    other = f"""
        SELECT {{month:Date32}} AS at, {", ".join(table.keys)}, {_negated(table)} FROM {table.name}
        WHERE (day, build) = ({{month:Date32}}, {{build:UInt64}})
    """  # noqa: S608 # our own names
    return _ask(client, table, other, days, at="{month:Date32}", month=month, build=build)


def _negated(table: SumsTable) -> str:
    return ", ".join(f"-toDecimal128({name}, 8) AS of_{name}" for name in table.measures)


def _ask(
    client: Client, table: SumsTable, other: str, days: list[KeptDay], at: str = "day", **values: object
) -> list[tuple[date, int]]:
    sql = _COMPARE.format(
        name=table.name,
        at=at,
        keys=", ".join(table.keys),
        kept=", ".join(f"toDecimal128({name}, 8) AS of_{name}" for name in table.measures),
        other=other,
        differences=", ".join(f"sum(of_{name}) AS off_{name}" for name in table.measures),
        differs=" OR ".join(f"off_{name} != 0" for name in table.measures),
    )
    values |= {"days": [day for day, _ in days], "builds": [build for _, build in days]}
    rows: list[Any] = list(client.query(sql, parameters=values, settings=SETTINGS).result_rows)
    return rows
