"""An API where people sign in, over logs in memory, and a browser that keeps cookies."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from argon2 import PasswordHasher

from api.app import create_app
from api.desks import NO_DESKS, Desks
from api.idempotency import Answers
from api.ledger import Ledger
from api.people import Caller, People
from infra.people import passwords
from infra.people.audit import AuditLog
from infra.people.desk import Desk
from infra.people.log import PeopleLog
from infra.people.sign_in import SignIn
from infra.people.views import ViewDesk
from schemas.people import Access
from schemas.settings import Settings
from tests.api.conftest import Browser
from tests.memory_logs import MemoryMessages

WORDS = "four quiet words here"
START = datetime(2026, 11, 2, 12, tzinfo=UTC)
HERE = Caller("127.0.0.1", "test")
ORIGIN = "http://127.0.0.1:8080"
ROLES = {
    "anna": Access(role="admin"),
    "fred": Access(role="finance"),
    "mary": Access(role="manager"),
    "max": Access(role="manager", ibs=("A",)),
    "audrey": Access(role="auditor"),
    "iris": Access(role="ib", ibs=("A",)),
    "ned": Access(role="network", endpoints=("net-1",)),
}
"""One of each role, and a manager of one IB."""


class World:
    """Everybody of `ROLES`, each with the password `WORDS`."""

    def __init__(
        self, ledger: Ledger, monkeypatch: Any, *, with_people: bool = True, desks: Desks = NO_DESKS
    ) -> None:
        monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        nobody = passwords._hasher.hash("nobody")
        monkeypatch.setattr(passwords, "_nobody", lambda: nobody)
        self.now = START
        self.people_messages: list[bytes] = []
        self.audit_messages: list[bytes] = []
        log = PeopleLog(MemoryMessages(self.people_messages))
        settings = Settings(_env_file=None, session_idle_minutes=30, session_hours=12)
        self.audit = AuditLog(
            MemoryMessages(self.audit_messages), self.clock, lambda: MemoryMessages(self.audit_messages)
        )
        self.sign_ins = SignIn(log, self.audit, settings, self.clock)
        self.desk = Desk(log, self.clock, self.sign_ins.stands)
        if with_people:
            for name, access in ROLES.items():
                self.sign_ins.set_password(name, WORDS, self.desk.add(name, access, "x"), HERE)
        people = People(self.desk, self.sign_ins, self.audit)
        self.answers = Answers()
        desks = replace(desks, people=people, answers=self.answers, views=ViewDesk(log, self.clock))
        self.app = create_app(ledger, settings, desks=desks)

    def clock(self) -> datetime:
        """Now, here."""
        return self.now

    def later(self, **by: float) -> None:
        """Let time pass."""
        self.now += timedelta(**by)

    def browser(self, base_url: str = ORIGIN) -> "Visitor":
        """One in which nobody has signed in."""
        return Visitor(self.app, base_url)

    def signed_in(self, name: str) -> "Visitor":
        """A browser in which somebody has signed in."""
        found = self.browser()
        assert found.sign_in(name).status_code == 303
        return found

    def done(self) -> list[tuple[str, str, str]]:
        """Who did what on what, the oldest first."""
        entries, _ = self.audit.newest(0, 1_000)
        return [(one.by, one.what, one.on) for one in reversed(entries)]


class Visitor(Browser):
    """Keeps cookies and sends forms as a browser does, with the page's token."""

    def __init__(self, app: Any, base_url: str) -> None:
        super().__init__(app, base_url)
        self.cookies: dict[str, str] = {}

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """One request with what the browser would send."""
        sent = {"Accept": "text/html"} | (headers or {})
        if self.cookies:
            sent.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        send: Callable[..., httpx.Response] = getattr(self, method.lower())
        answer = send(path, headers=sent, **options)
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def page(self, path: str) -> str:
        """A page that is there."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
        return answer.text

    def token_of(self, page: str) -> str:
        """What the forms of a page have."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.page(page))
        assert found is not None
        return found[1]

    def send(
        self, page: str, to: str = "", headers: dict[str, str] | None = None, **fields: str
    ) -> httpx.Response:
        """Open a page and send a form of it."""
        data = {"csrf": self.token_of(page)} | fields
        return self.ask("POST", to or page, {"Origin": ORIGIN} | (headers or {}), data=data)

    def sign_in(self, name: str, password: str = WORDS, code: str = "", **more: str) -> httpx.Response:
        """Send the form of the sign-in page."""
        return self.send("/sign-in", name=name, password=password, code=code, **more)

    def call(self, path: str, body: Any, *, method: str = "POST", **headers: str) -> httpx.Response:
        """A change as a script of a page sends it."""
        me = self.ask("GET", "/v1/me", {"Accept": "application/json"}).json()
        sent = {"Origin": ORIGIN, "X-CSRF-Token": me["csrf"], "Accept": "application/json"} | headers
        return self.ask(method, path, sent, json=body)
