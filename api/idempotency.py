"""`Idempotency-Key` on every POST of the API: sent again, the answer is the one that was given.

An answer is kept for a day once it was good (2xx). The key is of whoever asks: two callers may have the same.
What a file keeps is the hash of the key and of what was sent, and the answer; an answer with a secret in it
is kept in memory alone, and after a restart its key only says that it was done.

Payout batches and balance changes keep their keys in the log for good, and are not asked about here.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem_response

HEADER = "idempotency-key"
REPLAYED = "idempotent-replayed"
MAX_KEY = 128
MAX_AGE_S = 24 * 3600.0
MAX_KEPT = 100_000
"""Answers of all callers; beyond that the oldest go, whatever their age."""
MAX_ANSWER_BYTES = 1_000_000
"""A larger answer, such as a file of payouts, is not kept: its key says that it was done."""
IN_LOG = (
    "/v1/payouts",
    "/v1/balance-changes",
    "/v1/balance-changes/holds",
    "/v1/balance-changes/releases",
    "/v1/payouts/result-files",
)
"""Their keys are part of their records; a bank's file is known by what it says, however often it comes."""
WITH_SECRETS = ("/v1/users", "/v1/keys", "/v1/endpoints")
_TABLE = """
CREATE TABLE IF NOT EXISTS answers
(place TEXT PRIMARY KEY, digest TEXT NOT NULL, at REAL NOT NULL, status INTEGER, headers TEXT, body BLOB)
"""
_BY_AGE = "CREATE INDEX IF NOT EXISTS answers_by_age ON answers (at)"
"""What is too old is looked for at every request with a key."""
_KEEP = "UPDATE answers SET status = ?, headers = ?, body = ? WHERE place = ?"
_OLDEST = """
DELETE FROM answers WHERE at < ? OR place IN (SELECT place FROM answers ORDER BY at DESC LIMIT -1 OFFSET ?)
"""


class Answer(NamedTuple):
    """What was answered; no `status` while it is under way, no `body` where it was not kept."""

    digest: str
    status: int | None
    headers: dict[str, str]
    body: bytes | None


