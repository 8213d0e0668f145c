"""Pages to sign in, to set a password by a code, and of one's own account. Forms, and no script."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.browser import (
    BEFORE,
    COOKIE,
    cookie_of,
    csrf_of,
    forget,
    is_signed_in,
    keep,
    read_form,
    safe_next,
)
from api.operators import Operator
from api.people import Caller, PeopleDesk, PeopleRefused, SignInFailed, SignIns
from api.portal.render import render
from api.problems import Problem
from api.routes.context import Asking
from api.routes.people import Desk, own_session, people_of, session_view
from schemas.errors import Unusable

router = APIRouter(include_in_schema=False)

SEE_OTHER = 303
MAX_FIELD = 512
NEW_SECRET_BYTES = 20
Next = Annotated[str, Query(max_length=2_000)]


def _sign_ins(request: Request) -> SignIns:
    return people_of(request).sign_ins


SignInsHere = Annotated[SignIns, Depends(_sign_ins)]


@router.get("/sign-in")
def sign_in_page(request: Request, sign_ins: SignInsHere, next: Next = "/") -> Response:  # noqa: A002
    """Name, password and code."""
    if is_signed_in(request):
        return RedirectResponse(safe_next(next), SEE_OTHER)
    if not sign_ins.has_people():
        return RedirectResponse("/first-run", SEE_OTHER)
    return sign_in_form(request, "sign_in", next=safe_next(next))


@router.post("/sign-in")
async def sign_in(request: Request, sign_ins: SignInsHere) -> Response:
    """Begin a session of its own, whatever the browser had before."""
    form = await _fields(request)
    wanted = safe_next(form.get("next", ""))
    try:
        token = await run_in_threadpool(
            sign_ins.sign_in,
            form.get("name", ""),
            form.get("password", ""),
            form.get("code", ""),
            caller_of(request),
        )
    except SignInFailed as error:
        return sign_in_form(request, "sign_in", str(error), form.get("name", ""), next=wanted)
    return signed_in(request, token, wanted)


@router.get("/set-password")
def set_password_page(request: Request, _: SignInsHere) -> Response:
    """Name, code and a new password."""
    return sign_in_form(request, "set_password")


@router.post("/set-password")
async def set_password(request: Request, sign_ins: SignInsHere) -> Response:
    """Set it by the code that an admin gave."""
    return await _new_password(request, sign_ins, "set_password")


@router.get("/first-run")
def first_run_page(request: Request, sign_ins: SignInsHere) -> Response:
    """The first admin's name, the code of the server's log, and a password."""
    if sign_ins.has_people():
        return RedirectResponse("/sign-in", SEE_OTHER)
    return sign_in_form(request, "first_run")


@router.post("/first-run")
async def first_run(request: Request, sign_ins: SignInsHere) -> Response:
    """Make the first admin; only while there is nobody."""
    return await _new_password(request, sign_ins, "first_run")


async def _new_password(request: Request, sign_ins: SignIns, page: str) -> Response:
    form = await _fields(request)
    ask = sign_ins.first_admin if page == "first_run" else sign_ins.set_password
    name, password = form.get("name", ""), form.get("password", "")
    try:
        _check_repeated(form, password)
        token = await run_in_threadpool(ask, name, password, form.get("code", ""), caller_of(request))
    except (SignInFailed, PeopleRefused) as error:
        return sign_in_form(request, page, str(error), name)
    return signed_in(request, token, "/account")


@router.post("/sign-out")
async def sign_out(request: Request, sign_ins: SignInsHere) -> Response:
    """End the session."""
    await _fields(request)
    await run_in_threadpool(sign_ins.sign_out, cookie_of(request.headers, COOKIE))
    response = RedirectResponse("/sign-in", SEE_OTHER)
    forget(response, COOKIE)
    return response


# One's own account


@router.get("/account")
def account_page(request: Request, by: Asking, desk: Desk) -> HTMLResponse:
    """Password, second factor, and where one is signed in."""
    return _account(request, _person(by), desk)


@router.post("/account/password")
async def change_password(request: Request, by: Asking, desk: Desk, sign_ins: SignInsHere) -> Response:
    """Another password; other sessions end."""
    form = await _fields(request)
    return await _change(request, by, desk, sign_ins, form, (form.get("password", ""), None, ""))


@router.post("/account/second-factor")
async def change_second_factor(request: Request, by: Asking, desk: Desk, sign_ins: SignInsHere) -> Response:
    """A second factor, or none; other sessions end."""
    form = await _fields(request)
    new = (form.get("old", ""), form.get("secret", ""), form.get("code", ""))
    return await _change(request, by, desk, sign_ins, form | {"again": form.get("old", "")}, new)


@router.post("/account/sessions")
async def end_session(request: Request, by: Asking, desk: Desk) -> Response:
    """End a session of one's own."""
    form = await _fields(request)
    found = await run_in_threadpool(own_session, desk, _person(by).name, form.get("session", ""))
    await run_in_threadpool(desk.end_session, found.session, by.name)
    return RedirectResponse("/account", SEE_OTHER)


