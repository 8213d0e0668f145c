"""Rows from the outbox to ibflow: one batch at a time, in order, again until it is acknowledged.

One at a time, because an older state of a deal that arrives after a newer one would count as the newer.
"""

import gzip
import http.client
import json
import logging
import random
import ssl
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from bridge.outbox import Outbox

log = logging.getLogger("bridge.sender")

MAX_ROWS = 500
MAX_BYTES = 2_000_000
TIMEOUT_S = 60.0
IDLE_S = 1.0
MIN_DELAY_S, MAX_DELAY_S = 0.5, 60.0
MAX_ANSWER_BYTES = 4_000_000
TAKEN = (200, 207)
PASSING = (408, 409, 425, 429)
"""Answers that another try may change; other 4xx wait for a person, with the rows kept."""


class Answer(NamedTuple):
    """What ibflow said."""

    status: int
    body: dict[str, Any]
    retry_after_s: float


class Endpoint:
    """The push endpoint, over one connection that is kept."""

    def __init__(self, url: str, token: str, dialect: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError(f"`{url}` is not the address of ibflow, such as https://ibflow.example.com")
        self._host, self._port = parts.hostname, parts.port
        self._is_tls = parts.scheme == "https"
        self._path = f"{parts.path.rstrip('/')}/v1/ingest/deals?dialect={dialect}"
        self._token = token
        self._connection: http.client.HTTPConnection | None = None

    def send(self, key: str, rows: Sequence[str]) -> Answer:
        """Send a batch; raise OSError or HTTPException if no whole answer came."""
        body = gzip.compress("\n".join(rows).encode(), 1)
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "gzip",
            "Idempotency-Key": key,
        }
        connection = self._connection or self._connect()
        self._connection = None  # unless all goes well
        try:
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            answer = Answer(
                response.status,
                _to_json(response.read(MAX_ANSWER_BYTES)),
                _seconds(response.headers.get("Retry-After", "")),
            )
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return answer

    def close(self) -> None:
        """Close the connection; sending opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        if self._is_tls:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_S, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)


def send_all(outbox: Outbox, endpoint: Endpoint, stop: threading.Event) -> None:
    """Send what the outbox holds and what comes, until `stop`."""
    try:
        _send_until(stop, outbox, endpoint)
    finally:
        endpoint.close()


def _send_until(stop: threading.Event, outbox: Outbox, endpoint: Endpoint) -> None:
    delay_s = 0.0
    while not stop.is_set():
        batch = outbox.batch(MAX_ROWS, MAX_BYTES)
        if batch is None:
            outbox.wait(IDLE_S)
            continue
        wait_s = 0.0
        try:
            answer = endpoint.send(batch.key, batch.rows)
        except (OSError, http.client.HTTPException) as error:
            log.warning("ibflow does not answer (%s); %d rows wait", type(error).__name__, len(outbox))
        else:
            if answer.status in TAKEN:
                _tell_dead_letters(answer)
                outbox.done(batch)
                delay_s = 0.0
                continue
            wait_s = _tell_refusal(answer)
        delay_s = min(max(delay_s * 2, MIN_DELAY_S), MAX_DELAY_S)
        stop.wait(max(wait_s, delay_s * random.uniform(0.5, 1.0)))  # noqa: S311 # jitter is no secret


def _tell_refusal(answer: Answer) -> float:
    detail = str(answer.body.get("detail", ""))[:500]
    if answer.status in PASSING or answer.status >= 500:
        log.warning("ibflow answers %d: %s", answer.status, detail)
        return answer.retry_after_s
    log.error("ibflow refuses with %d: %s Nothing is lost; correct it", answer.status, detail)
    return MAX_DELAY_S


def _tell_dead_letters(answer: Answer) -> None:
    for result in answer.body.get("results", ()):
        if result.get("status") == "dead_letter":
            told = result.get("dead_letter_id"), result.get("code"), result.get("reason")
            log.error("dead letter %s: %s: %s", *told)


def _to_json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(text: str) -> float:
    return min(float(text), MAX_DELAY_S) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
