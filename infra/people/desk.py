"""People, sessions and keys as an admin changes them."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from api.people import PeopleRefused, UnknownPerson, Wanted
from infra.people.log import PeopleLog
from infra.people.sign_in import CODE_HOURS, KEY_PREFIX, TOKEN_BYTES, digest_of
from schemas.people import (
    Access,
    AccessChanged,
    KeyCreated,
    KeyRevoked,
    KeyRotated,
    PersonAdded,
    PersonDisabled,
    PersonReset,
    SessionEnded,
)
from schemas.people_book import Key, Person, Session

MAX_DAYS = 730
MAX_OVERLAP_HOURS = 24 * 30


class Desk:
    """Writes what an admin decides."""

    def __init__(
        self,
        log: PeopleLog,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        stands: Callable[[Session], bool] = lambda _: True,
    ) -> None:
        """`stands` says of a session whether it has rested too long, where that is known."""
        self._log, self._now, self._is_awake = log, now, stands

    def people(self) -> list[Person]:
        """Everybody, by name."""
        return sorted(self._log.refresh().people.values(), key=lambda one: one.name.casefold())

    def add(self, name: str, access: Access, by: str) -> str:
        """Add somebody; the one-time code they set a password with."""
        code, now = _code(), self._now()
        until = now + timedelta(hours=CODE_HOURS)
        added = PersonAdded(name=name, access=access, code=digest_of(code), code_until=until, by=by, at=now)
        self._log.decide(added)
        return code

    def change(self, name: str, access: Access, by: str) -> None:
        """Another role, or other IBs."""
        self._log.decide(AccessChanged(name=self._known(name), access=access, by=by, at=self._now()))

    def disable(self, name: str, by: str) -> None:
        """Let nobody in by this name; sessions end."""
        self._log.decide(PersonDisabled(name=self._known(name), by=by, at=self._now()))

    def reset(self, name: str, by: str) -> str:
        """Forget password and second factor, end the sessions; a new code."""
        code, now = _code(), self._now()
        until = now + timedelta(hours=CODE_HOURS)
        self._log.decide(
            PersonReset(name=self._known(name), code=digest_of(code), code_until=until, by=by, at=now)
        )
        return code

    def sessions(self, name: str = "") -> list[Session]:
        """Those that stand, of one person or of all, newest first."""
        book, now = self._log.refresh(), self._now()
        found = book.sessions_of(name) if name else list(book.sessions.values())
        standing = [one for one in found if now < one.until and self._is_awake(one)]
        return sorted(standing, key=lambda one: one.at, reverse=True)

    def end_session(self, session: str, by: str) -> None:
        """End one, by its hash."""
        if session not in self._log.refresh().sessions:
            raise UnknownPerson("there is no such session")
        self._log.decide(SessionEnded(session=session, by=by, at=self._now()))

    def all_keys(self) -> list[Key]:
        """Every key there was, newest first."""
        return sorted(self._log.refresh().keys.values(), key=lambda key: key.created_at, reverse=True)

    def create_key(self, wanted: Wanted, by: str) -> tuple[str, str]:
        """Its id, and the secret that is shown once."""
        if not wanted.rights:
            raise PeopleRefused("a key without a right opens nothing: give it ingest, read or payouts")
        if wanted.ibs is not None and set(wanted.rights) != {"read"}:
            raise PeopleRefused("a key of some IBs' sub-trees reads, and nothing else")
        key_id, secret, now = secrets.token_hex(6), _secret(), self._now()
        self._log.decide(
            KeyCreated(
                key_id=key_id,
                name=wanted.name,
                rights=tuple(sorted(set(wanted.rights))),
                digest=digest_of(secret),
                until=now + _days(wanted.days),
                by=by,
                at=now,
                ibs=wanted.ibs,
            )
        )
        return key_id, secret

    def rotate_key(self, key_id: str, days: int, overlap_hours: int, by: str) -> str:
        """A new secret; the one before counts a while longer, at most as long as it would have."""
        key, secret, now = self._key(key_id), _secret(), self._now()
        if not 0 <= overlap_hours <= MAX_OVERLAP_HOURS:
            raise PeopleRefused(f"two secrets count side by side for at most {MAX_OVERLAP_HOURS} hours")
        until = now + _days(days)
        old_until = min(key.until, now + timedelta(hours=overlap_hours))
        digest = digest_of(secret)
        self._log.decide(
            KeyRotated(key_id=key_id, digest=digest, until=until, old_until=old_until, by=by, at=now)
        )
        return secret

    def revoke_key(self, key_id: str, by: str) -> None:
        """Let nobody in by it any more."""
        self._key(key_id)
        self._log.decide(KeyRevoked(key_id=key_id, by=by, at=self._now()))

    def _key(self, key_id: str) -> Key:
        key = self._log.refresh().keys.get(key_id)
        if key is None:
            raise UnknownPerson(f"there is no key {key_id}; `ibflow keys list` has them")
        return key

    def _known(self, name: str) -> str:
        person = self._log.refresh().person(name)
        if person is None:
            raise UnknownPerson(f"there is nobody of the name {name}; `ibflow users list` has everybody")
        return person.name


def _days(days: int) -> timedelta:
    if not 1 <= days <= MAX_DAYS:
        raise PeopleRefused(f"a key is valid for 1 to {MAX_DAYS} days")
    return timedelta(days=days)


def _secret() -> str:
    return KEY_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def _code() -> str:
    return secrets.token_hex(8)
