"""What of the requests goes to the audit log: changes, files that are taken away, and looks at payee details.

It is written when the answer is known and before it is given: nobody is told of a change that the log lacks.
"""

import logging
from collections.abc import Callable

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from api.idempotency import REPLAYED
from api.operators import Operator
from api.people import Audit, Note
from api.permissions import READS
from api.problems import problem_response
from schemas.errors import Unavailable

log = logging.getLogger(__name__)

PAYEES = ("/v1/payees", "/payees")
BY_THEMSELVES = ("/sign-in", "/sign-out", "/first-run", "/set-password", "/account")
"""What writes its own entry, with the name that signs in."""
MAX_DETAIL = 400


def note_of(scope: Scope, by: Operator, start: Message) -> Note | None:
    """What to write of an answer; None if nothing is."""
    path, method = scope["path"], scope["method"]
    is_repeated = REPLAYED in Headers(raw=start["headers"])
    if start["status"] >= 400 or is_repeated or path in BY_THEMSELVES:
        return None
    peer = (scope.get("client") or ("",))[0]
    query = scope.get("query_string", b"").decode("latin-1")[:MAX_DETAIL]
    if method not in READS:
        return Note(by.name, "change", f"{method} {path}", f"answered {start['status']}", peer)
    if path.startswith(PAYEES):
        return Note(by.name, "payee_read", path, query, peer)
    if Headers(raw=start["headers"]).get("content-disposition", "").startswith("attachment"):
        return Note(by.name, "export", path, query, peer)
    return None


class Audited:
    """Passes an answer on once the log has it; where the log cannot be written, the answer is a 503."""

    def __init__(self, audit: Audit, by: Operator, scope: Scope, receive: Receive, send: Send) -> None:
        self._audit, self._by, self._scope = audit, by, scope
        self._receive, self._send = receive, send
        self._is_refused = False

    async def __call__(self, message: Message) -> None:
        """Send a message of the answer."""
        if self._is_refused:
            return
        if message["type"] == "http.response.start":
            note = note_of(self._scope, self._by, message)
            if note is not None and not await self._write(lambda: self._audit.write(note)):
                self._is_refused = True
                refusal = problem_response(
                    503,
                    "It may be done, but the audit log could not be written. Look, then try again.",
                    code="audit_log_unavailable",
                )
                await refusal(self._scope, self._receive, self._send)
                return
        await self._send(message)

    async def _write(self, write: Callable[[], None]) -> bool:
        try:
            await anyio.to_thread.run_sync(write)
        except Unavailable as error:
            log.error("the audit log cannot be written: %s", error)  # noqa: TRY400  - the caller hears of it
            return False
        return True
