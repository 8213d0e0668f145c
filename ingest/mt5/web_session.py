"""The Web API of an MT5 server over HTTP: log in, ask, and ask again until there is a whole answer.

A session belongs to one connection. The password never leaves this machine: the server is shown an MD5 of
its own challenge, and has to show one of ours. It is in no address, message or log.
"""

import hmac
import logging
import queue
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import SystemRandom
from types import TracebackType
from typing import Self

import httpx

from ingest.formats.json_text import check_bounds, read_json
from ingest.mt5.web_access import MAX_TIMEOUT_S, WebApi, answer_to, password_hash, password_of
from ingest.sources import UnreadableSource
from schemas.errors import Unavailable

PROTOCOL_VERSION = 484
"""The smallest version a server takes; it changes nothing about deals."""
AGENT = "ibflow"
MAX_ATTEMPTS = 8
FIRST_DELAY_S = 0.5
MAX_DELAY_S = 30.0
MAX_ANSWER_BYTES = 16_000_000
"""18,000 deals; more are asked for in shorter periods."""
MAX_ANSWER_S = MAX_TIMEOUT_S
"""One answer may trickle in no longer than this, whatever the pauses between its bytes."""
CHALLENGE_BYTES = 16
DONE = "0"
NOT_FOUND = "13"
PASSING = frozenset({"7", "9", "10", "11", "12", "15"})
"""Return codes that a second try may not meet: network, time-out, no connection, no service, too many
requests, shutting down."""

_RANDOM = SystemRandom()
_LOGGED_OUT = (401, 403)


class TooLarge(RuntimeError):
    """An answer is larger than one may be; a shorter period has a smaller one."""


class Refused(Unavailable):
    """The server understood and said no; asking the same again would not help."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class _Passing(Exception):
    """A failure that may pass; `wait_s` is how long the server asked to wait."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class WebApiPool:
    """A few logged-in connections to one server; `ask` may be called from as many threads."""

    def __init__(self, api: WebApi, sleep: Callable[[float], None] = time.sleep) -> None:
        self.api = api
        self._hashed = password_hash(password_of(api))
        self._sleep = sleep
        self._turn = threading.Lock()
        self._next_at = 0.0
        trusted = ssl.create_default_context(cafile=str(api.ca_file) if api.ca_file else None)
        self._sessions = [_Session(api, trusted) for _ in range(api.connections)]
        self._idle: queue.LifoQueue[_Session] = queue.LifoQueue()
        for session in self._sessions:
            self._idle.put(session)

    def ask(self, path: str, params: Mapping[str, str | int]) -> object:
        """Ask for the `answer` of `path`; raise `Refused`, `TooLarge` or `Unavailable`."""
        reason = ""
        for attempt in range(MAX_ATTEMPTS):
            with self._session() as session:
                try:
                    return session.ask(path, params, self._hashed, self._await_turn)
                except _Passing as failed:
                    reason, asked_s = str(failed), failed.wait_s
            if attempt + 1 < MAX_ATTEMPTS:
                self._sleep(max(delay_s(attempt), min(asked_s, MAX_DELAY_S)))
        raise Unavailable(
            f"the Web API at {self.api.url} gave no whole answer to {path} in {MAX_ATTEMPTS} tries: {reason}"
        )

    def close(self) -> None:
        """Close every connection."""
        for session in self._sessions:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _session(self) -> Iterator["_Session"]:
        session = self._idle.get()
        try:
            yield session
        finally:
            self._idle.put(session)

    def _await_turn(self) -> None:
        """Keep the rate over all connections."""
        with self._turn:
            now = time.monotonic()
            wait_s = max(self._next_at - now, 0.0)
            self._next_at = max(self._next_at, now) + 1 / self.api.requests_per_s
        if wait_s:
            self._sleep(wait_s)


