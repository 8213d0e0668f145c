"""The gate every request passes, whatever route or file it asks for: identity first, headers last."""

import logging
from contextlib import AbstractAsyncContextManager, nullcontext

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auditing import Audited
from api.browser import COOKIE, FORM, cookie_of, csrf_of, has_csrf, is_same_origin, sign_in_url
from api.caller_limits import Rate, Rates, TooMany, Turns
from api.exposure import credential, is_local_request
from api.idempotency import Answers, Keyed, is_keyed
from api.operators import LOCAL, Operator, Operators
from api.people import People
from api.permissions import READS, why_not
from api.problems import answer_for, problem_response
from api.versions import HEADER, NEWEST, why_unknown

log = logging.getLogger(__name__)

FEED = "/v1/feed"
OPEN_PATHS = frozenset({"/health"})
SIGN_IN_PATHS = frozenset({"/sign-in", "/set-password", "/first-run", "/sign-in/oidc", "/sign-in/oidc/back"})
BODIES = ("application/json", "application/octet-stream")
MAX_HEADER_BYTES = 32_768
CLOSE = {"Connection": "close"}
"""The connection ends with the answer: nobody knows where the next request begins."""
ONCE = ("authorization", "host", "cookie", "origin", "content-type", "x-csrf-token", "idempotency-key")
"""Headers of which two would be read one way here and another way by a proxy."""
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    HEADER: NEWEST,
}


class Gate:
    """Middleware around the whole app, so a route added later is closed without a thought."""

    def __init__(
        self,
        app: ASGIApp,
        operators: Operators,
        people: People | None = None,
        *,
        answers: Answers | None = None,
    ) -> None:
        self.app = app
        self.operators = operators
        self.sign_ins = people.sign_ins if people is not None else None
        self.audit = people.audit if people is not None else None
        self.answers = answers or Answers()
        self.turns = Turns()
        self.rates = Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on and add the security headers to the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refuse(scope)
        operator = scope.get("state", {}).get("operator")
        is_limited = operator is not None and operator.name != LOCAL
        rate = self.rates.count(operator.name) if operator is not None and is_limited else None

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (SECURITY_HEADERS | (rate.headers if rate is not None else {})).items():
                    headers.setdefault(name, value)
            await send(message)

        if rate is not None and rate.is_used_up:
            refusal = _used_up(rate)
        if refusal is not None or operator is None or scope["path"] in OPEN_PATHS:
            await (refusal or self.app)(scope, receive, send_with_headers)
            return
        answer: Send = send_with_headers
        if self.audit is not None:
            answer = Audited(self.audit, operator, scope, receive, send_with_headers)
        app = Keyed(self.app, self.answers, operator.caller) if is_keyed(scope) else self.app
        try:
            async with self._turn_of(operator, scope["path"]):
                await app(scope, receive, answer)
        except TooMany:
            await _too_many()(scope, receive, send_with_headers)

    def _turn_of(self, operator: Operator, path: str) -> AbstractAsyncContextManager[None]:
        """A turn of the caller's; the feed lasts, and bounds its readers itself."""
        return nullcontext() if path == FEED else self.turns.of(operator.name)

    def _refuse(self, scope: Scope) -> ASGIApp | None:
        """The refusal; None lets the request in, with `operator` in its state where one was found."""
        headers, peer = Headers(scope=scope), (scope.get("client") or ("",))[0]
        if refusal := _refuse_headers(scope, headers):
            return refusal
        scheme, operator = self._identify(headers, peer)
        if operator is None:
            return self._refuse_nobody(scope, headers, peer)
        if operator.session:
            scope.setdefault("state", {})["csrf"] = csrf_of(cookie_of(headers, COOKIE))
        if scope["method"] not in READS:
            refusal = _refuse_write(operator, scheme, scope["path"], headers)
            if refusal is not None:
                return refusal
        if why := why_not(operator, scope["method"], scope["path"]):
            scope.setdefault("state", {})["operator"] = operator
            return answer_for(Request(scope), 403, f"{why}.")
        scope.setdefault("state", {})["operator"] = operator
        return None

    @property
    def _need_a_name(self) -> bool:
        return self.operators.need_a_token or (self.sign_ins is not None and self.sign_ins.has_people())

    def _identify(self, headers: Headers, peer: str) -> tuple[str, Operator | None]:
        """How somebody says who they are, and who that is."""
        scheme, token = credential(headers.get("authorization", ""))
        operator = self.operators.of_token(token)
        if operator is None and self.sign_ins is not None:
            if token:
                operator = self.sign_ins.of_key(token)
            elif not headers.get("authorization"):
                operator = self.sign_ins.of_session(cookie_of(headers, COOKIE))
        if operator is None and not self._need_a_name and is_local_request(peer, headers):
            operator = Operator(LOCAL)
        return scheme, operator

    def _refuse_nobody(self, scope: Scope, headers: Headers, peer: str) -> ASGIApp | None:
        """Sign-in pages and what they look like are open where people sign in, and health is everywhere."""
        path = scope["path"]
        if path in OPEN_PATHS:
            return None
        if self.sign_ins is not None:
            if path.startswith("/static/") and scope["method"] in READS:
                return None
            if path in SIGN_IN_PATHS:
                is_ours = scope["method"] in READS or (_is_form(headers) and is_same_origin(headers))
                return (
                    None
                    if is_ours
                    else problem_response(
                        403, "Send the form of the page itself.", code="not_from_this_session"
                    )
                )
            is_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
            if is_page and self.sign_ins.has_people() and not headers.get("authorization"):
                return RedirectResponse(sign_in_url(path, scope["query_string"].decode("latin-1")), 303)
        log.warning("refused %s without a right token to %s", peer or "a caller", path[:128])
        return _unauthorised() if self._need_a_name else _not_local()


