"""Health: is the ledger readable, and how far behind is what writes it."""

import logging

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.queries.completeness import meters
from api.queries.operations import stopped_partitions
from api.queries.quality import row_counts
from api.routes.context import LedgerHere
from api.shapes.completeness import CompletenessMeter
from api.shapes.health import Health, StoppedPartition

log = logging.getLogger(__name__)
router = APIRouter(tags=["health"])


@router.get("/health", response_model=Health, summary="Is the ledger readable, and is the sink keeping up?")
def health(request: Request, ledger: LedgerHere) -> JSONResponse:
    """Answer 200, or 503 if the ledger cannot be read or the sink does not tell its lag. Needs no token.

    A stopped partition is degraded and 200: this process is well, and a restart of it would mend nothing.
    """
    try:
        stopped = [
            StoppedPartition(topic=stop.topic, partition=stop.partition, offset=stop.offset, since=stop.at)
            for stop in stopped_partitions(ledger)
        ]
        status = "degraded" if stopped else "ok"
        found = Health(
            status=status,
            stopped=stopped,
            sink_lag=_lag(request),
            rows=row_counts(ledger),
            completeness=[CompletenessMeter(**meter) for meter in meters(ledger)],
        )
    except RuntimeError as error:
        log.error("unhealthy: %s", error, exc_info=error)  # noqa: TRY400  - the traceback is given
        return JSONResponse(
            {"status": "unavailable", "stopped": [], "sink_lag": None, "rows": {}, "completeness": []}, 503
        )
    return JSONResponse(found.model_dump(mode="json"))


def _lag(request: Request) -> int | None:
    sink_lag = request.app.state.sink_lag
    return None if sink_lag is None else int(sink_lag())
