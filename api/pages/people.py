"""Pages of people, keys and the audit log, for admins; the log for auditors too."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from api.browser import read_form
from api.pages.lists import AskedHere, of_memory
from api.people import PeopleDesk, PeopleRefused, UnknownPerson, Wanted
from api.portal.navigation import Links
from api.portal.render import render
from api.problems import Problem
from api.routes.context import Asking
from api.routes.people import AuditHere, Desk, key_view, person_view, session_view
from schemas.audit import AuditEntry
from schemas.people import KEY_RIGHTS, ROLES, Access

router = APIRouter(include_in_schema=False)

SHOWN = 100
MAX_ENTRIES = 1_000_000
"""All that are at hand."""
ENTRIES: Mapping[str, Callable[[AuditEntry], Any]] = {
    "No.": lambda one: one.number,
    "When": lambda one: one.at,
    "Who": lambda one: one.by,
    "What": lambda one: one.what,
    "On": lambda one: one.on,
    "Detail": lambda one: one.detail,
    "From": lambda one: one.peer,
}


@router.get("/users")
def people_page(request: Request, desk: Desk, by: Asking) -> HTMLResponse:
    """Who signs in, and who is signed in."""
    return _people(request, desk, by.session)


@router.post("/users")
async def change_people(request: Request, desk: Desk, by: Asking) -> HTMLResponse:
    """Add somebody, or change what they may; a code that is made is shown once."""
    form = await read_form(request)

    def change() -> HTMLResponse:
        told = {}
        try:
            if code := _do(desk, form, by.name):
                told = {"code": code, "name": form.get("name", "")}
        except (PeopleRefused, UnknownPerson) as error:
            told = {"error": str(error)}
        return _people(request, desk, by.session, **told)

    return await run_in_threadpool(change)


def _do(desk: PeopleDesk, form: dict[str, str], by: str) -> str:
    name = form.get("name", "")
    match form.get("do"):
        case "add":
            return desk.add(name, _access(form), by)
        case "role":
            desk.change(name, _access(form), by)
        case "disable":
            desk.disable(name, by)
        case "reset":
            return desk.reset(name, by)
        case "end":
            desk.end_session(form.get("session", ""), by)
        case _:
            raise Problem(422, "The form says nothing that can be done. Open the page again.")
    return ""


def _access(form: dict[str, str]) -> Access:
    role = next((one for one in ROLES if one == form.get("role")), None)
    if role is None:
        raise PeopleRefused(f"choose a role: {', '.join(ROLES)}")
    ids = tuple(one for part in form.get("ids", "").split(",") if (one := part.strip()))
    if role == "network":
        return Access(role=role, endpoints=ids)
    return Access(role=role, ibs=ids or None)


def _people(request: Request, desk: PeopleDesk, this: str, **told: Any) -> HTMLResponse:
    return render(
        request,
        "people.html",
        people=[person_view(one) for one in desk.people()],
        sessions=[session_view(one, this) for one in desk.sessions()],
        roles=ROLES,
        **({"code": "", "name": "", "error": ""} | told),
    )


@router.get("/keys")
def keys_page(request: Request, desk: Desk) -> HTMLResponse:
    """Machines' keys."""
    return _keys(request, desk)


@router.post("/keys")
async def change_keys(request: Request, desk: Desk, by: Asking) -> HTMLResponse:
    """Make, rotate or revoke a key; its secret is shown once."""
    form = await read_form(request)

    def change() -> HTMLResponse:
        try:
            return _keys(request, desk, secret=_do_key(desk, form, by.name))
        except (PeopleRefused, UnknownPerson) as error:
            return _keys(request, desk, error=str(error))

    return await run_in_threadpool(change)


def _do_key(desk: PeopleDesk, form: dict[str, str], by: str) -> str:
    key_id, days = form.get("key_id", ""), _number(form.get("days", "90"))
    match form.get("do"):
        case "create":
            rights = tuple(one for one in KEY_RIGHTS if form.get(one))
            return desk.create_key(Wanted(form.get("name", ""), rights, days), by)[1]
        case "rotate":
            return desk.rotate_key(key_id, days, _number(form.get("overlap", "24")), by)
        case "revoke":
            desk.revoke_key(key_id, by)
            return ""
    raise Problem(422, "The form says nothing that can be done. Open the page again.")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 4:
        raise PeopleRefused("give days and hours as whole numbers")
    return int(text)


def _keys(request: Request, desk: PeopleDesk, secret: str = "", error: str = "") -> HTMLResponse:
    found = [key_view(one) for one in desk.all_keys()]
    return render(request, "keys.html", keys=found, rights=KEY_RIGHTS, secret=secret, error=error)


@router.get("/audit-log")
def audit_page(request: Request, audit: AuditHere, asked: AskedHere) -> HTMLResponse:
    """Who did what, newest first, of the entries that are at hand."""
    entries, oldest = audit.newest(0, MAX_ENTRIES)
    of = of_memory(Links(request), asked, entries, ENTRIES, SHOWN, key=lambda one: str(one.number))
    return render(request, "audit.html", of=of, is_cut=oldest > 1)
