"""Metrics for Prometheus: what `/health` and the completeness meter tell, as gauges."""

from collections import Counter
from collections.abc import Iterable

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from api.ledger import Ledger
from api.queries.balance import looked_at
from api.queries.completeness import meters
from api.queries.operations import stopped_partitions
from api.queries.quality import row_counts
from api.routes.context import LedgerHere, ScopeHere
from api.scope import Scope
from schemas import metrics
from schemas.metrics import Metric

router = APIRouter(tags=["health"])

TIMES = {
    "last_event": metrics.LAST_EVENT,
    "last_arrival": metrics.LAST_ARRIVAL,
    "last_sweep": metrics.LAST_SWEEP,
    "swept_until": metrics.SWEPT_UNTIL,
}
COUNTS = {
    "missing_found": metrics.MISSING_FOUND,
    "different_found": metrics.DIFFERENT_FOUND,
    "open_holes": metrics.OPEN_HOLES,
}


@router.get(
    "/metrics",
    response_class=Response,
    summary="Gauges in the text format of Prometheus",
    responses={200: {"content": {CONTENT_TYPE_LATEST: {}}, "description": "The gauges."}},
)
def exposition(request: Request, ledger: LedgerHere, scope: ScopeHere) -> Response:
    """Sink lag, stopped partitions, rows, and how complete each server is; read at the call."""
    lag = request.app.state.sink_lag
    links = request.app.state.link_meters
    found = [*_of_ledger(ledger, scope), *([] if lag is None else [(metrics.SINK_LAG, (), float(lag()))])]
    found += [] if links is None else links()
    return Response(_text(found), media_type=CONTENT_TYPE_LATEST)


def _of_ledger(ledger: Ledger, scope: Scope) -> Iterable[tuple[Metric, tuple[str, ...], float]]:
    for topic, count in Counter(stop.topic for stop in stopped_partitions(ledger, scope)).items():
        yield metrics.STOPPED_PARTITIONS, (topic,), count
    times, unsound = looked_at(ledger, scope) if scope.is_whole else ({}, {})
    if times:
        yield metrics.CHECKED, (), times["checked_at"].timestamp()
    for kind, count in unsound.items():
        yield metrics.UNSOUND, (kind,), count
    for table, rows in row_counts(ledger, scope).items():
        yield metrics.ROWS, (table,), rows
    for meter in meters(ledger, scope):
        server = (meter["server"],)
        for name, metric in TIMES.items():
            if (at := meter[name]) is not None:
                yield metric, server, at.timestamp()
        for name, metric in COUNTS.items():
            yield metric, server, meter[name]


def _text(found: Iterable[tuple[Metric, tuple[str, ...], float]]) -> bytes:
    registry, gauges = CollectorRegistry(), dict[Metric, Gauge]()
    for metric, labels, value in found:
        if (gauge := gauges.get(metric)) is None:
            gauge = gauges[metric] = Gauge(metric.name, metric.help, metric.labels, registry=registry)
        (gauge.labels(*labels) if labels else gauge).set(value)
    return generate_latest(registry)