def _refuse_headers(scope: Scope, headers: Headers) -> ASGIApp | None:
    """Of headers that a proxy may read another way, that are too long, or ask for another version."""
    if "transfer-encoding" in headers and "content-length" in headers:
        detail = "Send either Content-Length or Transfer-Encoding, so that all agree where the body ends."
        return problem_response(400, detail, CLOSE, code="repeated_header")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        detail = f"All headers together have at most {MAX_HEADER_BYTES:,} bytes."
        return problem_response(431, detail, CLOSE, code="headers_too_large")
    if any(len(headers.getlist(name)) > 1 for name in ONCE):
        return problem_response(400, f"Send each of {', '.join(ONCE)} once.", code="repeated_header")
    if why := why_unknown(headers.getlist(HEADER)):
        return problem_response(400, why, code="unknown_version")
    return None


def _is_form(headers: Headers) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == FORM


def _refuse_write(operator: Operator, scheme: str, path: str, headers: Headers) -> ASGIApp | None:
    """Before a byte of the body is read: who only reads sends none.

    A web page may make a browser send forms, Basic passwords and its cookie, but neither these types nor a
    Bearer token nor our page's own token.
    """
    is_form = _is_form(headers) and not path.startswith("/v1/") and is_same_origin(headers)
    if is_form and (operator.session or path in SIGN_IN_PATHS):
        return None  # its route reads the token in the form
    if operator.session and not (is_same_origin(headers) and has_csrf(headers, cookie_of(headers, COOKIE))):
        return problem_response(
            403,
            "Changes come from a page of this session. Open it again, then send.",
            code="not_from_this_session",
        )
    if operator.role is None and operator.rights is None and not operator.may_write:
        return problem_response(403, f"{operator.name} is a viewer; only operators change anything.")
    if scheme == "basic":
        return problem_response(
            403, "Changes need the token as `Authorization: Bearer <token>`.", code="bearer_needed"
        )
    if headers.get("content-type", "").partition(";")[0].strip().lower() not in BODIES:
        return problem_response(415, "Send JSON with `Content-Type: application/json`.")
    return None


def _too_many() -> ASGIApp:
    detail = "Too many of your requests are under way. Wait for their answers, then go on."
    return problem_response(429, detail, {"Retry-After": "1"}, code="too_many_at_once")


def _used_up(rate: Rate) -> ASGIApp:
    detail = f"{rate.limit:,} requests a minute are answered. Go on in {rate.reset_s} s."
    return problem_response(429, detail, {"Retry-After": str(rate.reset_s)}, code="rate_limited")


def _not_local() -> ASGIApp:
    return problem_response(
        403,
        "Without a token the API answers this machine only. Ask http://127.0.0.1 or set IBFLOW_API_TOKEN.",
        code="not_local",
    )


def _unauthorised() -> ASGIApp:
    detail = "Send the API token as `Authorization: Bearer <token>`, or as the password of HTTP Basic."
    return problem_response(401, detail, {"WWW-Authenticate": 'Basic realm="ibflow", charset="UTF-8"'})
