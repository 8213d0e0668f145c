"""What the log of people and keys comes to: `add` folds a record, `why_not` says what it contradicts."""

from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from commission.value import Value
from schemas.people import (
    Access,
    AccessChanged,
    Digest,
    KeyCreated,
    KeyRevoked,
    KeyRight,
    KeyRotated,
    KeyUsed,
    PeopleRecord,
    PersonAdded,
    PersonDisabled,
    PersonReset,
    SecretsSet,
    SessionBegun,
    SessionEnded,
    access_fault,
)
from schemas.views import ViewBook, ViewRemoved, ViewSaved

MAX_SESSIONS = 20
"""Of one person; a further one ends the oldest."""


class Person(Value):
    """Somebody who may sign in, once they have a password."""

    name: str
    access: Access
    added_at: datetime
    code: Digest = ""
    code_until: datetime | None = None
    password: str = ""
    totp: str = ""
    is_disabled: bool = False
    seen_at: datetime | None = None
    """When they last signed in."""

    @property
    def state(self) -> str:
        """`active`, `invited` (no password yet) or `disabled`."""
        if self.is_disabled:
            return "disabled"
        return "active" if self.password else "invited"


class Session(Value):
    """A browser that is signed in until a time, if it does not rest too long before."""

    session: Digest
    name: str
    at: datetime
    until: datetime
    peer: str
    agent: str


class Key(Value):
    """A machine's key and its newest secrets."""

    key_id: str
    name: str
    rights: tuple[KeyRight, ...]
    ibs: tuple[str, ...] | None
    digest: Digest
    until: datetime
    created_by: str
    created_at: datetime
    old_digest: Digest = ""
    old_until: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if now < self.until else "expired"

    def accepts(self, digest: Digest, now: datetime) -> bool:
        """Whether it is opened by the secret of this hash."""
        if self.revoked_at is not None:
            return False
        if digest == self.old_digest and self.old_until is not None:
            return now < self.old_until
        return digest == self.digest and now < self.until


