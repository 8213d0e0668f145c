"""What a browser shows of itself: its session's cookie, where a form comes from, and the token in it."""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlsplit

from fastapi import Request
from starlette.responses import Response

from api.exposure import is_loopback
from api.problems import Problem

COOKIE = "ibflow_session"
BEFORE = "ibflow_before"
"""Of a browser that has not signed in: what ties a sign-in form to it."""
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf"
FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 100
HOME = "/"


def cookie_of(headers: Mapping[str, str], name: str) -> str:
    """A cookie's value; "" for none, and for several of one name, of which nobody knows which is ours."""
    text = headers.get("cookie", "")
    if text.count(f"{name}=") != 1:
        return ""
    try:
        found = SimpleCookie(text).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def csrf_of(token: str) -> str:
    """What a page has and another site cannot know; it tells nothing of the token that it is made of."""
    return sha256(f"ibflow csrf {token}".encode()).hexdigest() if token else ""


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a page of ours sends it: browsers say so, and no page can make them say otherwise."""
    site = headers.get("sec-fetch-site", "")
    origin = headers.get("origin", "")
    if site:
        return site == "same-origin" and (not origin or _host_of(origin) == headers.get("host", ""))
    return bool(origin) and _host_of(origin) == headers.get("host", "")


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def keep(response: Response, request: Request, name: str, value: str) -> None:
    """Set a cookie that no script reads and no other site sends; over HTTPS only, but on this machine."""
    host = request.url.hostname or ""
    is_secure = request.url.scheme == "https" or not is_loopback(host)
    response.set_cookie(name, value, path="/", httponly=True, samesite="lax", secure=is_secure)


def forget(response: Response, name: str) -> None:
    """Take a cookie away."""
    response.delete_cookie(name, path="/", httponly=True, samesite="lax")


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form of ours; raise a `Problem` for one without the token that its page has."""
    try:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except (ValueError, UnicodeDecodeError):
        raise Problem(422, "The form cannot be read. Open the page again.") from None
    form = dict(pairs)
    token = (
        cookie_of(request.headers, COOKIE) if is_signed_in(request) else cookie_of(request.headers, BEFORE)
    )
    given = form.pop(CSRF_FIELD, "")
    if len(form) + (1 if given else 0) != len(pairs) or not _is_csrf(given, token):
        raise Problem(
            403,
            "The form is not of this session. Open the page again, then send it.",
            code="not_from_this_session",
        )
    return form


def has_csrf(headers: Mapping[str, str], token: str) -> bool:
    """Whether a script of ours sends it: the header has the page's token."""
    return _is_csrf(headers.get(CSRF_HEADER, ""), token)


def is_signed_in(request: Request) -> bool:
    """Whether the request has a session that stands."""
    operator = getattr(request.state, "operator", None)
    return operator is not None and bool(operator.session)


def _is_csrf(given: str, token: str) -> bool:
    return bool(token) and hmac.compare_digest(given.encode(), csrf_of(token).encode())


def safe_next(wanted: str) -> str:
    """A page of ours to go on to; anything that might be elsewhere is the first one."""
    is_path = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    if not is_path or "\\" in wanted or len(wanted) > 2_000:
        return HOME
    parts = urlsplit(wanted)
    if parts.scheme or parts.netloc or parts.path.startswith(("/sign-", "/first-run", "/set-password")):
        return HOME
    return wanted


def sign_in_url(path: str, query: str) -> str:
    """Where to sign in, to go on to a page afterwards."""
    wanted = safe_next(f"{path}?{query}" if query else path)
    return "/sign-in" if wanted == HOME else f"/sign-in?next={quote(wanted, safe='')}"
