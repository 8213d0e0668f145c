"""Which process of a parallel run takes which tests: a file at a time, the longest first.

A file's tests stay together, for they share its fixtures; so do files that share a service. A name that is
out of date costs time and nothing else.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # it ships no types

TOGETHER = {
    "a Chromium": ("tests/api/test_browser", "tests/api/test_reference"),
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
    "tests/chaos/test_chaos.py",
    "one ClickHouse",
    "a Chromium",
    "tests/e2e/test_pipeline.py",
    "another ClickHouse",
    "tests/e2e/test_any_order.py",
    "tests/infra/sums/test_sums.py",
    "tests/chaos/test_payouts_killed.py",
    "tests/e2e/test_reconcile_live.py",
    "tests/install/test_install.py",
    "tests/e2e/test_two_exports.py",
    "tests/infra/payouts/test_payouts.py",
    "tests/infra/payouts/test_bank_files.py",
    "tests/e2e/test_end_period.py",
    "tests/e2e/test_hostile_clients.py",
    "tests/test_oracle.py",
    "tests/simulation/test_simulation.py",
    "tests/streams/test_faust_fixes.py",
    "tests/infra/people/test_people_live.py",
    "one MariaDB",
    "tests/e2e/test_reopen_period.py",
    "tests/ingest/push/test_bridge.py",
    "tests/streams/test_failures.py",
    "tests/e2e/test_ingest_killed.py",
    "tests/infra/postbacks/test_dispatcher.py",
    "tests/infra/verify/test_verify.py",
    "tests/infra/commands/test_evidence.py",
    "tests/infra/proposals/test_proposals.py",
    "tests/infra/replay/test_replay.py",
    "tests/infra/sums/test_reading_meanwhile.py",
    "tests/infra/processes/test_private.py",
    "tests/infra/test_unprivileged.py",
    "tests/ingest/test_any_file.py",
    "tests/ingest/mt5/test_deals_csv_fast.py",
    "tests/commission/test_laws_of_plans.py",
    "tests/commission/test_laws.py",
    "tests/commission/client/test_bounds.py",
    "tests/infra/local_kafka/test_local_kafka.py",
)
"""They begin in this order: a minute by itself is not waited for at the end. Those that wait for processes
stand between those that compute."""


def share(nodeid: str) -> str:
    """What a test is handed out with: its file, or the files that share a service."""
    path = nodeid.split("::", maxsplit=1)[0]
    return next((name for name, starts in TOGETHER.items() if path.startswith(starts)), path)


def next_share(waiting: Sequence[str], under_way: Iterable[str]) -> str:
    """The next of `LONGEST`; behind one of these, which may take minutes yet, something short.

    A process is given its next share before it runs the last test of the one it has.
    """
    turns = {name: turn for turn, name in enumerate(LONGEST)}
    short = [name for name in waiting if name not in turns]
    if short and turns.keys() & set(under_way):
        return short[-1]
    return min(waiting, key=lambda name: turns.get(name, len(turns)))


class Schedule(LoadScopeScheduling):  # type: ignore[misc] # as above
    """Hands out shares, those of `LONGEST` before all others."""

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        under_way = [name for name, done in self.assigned_work[node].items() if not all(done.values())]
        self.workqueue.move_to_end(next_share([*self.workqueue], under_way), last=False)
        super()._assign_work_unit(node)
