"""What the portal's page shows, gathered in one value before anything is rendered."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from api.ledger import Ledger, OneReading, Row
from api.portal.chart import MAX_SERIES, Chart, chart
from api.queries import balance, commissions, quality, statements
from api.queries.completeness import holes
from api.queries.native import twice_count
from api.queries.newest import newest
from api.queries.operations import stopped_partitions
from api.queries.over_time import over_time
from api.queries.partners import tree, walk
from api.queries.periods import Interval
from api.queries.unpaid import Kind, unpaid_counts
from api.scope import Scope
from schemas.reconciliations import CoverageGap
from schemas.stops import PartitionStopped

NEWEST = 15
MAX_IBS = 12
"""On the page, those with most first; the page of IBs has all."""
MAX_STATEMENTS = 500
"""On the page; the API lists them all."""
BESIDE = 3
"""Questions that are asked beside the one at hand: most are small, and wait for one another else."""
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tile:
    """One key figure: an amount of money or a count, and what it means."""

    label: str
    note: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """One IB with its totals in the page's currency; `subtree` is the sum with its downline."""

    node: dict[str, Any]
    totals: dict[str, Any]
    subtree: Decimal
    share: int
    """Its own earnings as a percentage of the largest; the width of its bar."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the page, in one currency and one interval."""

    period: str
    span: Interval
    currencies: list[str]
    currency: str
    tiles: list[Tile]
    deals: Row
    lots: Decimal
    unpaid: dict[Kind, int]
    ibs: tuple[Line, ...]
    partners: int
    chart: Chart | None
    transfers: list[Row]
    statements: list[Row]
    """Of the period and currency that are chosen."""
    names: dict[str, str]
    balance: dict[str, Any] | None
    """As it is proved of the whole ledger, for whoever sees that; as are the three below."""
    holes: list[CoverageGap]
    """Stretches of the interval whose deals are not known to be complete."""
    twice: int
    """Native payments of the interval for what we pay as well."""
    stopped: list[PartitionStopped]
    """Partitions that wait for a decision: what lies behind is on no figure of this page."""

    @property
    def is_empty(self) -> bool:
        """True before anything was booked or refused."""
        return not self.currencies and not any(self.deals.values())


def overview(ledger: Ledger, scope: Scope, span: Interval, currency: str) -> Overview:
    """Gather the page; without a choice, the currency with the most deals."""
    ledger = OneReading(ledger)
    with ThreadPoolExecutor(BESIDE) as pool:
        counts = pool.submit(quality.deal_counts, ledger, scope, span)
        volume = pool.submit(commissions.volume, ledger, scope, span)
        stated = pool.submit(_statements, ledger, scope, span.period)
        beside = pool.submit(_of_the_whole, ledger, scope, span)
        roots = tree(ledger, scope, span)
        nodes = walk(roots)
        proof, gaps, twice, stopped = beside.result()
        booked = (row for node in nodes for row in node["totals"]) if proof is None else proof["currencies"]
        currencies = sorted({row["currency"] for row in booked})
        volumes = volume.result().currencies
        some = currencies[0] if currencies else ""
        chosen = currency if currency in currencies else commissions.busiest(volumes, some)
        posted = pool.submit(newest, ledger, scope, span, chosen, NEWEST)
        names = {node["ib_id"]: node["name"] or node["ib_id"] for node in nodes}
        report = next((row for row in volumes if row["currency"] == chosen), None)
        refused = unpaid_counts(ledger, scope, span)
        return Overview(
            period=span.period,
            span=span,
            currencies=currencies,
            currency=chosen,
            tiles=tiles([of_currency(node, chosen) for node in nodes], is_period=bool(span.period)),
            deals=counts.result(),
            lots=report["lots"] if report else ZERO,
            unpaid={kind: sum(row["deals"] for row in rows) for kind, rows in refused.items()},
            ibs=tuple(lines(roots, chosen)[:MAX_IBS]),
            partners=len(nodes),
            chart=chart(over_time(ledger, scope, span, chosen, _largest(nodes, chosen)), names),
            statements=[row for row in stated.result() if row["currency"] == chosen],
            transfers=posted.result(),
            names=names,
            balance=proof,
            holes=gaps,
            twice=twice,
            stopped=stopped,
        )


