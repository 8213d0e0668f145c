"""What the API asks of whoever keeps people, keys, sessions and the audit log: `infra` does."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from api.operators import Operator
from schemas.audit import AuditEntry
from schemas.errors import Unusable
from schemas.people import Access, KeyRight
from schemas.people_book import Key, Person, Session


class PeopleRefused(Unusable):
    """It may not be done now, or not so; the message says why."""


class UnknownPerson(Unusable):
    """There is no such person, session or key."""


class SignInFailed(Unusable):
    """Name, password or code is wrong: which of them is not told."""


class Caller(NamedTuple):
    """Where a browser asks from: for the log, and for limits."""

    peer: str
    agent: str


class Wanted(NamedTuple):
    """A key as it is asked for."""

    name: str
    rights: tuple[KeyRight, ...]
    days: int
    ibs: tuple[str, ...] | None = None


class SignIns(Protocol):
    """Sign-in and sessions. A token is what the browser keeps; the log has its hash."""

    def has_people(self) -> bool:
        """Whether anybody was added: from then on nobody asks without saying who they are."""

    def of_session(self, token: str) -> Operator | None:
        """Whose session it is, if it stands; asking keeps it awake."""

    def of_key(self, token: str) -> Operator | None:
        """Whose key it is, if it counts."""

    def sign_in(self, name: str, password: str, code: str, caller: Caller) -> str:
        """A token of a new session; raise `SignInFailed`."""

    def first_admin(self, name: str, password: str, code: str, caller: Caller) -> str:
        """Add the first admin by the code of the server's log, and sign in; raise `SignInFailed`."""

    def set_password(self, name: str, password: str, code: str, caller: Caller) -> str:
        """Set a password by the code that an admin gave, and sign in; raise `SignInFailed`."""

    def change_secrets(
        self, name: str, password: str, new: str, totp: str | None, code: str, caller: Caller
    ) -> str:
        """Another password or second factor; other sessions end.

        `totp` is the secret of the second factor: "" for none, None for the one there is.
        """

    def new_totp(self) -> str:
        """A secret for an authenticator app, which counts once it is sent back with a code of it."""

    def sign_out(self, token: str) -> None:
        """End the session, if it stands."""


class Provider(Protocol):
    """Whoever else knows people, by OpenID Connect."""

    def begin(self, wanted: str) -> tuple[str, str]:
        """Where the browser goes, and the cookie that it comes back with; `wanted` is the page afterwards."""

    def finish(self, given: Mapping[str, str], cookie: str, caller: Caller) -> tuple[str, str]:
        """The token of a new session, and the page to go on to; raise `SignInFailed`."""


class PeopleDesk(Protocol):
    """People, sessions and keys as an admin sees them."""

    def people(self) -> list[Person]:
        """Everybody, by name."""

    def add(self, name: str, access: Access, by: str) -> str:
        """Add somebody; the one-time code they set a password with."""

    def change(self, name: str, access: Access, by: str) -> None:
        """Another role, or other IBs."""

    def disable(self, name: str, by: str) -> None:
        """Let nobody in by this name; sessions end."""

    def reset(self, name: str, by: str) -> str:
        """Forget password and second factor, end the sessions; a new code."""

    def sessions(self, name: str = "") -> list[Session]:
        """Those that stand, of one person or of all, newest first."""

    def end_session(self, session: str, by: str) -> None:
        """End one, by its hash."""

    def all_keys(self) -> list[Key]:
        """Every key there was, newest first."""

    def create_key(self, wanted: Wanted, by: str) -> tuple[str, str]:
        """Its id, and the secret that is shown once."""

    def rotate_key(self, key_id: str, days: int, overlap_hours: int, by: str) -> str:
        """A new secret; the one before counts a while longer."""

    def revoke_key(self, key_id: str, by: str) -> None:
        """Let nobody in by it any more."""


class Note(NamedTuple):
    """What is to be written to the audit log."""

    by: str
    what: str
    on: str = ""
    detail: str = ""
    peer: str = ""
    at: datetime | None = None


class Audit(Protocol):
    """The audit log."""

    def write(self, note: Note) -> None:
        """Append it; raise `Unavailable` where that is not known to be done."""

    def newest(self, before: int, limit: int) -> tuple[Sequence[AuditEntry], int]:
        """Entries of a smaller number, newest first; and the oldest number that is still at hand."""

    def every(self) -> Iterator[AuditEntry]:
        """All that count, the oldest first, as they are read again; raise `Unavailable`."""


class People(NamedTuple):
    """Everything about people that an app needs."""

    desk: PeopleDesk
    sign_ins: SignIns
    audit: Audit
    provider: Provider | None = None
