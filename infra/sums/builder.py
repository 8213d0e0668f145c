"""Keeps sums of days: days that changed are added up again, and replaced as a whole.

A build is made in three steps: 1 read the mark of each day, 2 store its sums under the number of the build,
3 name the build, with the marks, in `day_builds`. Before step 3 nobody reads it: a crash leaves rows that are
pruned later. A day that was written meanwhile has a newer mark, and is read by its rows until the next build.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import zip_longest
from typing import Any

from clickhouse_connect.driver.client import Client

from api.queries.days import MAX_DAYS, KeptDay, fingerprint
from api.queries.money import OF_BOOK
from api.queries.periods import DAY, OF_DAYS
from api.queries.stretches import FIRST_ABOVE, NEWEST, TOPICS, Stretch, ends_of, named
from infra.clickhouse.cluster import OF_TRANSFERS, divided_by
from infra.sums.checks import check_month, check_rows
from infra.sums.tables import SETTINGS, STRETCHED, TABLES, SumsTable

log = logging.getLogger("ibflow.sums")

QUIET_S = 2.0
"""A day that was written within so long will be again: its rows are few, and are read meanwhile."""
RESTS = 30
"""So many times that long passes between two builds of a day: a minute, while today is read by its rows."""
PAUSE_S = 2.0
RETRY_S = 10.0
BUILD_ROWS = 500_000
"""Rows added up at once, at least one day of them: what bounds the memory of a build."""
STRETCH_ROWS = 100_000
"""A day of fewer is read by its rows while it is written."""
STRETCH_S = 1.0
"""So long after the stretches of such days what came since is added up; as long as they took, if longer."""
MAX_PARTS = 16
"""Of a stretch: more become one."""
MAX_STRETCHED = 8
"""Days written last that may have one; while history of many days arrives, most are read by their rows."""
KEEP_S = 600.0
"""How long a replaced build stays: no report that began with it runs so long."""
TIDY_S = 300.0
CHECK_S = 600.0
MONTHS_S = 60.0
"""How often months that are over are looked for where no day was built: a month may just have ended."""
NS = 1_000_000_000

_STALE = """
SELECT m.day, m.mark FROM (SELECT * FROM day_marks FINAL) AS m
LEFT JOIN (SELECT * FROM day_builds FINAL) AS b ON b.day = m.day
WHERE NOT m.is_open AND m.mark != b.mark
    AND m.mark <= toUInt64(toUnixTimestamp64Nano(now64(9))) - {quiet:UInt64}
    AND b.build <= toUInt64(toUnixTimestamp64Nano(now64(9))) - {rest:UInt64}