def _of_the_whole(
    ledger: Ledger, scope: Scope, span: Interval
) -> tuple[dict[str, Any] | None, list[CoverageGap], int, list[PartitionStopped]]:
    """The proof, open holes, payments made twice and stops; of all but the holes nothing for a part."""
    gaps = [hole for hole in holes(ledger) if hole.overlaps(span.starts_at, span.ends_at)]
    if not scope.is_whole:
        return None, gaps, 0, []
    stopped = stopped_partitions(ledger, scope)
    return balance.verified(ledger, scope), gaps, twice_count(ledger, scope, span), stopped


def _largest(nodes: list[dict[str, Any]], currency: str) -> list[str]:
    """The IBs that have a series of the chart; if they are too many, the last is for all others."""
    earned = {node["ib_id"]: of_currency(node, currency)["earned"] for node in nodes}
    ranked = sorted((ib_id for ib_id in earned if earned[ib_id]), key=lambda ib_id: (-earned[ib_id], ib_id))
    return ranked if len(ranked) <= MAX_SERIES else ranked[: MAX_SERIES - 1]


def _statements(ledger: Ledger, scope: Scope, period: str) -> list[Row]:
    return statements.statements(ledger, scope, "", period, MAX_STATEMENTS)["items"] if period else []


def of_currency(node: dict[str, Any], currency: str) -> dict[str, Any]:
    """The node's totals in one currency, zeros if it has none."""
    rows: list[dict[str, Any]] = node["totals"]
    for row in rows:
        if row["currency"] == currency:
            return row
    names = ("earned", "reversed", "held", "pending", "payable", "lots")
    return {**dict.fromkeys(names, ZERO), "deals": 0, "currency": currency}


def tiles(rows: list[dict[str, Any]], *, is_period: bool) -> list[Tile]:
    """The key figures of some IBs together."""

    def total(name: str) -> Decimal:
        return sum((row[name] for row in rows), ZERO)

    when = "in this period" if is_period else "all time"
    # What earlier periods left makes these less than nothing in one: the notes say what the numbers are.
    pending = f"accrued less stated, {when}" if is_period else "not on a closed statement yet"
    held = f"held less released, {when}" if is_period else "waits for a client\u2019s KYC"
    due = "stated less what went to payouts, in this period" if is_period else "on closed statements"
    return [
        Tile("Earned", f"accrued less taken back, {when}", total("earned")),
        Tile("Pending", pending, total("pending")),
        Tile("Held", held, total("held")),
        Tile("Payable", due, total("payable")),
        Tile("Taken back", f"clawbacks and corrections, {when}", total("reversed")),
    ]


def lines(
    roots: list[dict[str, Any]], currency: str, shown: Iterable[dict[str, Any]] | None = None
) -> list[Line]:
    """Those IBs below these that are shown, or all; those that earned most with their downline first."""
    nodes = walk(roots)
    earned = {node["ib_id"]: _earned(node, currency) for node in nodes}
    top = max(earned.values(), default=ZERO)
    subtrees = dict(earned)
    for node in reversed(nodes):  # sub-IBs before their master
        if node["children"]:
            subtrees[node["ib_id"]] += sum((subtrees[child["ib_id"]] for child in node["children"]), ZERO)
    found = []
    for node in nodes if shown is None else shown:
        own = earned[node["ib_id"]]
        share = int(own * 100 / top) if top > 0 and own > 0 else 0
        found.append(Line(node, of_currency(node, currency), subtrees[node["ib_id"]], share))
    return sorted(found, key=lambda line: (-line.subtree, line.node["ib_id"]))


def _earned(node: dict[str, Any], currency: str) -> Decimal:
    """Of many IBs at less cost than all of the totals."""
    return next((row["earned"] for row in node["totals"] if row["currency"] == currency), ZERO)
