"""What each role and key may do. Whose data that is, the scope says (`scope.py`)."""

from api.operators import Operator
from schemas.people import Role

READS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN = ("account", "sign-out", "me", "health", "sign-in", "set-password", "first-run")
"""What everybody may do about themselves."""
NETWORKS = ("", "postbacks", "docs", "openapi.json", "static")
"""What a network reads: its own attempts, and how they are asked for."""
ADMINS = ("users", "keys", "sessions", "people")
"""What only an admin looks at."""
WRITERS: dict[str, frozenset[Role]] = {
    "payouts": frozenset({"finance"}),
    "balance-changes": frozenset({"finance"}),
    "payees": frozenset({"finance"}),
    "proposals": frozenset({"finance", "manager"}),
    "dead-letters": frozenset({"finance"}),
    "postbacks": frozenset({"network"}),
    "endpoints": frozenset({"manager"}),
    "own-endpoints": frozenset({"ib"}),
    "links": frozenset({"manager", "ib"}),
    "plans": frozenset({"finance", "manager"}),
    "exports": frozenset({"finance", "manager", "auditor", "ib"}),
    "views": frozenset({"finance", "manager", "auditor", "ib"}),
}
"""By the first word of a path who may change something there beside an admin; anywhere else nobody."""


def why_not(by: Operator, method: str, path: str) -> str:
    """Why somebody may not ask that, in words; "" if they may.

    Tokens of the settings, and this machine while nobody was added, may ask everything; a viewer's reads.
    """
    first, _, rest = path.removeprefix("/v1").strip("/").partition("/")
    is_read = method in READS
    if by.rights is not None:
        return _of_key(by, first, rest, is_read=is_read)
    if by.role is None:
        return "" if is_read or by.may_write else f"{by.name} is a viewer; only operators change anything"
    return "" if by.role == "admin" or first in OWN else _of_role(by, first, rest, is_read=is_read)


def may_decide(by: Operator, path: str) -> bool:
    """Whether somebody may decide things there: a named person with a role for it."""
    return by.is_person and not why_not(by, "POST", path)


def _of_role(by: Operator, first: str, rest: str, *, is_read: bool) -> str:
    if first in ADMINS or (first == "audit-log" and by.role != "auditor"):
        return f"{by.name} is no admin"
    if is_read:
        return "" if by.role != "network" or first in NETWORKS else _no(by, "read")
    if by.role == "ib" and (first, rest.count("/")) == ("payees", 0) and rest:
        return ""  # an IB proposes where it is paid, and decides nothing
    return "" if by.role in WRITERS.get(first, ()) else _no(by, "change")


def _of_key(by: Operator, first: str, rest: str, *, is_read: bool) -> str:
    rights = by.rights or frozenset()
    if first in (*ADMINS, "audit-log", "account", "views"):
        return f"the key {by.name} is of a machine, and that is for people"
    if is_read:
        may = "read" in rights or ("payouts" in rights and first in ("payouts", ""))
        return "" if may else f"the key {by.name} has no right to read"
    if first == "exports" and "read" in rights:
        return ""  # a file of what it reads changes nothing
    if "payouts" in rights and first == "payouts" and not rest.endswith("/approve"):
        return ""
    return f"the key {by.name} has no right to do that"


def _no(by: Operator, what: str) -> str:
    return f"{by.name} signs in as {by.role}, and that does not {what} this"
