"""A tag for every JSON answer to a read whose route gives none: that of its bytes.

It spares the way and not the work: the answer is made, and sent only where the caller's is another. Routes
that know what they are made from (`routes/etags.py`) spare both.
"""

from hashlib import sha256

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 4_000_000
"""Of an answer; a longer one is sent as it is."""
HEADER = "If-None-Match"


class AnswerTags:
    """Middleware around the routes; what is no JSON, or comes in parts, passes as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        is_read = scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith("/v1/")
        await self.app(scope, receive, _Tagged(Headers(scope=scope), send) if is_read else send)


class _Tagged:
    def __init__(self, asked: Headers, send: Send) -> None:
        self._given, self._send = asked.get(HEADER, ""), send
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _may_have_one(message):
            self._start = message  # until its bytes are known
            return
        start, self._start = self._start, None
        if start is not None and message["type"] == "http.response.body" and not message.get("more_body"):
            body = message.get("body", b"")
            headers = MutableHeaders(scope=start)
            headers["ETag"] = tag = f'W/"{sha256(body).hexdigest()[:32]}"'
            if is_given(self._given, tag):
                del headers["content-length"], headers["content-type"]
                start, message = {**start, "status": 304}, {**message, "body": b""}
        if start is not None:
            await self._send(start)
        await self._send(message)


def is_given(if_none_match: str, tag: str) -> bool:
    """Whether the caller has the answer of this tag."""
    given = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return "*" in given or tag.removeprefix("W/") in given


def _may_have_one(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    size = headers.get("content-length", "")
    is_json = headers.get("content-type", "").startswith("application/json")
    return (
        start["status"] == 200
        and is_json
        and "etag" not in headers
        and size.isdigit()
        and int(size) <= MAX_BYTES
    )