ORDER BY m.day LIMIT 110000
"""
_EVERY = "SELECT day, mark FROM day_marks FINAL WHERE NOT is_open ORDER BY day LIMIT 110000"
_ROWS = f"SELECT {DAY} AS day, count() FROM transfers WHERE {OF_DAYS} GROUP BY day"  # noqa: S608 # constants
_STORE = "INSERT INTO {name} (day, build, {columns}) SELECT at, {{build:UInt64}}, {columns} FROM ({made})"
_NAME = """
INSERT INTO day_builds
SELECT one.1, one.2, {build:UInt64} FROM (
    SELECT arrayJoin(arrayZip({days:Array(Date32)}, {marks:Array(UInt64)})) AS one
)
"""
_REPLACED = """
{name} WHERE build < {{before:UInt64}} AND (day, build) NOT IN (
    SELECT day, build FROM day_builds FINAL UNION ALL SELECT month, build FROM month_builds FINAL
    UNION ALL SELECT day, arrayJoin(builds) FROM day_stretches FINAL
)
"""
_WRITTEN = f"""
SELECT m.day, m.mark, m.mark != s.mark FROM (SELECT * FROM day_marks FINAL) AS m
LEFT JOIN (SELECT * FROM day_builds FINAL) AS b ON b.day = m.day
LEFT JOIN (SELECT * FROM day_stretches FINAL) AS s ON s.day = m.day
WHERE m.is_open OR m.mark != b.mark
ORDER BY m.mark DESC LIMIT {MAX_STRETCHED}
"""  # noqa: S608 # constants
_POSITIONS = """
SELECT topic, partition, next_offset FROM sink_positions FINAL WHERE topic IN {topics:Array(String)}
ORDER BY topic, partition
"""
_FIRST = f"""
SELECT day, count(), minIf(_offset, {OF_BOOK}) FROM (
    SELECT {DAY} AS day, _topic, _offset FROM transfers WHERE {OF_DAYS}
) GROUP BY day
"""  # noqa: S608 # constants
_NAME_STRETCH = """
INSERT INTO day_stretches (day, build, mark, builds, first, ends)
SELECT one.1, {build:UInt64}, one.2, one.3, one.4, {ends:Array(UInt64)} FROM (
    SELECT arrayJoin(arrayZip(
        {days:Array(Date32)}, {marks:Array(UInt64)}, {builds:Array(Array(UInt64))}, {firsts:Array(UInt64)}
    )) AS one
)
"""
# Months that are over, all of whose days have sums, and the builds that these are of.
_OVER = f"""
SELECT toDate32(toStartOfMonth(day)) AS month, arraySort(groupArray((day, build))) AS days, any(m.of) AS of
FROM (
    SELECT m.day AS day, m.is_open AS is_open, m.mark = b.mark AS is_built, b.build AS build
    FROM (SELECT * FROM day_marks FINAL) AS m LEFT JOIN (SELECT * FROM day_builds FINAL) AS b ON b.day = m.day
) AS d LEFT JOIN (SELECT * FROM month_builds FINAL) AS m ON m.month = toDate32(toStartOfMonth(d.day))
WHERE toStartOfMonth(day) < toStartOfMonth(now()) GROUP BY month
HAVING min(is_built AND NOT is_open) AND count() > 1 ORDER BY month LIMIT {MAX_DAYS}
"""  # noqa: S608 # constants
_ADD_UP = """
INSERT INTO {name} (day, build, {keys}, {measures})
SELECT {at} AS at, {{build:UInt64}}, {keys}, {sums} FROM {name} AS s
WHERE (day, build) IN (SELECT arrayJoin(arrayZip({{days:Array(Date32)}}, {{builds:Array(UInt64)}})))
GROUP BY at, {keys}
"""
_NAME_MONTH = "INSERT INTO month_builds VALUES ({month:Date32}, {of:String}, {build:UInt64})"
# Months that are over and quiet are merged into one part each: what is one part needs no FINAL.
_UNMERGED = f"""
SELECT partition_id FROM {{parts}}
WHERE {OF_TRANSFERS}
    AND partition_id < formatDateTime(now(), '%Y%m')
