"""Reports beside the commission report: what each says, and the same of every row added up in Python."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.queries import commissions, standing
from api.queries.acquisition import STEPS, cohorts
from api.queries.commission_sql import ReportFilter
from api.queries.comparison import interval_before
from api.queries.movers import movers
from api.queries.over_time import over_time
from api.queries.partners import tree, walk
from api.queries.periods import BEGINNING, END, Interval
from api.queries.unpaid import unpaid_counts
from api.scope import EVERYTHING
from api.views.margin import margin
from tests.infra.sums import naive
from tests.infra.sums.naive import Row
from tests.infra.sums.random_ledger import CLIENT_IBS, START

Answer = dict[Any, Any]
"""By what tells the lines of a report apart, their figures."""
Pair = tuple[str, Callable[[], Answer], Callable[[], Answer]]
"""A report's name, what it says, and what it must say."""
SETTLED = ("statement", "rounding")


def pairs(client: Client, ledger: Ledger, span: Interval, period: Interval) -> Iterator[Pair]:
    """Each report of an interval, the tree of a statement period too."""
    rows, refusals = naive.read(client, "transfers"), naive.read(client, "rejections")
    inside = naive.between(span.starts_at, span.ends_at)
    wanted = ReportFilter(EVERYTHING, span)
    yield "volume by IB", lambda: _volume(ledger, span), lambda: _deals(rows, inside)
    for one in (span, period):
        yield f"tree of {one}", lambda one=one: _tree(ledger, one), lambda one=one: _balances(rows, one)  # type: ignore[misc]
    yield "clients", lambda: _clients(ledger, span), lambda: _traded(rows, inside)
    yield "balances", lambda: _states(ledger), lambda: _standing(rows)
    yield "unpaid", lambda: _unpaid(ledger, span), lambda: _refused(rows, refusals, inside)
    yield "over time", lambda: _over_time(ledger, span), lambda: _by_day(rows, inside)
    yield "margin", lambda: _margin(ledger, wanted), lambda: _kept(client, rows, inside)
    yield "acquisition", lambda: _cohorts(ledger), lambda: _reached(naive.read(client, "milestones"))
    if (span.starts_at, span.ends_at) != (BEGINNING, END):
        before = interval_before(ledger, span)
        then = naive.between(before.starts_at, before.ends_at)
        yield "movers", lambda: _movers(ledger, wanted), lambda: _moved(rows, inside, then)


def assert_equal(
    client: Client, ledger: Ledger, dice: random.Random, span: Interval, period: Interval, count: int
) -> None:
    """So many of the reports, or all there are."""
    known = list(pairs(client, ledger, span, period))
    for name, found, expected in dice.sample(known, min(count, len(known))):
        assert expected() == found(), name


# What the reports say


def _volume(ledger: Ledger, span: Interval) -> Answer:
    found = commissions.volume(ledger, EVERYTHING, span).ibs
    return {(row["ib_id"], row["currency"]): (row["lots"], row["deals"]) for row in found}


_OF_TREE = ("earned", "reversed", "held", "pending", "payable")


def _tree(ledger: Ledger, span: Interval) -> Answer:
    found = {
        (node["ib_id"], row["currency"]): tuple(row[name] for name in _OF_TREE)
        for node in walk(tree(ledger, EVERYTHING, span))
        for row in node["totals"]
    }
    return {key: figures for key, figures in found.items() if any(figures)}


def _clients(ledger: Ledger, span: Interval) -> Answer:
    found = standing.clients(ledger, EVERYTHING, span)
    return {name: found[name] for name in ("clients", "registered", "traded")}


def _states(ledger: Ledger) -> Answer:
    return {
        (row["currency"], state): row[state]
        for row in standing.balances(ledger, EVERYTHING)
        for state in standing.STATES
        if row[state]
    }


def _unpaid(ledger: Ledger, span: Interval) -> Answer:
    found = unpaid_counts(ledger, EVERYTHING, span)
    return {(row["status"], row["code"]): row["deals"] for of in found.values() for row in of}


def _over_time(ledger: Ledger, span: Interval) -> Answer:
    found = over_time(ledger, EVERYTHING, span, "USD", ["a"])
    assert found.unit == "day"
    return {(day, ib): net for day, ib, net in found.rows}


def _margin(ledger: Ledger, wanted: ReportFilter) -> Answer:
    found = margin(ledger, wanted, "ib", "USD")
    return {
        row["ib_id"]: (row["revenue"], row["cost"]) for row in found.rows if row["revenue"] or row["cost"]
    }


def _cohorts(ledger: Ledger) -> Answer:
    (row,) = cohorts(ledger, EVERYTHING, Interval())
    return {name: row[name] for name in ("registered", *STEPS)}


def _movers(ledger: Ledger, wanted: ReportFilter) -> Answer:
    items = movers(ledger, wanted, 100)["items"]
    return {(row["ib_id"], row["currency"]): (row["net"], row["before"]) for row in items}


