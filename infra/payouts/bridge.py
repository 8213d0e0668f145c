"""The broker's bridge, which credits trading accounts: asked once for each, then only what became of it.

`POST {url}/balance-operations` with an operation is answered by `{"ticket": "…"}` once it is done, or by
`{"refused": "why"}` with 409 or 422 if it never will be; `GET {url}/balance-operations/REFERENCE` the same
later, 404 if the bridge knows nothing of it. Any other answer, and none, says nothing: it may have been done.
`examples/bridge/credits.py` is such a bridge.
"""

from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlsplit

import httpx

from commission.payouts.records import Outcome
from infra.payout_files.bridge import BalanceOperation
from schemas.errors import Unusable
from schemas.settings import Settings

SECONDS = 15.0
MAX_BYTES = 16_384
MAX_WORDS = 140
LOOPBACK = ("localhost", "127.0.0.1", "::1")
DONE, NEVER = (200, 201), (200, 409, 422)


class Became(NamedTuple):
    """What became of an operation, as far as the bridge says."""

    outcome: Outcome
    words: str


class Bridge(Protocol):
    """What credits trading accounts."""

    def credit(self, operation: BalanceOperation) -> Became:
        """Ask for it; no ticket back is `unknown`, whatever the reason, and nothing is raised."""

    def look_up(self, reference: str) -> Became:
        """What became of it."""


class HttpBridge:
    """A bridge at an address; it is shown a token, and never asked twice for one operation."""

    def __init__(self, url: str, token: str, seconds: float = SECONDS) -> None:
        """Raise `Unusable` for an address that would show the token to a network."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unusable("IBFLOW_CREDIT_URL is an address such as https://bridge.example:8443")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise Unusable("IBFLOW_CREDIT_URL is https, unless the bridge is on this machine")
        self._url, self._seconds = f"{url.rstrip('/')}/balance-operations", seconds
        self._headers = {"Authorization": f"Bearer {token}"}

    @classmethod
    def of(cls, settings: Settings) -> "HttpBridge | None":
        """The one of the settings, if they name one."""
        url = settings.credit_url
        return cls(url, settings.credit_token.get_secret_value()) if url else None

    def credit(self, operation: BalanceOperation) -> Became:
        """Ask for it."""
        headers = {"Idempotency-Key": operation.reference}
        told = {name: getattr(operation, name) for name in operation.__struct_fields__}
        return self._asked("POST", self._url, json=told, headers=headers)

    def look_up(self, reference: str) -> Became:
        """What became of it."""
        return self._asked("GET", f"{self._url}/{quote(reference, safe='')}")

    def _asked(self, method: str, url: str, **given: Any) -> Became:
        headers = self._headers | given.pop("headers", {})
        try:
            with (
                httpx.Client(timeout=self._seconds, trust_env=False) as client,
                client.stream(method, url, headers=headers, **given) as answer,
            ):
                body = b""
                for part in answer.iter_bytes(MAX_BYTES):
                    body += part
                    if len(body) > MAX_BYTES:
                        return Became("unknown", f"the bridge answered {answer.status_code} too long")
                return _became(answer.status_code, body)
        except httpx.HTTPError as error:
            return Became("unknown", f"the bridge gave no answer: {type(error).__name__}")


def _became(status: int, body: bytes) -> Became:
    """A ticket, a refusal that is final, or nothing that can be relied on."""
    try:
        told = httpx.Response(status, content=body).json()
    except ValueError:
        told = None
    ticket, refused = (_word(told, name) for name in ("ticket", "refused"))
    if ticket and not refused and status in DONE:
        return Became("settled", f"ticket {ticket}")
    if refused and not ticket and status in NEVER:
        return Became("rejected", f"refused by the bridge: {refused}")
    if status == httpx.codes.NOT_FOUND:
        return Became("unknown", "the bridge knows nothing of it")
    return Became("unknown", f"the bridge answered {status} without a ticket")


def _word(told: Any, name: str) -> str:
    found = told.get(name) if isinstance(told, dict) else None
    return str(found)[:MAX_WORDS] if isinstance(found, str | int) and not isinstance(found, bool) else ""
