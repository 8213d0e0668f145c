"""`ibflow terms end-period`: close statements over everything that was ingested before, and show them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from rich.table import Table

from api.routes.health import MAX_AGE_S
from commission.terms.calendar import PeriodEnded
from infra.connect.api import ask, ask_all
from infra.connect.ledger_at import server_url
from infra.connect.settings import kafka_servers
from infra.processes.progress import Progress, Watch, until_drained
from infra.terminal import money, new_table
from ingest.publish.publisher import publish_terms
from schemas.errors import Unavailable, Unusable
from schemas.settings import Settings
from streams.stop_log import OperationsLog

SETTLE_SECONDS = 600.0
MAX_WAITING = 10_000
"""Deals that are looked at, the newest: a question costs as much as their pages."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What a period's end would close: commissions by IB, and what is not known to be complete.

    `waiting` has deals of it or before that no IB is paid for yet, counted by reason, in words.
    """

    period: str
    rows: list[dict[str, Any]]
    holes: list[str]
    waiting: list[str]

    def table(self) -> Table:
        """What was earned in the period, before gates and least payouts."""
        table = new_table(f"To close: {self.period}")
        for name in ("IB", "accrued", "taken back", "net", "held", ""):
            table.add_column(name, justify="left" if name in ("IB", "") else "right", no_wrap=True)
        for row in self.rows:
            figures = (money(row[name], row["currency"]) for name in ("accrued", "reversed", "net", "held"))
            table.add_row(row["ib_id"], *figures, row["currency"])
        return table


def calendar(settings: Settings) -> list[dict[str, Any]]:
    """The periods that the terms know, by their time."""
    return sorted(ask(settings, "/v1/terms").json()["periods"], key=lambda row: str(row["starts_at"]))


def check(known: Sequence[dict[str, Any]], periods: Sequence[str], early: str, now: datetime) -> None:
    """Raise `Unusable` with all that is wrong: unknown, ended already, out of turn, or not over yet."""
    names = [row["period"] for row in known]
    ended = {row["period"] for row in known if row["ended"] is not None}
    first = min((names.index(name) for name in ended), default=None)
    problems: list[str] = []
    for name in periods:
        if name not in names:
            close = get_close_matches(name, names, 1, 0.6)
            hint = f"did you mean {close[0]}?" if close else f"the calendar has {', '.join(names[:3])} …"
            problems.append(f"there is no period {name}; {hint}")
            continue
        at = names.index(name)
        if name in ended:
            problems.append(f"{name} has ended already")
        elif first is not None:
            before = [one for one in names[first:at] if one not in ended and one not in periods]
            if before:
                problems.append(f"{name} is out of turn: {', '.join(before[:3])} comes first")
        starts_at, ends_at = (datetime.fromisoformat(known[at][side]) for side in ("starts_at", "ends_at"))
        if starts_at > now:
            problems.append(f"{name} begins on {starts_at:%Y-%m-%d %H:%M} UTC; it cannot end before that")
        elif ends_at > now and not early:
            problems.append(f"{name} ends on {ends_at:%Y-%m-%d %H:%M} UTC; before that say why with --early")
    if problems:
        raise Unusable("; ".join(problems))


def settle(settings: Settings, on_progress: Callable[[Progress], None] = lambda _: None) -> None:
    """Wait until everything written is applied and stored, so that nothing is overtaken."""
    kafka = kafka_servers(settings)
    if server_url(settings) is None:
        raise Unavailable("no server stores what the books say; start `ibflow dev` or `ibflow serve` first")
    watch, operations = Watch(kafka), OperationsLog(kafka)

    def measure() -> Progress:
        if stops := operations.read().stops:
            places = ", ".join(f"{topic}/{number}" for topic, number in sorted(stops))
            raise Unusable(f"{places} is stopped; decide that first, see `ibflow book status`")
        return replace(watch.progress({}), to_store=_lag(settings))

    try:
        until_drained(measure, SETTLE_SECONDS, on_progress, calm_s=2 * MAX_AGE_S)
    finally:
        watch.close()
        operations.close()


def preview(settings: Settings, known: Sequence[dict[str, Any]], period: str) -> Ending:
    """What ending the period would close, and which stretches of its deals are not complete."""
    span = next(row for row in known if row["period"] == period)
    rows = ask_all(settings, "/v1/reports/commissions", period=period, group_by="ib")
    return Ending(period, rows, _holes(settings, span), _waiting(settings, span))


def end(settings: Settings, period: str, early: str, now: datetime) -> list[dict[str, Any]]:
    """End the period and wait for its statements; raise `Unusable` where the books refused the end."""
    settle(settings)  # what arrived while a person looked comes before the end as well
    publish_terms([PeriodEnded(period=period, at=now, early=early)], kafka_servers(settings))
    settle(settings)
    refused = ask_all(settings, "/v1/dead-letters", code="refused_change", since=now.isoformat())
    if mine := [letter["reason"] for letter in refused if f'"{period}"' in letter["payload"]]:
        raise Unusable(f"the books refused the end of {period}: {mine[0]}")
    return ask_all(settings, "/v1/statements", period=period)


def statements_table(period: str, statements: Sequence[dict[str, Any]]) -> Table:
    """The statements that were closed."""
    table = new_table(f"Statements of {period}")
    for name in ("IB", "opening", "accrued", "taken back", "payable", "carried on", ""):
        table.add_column(name, justify="left" if name in ("IB", "") else "right", no_wrap=True)
    for row in statements:
        names = ("opening", "accrued", "reversed", "payable", "closing")
        cells = (money(row[name], row["currency"]) for name in names)
        table.add_row(row["ib_id"], *cells, row["currency"])
    return table


def now() -> datetime:
    """The operator's clock: an end before its time is told as such."""
    return datetime.now(UTC)


def _lag(settings: Settings) -> int:
    lag = ask(settings, "/health").json()["sink_lag"]
    if lag is None:
        ask(settings, "/v1/me")  # whom the server does not know, it tells nothing of how it is
        raise Unavailable("the server that was asked does not store; ask the one that `ibflow serve` started")
    return int(lag)


def _waiting(settings: Settings, span: dict[str, Any]) -> list[str]:
    """Deals before the end of the period that wait, by why; what is known later pays them in a later one."""
    ends_at = datetime.fromisoformat(span["ends_at"])
    found = ask_all(settings, "/v1/rejections", MAX_WAITING, status="waiting")
    counts = Counter(row["code"] for row in found if datetime.fromisoformat(row["occurred_at"]) < ends_at)
    told = [f"{count:,} {code}" for code, count in sorted(counts.items())]
    return told if len(found) < MAX_WAITING else [*told, "and maybe older ones"]


def _holes(settings: Settings, span: dict[str, Any]) -> list[str]:
    """Stretches that overlap the period, in words."""
    starts_at, ends_at = (datetime.fromisoformat(span[name]) for name in ("starts_at", "ends_at"))
    return [
        f"{server['server']} {hole['starts_at'][:16]} to {hole['ends_at'][:16]}: {hole['unresolved']} deals"
        for server in ask(settings, "/v1/completeness").json()["items"]
        for hole in server["holes"]
        if datetime.fromisoformat(hole["starts_at"]) < ends_at
        and datetime.fromisoformat(hole["ends_at"]) > starts_at
    ]