class _Session:
    """One connection, logged in when it is first asked and again when the server forgot it."""

    def __init__(self, api: WebApi, trusted: ssl.SSLContext) -> None:
        _keep_logins_out_of_logs()
        self._api = api
        self._trusted = trusted
        self._is_logged_in = False
        self._client = self._new_client()

    def ask(
        self,
        path: str,
        params: Mapping[str, str | int],
        hashed: bytes,
        await_turn: Callable[[], None],
    ) -> object:
        """Log in if need be and return the answer; raise `_Passing` for what may pass."""
        try:
            if not self._is_logged_in:
                self._log_in(hashed, await_turn)
            await_turn()
            found = self._get(path, params)
        except _Passing:
            self._start_anew()
            raise
        if not isinstance(found, Mapping) or "retcode" not in found:
            raise _Passing("an answer without retcode")
        retcode = str(found["retcode"])
        code = retcode.split(" ", 1)[0]
        if code == DONE:
            return found.get("answer")
        if code in PASSING:
            raise _Passing(f"`{retcode[:80]}`")
        raise Refused(code, f"the Web API at {self._api.url} refused {path}: `{retcode[:80]}`")

    def close(self) -> None:
        self._client.close()

    def _log_in(self, hashed: bytes, await_turn: Callable[[], None]) -> None:
        await_turn()
        start = self._said(
            "/api/auth/start",
            {"version": PROTOCOL_VERSION, "agent": AGENT, "login": self._api.login, "type": "manager"},
        )
        try:
            challenge = bytes.fromhex(str(start.get("srv_rand")))
        except ValueError:
            raise _Passing("a login without a challenge") from None
        ours = secrets.token_bytes(CHALLENGE_BYTES)
        await_turn()
        proof = self._said(
            "/api/auth/answer", {"srv_rand_answer": answer_to(challenge, hashed), "cli_rand": ours.hex()}
        )
        shown = str(proof.get("cli_rand_answer")).lower()
        if not hmac.compare_digest(shown.encode(), answer_to(ours, hashed).encode()):
            raise Refused(
                "",
                f"the server at {self._api.url} does not know the password of login {self._api.login}, so it"
                " is not the server it says it is; check the address",
            )
        self._is_logged_in = True

    def _said(self, path: str, params: Mapping[str, str | int]) -> Mapping[str, object]:
        """One step of the login; a refusal is final, lest a wrong password lock the login."""
        try:
            found = self._get(path, params)
        except _LoggedOut:
            found = {"retcode": "403 Forbidden"}
        if not isinstance(found, Mapping) or "retcode" not in found:
            raise _Passing("a login's answer without retcode")
        retcode = str(found["retcode"])
        code = retcode.split(" ", 1)[0]
        if code in PASSING:
            raise _Passing(f"`{retcode[:80]}`")
        if code != DONE:
            raise Refused(
                "",
                f"the Web API at {self._api.url} refused login {self._api.login}: `{retcode[:80]}`; check the"
                f" password in {self._api.password_env}, the manager's rights and the allowed addresses",
            )
        return found

    def _get(self, path: str, params: Mapping[str, str | int]) -> object:
        deadline = time.monotonic() + MAX_ANSWER_S
        try:
            with self._client.stream("GET", path, params=dict(params)) as response:
                _check_status(response)
                raw = _bounded(response, deadline)
        except httpx.HTTPError as failed:
            # Its own words may hold the address, with what was asked.
            raise _Passing(type(failed).__name__) from None
        try:
            check_bounds(raw, "the answer")
        except UnreadableSource as large:
            raise TooLarge(str(large)) from None
        try:
            return read_json(raw, "the answer")
        except UnreadableSource as broken:
            raise _Passing(str(broken)) from None

    def _start_anew(self) -> None:
        """Forget connection and session: which of them is broken cannot be known."""
        self._client.close()
        self._client = self._new_client()
        self._is_logged_in = False

    def _new_client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self._api.url,
            verify=self._trusted,
            timeout=self._api.timeout_s,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            headers={"Accept-Encoding": "identity", "Connection": "keep-alive"},
            trust_env=False,
        )


class _LoggedOut(_Passing):
    """The server does not know this session, or no longer."""


def delay_s(attempt: int) -> float:
    """Seconds to wait after so many tries: doubled each time, spread so that none meet."""
    return min(FIRST_DELAY_S * 2.0**attempt, MAX_DELAY_S) * (0.5 + _RANDOM.random() / 2)


def _check_status(response: httpx.Response) -> None:
    if response.status_code in _LOGGED_OUT:
        raise _LoggedOut(f"HTTP {response.status_code}")
    if response.status_code != 200:
        asked = response.headers.get("Retry-After", "")
        raise _Passing(f"HTTP {response.status_code}", float(asked) if asked.isdecimal() else 0.0)
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise _Passing("a compressed answer, which was not asked for")


def _bounded(response: httpx.Response, deadline: float) -> bytes:
    """Read an answer of bounded size in bounded time."""
    parts: list[bytes] = []
    size = 0
    for part in response.iter_raw():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise TooLarge(f"more than {MAX_ANSWER_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise _Passing(f"an answer that took longer than {MAX_ANSWER_S:.0f} s")
        parts.append(part)
    return b"".join(parts)


def _keep_logins_out_of_logs() -> None:
    """Make httpx tell no addresses of logins, which hold the proof of the password."""
    logging.getLogger("httpx").addFilter(_is_no_login)


def _is_no_login(record: logging.LogRecord) -> bool:
    return "/api/auth/" not in record.getMessage()
