"""Health: is the ledger readable, and how far behind is what writes it."""

import logging
import time
from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.ledger import Ledger
from api.one_at_a_time import OneAtATime
from api.queries.completeness import meters
from api.queries.operations import stopped_partitions
from api.queries.quality import row_counts
from api.routes.context import LedgerHere
from api.scope import EVERYTHING
from api.shapes.completeness import CompletenessMeter
from api.shapes.health import Health, StoppedPartition

log = logging.getLogger(__name__)
UNAVAILABLE = "unavailable"
router = APIRouter(tags=["health"])


MAX_AGE_S = 1.0
"""An answer is given again for so long: health is open to anybody, and its queries are not."""


class HealthMemory:
    """The newest answer; whoever asks while it is made, or just after, gets the same. One event loop asks."""

    def __init__(self) -> None:
        self._one = OneAtATime[Health]()
        self._known: Health | None = None
        self._at = 0.0

    async def get(self, find: Callable[[], Health]) -> Health:
        """The answer remembered, or a new one."""
        if self._known is None or time.monotonic() - self._at >= MAX_AGE_S:
            self._known, self._at = await self._one.run("health", find), time.monotonic()
        return self._known


@router.get("/health", response_model=Health, summary="Is the ledger readable, and is the sink keeping up?")
async def health(request: Request, ledger: LedgerHere) -> JSONResponse:
    """Answer 200, or 503 if the ledger cannot be read or the sink does not report its lag. Needs no token.

    Without a token, and to whoever sees only some IBs, it shows the status alone. A stopped partition is
    degraded and 200: this process is well, and a restart of it would mend nothing.
    """
    memory: HealthMemory = request.app.state.health
    found = await memory.get(lambda: _health(request, ledger))
    operator = getattr(request.state, "operator", None)
    shown = found if operator is not None and operator.ibs is None else Health(status=found.status)
    return JSONResponse(shown.model_dump(mode="json"), 503 if found.status == UNAVAILABLE else 200)


def _health(request: Request, ledger: Ledger) -> Health:
    try:
        stopped = [
            StoppedPartition(topic=stop.topic, partition=stop.partition, offset=stop.offset, since=stop.at)
            for stop in stopped_partitions(ledger, EVERYTHING)
        ]
        status = "degraded" if stopped else "ok"
        return Health(
            status=status,
            stopped=stopped,
            sink_lag=_lag(request),
            rows=row_counts(ledger, EVERYTHING),
            completeness=[CompletenessMeter(**meter) for meter in meters(ledger, EVERYTHING)],
        )
    except RuntimeError as error:
        log.error("unhealthy: %s", error, exc_info=error)  # noqa: TRY400  - the traceback is given
        return Health(status=UNAVAILABLE)


def _lag(request: Request) -> int | None:
    sink_lag = request.app.state.sink_lag
    return None if sink_lag is None else int(sink_lag())