@dataclass(slots=True)
class PeopleBook:
    """Everybody, the sessions that may stand, and the keys."""

    people: dict[str, Person] = field(default_factory=dict)
    """By name, letter case aside."""
    sessions: dict[Digest, Session] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    views: ViewBook = field(default_factory=ViewBook)

    def person(self, name: str) -> Person | None:
        """Whoever has the name, however its letters are written."""
        return self.people.get(name.casefold())

    def add(self, record: PeopleRecord) -> str:
        """Fold a record; why it does not count, or ""."""
        why = self.why_not(record)
        if not why:
            self._fold(record)
        return why

    def why_not(self, record: PeopleRecord) -> str:
        """What a record contradicts; "" if it counts."""
        match record:
            case PersonAdded():
                return self._why_not_added(record)
            case KeyCreated():
                return f"there is a key {record.key_id}" if record.key_id in self.keys else ""
            case KeyRotated() | KeyRevoked() | KeyUsed():
                return self._why_not_key(record)
            case ViewSaved() | ViewRemoved():
                return self.views.why_not(record)
            case SessionEnded():
                return "" if record.session in self.sessions else "there is no such session"
            case _:
                return self._why_not_person(record)

    def _why_not_added(self, record: PersonAdded) -> str:
        if self.person(record.name) is not None:
            return f"there is somebody of the name {record.name}"
        if record.is_first and self.people:
            return "there is an admin already, who adds people"
        return access_fault(record.access)

    def _why_not_key(self, record: KeyRotated | KeyRevoked | KeyUsed) -> str:
        key = self.keys.get(record.key_id)
        if key is None:
            return f"there is no key {record.key_id}"
        return f"the key {record.key_id} was revoked" if key.revoked_at is not None else ""

    def _why_not_person(
        self, record: AccessChanged | PersonDisabled | PersonReset | SecretsSet | SessionBegun
    ) -> str:
        person = self.person(record.name)
        if person is None:
            return f"there is nobody of the name {record.name}"
        match record:
            case AccessChanged():
                is_last = record.access.role != "admin" and self._is_last_admin(person)
                return _LAST if is_last else access_fault(record.access)
            case PersonDisabled():
                return _LAST if self._is_last_admin(person) else ""
            case SecretsSet(code=code, at=at) if code:
                is_right = code == person.code and person.code_until is not None and at < person.code_until
                return "" if is_right else "the code was used, or is too old"
            case SecretsSet() | SessionBegun():
                # Who comes by a provider may have no password here.
                may = getattr(record, "by_provider", False) and not person.is_disabled
                return "" if may or person.state == "active" else f"{person.name} is {person.state}"
        return ""

    def _is_last_admin(self, person: Person) -> bool:
        admins = [one for one in self.people.values() if one.access.role == "admin" and not one.is_disabled]
        return admins == [person]

    def _fold(self, record: PeopleRecord) -> None:
        match record:
            case PersonAdded():
                self._set(
                    Person(
                        name=record.name,
                        access=record.access,
                        added_at=record.at,
                        code=record.code,
                        code_until=record.code_until,
                    )
                )
            case ViewSaved() | ViewRemoved():
                self.views.fold(record)
            case SessionBegun():
                self._begin(record)
            case SessionEnded():
                del self.sessions[record.session]
            case KeyCreated() | KeyRotated() | KeyRevoked() | KeyUsed():
                self.keys[record.key_id] = _key_after(self.keys.get(record.key_id), record)
            case _:
                self._change(record)

    def _set(self, person: Person) -> None:
        self.people[person.name.casefold()] = person

    def _change(self, record: AccessChanged | PersonDisabled | PersonReset | SecretsSet) -> None:
        person = self.people[record.name.casefold()]
        match record:
            case AccessChanged():
                self._set(replace(person, access=record.access))
                return
            case PersonDisabled():
                self._set(replace(person, is_disabled=True, code="", code_until=None))
            case PersonReset():
                secrets = {"password": "", "totp": "", "is_disabled": False}
                self._set(replace(person, code=record.code, code_until=record.code_until, **secrets))
            case SecretsSet():
                secrets = {"password": record.password, "totp": record.totp}
                self._set(replace(person, code="", code_until=None, **secrets))
        for session in self.sessions_of(person.name):
            del self.sessions[session.session]

    def _begin(self, record: SessionBegun) -> None:
        person = self.people[record.name.casefold()]
        self._set(replace(person, seen_at=record.at))
        self.sessions = {name: one for name, one in self.sessions.items() if record.at < one.until}
        for session in self.sessions_of(person.name)[MAX_SESSIONS - 1 :]:
            del self.sessions[session.session]
        fields = ("session", "at", "until", "peer", "agent")
        told = {name: getattr(record, name) for name in fields}
        self.sessions[record.session] = Session(name=person.name, **told)

    def sessions_of(self, name: str) -> list[Session]:
        """A person's sessions, newest first."""
        own = [one for one in list(self.sessions.values()) if one.name.casefold() == name.casefold()]
        return sorted(own, key=lambda one: one.at, reverse=True)


_LAST = "there would be no admin left"


def _key_after(key: Key | None, record: KeyCreated | KeyRotated | KeyRevoked | KeyUsed) -> Key:
    if isinstance(record, KeyCreated):
        fields = ("key_id", "name", "rights", "ibs", "digest", "until")
        told = {name: getattr(record, name) for name in fields}
        return Key(created_by=record.by, created_at=record.at, **told)
    assert key is not None, "what contradicts was refused"
    match record:
        case KeyRotated():
            old = {"old_digest": key.digest, "old_until": record.old_until}
            return replace(key, digest=record.digest, until=record.until, **old)
        case KeyRevoked():
            return replace(key, revoked_at=record.at)
        case KeyUsed():
            return replace(key, used_at=record.at)
