"""A Web API of an MT5 server as the facts say it behaves, over real sockets, with faults on demand.

Written from the protocol and not from our client: the challenge is computed here a second time.
"""

import hashlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MANAGER_LOGIN, PASSWORD = "1042", "Pässw0rd-of-a-manager"
PAGE_LIMIT = 100
FAULTS = (
    "drop", "cut", "forget", "busy", "error", "slow", "frequent", "not_json", "backslash", "no_retcode",
)  # fmt: skip

ANSWERS: dict[str, tuple[bytes, int, dict[str, str]]] = {
    "busy": (b"{}", 503, {"Retry-After": "1"}),
    "error": (b"{}", 500, {}),
    "frequent": (b'{"retcode": "12 Too frequent requests"}', 200, {}),
    "not_json": (b"<html>502 Bad gateway</html>", 200, {}),
    "no_retcode": (b"[]", 200, {}),
}


@dataclass
class Server:
    """What the server holds; a fault is asked for before each answer that is no login."""

    deals: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[str, dict[str, str]] = field(default_factory=dict)
    users: dict[int, str] = field(default_factory=dict)
    password: str = PASSWORD
    is_impostor: bool = False
    shift_s: int = 0
    """How far a period's `from` and `to` are from the server's clock."""
    slow_s: float = 1.0
    fault: Callable[[str], str | None] = lambda path: None
    before: Callable[[str, dict[str, str]], None] = lambda path, asked: None
    asked: list[str] = field(default_factory=list)
    logins: int = 0
    most_at_once: int = 0
    _now: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)
    port: int = 0

    def answer(self, path: str, asked: dict[str, str]) -> Any:
        """What the server says; None where it knows nothing of the kind."""
        first, last = int(asked.get("from", 0)) + self.shift_s, int(asked.get("to", 0)) + self.shift_s
        match path:
            case "/api/deal/get_batch":
                return [deal for deal in self._between(first, last) if self._is_of(deal, asked["group"])]
            case "/api/deal/get_total":
                return {"total": str(len(self._of_login(asked, first, last)))}
            case "/api/deal/get_page":
                offset, total = int(asked["offset"]), min(int(asked["total"]), PAGE_LIMIT)
                return self._of_login(asked, first, last)[offset : offset + total]
            case "/api/user/get_batch":
                known = [int(login) for login in asked["login"].split(",") if int(login) in self.users]
                return [{"Login": str(login), "Group": self.users[login], "Name": "Ada"} for login in known]
            case "/api/group/get":
                return self.groups.get(asked["group"])
        return None

    def _between(self, first: int, last: int) -> list[dict[str, Any]]:
        return [deal for deal in self.deals if first <= int(deal["TimeMsc"]) // 1000 <= last]

    def _of_login(self, asked: dict[str, str], first: int, last: int) -> list[dict[str, Any]]:
        return [deal for deal in self._between(first, last) if deal["Login"] == asked["login"]]

    def _is_of(self, deal: dict[str, Any], masks: str) -> bool:
        group, found = self.users[int(deal["Login"])], False
        for mask in masks.split(","):
            if fnmatchcase(group, mask.removeprefix("!").replace("\\", "[\\]")):
                found = not mask.startswith("!")
        return found


def _md5(raw: bytes) -> Any:
    return hashlib.md5(raw, usedforsecurity=False)


class _Handler(BaseHTTPRequestHandler):
    """One connection: a session lives and dies with it."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65_536
    server: "_Http"
    challenge = b""
    is_logged_in = False

    def do_GET(self) -> None:
        held = self.server.held
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with held.lock:
            held.asked.append(self.path)
            held._now += 1
            held.most_at_once = max(held.most_at_once, held._now)
        try:
            if parts.path.startswith("/api/auth/"):
                self._log_in(parts.path, asked)
            else:
                self._serve(parts.path, asked)
        finally:
            with held.lock:
                held._now -= 1

    def _log_in(self, path: str, asked: dict[str, str]) -> None:
        held = self.server.held
        hashed = _md5(_md5(held.password.encode("utf-16-le")).digest() + b"WebAPI").digest()
        if path == "/api/auth/start":
            assert int(asked["version"]) >= 484
            assert asked["agent"]
            assert (asked["type"], asked["login"]) == ("manager", MANAGER_LOGIN)
            self.challenge = secrets.token_bytes(16)
            self._send({"retcode": "0 Done", "version_access": "1290", "srv_rand": self.challenge.hex()})
            return
        if asked["srv_rand_answer"] != _md5(hashed + self.challenge).hexdigest():
            self._send({"retcode": "1001 Invalid account"}, 403)
            return
        proof = _md5(hashed + bytes.fromhex(asked["cli_rand"])).hexdigest()
        self.is_logged_in = True
        held.logins += 1
        self._send({"retcode": "0 Done", "cli_rand_answer": "0" * 32 if held.is_impostor else proof})

    def _serve(self, path: str, asked: dict[str, str]) -> None:
        held = self.server.held
        if not self.is_logged_in:
            self._send({"retcode": "8 Not enough permissions"}, 401)
            return
        fault = held.fault(path)
        with held.lock:
            held.before(path, asked)
            answer = held.answer(path, asked)
        if fault is not None:
            self._fail(fault, answer)
        elif answer is None:
            self._send({"retcode": "13 Not found"})
        else:
            self._send({"retcode": "0 Done", "answer": answer})

    def _fail(self, fault: str, answer: Any) -> None:
        body = json.dumps({"retcode": "0 Done", "answer": answer}).encode()
        if fault in ANSWERS:
            text, status, headers = ANSWERS[fault]
            self._write(text, status, headers)
        elif fault == "backslash":
            # A comment whose backslashes the server forgot to escape.
            self._write(body.replace(b'"Comment": ""', rb'"Comment": "C:\Users\x"'), 200, {})
        else:
            self._break_off(fault, body)

    def _break_off(self, fault: str, body: bytes) -> None:
        if fault == "forget":
            self.is_logged_in = False
            self._send({"retcode": "8 Not enough permissions"}, 401)
            return
        if fault == "slow":
            time.sleep(self.server.held.slow_s)
        if fault == "cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
        self._hang_up()

    def _send(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._write(json.dumps(value).encode(), status, headers or {})

    def _write(self, body: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, text in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the library
        pass


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    held: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up first is no failure of this server."""


@contextmanager
def serving(held: Server) -> Iterator[str]:
    """Serve on a free port; the address."""
    with _Http(("127.0.0.1", 0), _Handler) as http:
        http.held = held
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()
