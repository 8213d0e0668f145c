"""An IB's own room: what its first page, its payments and its plan show."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from api.ledger import Ledger, Row
from api.portal.chart import Chart, chart
from api.portal.ibs import busiest, currencies
from api.portal.overview import ZERO, Line, Tile, lines, of_currency
from api.queries import standing, statements
from api.queries.over_time import over_time
from api.queries.partners import tree, walk
from api.queries.periods import Interval, periods
from api.scope import Scope
from api.views.payouts import line_view
from api.views.plan_words import PlanWords, plan_words
from api.views.terms import in_force, known_terms
from commission.payouts.log import Payouts
from commission.terms.catalog import Terms
from commission.terms.partners import PartnerDefined

MAX_STATEMENTS = 6
MAX_SUB_IBS = 8
MAX_PAYMENTS = 200


@dataclass(frozen=True, slots=True)
class Room:
    """The first page of an IB, in one currency and one period."""

    names: dict[str, str]
    own: tuple[dict[str, Any], ...]
    currency: str
    currencies: list[str]
    tiles: tuple[Tile, ...]
    clients: Row
    chart: Chart | None
    closing_at: datetime | None
    """When the chosen period ends; None where none is chosen."""
    is_closed: bool
    next_closing: Row | None
    """The period whose statement comes next, whichever is chosen; None where the calendar has none."""
    sub_ibs: tuple[Line, ...]
    sub_ib_count: int
    statements: list[Row]


def room(ledger: Ledger, scope: Scope, ibs: Sequence[str], span: Interval, currency: str) -> Room:
    """Gather it; the amounts are of the IB itself, and of those below only where they are named."""
    own = scope.narrowed(ibs)
    roots = tree(ledger, scope, span)
    nodes = walk(roots)
    mine = tuple(node for node in nodes if own.has(node["ib_id"]))
    balances = {row["currency"]: row for row in standing.balances(ledger, own)}
    known = sorted({*currencies(list(mine)), *balances})
    chosen = currency if currency in known else busiest(list(mine))
    names = {node["ib_id"]: node["name"] or node["ib_id"] for node in nodes}
    below = [line for line in lines(roots, chosen) if not own.has(line.node["ib_id"])]
    direct = [line for line in below if own.has(line.node["parent"])]
    stated = _newest_statements(ledger, own, ibs)
    return Room(
        names=names,
        own=mine,
        currency=chosen,
        currencies=known,
        tiles=tuple(_tiles(list(mine), balances.get(chosen, {}), span, chosen)),
        clients=standing.clients(ledger, own, span),
        chart=chart(over_time(ledger, own, span, chosen, sorted(own.ibs or ())), names) if chosen else None,
        closing_at=span.ends_at if span.period else None,
        is_closed=span.ends_at <= datetime.now(UTC),
        next_closing=next_closing(periods(ledger), stated),
        sub_ibs=tuple(direct[:MAX_SUB_IBS]),
        sub_ib_count=len(below),
        statements=stated,
    )


def running_period(ledger: Ledger) -> str:
    """The period of now; "" where the calendar has none."""
    running = _running(periods(ledger))
    return "" if running is None else str(running["period"])


def _running(spans: Sequence[Row]) -> Row | None:
    now = datetime.now(UTC)
    return next((row for row in spans if row["starts_at"] <= now < row["ends_at"]), None)


def next_closing(spans: Sequence[Row], stated: Sequence[Row]) -> Row | None:
    """The period after the newest statement, which may be over and not closed; before one, that of now."""
    if not stated:
        return _running(spans)
    newest = max(row["ends_at"] for row in stated)
    return min((row for row in spans if row["starts_at"] >= newest), key=_begins, default=None)


def _begins(row: Row) -> datetime:
    at: datetime = row["starts_at"]
    return at


def _tiles(mine: list[Row], balance: Row, span: Interval, currency: str) -> Iterator[Tile]:
    earned: Decimal = sum((of_currency(node, currency)["earned"] for node in mine), ZERO)
    yield Tile("Earned", "accrued less taken back" + (", this period" if span.period else ", ever"), earned)
    for label, name, note in (
        ("Pending", "pending", "not on a statement yet"),
        ("Held", "held", "waits for clients\u2019 KYC"),
        ("Payable", "payable", "on closed statements, not paid yet"),
        ("On its way", "in_payout", "in a payout that is under way"),
        ("Paid", "paid", "ever"),
    ):
        yield Tile(label, note, balance.get(name, ZERO))


def _newest_statements(ledger: Ledger, own: Scope, ibs: Sequence[str]) -> list[Row]:
    of = ibs[0] if len(ibs) == 1 else ""
    found: list[Row] = statements.statements(ledger, own, of, "", MAX_STATEMENTS, statements.NEWEST)["items"]
    return found


# Payments


def payments(known: Payouts, is_seen: Callable[[str], bool]) -> Iterator[dict[str, Any]]:
    """Every line of a batch that is for one of these IBs, the newest batch first, and how it stands.

    Of a batch that is not approved nothing is shown: it may still be another amount, or none.
    """
    for batch in reversed(known.batches.values()):
        if batch.approved is None or batch.state == "cancelled":
            continue
        for line in batch.lines.values():
            if is_seen(line.ib_id):
                at = batch.status[line.line_id].at if line.line_id in batch.status else batch.approved.at
                yield {
                    **line_view(batch, line),
                    "period": batch.period,
                    "currency": batch.currency,
                    "pays_currency": batch.pays,
                    "at": at,
                }


# The plan


@dataclass(frozen=True, slots=True)
class OwnPlan:
    """What an IB earns by, as of now, and what is decided for later."""

    ib_id: str
    name: str
    plan_name: str
    version: int
    currency: str
    rank: str
    factor: Decimal
    status: str
    since: datetime | None
    words: PlanWords | None
    later: tuple[tuple[datetime, str], ...]


def own_plans(ledger: Ledger, own: Scope, now: datetime) -> list[OwnPlan]:
    """The plans of these IBs, in words."""
    terms = known_terms(ledger)
    return [_own_plan(terms, terms.partners[ib], now) for ib in sorted(own.ibs or ()) if ib in terms.partners]


def _own_plan(terms: Terms, partner: PartnerDefined, now: datetime) -> OwnPlan:
    held, plan = in_force(partner.schedule, now), terms.plan_of(partner, now)
    status = in_force(partner.statuses, now)
    later = [
        (one.since, f"{one.plan_id}{f', rank {one.rank}' if one.rank else ''}")
        for one in partner.schedule
        if one.since and one.since > now
    ]
    if held is not None and held.plan_id:
        later += [
            (one.since, f"version {one.version} of {one.plan_id}")
            for one in terms.plans.get(held.plan_id, ())
            if one.since and one.since > now
        ]
    return OwnPlan(
        ib_id=partner.ib_id,
        name=partner.name or partner.ib_id,
        plan_name="" if plan is None else plan.name or plan.plan_id,
        version=0 if plan is None else plan.version,
        currency="" if plan is None else plan.currency,
        rank=held.rank if held else "",
        factor=held.factor if held else Decimal(1),
        status=status.status if status else "active",
        since=held.since if held else None,
        words=None if plan is None else plan_words(plan),
        later=tuple(sorted(later)),
    )
