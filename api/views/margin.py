"""What the broker keeps: revenue of the clients of IBs less what IBs earned, in one currency."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any, Literal

from api.ledger import Ledger, Row
from api.problems import Problem
from api.queries.commission_sql import ReportFilter
from api.queries.commissions import money
from api.queries.dimensions import GroupBy
from api.queries.revenue import traded
from api.views.revenue import ZERO, Valuation
from api.views.terms import known_terms
from commission.money import EXACT
from commission.terms.catalog import Terms

By = Literal["ib", "plan", "symbol", "country"]
COLUMNS: dict[By, str] = {"ib": "ib_id", "plan": "plan_id", "symbol": "symbol", "country": "country"}
MAX_COSTS = 200_000
"""Groups times currencies of what IBs earned."""
PLACES = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class MarginReport:
    """Rows by name, which add up to the total, and what is not in them."""

    rows: list[dict[str, Any]]
    total: dict[str, Decimal]
    at: datetime
    """Of this time are rates, symbols, and plans of IBs: the interval's end, or now."""
    lacks_rate: list[str]
    lacks_spread: int


def margin(ledger: Ledger, wanted: ReportFilter, by: By, currency: str) -> MarginReport:
    """By group: what the clients of IBs brought, what IBs earned, and the difference, in a currency.

    Of an IB: what its own clients brought, and what it earned itself; what an IB above it earned of them is
    the cost of that one. So rows add up, and with `wanted.ibs` the total is the margin of a sub-tree.
    Raise `Problem` for whoever does not see the whole broker.
    """
    wanted.scope.check_whole()
    at = min(wanted.interval.ends_at, datetime.now(UTC))
    terms = known_terms(ledger)
    valuation = Valuation(terms, currency, at)
    revenue, cost = defaultdict[str, Decimal](Decimal), defaultdict[str, Decimal](Decimal)
    with localcontext(EXACT), ThreadPoolExecutor(1) as beside:
        earned = beside.submit(_costs, ledger, wanted, by)
        for row in traded(ledger, wanted.interval, wanted.ibs, by=_TRADED_BY[by]):
            revenue[_group(row, by, terms, valuation, at)] += valuation.of(row)
        for row in earned.result():
            cost[row[COLUMNS[by]]] += valuation.converted(row["net"], row["currency"])
        rows: list[dict[str, Any]] = [
            {COLUMNS[by]: name, **_measures(revenue.get(name, ZERO), cost.get(name, ZERO))}
            for name in sorted(revenue.keys() | cost.keys())
        ]
        total = {name: sum((row[name] for row in rows), ZERO) for name in ("revenue", "cost", "net")}
    return MarginReport(rows, total, at, sorted(valuation.lacks_rate), len(valuation.lacks_spread))


_TRADED_BY: dict[By, Literal["ib", "country", ""]] = {
    "ib": "ib", "plan": "ib", "symbol": "", "country": "country",
}  # fmt: skip


def _costs(ledger: Ledger, wanted: ReportFilter, by: GroupBy) -> list[Row]:
    rows = money(ledger, wanted, (by,), MAX_COSTS + 1)
    if len(rows) > MAX_COSTS:
        raise Problem(422, f"More than {MAX_COSTS:,} groups earned. Ask for a sub-tree or a shorter time.")
    return rows


def _group(row: Row, by: By, terms: Terms, valuation: Valuation, at: datetime) -> str:
    match by:
        case "ib":
            return str(row["of_ib"])
        case "country":
            return str(row["of_country"])
        case "symbol":
            known = valuation.symbol(row)
            return str(row["symbol"]) if known is None else known.canonical
        case "plan":
            partner = terms.partners.get(row["of_ib"])
            plan = None if partner is None else terms.plan_of(partner, at)
            return "" if plan is None else plan.plan_id


def _measures(revenue: Decimal, cost: Decimal) -> dict[str, Decimal]:
    """Rounded as the ledger's amounts are."""
    revenue, cost = revenue.quantize(PLACES), cost.quantize(PLACES)
    return {"revenue": revenue, "cost": cost, "net": revenue - cost}
