"""People, sessions, keys and the audit log, for whoever may look at them (`permissions.py`)."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from api.paging import MAX_LIMIT, Cursor, Limit, decode_cursor, encode_cursor, page_of
from api.people import Audit, People, PeopleDesk, UnknownPerson, Wanted
from api.problems import Problem
from api.routes.context import Asking
from api.shapes.people import (
    AccessGiven,
    AuditPage,
    Invited,
    KeyGiven,
    KeyList,
    KeySecret,
    PersonGiven,
    PersonList,
    Rotation,
    SessionList,
    Who,
)
from schemas.people import Access
from schemas.people_book import Key, Person, Session

router = APIRouter(prefix="/v1", tags=["people"])
NOT_HERE = "This process keeps no people. Ask the one that `ibflow serve` started."


def _desk(request: Request) -> PeopleDesk:
    return people_of(request).desk


def people_of(request: Request) -> People:
    """Whoever keeps people, or a `Problem`."""
    people: People | None = request.app.state.people
    if people is None:
        raise Problem(503, NOT_HERE, code="not_in_this_process")
    return people


def _audit(request: Request) -> Audit:
    return people_of(request).audit


Desk = Annotated[PeopleDesk, Depends(_desk)]
AuditHere = Annotated[Audit, Depends(_audit)]
PersonName = Annotated[str, Path(max_length=64)]
KeyId = Annotated[str, Path(max_length=64)]


@router.get("/me", response_model=Who)
def me(request: Request, by: Asking) -> Any:
    """Who asks, and what a page sends back with a change."""
    told = {"name": by.name, "role": by.role, "ibs": by.ibs, "endpoints": by.endpoints}
    return told | {"csrf": getattr(request.state, "csrf", "")}


@router.get("/users", response_model=PersonList)
def people(desk: Desk, limit: Limit = MAX_LIMIT, cursor: Cursor = "") -> Any:
    """Everybody who signs in, by name."""
    shown, after = page_of(desk.people(), limit, cursor, lambda one: one.name)
    return {"items": [person_view(one) for one in shown], "next_cursor": after}


@router.post("/users", response_model=Invited, status_code=201)
def add(desk: Desk, by: Asking, wanted: PersonGiven) -> Any:
    """Add somebody. They set a password at /set-password by the code, which is told once."""
    return {"name": wanted.name, "code": desk.add(wanted.name, access_of(wanted), by.name)}


@router.post("/users/{name}/role", response_model=PersonList)
def change(desk: Desk, by: Asking, name: PersonName, wanted: AccessGiven) -> Any:
    """Give another role, or other IBs; it counts at once."""
    desk.change(name, access_of(wanted), by.name)
    return people(desk)


@router.post("/users/{name}/disable", response_model=PersonList)
def disable(desk: Desk, by: Asking, name: PersonName) -> Any:
    """Let nobody in by this name; sessions end."""
    desk.disable(name, by.name)
    return people(desk)


@router.post("/users/{name}/reset", response_model=Invited)
def reset(desk: Desk, by: Asking, name: PersonName) -> Any:
    """Forget password and second factor, and end the sessions; a new code is told once."""
    return {"name": name, "code": desk.reset(name, by.name)}


@router.get("/sessions", response_model=SessionList)
def sessions(
    desk: Desk,
    by: Asking,
    name: Annotated[str, Query(max_length=64, description="Empty: all.")] = "",
    limit: Limit = MAX_LIMIT,
    cursor: Cursor = "",
) -> Any:
    """Who is signed in, from where."""
    shown, after = page_of(desk.sessions(name), limit, cursor, lambda one: one.session)
    return {"items": [session_view(one, by.session) for one in shown], "next_cursor": after}


@router.post("/sessions/{session}/end", response_model=SessionList)
def end(desk: Desk, by: Asking, session: Annotated[str, Path(max_length=64)]) -> Any:
    """End a session."""
    desk.end_session(session, by.name)
    return sessions(desk, by)


@router.get("/keys", response_model=KeyList)
def keys(desk: Desk, limit: Limit = MAX_LIMIT, cursor: Cursor = "") -> Any:
    """Every key there was."""
    shown, after = page_of(desk.all_keys(), limit, cursor, lambda one: one.key_id)
    return {"items": [key_view(one) for one in shown], "next_cursor": after}


@router.post("/keys", response_model=KeySecret, status_code=201)
def create_key(desk: Desk, by: Asking, wanted: KeyGiven) -> Any:
    """Make a key for a machine. Its secret is told once, and is sent as a Bearer token."""
    ibs = None if wanted.ibs is None else tuple(wanted.ibs)
    key_id, secret = desk.create_key(Wanted(wanted.name, tuple(wanted.rights), wanted.days, ibs), by.name)
    return {"key_id": key_id, "secret": secret}


@router.post("/keys/{key_id}/rotate", response_model=KeySecret)
def rotate_key(desk: Desk, by: Asking, key_id: KeyId, wanted: Rotation) -> Any:
    """Make another secret; the one before counts for some hours more."""
    secret = desk.rotate_key(key_id, wanted.days, wanted.overlap_hours, by.name)
    return {"key_id": key_id, "secret": secret}


@router.post("/keys/{key_id}/revoke", response_model=KeyList)
def revoke_key(desk: Desk, by: Asking, key_id: KeyId) -> Any:
    """Let nobody in by it any more."""
    desk.revoke_key(key_id, by.name)
    return keys(desk)


@router.get("/audit-log", response_model=AuditPage)
def audit_log(audit: AuditHere, limit: Limit = 100, cursor: Cursor = "") -> Any:
    """Who did what, newest first. `ibflow users audit` reads all of it and checks its chain of hashes."""
    before = int(decode_cursor(cursor, int)[0]) if cursor else 0
    entries, oldest = audit.newest(before, limit)
    more = bool(entries) and entries[-1].number > oldest
    return {
        "items": [entry_view(one) for one in entries],
        "next_cursor": encode_cursor([entries[-1].number]) if more else None,
    }


def access_of(wanted: AccessGiven) -> Access:
    """A role as the log has it."""
    ibs = None if wanted.ibs is None else tuple(wanted.ibs)
    return Access(role=wanted.role, ibs=ibs, endpoints=tuple(wanted.endpoints))


def person_view(one: Person) -> dict[str, Any]:
    """Without what they sign in by."""
    return {
        "name": one.name,
        "role": one.access.role,
        "ibs": one.access.ibs,
        "endpoints": one.access.endpoints,
        "state": one.state,
        "has_second_factor": bool(one.totp),
        "added_at": one.added_at,
        "seen_at": one.seen_at,
    }


def session_view(one: Session, this: str) -> dict[str, Any]:
    """`this` is the hash of the session that asks."""
    names = ("session", "name", "at", "until", "peer", "agent")
    return {**{name: getattr(one, name) for name in names}, "is_this": one.session == this}


def key_view(one: Key) -> dict[str, Any]:
    """Without its hashes."""
    names = ("key_id", "name", "rights", "ibs", "created_by", "created_at", "until", "old_until", "used_at")
    return {**{name: getattr(one, name) for name in names}, "state": one.state(datetime.now(UTC))}


def entry_view(one: Any) -> dict[str, Any]:
    """An entry as it stands."""
    names = ("number", "at", "by", "what", "on", "detail", "peer", "previous")
    return {name: getattr(one, name) for name in names}


def own_session(desk: PeopleDesk, name: str, session: str) -> Session:
    """A session of one's own; anybody else's is as unknown as none."""
    found = [one for one in desk.sessions(name) if one.session == session]
    if not found:
        raise UnknownPerson("you have no such session")
    return found[0]
