"""Roles and rights as people write them on the command line."""

from collections.abc import Sequence

from schemas.errors import Unusable
from schemas.people import KEY_RIGHTS, ROLES, Access, KeyRight


def access(role: str, ibs: Sequence[str] | None, endpoints: Sequence[str] | None) -> Access:
    """A role with what it is of; raise `Unusable` for one that there is not."""
    found = next((one for one in ROLES if one == role), None)
    if found is None:
        raise Unusable(f"there is no role {role}; there are {', '.join(ROLES)}")
    return Access(role=found, ibs=tuple(ibs) if ibs else None, endpoints=tuple(endpoints or ()))


def rights(names: Sequence[str]) -> tuple[KeyRight, ...]:
    """What a key may; raise `Unusable` for a right that there is not."""
    if unknown := [name for name in names if name not in KEY_RIGHTS]:
        raise Unusable(f"there is no right {unknown[0]}; there are {', '.join(KEY_RIGHTS)}")
    return tuple(one for one in KEY_RIGHTS if one in names)
