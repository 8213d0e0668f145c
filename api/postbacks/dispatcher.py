"""The dispatcher: one thread an endpoint, so a receiver that hangs delays nobody else's postbacks."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Event, Thread

from api.ledger import Ledger
from api.postbacks import store
from api.postbacks.delivery import deliver
from api.postbacks.endpoints import MAX_ENDPOINTS, Endpoint
from api.postbacks.safe_client import Resolve, resolve
from api.postbacks.schedule import due

POLL_INTERVAL_S = 1.0
STOP_TIMEOUT_S = 20.0
"""A little more than the longest request."""

log = logging.getLogger(__name__)


def _utc_now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class Dispatcher:
    """Tells endpoints the ledger's milestones until `stop()`; runs beside the API, in its process."""

    def __init__(
        self,
        ledger: Ledger,
        endpoints: Sequence[Endpoint],
        *,
        poll_interval_s: float = POLL_INTERVAL_S,
        now: Callable[[], datetime] = _utc_now,
        resolver: Resolve = resolve,
    ) -> None:
        assert len(endpoints) <= MAX_ENDPOINTS, "load_endpoints bounds the file"
        self._ledger = ledger
        self._endpoints = tuple(endpoints)
        self._poll_interval_s = poll_interval_s
        self._now = now
        self._resolver = resolver
        self._stopping = Event()
        self._threads: list[Thread] = []

    def start(self) -> None:
        """Start one thread for each endpoint."""
        assert not self._threads, "started once"
        self._stopping.clear()
        for endpoint in self._endpoints:
            name = f"postbacks-{endpoint.endpoint_id}"
            thread = Thread(target=self._run, args=(endpoint,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Let the requests under way end, then close the ledger; nothing new is sent."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout_s)
        self._threads.clear()
        self._ledger.close()

    def dispatch(self, endpoint: Endpoint) -> int:
        """Make one pass over the endpoint; return how many attempts were made."""
        now = self._now()
        milestones, attempts = store.open_milestones(self._ledger, endpoint, now)
        made = 0
        for delivery in due(milestones, attempts, [endpoint], now):
            if self._stopping.is_set():
                break
            # 1. Send. A crash after it repeats the postback under the same webhook-id and txid.
            attempt = deliver(delivery, self._now(), self._resolver)
            # 2. Record. From here on the delivery is told, waits for its retry, or is given up.
            store.record(self._ledger, attempt)
            made += 1
            if attempt.outcome == "disabled":
                log.warning("endpoint %s answered 410 Gone: disabled", endpoint.endpoint_id)
                break
        return made

    def _run(self, endpoint: Endpoint) -> None:
        while not self._stopping.is_set():
            made = 0
            try:
                made = self.dispatch(endpoint)
            except Exception:
                # The loop outlives a ledger that is away for a moment; what was not recorded is due again.
                log.exception("postbacks of %s interrupted; trying again", endpoint.endpoint_id)
            if not made:
                self._stopping.wait(self._poll_interval_s)
