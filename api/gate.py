"""The gate every request passes, whatever route or file it asks for: identity first, headers last."""

import logging

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.caller_limits import TooMany, Turns
from api.exposure import credential, is_local_request
from api.operators import LOCAL, Operator, Operators
from api.problems import problem_response

log = logging.getLogger(__name__)

OPEN_PATHS = frozenset({"/health"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
BODIES = ("application/json", "application/octet-stream")
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Gate:
    """Middleware around the whole app, so a route added later is closed without a thought."""

    def __init__(self, app: ASGIApp, operators: Operators) -> None:
        self.app = app
        self.operators = operators
        self.turns = Turns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on and add the security headers to the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refuse(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        operator = scope.get("state", {}).get("operator")
        if refusal is not None or operator is None or scope["path"] in OPEN_PATHS:
            await (refusal or self.app)(scope, receive, send_with_headers)
            return
        try:
            async with self.turns.of(operator.name):
                await self.app(scope, receive, send_with_headers)
        except TooMany:
            await _too_many()(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> ASGIApp | None:
        """The refusal; None lets the request in, with `operator` in its state where one was found."""
        headers, peer = Headers(scope=scope), (scope.get("client") or ("",))[0]
        scheme, token = credential(headers.get("authorization", ""))
        operator = self.operators.of_token(token)
        if operator is None and not self.operators.need_a_token and is_local_request(peer, headers):
            operator = Operator(LOCAL)
        if operator is None:
            if scope["path"] in OPEN_PATHS:
                return None
            log.warning("refused %s without a right token to %s", peer or "a caller", scope["path"][:128])
            return _unauthorised() if self.operators.need_a_token else _not_local()
        if scope["method"] not in SAFE_METHODS:
            refusal = _refuse_write(operator, scheme, headers)
            if refusal is not None:
                return refusal
        scope.setdefault("state", {})["operator"] = operator
        return None


def _refuse_write(operator: Operator, scheme: str, headers: Headers) -> ASGIApp | None:
    """Before a byte of the body is read: who only reads sends none.

    A web page may make a browser send forms and Basic passwords, but neither these types nor a Bearer token.
    """
    if not operator.may_write:
        return problem_response(403, f"{operator.name} is a viewer; only operators change anything.")
    if scheme == "basic":
        return problem_response(403, "Changes need the token as `Authorization: Bearer <token>`.")
    if headers.get("content-type", "").partition(";")[0].strip().lower() not in BODIES:
        return problem_response(415, "Send JSON with `Content-Type: application/json`.")
    return None


def _too_many() -> ASGIApp:
    detail = "Too many of your requests are under way. Wait for their answers, then go on."
    return problem_response(429, detail, {"Retry-After": "1"})


def _not_local() -> ASGIApp:
    return problem_response(
        403,
        "Without a token the API answers this machine only. Ask http://127.0.0.1 or set IBFLOW_API_TOKEN.",
    )


def _unauthorised() -> ASGIApp:
    detail = "Send the API token as `Authorization: Bearer <token>`, or as the password of HTTP Basic."
    return problem_response(401, detail, {"WWW-Authenticate": 'Basic realm="ibflow", charset="UTF-8"'})
