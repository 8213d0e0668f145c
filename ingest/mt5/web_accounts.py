"""Whose deals they are: the currency, group and margin mode of logins, as the Web API tells them now."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ingest.mt5.web_session import NOT_FOUND, Refused, WebApiPool
from ingest.sources import MarginMode, ServerProfile

LOGINS_A_REQUEST = 100
KEPT_S = 600.0
"""A login moved to another group is noticed after this long."""
MAX_KEPT = 1_000_000

_MARGIN_MODES: Mapping[str, MarginMode] = {"0": "netting", "1": "netting", "2": "hedging"}


class Accounts:
    """Profiles by login. A deal says neither currency nor group: both are the account's group's."""

    def __init__(self, pool: WebApiPool, profile: ServerProfile) -> None:
        self._pool = pool
        self._profile = profile
        self._by_group: dict[str, ServerProfile] = {}
        self._by_login: dict[int, ServerProfile] = {}
        self._kept_until = 0.0

    def profiles(self, logins: Iterable[int]) -> Mapping[int, ServerProfile]:
        """The profiles of these logins; of one that the server does not know, the server's own."""
        if time.monotonic() > self._kept_until or len(self._by_login) > MAX_KEPT:
            self._by_group.clear()
            self._by_login.clear()
            self._kept_until = time.monotonic() + KEPT_S
        wanted = sorted(set(logins) - self._by_login.keys())
        for first in range(0, len(wanted), LOGINS_A_REQUEST):
            some = wanted[first : first + LOGINS_A_REQUEST]
            self._by_login.update(dict.fromkeys(some, self._profile))
            for login, group in self._groups_of(some):
                self._by_login[login] = self._profile_of(group)
        return self._by_login

    def _groups_of(self, logins: list[int]) -> Iterator[tuple[int, str]]:
        users = self._found("/api/user/get_batch", {"login": ",".join(map(str, logins))})
        for user in users if isinstance(users, list) else []:
            login = str(user.get("Login", "")) if isinstance(user, Mapping) else ""
            group = user.get("Group") if isinstance(user, Mapping) else None
            if login.isdecimal() and int(login) in logins and isinstance(group, str) and group:
                yield int(login), group

    def _profile_of(self, group: str) -> ServerProfile:
        known = self._by_group.get(group)
        if known is not None:
            return known
        found = self._found("/api/group/get", {"group": group})
        settings: Mapping[str, object] = found if isinstance(found, Mapping) else {}
        currency, mode = settings.get("Currency"), str(settings.get("MarginMode", ""))
        self._by_group[group] = replace(
            self._profile,
            group=group,
            currency=currency if isinstance(currency, str) and currency else self._profile.currency,
            margin_mode=_MARGIN_MODES.get(mode, self._profile.margin_mode),
        )
        return self._by_group[group]

    def _found(self, path: str, params: Mapping[str, str]) -> object:
        try:
            return self._pool.ask(path, params)
        except Refused as refused:
            if refused.code == NOT_FOUND:
                return None
            raise