GROUP BY partition_id, shardNum()
HAVING (count() > 1 OR min(level) = 0) AND max(modification_time) < now() - {{{{keep:UInt32}}}}
ORDER BY partition_id LIMIT 1
"""  # noqa: S608 # constants

MarkedDay = tuple[date, int]
"""A day and the mark that its rows have by now."""


class SumsBuilder:
    """Builds over one client; run it in one thread, or step by step with `build`."""

    def __init__(self, connect: Callable[[], Client], *, quiet_s: float = QUIET_S) -> None:
        self._client = connect()
        self._quiet_ns = int(quiet_s * NS)
        self._last = 0
        self._stop = threading.Event()

    def run(self) -> None:
        """Build until `stop`; without sums reports are slower, and the same."""
        tidied, checked, due = time.monotonic(), -CHECK_S, time.monotonic()
        months_due = due
        while not self._stop.is_set():
            try:
                if self.build() or time.monotonic() >= months_due:
                    self.build_months()
                    months_due = time.monotonic() + MONTHS_S
                due = self._built_stretches(due)
                pause = min(max(due - time.monotonic(), 0), PAUSE_S)
                if time.monotonic() - tidied > TIDY_S:
                    self.tidy()
                    tidied = time.monotonic()
                if time.monotonic() - checked > CHECK_S:
                    self.check()
                    checked = time.monotonic()
            except Exception:
                log.exception("sums of days could not be built; reports read rows, and it is tried again")
                pause = RETRY_S
            self._stop.wait(pause)
        self._client.close()

    def close(self) -> None:
        """Of a builder that is not run."""
        self._client.close()

    def stop(self) -> None:
        """Ask `run` to return after the build at hand."""
        self._stop.set()

    def build(self) -> int:
        """Build every day that has changed and is quiet; how many those were."""
        # 1 marks
        return self._build_all(self._ask(_STALE, quiet=self._quiet_ns, rest=RESTS * self._quiet_ns))

    def build_months(self) -> int:
        """Add the days of months that are over up once more, so that a year is a few sums; how many."""
        found = 0
        for month, days, known in self._ask(_OVER):
            of = fingerprint(days)
            if of != known and not self._stop.is_set():
                self._build_month(month, days, of)
                found += 1
        return found

    def _build_month(self, month: date, days: Sequence[KeptDay], of: str) -> None:
        build = self._next_build()
        for table in TABLES:
            self._add_up(table, days, build, at="{month:Date32}", month=month)
        self._command(_NAME_MONTH, month=month, of=of, build=build)

    def _add_up(
        self, table: SumsTable, parts: Sequence[KeptDay], build: int, at: str = "s.day", **values: object
    ) -> None:
        """Make one build of several, of each day by itself or of all of them together."""
        sql = _ADD_UP.format(
            name=table.name,
            at=at,
            keys=", ".join(table.keys),
            measures=", ".join(table.measures),
            sums=", ".join(f"sum(s.{name})" for name in table.measures),
        )
        of = {"days": [day for day, _ in parts], "builds": [one for _, one in parts]}
        self._command(sql, build=build, **of, **values)

    def _next_build(self) -> int:
        self._last = max(time.time_ns(), self._last + 1)
        return self._last

    def _built_stretches(self, due: float) -> float:
        """Now, if they are due; when they are due next: half of the time may go into them."""
        if (started := time.monotonic()) < due:
            return due
        if not self.build_stretches():
            return time.monotonic() + PAUSE_S
        ended = time.monotonic()
        return ended + max(STRETCH_S, ended - started)

    def build_stretches(self, least_rows: int = STRETCH_ROWS) -> int:
        """Add up what was stored since of days that are large and being written; how many those are.

        All of them up to the same offsets, for one condition then says which rows they have.
        """
        # 1 marks, then positions: what is below these is stored, and stays
        written = {day: (mark, is_newer) for day, mark, is_newer in self._ask(_WRITTEN)}
        ends = ends_of(self._ask(_POSITIONS, topics=list(TOPICS)))
        if not ends or not any(is_newer for _, is_newer in written.values()):
            return 0
        before = self._stretch_before(list(written), ends)
        firsts = self._firsts(written, before, least_rows)
        if not any(written[day][1] for day in firsts):
            return 0
        days = list(firsts)
        # 2 sums
        builds = self._add_part(days, before, ends)
        # 3 the parts are named
        self._command(
            _NAME_STRETCH, days=days, marks=[written[day][0] for day in days], firsts=list(firsts.values()),
            builds=[list(builds[day]) for day in days], build=self._last, ends=ends,
        )  # fmt: skip
        return len(days)

    def _firsts(self, days: Iterable[date], before: Stretch, least_rows: int) -> dict[date, int]:
        """The first row on the log of each that is large; of those with a stretch, of all of them."""
        known: dict[date, int] = {}
        if before.days:
            ((above,),) = self._ask(FIRST_ABOVE, **before.parameters)
            known = dict.fromkeys(before.days, before.first if above is None else min(before.first, above))
        others = [day for day in days if day not in known]
        rows = self._ask(_FIRST, days=others) if others else []
        return dict(
            sorted((known | {day: first for day, count, first in rows if count >= least_rows}).items())
        )

    def _stretch_before(self, days: Sequence[date], ends: Sequence[int]) -> Stretch:
        """What the days have by now; nothing if positions went back, as in a database that was restored."""
        found = self._client.query(NEWEST, parameters={"days": days, "limit": len(days)}, settings=SETTINGS)
        before = named(list(found.named_results()))
        is_before = all(end <= now for end, now in zip_longest(before.ends, ends, fillvalue=0))
        return before if is_before else Stretch()

    def _add_part(
        self, days: Sequence[date], before: Stretch, ends: Sequence[int]
    ) -> dict[date, tuple[int, ...]]:
        """Store what comes to a stretch, or all of one where there was none; the builds of each day."""
        build = self._next_build()
        begun = [day for day in days if day not in before.days]
        for table in STRETCHED:
            whole, part = table.made_below(), table.made_since()
            if begun:
                self._store(table, whole, days=begun, build=build, ends=ends)
            if before.days:
                self._store(table, part, build=build, **before.parameters, next_ends=ends)
        builds: dict[date, tuple[int, ...]] = dict.fromkeys(begun, (build,))
        builds |= {day: (*of, build) for day, of in zip(before.days, before.builds, strict=True)}
        if many := {day: of for day, of in builds.items() if len(of) > MAX_PARTS}:
            one = self._next_build()
            for table in STRETCHED:
                self._add_up(table, [(day, part) for day, of in many.items() for part in of], one)
            builds |= dict.fromkeys(many, (one,))
        return builds

    def rebuild(self) -> int:
        """Build every day once more; until its new build is named, reports go by the old one."""
        return self._build_all(self._ask(_EVERY))

    def tidy(self, keep_s: float = KEEP_S) -> None:
        """Remove builds that were replaced, and merge one month that is over."""
        before = time.time_ns() - int(keep_s * NS)
        for table in TABLES:
            replaced = _REPLACED.format(name=table.name)
            if self._ask(f"SELECT count() FROM {replaced}", before=before)[0][0]:  # noqa: S608 # constants
                self._command(f"DELETE FROM {replaced}", before=before)  # noqa: S608 # constants
        nodes = divided_by(self._client)
        for (month,) in self._ask(_UNMERGED.format(parts=nodes.parts), keep=int(keep_s)):
            for merge in nodes.statements(f"OPTIMIZE TABLE transfers PARTITION ID '{int(month)}' FINAL"):
                self._command(merge)

    def check(self) -> None:
        """Look at the rows that are new and at one month, and keep what is found; the portal shows it."""
        check_rows(self._client)
        check_month(self._client)

    def _build_all(self, days: Sequence[MarkedDay]) -> int:
        for some in self._portions(days):
            if self._stop.is_set():
                break
            self._build(some)
        return len(days)

    def _portions(self, days: Sequence[MarkedDay]) -> Iterator[list[MarkedDay]]:
        """Days of about so many rows together, in their order."""
        rows: dict[date, int] = dict(self._ask(_ROWS, days=[day for day, _ in days])) if days else {}
        portion: list[MarkedDay] = []
        count = 0
        for day, mark in days:
            if portion and count + rows.get(day, 0) > BUILD_ROWS:
                yield portion
                portion, count = [], 0
            portion.append((day, mark))
            count += rows.get(day, 0)
        if portion:
            yield portion

    def _build(self, days: Sequence[MarkedDay]) -> None:
        build = self._next_build()
        of = {"days": [day for day, _ in days], "marks": [mark for _, mark in days], "build": build}
        # 2 sums
        for table in TABLES:
            self._store(table, table.made(), days=of["days"], build=build)
        # 3 the build is named, and replaces what the days had
        self._command(_NAME, **of)

    def _store(self, table: SumsTable, made: str, **values: object) -> None:
        self._command(_STORE.format(name=table.name, columns=table.columns, made=made), **values)

    def _ask(self, sql: str, **values: object) -> list[Any]:
        return list(self._client.query(sql, parameters=values, settings=SETTINGS).result_rows)

    def _command(self, sql: str, **values: object) -> None:
        self._client.command(sql, parameters=values, settings=SETTINGS)
