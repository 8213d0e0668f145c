"""People, sessions and keys as tables of the command line."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Table

from infra.terminal import new_table
from schemas.people import Access
from schemas.people_book import Key, Person, Session


def sees(access: Access) -> str:
    """Whose data a role reaches, in words."""
    if access.endpoints:
        return ", ".join(access.endpoints)
    return "everything" if access.ibs is None else f"{', '.join(access.ibs)} and below"


def people_table(found: Sequence[Person]) -> Table:
    """Who signs in."""
    table = _table("People", "name", "role", "sees", "state", "second factor", "signed in last")
    for one in found:
        factor = "on" if one.totp else "off"
        table.add_row(one.name, one.access.role, sees(one.access), one.state, factor, _when(one.seen_at))
    return table


def sessions_table(found: Sequence[Session]) -> Table:
    """Who is signed in; the id ends it."""
    table = _table("Sessions", "name", "since", "until", "from", "id")
    for one in found:
        table.add_row(one.name, _when(one.at), _when(one.until), one.peer, one.session)
    return table


def keys_table(found: Sequence[Key], now: datetime) -> Table:
    """Machines' keys."""
    table = _table("Keys", "id", "name", "may", "state", "until", "used last", "made by")
    for one in found:
        may = ", ".join(one.rights) + ("" if one.ibs is None else f" of {', '.join(one.ibs)}")
        times = (_when(one.until), _when(one.used_at))
        table.add_row(one.key_id, one.name, may, one.state(now), *times, one.created_by)
    return table


def person_data(one: Person) -> dict[str, Any]:
    """For `--json`: without hashes."""
    return {
        "name": one.name,
        "role": one.access.role,
        "ibs": one.access.ibs,
        "endpoints": one.access.endpoints,
        "state": one.state,
        "has_second_factor": bool(one.totp),
        "seen_at": _when(one.seen_at) or None,
    }


def key_data(one: Key, now: datetime) -> dict[str, Any]:
    """For `--json`: without hashes."""
    return {
        "key_id": one.key_id,
        "name": one.name,
        "rights": one.rights,
        "ibs": one.ibs,
        "state": one.state(now),
        "until": _when(one.until),
        "used_at": _when(one.used_at) or None,
        "created_by": one.created_by,
    }


def _when(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _table(title: str, *names: str) -> Table:
    table = new_table(title)
    for name in names:
        table.add_column(name)
    return table