class Answers:
    """Answers by place, which is the hash of a caller and a key; in a file, or in memory without a path."""

    def __init__(self, path: Path | None = None, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._secret: dict[str, bytes] = {}
        self._mine: set[str] = set()
        """Under way in this process."""
        self._path = path
        self._opened: sqlite3.Connection | None = None

    @property
    def _file(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = sqlite3.connect(
                self._path or ":memory:", check_same_thread=False, isolation_level=None
            )
            self._opened.execute("PRAGMA journal_mode = WAL")
            self._opened.execute(_TABLE)
            self._opened.execute(_BY_AGE)
        return self._opened

    def begin(self, place: str, digest: str) -> Answer | None:
        """Note that it is asked; None if it is new, else what is known of it."""
        with self._lock:
            self._file.execute(_OLDEST, (self._now() - MAX_AGE_S, MAX_KEPT))
            row = self._file.execute(
                "SELECT digest, status, headers, body FROM answers WHERE place = ?", (place,)
            ).fetchone()
            if row is None:
                new = (place, digest, self._now())
                self._file.execute("INSERT INTO answers (place, digest, at) VALUES (?, ?, ?)", new)
                self._mine.add(place)
                return None
            known, status, headers, body = row
            return Answer(known, status, json.loads(headers or "{}"), body or self._secret.get(place))

    def is_under_way(self, place: str) -> bool:
        """Whether this process is at it; what another had begun, or this one before it stopped, is not."""
        return place in self._mine

    def keep(self, place: str, answer: Answer, *, is_secret: bool) -> None:
        """Keep a good answer."""
        body = answer.body if answer.body is not None and len(answer.body) <= MAX_ANSWER_BYTES else None
        with self._lock:
            self._mine.discard(place)
            if is_secret and body is not None:
                self._secret[place] = body
                self._forget_secrets()
            kept = None if is_secret else body
            self._file.execute(_KEEP, (answer.status, json.dumps(answer.headers), kept, place))

    def forget(self, place: str) -> None:
        """It was not done: the same key may ask again."""
        with self._lock:
            self._mine.discard(place)
            self._file.execute("DELETE FROM answers WHERE place = ?", (place,))

    def close(self) -> None:
        """Close the file."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _forget_secrets(self) -> None:
        while len(self._secret) > MAX_KEPT // 100:
            self._secret.pop(next(iter(self._secret)))


def is_keyed(scope: Scope) -> bool:
    """Whether a request has a key that is kept here."""
    path = scope["path"]
    is_post = scope["method"] == "POST" and path.startswith("/v1/") and path not in IN_LOG
    return is_post and bool(Headers(scope=scope).get(HEADER))


class Keyed:
    """Runs a request of a caller once for its key."""

    def __init__(self, app: ASGIApp, answers: Answers, caller: str) -> None:
        self._app, self._answers, self._caller = app, answers, caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or repeat the answer."""
        key = Headers(scope=scope)[HEADER]
        if len(key) > MAX_KEY:
            detail = f"An Idempotency-Key has at most {MAX_KEY} characters."
            await problem_response(422, detail)(scope, receive, send)
            return
        body = await _whole(receive)
        place = _hash(self._caller, key)
        digest = _hash(scope["path"], scope["query_string"].decode("latin-1"), sha256(body).hexdigest())
        known = await anyio.to_thread.run_sync(self._answers.begin, place, digest)
        if known is not None:
            await self._again(known, place, digest)(scope, receive, send)
            return
        await self._once(scope, _given(body, receive), send, place, digest)

    def _again(self, known: Answer, place: str, digest: str) -> ASGIApp:
        if known.digest != digest:
            detail = "This Idempotency-Key came with another request before. Give each request its own."
            return problem_response(409, detail, code="idempotency_key_reused")
        if known.status is None and self._answers.is_under_way(place):
            detail = "The request of this Idempotency-Key is under way. Wait a moment, then send it again."
            return problem_response(409, detail, {"Retry-After": "1"}, code="idempotency_key_in_use")
        if known.status is None or known.body is None:
            detail = (
                "The request of this Idempotency-Key came before, and its answer is not at hand. "
                "Look whether it was done; to do it anew, give another key."
            )
            return problem_response(409, detail, code="idempotency_key_spent")
        return Response(known.body, known.status, {**known.headers, REPLAYED: "true"})

    async def _once(self, scope: Scope, receive: Receive, send: Send, place: str, digest: str) -> None:
        async def end() -> None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._end, scope["path"], place, digest, kept)

        kept = _Kept(send, end)
        try:
            await self._app(scope, receive, kept)
        finally:
            if not kept.is_over:
                await end()

    def _end(self, path: str, place: str, digest: str, kept: "_Kept") -> None:
        with suppress(sqlite3.Error):  # the answer is given; what is not kept says so when it is asked for
            if not 200 <= kept.status < 300:
                self._answers.forget(place)
                return
            body = bytes(kept.body) if kept.is_complete else None
            answer = Answer(digest, kept.status, kept.headers, body)
            self._answers.keep(place, answer, is_secret=path.startswith(WITH_SECRETS))


class _Kept:
    """Passes an answer on and keeps it, before its end: who has the whole answer may ask again at once."""

    def __init__(self, send: Send, end: Callable[[], Awaitable[None]]) -> None:
        self._send, self._end = send, end
        self.status, self.headers, self.body = 0, dict[str, str](), bytearray()
        self.is_over = self.is_complete = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=list(message["headers"]))
            self.headers = {name: headers[name] for name in ("content-type",) if name in headers}
        elif message["type"] == "http.response.body":
            if len(self.body) <= MAX_ANSWER_BYTES:
                self.body += message.get("body", b"")
            if not message.get("more_body", False):
                self.is_over, self.is_complete = True, len(self.body) <= MAX_ANSWER_BYTES
                await self._end()
        await self._send(message)


async def _whole(receive: Receive) -> bytes:
    """The body, which the app's own limit bounds, also on routes that take a larger one without a key."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body", False):
            return bytes(body)


def _given(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever comes."""
    left = [body]

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again


def _hash(*parts: str) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()
