"""Sign-in by a provider of OpenID Connect: there, and back."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.browser import cookie_of, forget, keep, safe_next
from api.people import Provider, SignInFailed
from api.problems import Problem
from api.routes.people import people_of
from api.routes.sign_in import SEE_OTHER, Next, caller_of, sign_in_form, signed_in

router = APIRouter(include_in_schema=False)

BEGUN = "ibflow_begun"
"""Of a browser that went to the provider."""
Given = Annotated[str, Query(max_length=4_096)]


@router.get("/sign-in/oidc")
async def begin_oidc(request: Request, next: Next = "/") -> Response:  # noqa: A002
    """Go to the provider, with a cookie that ties its answer to this browser."""
    url, cookie = await run_in_threadpool(_provider(request).begin, safe_next(next))
    response = RedirectResponse(url, SEE_OTHER)
    keep(response, request, BEGUN, cookie)
    return response


@router.get("/sign-in/oidc/back")
async def finish_oidc(
    request: Request,
    code: Given = "",
    state: Given = "",
    iss: Given = "",
    error: Given = "",
    error_description: Given = "",  # noqa: ARG001  - providers send these three; nothing of theirs is shown
    error_uri: Given = "",  # noqa: ARG001
    session_state: Given = "",  # noqa: ARG001
    scope: Given = "",  # noqa: ARG001
) -> Response:
    """Begin a session of whom the provider knows; the cookie counts once."""
    given = {"code": code, "state": state, "error": error} | ({"iss": iss} if iss else {})
    cookie = cookie_of(request.headers, BEGUN)
    try:
        token, wanted = await run_in_threadpool(_provider(request).finish, given, cookie, caller_of(request))
    except SignInFailed as failed:
        response = sign_in_form(request, "sign_in", str(failed))
    else:
        response = signed_in(request, token, safe_next(wanted))
    forget(response, BEGUN)
    return response


def _provider(request: Request) -> Provider:
    provider = people_of(request).provider
    if provider is None:
        raise Problem(404, "Nobody signs in by a provider here: IBFLOW_OIDC_ISSUER names none.")
    return provider