# The same of the rows


def _nets(rows: Iterable[Row], inside: Callable[[Row], bool]) -> dict[tuple[str, str], Decimal]:
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        if inside(row) and row["code"] not in SETTLED:
            accrued, reversed_, _ = naive.amounts(row)
            found[row["ib_id"], row["currency"]] += accrued - reversed_
    return found


def _deals(rows: list[Row], inside: Callable[[Row], bool]) -> Answer:
    found = naive.report(rows, ("ib",), inside, lambda _: "")
    return {key: (lots, deals) for key, (lots, *_, deals) in found.items() if deals}


def _balances(rows: list[Row], span: Interval) -> Answer:
    """Of a statement period what its closing moved as well, though that carries the time of its end."""
    inside = naive.between(span.starts_at, span.ends_at)
    closing = naive.between(span.ends_at, span.ends_at + timedelta(days=1)) if span.period else inside
    found: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 5)
    for row in rows:
        if span.period and row["period"]:
            is_in = closing(row) and row["period"] == span.period
        else:
            is_in = inside(row)
        if not is_in:
            continue
        accrued, reversed_, held = naive.amounts(row)
        more = [accrued - reversed_, reversed_, held, *(_grown(row, end) for end in (":pending", ":payable"))]
        key = row["ib_id"], row["currency"]
        found[key] = [sum(pair, Decimal(0)) for pair in zip(found[key], more, strict=True)]
    return {key: tuple(figures) for key, figures in found.items() if any(figures)}


def _grown(row: Row, ending: str) -> Decimal:
    is_more, is_less = (
        row[side].startswith("ib:") and row[side].endswith(ending) for side in ("credit", "debit")
    )
    return Decimal(row["amount"] * (is_more - is_less))


def _traded(rows: list[Row], inside: Callable[[Row], bool]) -> Answer:
    left = naive.standing(rows)
    traded = {row["client_id"] for row in rows if row["transfer_id"] in left and inside(row)}
    begun = {"occurred_at": START.replace(tzinfo=None)}
    known = len(CLIENT_IBS)
    return {"clients": known, "registered": known * inside(begun), "traded": len(traded)}


def _standing(rows: list[Row]) -> Answer:
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for (account, currency), balance in naive.balances(rows).items():
        if account.startswith("ib:"):
            found[currency, account.rpartition(":")[2]] += balance
    return {key: balance for key, balance in found.items() if balance}


def _refused(rows: list[Row], refusals: list[Row], inside: Callable[[Row], bool]) -> Answer:
    left = naive.standing(rows)
    paid = {row["caused_by"] for row in rows if row["transfer_id"] in left}
    return Counter(
        (row["status"], row["code"]) for row in refusals if inside(row) and row["deal_key"] not in paid
    )


def _by_day(rows: list[Row], inside: Callable[[Row], bool]) -> Answer:
    found: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        if inside(row) and row["code"] not in SETTLED and row["currency"] == "USD":
            accrued, reversed_, _ = naive.amounts(row)
            found[row["occurred_at"].date(), row["ib_id"] if row["ib_id"] == "a" else ""] += (
                accrued - reversed_
            )
    return found


def _kept(client: Client, rows: list[Row], inside: Callable[[Row], bool]) -> Answer:
    """Each account is of one client, and counts if a deal of it was rated; EUR has no rate."""
    brought: dict[str, Decimal] = defaultdict(Decimal)
    rated = {row["account_key"] for row in rows if row["code"] == "accrual" and inside(row)}
    for deal in naive.read(client, "deals"):
        ib = CLIENT_IBS.get(f"c{deal['login']}")
        if ib and inside(deal) and f"{deal['server']}/{deal['login']}" in rated:
            brought[ib] -= deal["commission"]
    cost = {ib: net for (ib, currency), net in _nets(rows, inside).items() if currency == "USD"}
    found = {
        ib: (brought.get(ib, Decimal(0)), cost.get(ib, Decimal(0))) for ib in brought.keys() | cost.keys()
    }
    return {ib: figures for ib, figures in found.items() if any(figures)}


def _reached(milestones: list[Row]) -> Answer:
    reached = {(row["client_id"], row["kind"]) for row in milestones}
    counts = {name: sum((one, kind) in reached for one in CLIENT_IBS) for name, kind in STEPS.items()}
    return {"registered": len(CLIENT_IBS), **counts}


def _moved(rows: list[Row], inside: Callable[[Row], bool], before: Callable[[Row], bool]) -> Answer:
    now, then = _nets(rows, inside), _nets(rows, before)
    both = {key: (now.get(key, Decimal(0)), then.get(key, Decimal(0))) for key in now.keys() | then.keys()}
    return {key: (one, other) for key, (one, other) in both.items() if one != other}
