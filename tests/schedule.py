"""Which process of a parallel run takes which tests: a file at a time, the longest first.

A file's tests stay together, for they share its fixtures; so do files that share a service. A name that is
out of date costs time and nothing else.
"""

from typing import Any

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # it ships no types

TOGETHER = {
    "one ClickHouse": tuple(f"tests/api/test_{letter}" for letter in "abcdefghijklmno"),
    "another ClickHouse": ("tests/api/",),
    "one MariaDB": (
        "tests/ingest/mt4/test_sql.py",
        "tests/ingest/mt5/test_sql.py",
        "tests/ingest/mt5/test_sql_dump.py",
        "tests/ingest/test_poll",
    ),
}
"""Files by how their paths begin; the first that fits."""

LONGEST = (
    "tests/test_readme.py",
    "tests/install/test_install.py",
    "tests/e2e/test_pipeline.py",
    "tests/e2e/test_any_order.py",
    "one ClickHouse",
    "another ClickHouse",
    "tests/infra/sums/test_sums.py",
    "tests/test_oracle.py",
    "tests/chaos/test_chaos.py",
    "tests/e2e/test_reconcile_live.py",
    "one MariaDB",
    "tests/streams/test_faust_fixes.py",
    "tests/e2e/test_two_exports.py",
    "tests/ingest/push/test_bridge.py",
    "tests/ingest/mt5/test_deals_csv_fast.py",
    "tests/e2e/test_ingest_killed.py",
    "tests/streams/test_failures.py",
    "tests/infra/replay/test_replay.py",
    "tests/commission/test_laws_of_plans.py",
    "tests/commission/test_laws.py",
    "tests/infra/local_kafka/test_local_kafka.py",
    "tests/simulation/test_simulation.py",
    "tests/infra/verify/test_verify.py",
    "tests/infra/proposals/test_proposals.py",
    "tests/infra/commands/test_evidence.py",
)
"""They begin in this order: a minute by itself is not waited for at the end. Those that wait for processes
stand between those that compute."""


def share(nodeid: str) -> str:
    """What a test is handed out with: its file, or the files that share a service."""
    path = nodeid.split("::", maxsplit=1)[0]
    return next((name for name, starts in TOGETHER.items() if path.startswith(starts)), path)


class Schedule(LoadScopeScheduling):  # type: ignore[misc] # as above
    """Hands out shares, those of `LONGEST` before all others."""

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        self.workqueue.move_to_end(self._next_of(node), last=False)
        super()._assign_work_unit(node)

    def _next_of(self, node: Any) -> str:
        """The next of `LONGEST`; behind one of these, which may take minutes yet, something short.

        A process is given its next share before it runs the last test of the one it has.
        """
        turns = {name: turn for turn, name in enumerate(LONGEST)}
        under_way = {name for name, done in self.assigned_work[node].items() if not all(done.values())}
        short = [name for name in self.workqueue if name not in turns]
        if short and under_way & turns.keys():
            return short[-1]
        return min(self.workqueue, key=lambda name: turns.get(name, len(turns)))