async def _change(
    request: Request,
    by: Operator,
    desk: PeopleDesk,
    sign_ins: SignIns,
    form: dict[str, str],
    new: tuple[str, str | None, str],
) -> Response:
    """`new` is password, secret of the second factor and a code of it."""
    name = _person(by).name
    try:
        _check_repeated(form, new[0])
        token = await run_in_threadpool(
            sign_ins.change_secrets, name, form.get("old", ""), *new, caller_of(request)
        )
    except (SignInFailed, PeopleRefused) as error:
        return await run_in_threadpool(_account, request, by, desk, _sentence(error), new[1] or "")
    return signed_in(request, token, "/account")


def _account(
    request: Request, by: Operator, desk: PeopleDesk, error: str = "", secret: str = ""
) -> HTMLResponse:
    """After a wrong code with the `secret` that was shown before it: an app may have that already."""
    person = next((one for one in desk.people() if one.name == by.name), None)
    return render(
        request,
        "account.html",
        person=person,
        sessions=[session_view(one, by.session) for one in desk.sessions(by.name)],
        secret=secret or people_of(request).sign_ins.new_totp(),
        error=error,
    )


def _person(by: Operator) -> Operator:
    if not by.session:
        raise Problem(403, "That is for people who sign in, and you asked with a token.")
    return by


# Forms


def caller_of(request: Request) -> Caller:
    """Where a browser asks from."""
    return Caller(request.client.host if request.client else "", request.headers.get("user-agent", ""))


async def _fields(request: Request) -> dict[str, str]:
    form = await read_form(request)
    if any(len(value) > MAX_FIELD for value in form.values() if value) and "next" not in form:
        raise Problem(422, f"A field has more than {MAX_FIELD} characters.")
    return form


def _check_repeated(form: dict[str, str], password: str) -> None:
    if password != form.get("again", ""):
        raise PeopleRefused("the two passwords differ")


def sign_in_form(request: Request, page: str, error: str = "", name: str = "", next: str = "/") -> Response:  # noqa: A002
    """The page, in a browser that can send its form: it has a cookie that the form's token is made of."""
    before = cookie_of(request.headers, BEFORE) or secrets.token_urlsafe(NEW_SECRET_BYTES)
    token = cookie_of(request.headers, COOKIE) if is_signed_in(request) else before
    found = render(
        request,
        "sign_in.html",
        page=page,
        error=_sentence(error),
        name=name,
        next=next,
        csrf=csrf_of(token),
        has_provider=people_of(request).provider is not None,
    )
    found.status_code = 401 if error else 200
    keep(found, request, BEFORE, before)
    return found


def signed_in(request: Request, token: str, wanted: str) -> Response:
    """Go on to a page of ours, with the cookie of a new session."""
    response = RedirectResponse(wanted, SEE_OTHER)
    keep(response, request, COOKIE, token)
    forget(response, BEFORE)
    return response


def _sentence(error: Unusable | str) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
