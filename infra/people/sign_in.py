"""Sign-in, sessions and keys: what the gate asks for each request, answered from memory."""

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from api.operators import Operator
from api.people import Caller, Note, PeopleRefused, SignInFailed
from infra.people import passwords
from infra.people.attempts import Attempts
from infra.people.audit import AuditLog
from infra.people.log import PeopleLog
from schemas.people import Access, KeyUsed, PersonAdded, SecretsSet, SessionBegun, SessionEnded
from schemas.people_book import Key, Person, Session
from schemas.settings import Settings

TOKEN_BYTES = 32
KEY_PREFIX = "ibk_"
CODE_HOURS = 72
USED_EVERY = timedelta(hours=1)
WRONG = "name, password or code is wrong"


def digest_of(token: str) -> str:
    """What the log has of a random token; one of 256 bits needs no slow hash."""
    return sha256(token.encode()).hexdigest()


class SignIn:
    """Whoever signs in, and whoever asks with a session or key."""

    def __init__(
        self,
        log: PeopleLog,
        audit: AuditLog,
        settings: Settings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._log, self._audit, self._now = log, audit, now
        self._idle = timedelta(minutes=settings.session_idle_minutes)
        self._whole = timedelta(hours=settings.session_hours)
        self._started = now()
        self._attempts = Attempts(time.monotonic)
        self._awake: dict[str, datetime] = {}
        """When a session last asked; before that, and after a restart, when it or this process began."""
        self._steps: dict[str, int] = {}
        """The newest half minute whose code a person used: a code counts once."""
        self._used: dict[str, datetime] = {}
        self._lock = threading.Lock()
        self.first_code = secrets.token_hex(8)
        """What makes the first admin, while there is nobody; the server's log has it."""

    # Who asks

    def has_people(self) -> bool:
        """Whether anybody was added."""
        return bool(self._log.book.people)

    def of_session(self, token: str) -> Operator | None:
        """Whose session it is, if it stands; asking keeps it awake."""
        digest, now = digest_of(token), self._now()
        session = self._log.book.sessions.get(digest) if token else None
        person = self._log.book.person(session.name) if session is not None else None
        if session is None or person is None or not self._stands(session, now):
            return None
        self._awake[digest] = now
        return _operator(person, digest)

    def stands(self, session: Session) -> bool:
        """Whether it has neither ended nor rested too long."""
        return self._stands(session, self._now())

    def _stands(self, session: Session, now: datetime) -> bool:
        awake = self._awake.get(session.session) or max(session.at, self._started)
        return now < session.until and now < awake + self._idle

    def of_key(self, token: str) -> Operator | None:
        """Whose key it is. All are compared, each in constant time, so time tells nothing."""
        if not token.startswith(KEY_PREFIX):
            return None
        digest, now = digest_of(token), self._now()
        found = [key for key in list(self._log.book.keys.values()) if _has(key, digest)]
        if not found or not found[0].accepts(digest, now):
            return None
        key = found[0]
        self._note_use(key, now)
        rights = frozenset(key.rights)
        may_write = bool(rights & {"payouts", "ingest"})
        return Operator(key.name, is_person=True, may_write=may_write, ibs=key.ibs, rights=rights)

    def _note_use(self, key: Key, now: datetime) -> None:
        last = self._used.get(key.key_id) or key.used_at
        if last is None or now - last >= USED_EVERY:
            self._used[key.key_id] = now

    def write_uses(self) -> None:
        """Write when keys were used, for `ibflow keys list`; the thread that reads the log does."""
        for key_id, at in list(self._used.items()):
            key = self._log.book.keys.get(key_id)
            if key is not None and key.revoked_at is None and (key.used_at is None or key.used_at < at):
                with suppress(PeopleRefused):  # it was revoked a moment ago
                    self._log.decide(KeyUsed(key_id=key_id, at=at))

    # Sign-in

    def sign_in(self, name: str, password: str, code: str, caller: Caller) -> str:
        """A token of a new session; every refusal takes as long and says the same."""
        self._check_turn(name, caller)
        person = self._log.refresh().person(name)
        is_right = passwords.is_right(password, person.password if person is not None else "")
        if (
            person is None
            or not is_right
            or person.is_disabled
            or not self._is_second(person, password, code)
        ):
            raise self._failed(name, caller)
        self._attempts.succeeded(name)
        return self._begin(person.name, caller)

    def sign_in_as(self, name: str, caller: Caller) -> str:
        """A token of a new session of somebody added here whom a provider knows by that name."""
        person = self._log.refresh().person(name)
        if person is None or person.is_disabled:
            why = "nobody of that name signs in here; an admin adds people"
            raise self.refused_by_provider(name, caller, why)
        return self._begin(person.name, caller, "by the provider of OpenID Connect")

    def refused_by_provider(self, name: str, caller: Caller, why: str) -> SignInFailed:
        """Write it to the audit log; what to raise."""
        detail = f"by the provider of OpenID Connect: {why}"[:256]
        self._audit.write(Note(name[:64], "sign_in_failed", "", detail, caller.peer))
        return SignInFailed(why)

    def _is_second(self, person: Person, password: str, code: str) -> bool:
        """Whether the code is right, and new; who has no second factor needs none."""
        if not person.totp:
            return True
        return self._is_new_code(person.name, passwords.unsealed(person.totp, password), code)

    def _is_new_code(self, name: str, totp: str, code: str) -> bool:
        step = passwords.step_of(totp, code)
        with self._lock:
            is_new = step is not None and step > self._steps.get(name, 0)
            if step is not None and is_new:
                self._steps[name] = step
        return is_new

    def first_admin(self, name: str, password: str, code: str, caller: Caller) -> str:
        """Add the first admin by the code of the server's log, and sign in."""
        self._check_turn(name, caller)
        is_right = hmac.compare_digest(digest_of(code.strip()), digest_of(self.first_code))
        if not is_right or self._log.refresh().people:
            raise self._failed(name, caller)
        passwords.check_new(password, name)
        once, now = digest_of(secrets.token_hex(16)), self._now()
        added = PersonAdded(
            name=name,
            access=Access(role="admin"),
            code=once,
            code_until=now + timedelta(minutes=1),
            by=name,
            at=now,
            is_first=True,
        )
        known = SecretsSet(name=name, password=passwords.hashed(password), code=once, at=now)
        self._log.decide(added, known)
        self._audit.write(Note(name, "change", "/first-run", "the first admin", caller.peer))
        return self._begin(name, caller)

    def set_password(self, name: str, password: str, code: str, caller: Caller) -> str:
        """Set a password by the code that an admin gave, and sign in."""
        self._check_turn(name, caller)
        person, digest = self._log.refresh().person(name), digest_of(code.strip())
        known = person.code if person is not None and not person.is_disabled else ""
        if not hmac.compare_digest(digest, known or digest_of("")) or person is None or not known:
            raise self._failed(name, caller)
        passwords.check_new(password, name)
        hashed = passwords.hashed(password)
        try:
            self._log.decide(SecretsSet(name=person.name, password=hashed, code=digest, at=self._now()))
        except PeopleRefused:  # it is too old, or was used a moment ago
            raise self._failed(name, caller) from None
        self._attempts.succeeded(name)
        self._audit.write(Note(person.name, "change", "/set-password", "", caller.peer))
        return self._begin(person.name, caller)

    def change_secrets(
        self, name: str, password: str, new: str, totp: str | None, code: str, caller: Caller
    ) -> str:
        """Another password or second factor, by whoever knows the password; other sessions end."""
        self._check_turn(name, caller)
        person = self._log.refresh().person(name)
        if person is None or not passwords.is_right(password, person.password):
            raise self._failed(name, caller)
        if totp is None:
            totp = passwords.unsealed(person.totp, password) if person.totp else ""
        elif totp and not self._is_new_code(person.name, totp, code):
            raise self._failed(name, caller)
        if new != password:
            passwords.check_new(new, name)
        sealed = passwords.seal(totp, new) if totp else ""
        told = SecretsSet(name=person.name, password=passwords.hashed(new), totp=sealed, at=self._now())
        self._log.decide(told)
        detail = "with a second factor" if totp else "without a second factor"
        self._audit.write(Note(person.name, "change", "/account", detail, caller.peer))
        return self._begin(person.name, caller)

    def new_totp(self) -> str:
        """A secret for an authenticator app."""
        return passwords.new_totp()

    def sign_out(self, token: str) -> None:
        """End the session, if it stands."""
        session = self._log.book.sessions.get(digest_of(token))
        if session is not None:
            self._log.decide(SessionEnded(session=session.session, by=session.name, at=self._now()))
            self._audit.write(Note(session.name, "sign_out"))

    def _begin(self, name: str, caller: Caller, how: str = "") -> str:
        """A token that nobody has seen before: what a browser came with is not used on."""
        token, now = secrets.token_urlsafe(TOKEN_BYTES), self._now()
        begun = SessionBegun(
            session=digest_of(token),
            name=name,
            at=now,
            until=now + self._whole,
            peer=caller.peer[:64],
            agent=caller.agent[:256],
            by_provider=bool(how),
        )
        self._audit.write(Note(name, "sign_in", how, caller.agent[:256], caller.peer))
        self._log.decide(begun)
        self._awake = {one: at for one, at in self._awake.items() if one in self._log.book.sessions}
        return token

    def _check_turn(self, name: str, caller: Caller) -> None:
        if (wait := self._attempts.wait_s(name, caller.peer)) > 0:
            raise SignInFailed(f"too many wrong answers; wait {wait:.0f} s, then try again")

    def _failed(self, name: str, caller: Caller) -> SignInFailed:
        self._attempts.failed(name, caller.peer)
        self._audit.write(Note(name[:64], "sign_in_failed", "", caller.agent[:256], caller.peer))
        return SignInFailed(WRONG)


def _operator(person: Person, session: str) -> Operator:
    access = person.access
    return Operator(
        person.name,
        is_person=True,
        may_write=access.role != "auditor",
        ibs=access.ibs,
        role=access.role,
        endpoints=access.endpoints,
        session=session,
    )


def _has(key: Key, digest: str) -> bool:
    """Both are compared, whatever the first says."""
    return hmac.compare_digest(key.digest, digest) | hmac.compare_digest(key.old_digest, digest)
