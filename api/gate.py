"""The gate every request passes, whatever route or file it asks for: identity first, headers last."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.exposure import credential, is_local_request
from api.operators import LOCAL, Operator, Operators
from api.problems import problem_response

OPEN_PATHS = frozenset({"/health"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
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

        await (refusal or self.app)(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> ASGIApp | None:
        if scope["path"] in OPEN_PATHS:
            return None
        headers = Headers(scope=scope)
        scheme, token = credential(headers.get("authorization", ""))
        operator = self.operators.of_token(token)
        if operator is None:
            if self.operators.need_a_token:
                return _unauthorised()
            if not is_local_request(headers.get("host", "")):
                return _not_local()
            operator = Operator(LOCAL)
        if scope["method"] not in SAFE_METHODS and (refusal := _refuse_write(scheme, headers)) is not None:
            return refusal
        scope.setdefault("state", {})["operator"] = operator
        return None


def _refuse_write(scheme: str, headers: Headers) -> ASGIApp | None:
    """A web page may make a browser send forms and Basic passwords, but neither JSON nor a Bearer token."""
    if scheme == "basic":
        return problem_response(403, "Changes need the token as `Authorization: Bearer <token>`.")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return problem_response(415, "Send JSON with `Content-Type: application/json`.")
    return None


def _not_local() -> ASGIApp:
    return problem_response(
        403,
        "Without a token the API answers this machine only. Ask http://127.0.0.1 or set IBFLOW_API_TOKEN.",
    )


def _unauthorised() -> ASGIApp:
    detail = "Send the API token as `Authorization: Bearer <token>`, or as the password of HTTP Basic."
    return problem_response(401, detail, {"WWW-Authenticate": 'Basic realm="ibflow", charset="UTF-8"'})
