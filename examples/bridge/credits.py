"""Credits of trading accounts that ibflow asks for: each reference once, whatever is killed on the way.

1 the reference is on disk before the platform is asked: it is never asked twice for one
2 the platform is asked for a balance operation, with the reference in its comment
3 the ticket is on disk; killed before, it is looked up on the platform by the comment

`python -m bridge.credits bridge.ini`. See README.md, "Paying IBs".
"""

import hmac
import json
import logging
import os
import sqlite3
import sys
import threading
from configparser import ConfigParser
from decimal import Decimal, InvalidOperation
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

PATH = "/balance-operations"
MAX_BYTES = 16_384
FIELDS = ("reference", "server", "login", "amount", "currency", "comment")
LOG = logging.getLogger("bridge.credits")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS operations (
    reference TEXT PRIMARY KEY, operation TEXT NOT NULL,
    ticket TEXT NOT NULL DEFAULT '', refused TEXT NOT NULL DEFAULT ''
);
"""


class Refused(Exception):
    """The platform will not do it, and has not: the message says why."""


class Platform(Protocol):
    """What the bridge needs of a trade server."""

    def credit(self, operation: dict[str, str]) -> str:
        """Do it and give its ticket; raise `Refused` only if it is certain that nothing was done."""

    def find(self, operation: dict[str, str]) -> str:
        """The ticket of a balance operation of this login with this comment; "" if there is none."""


class Credits:
    """The references on disk, and the platform behind them."""

    def __init__(self, path: Path, platform: Platform) -> None:
        self._platform, self._lock = platform, threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def ask(self, operation: dict[str, str]) -> tuple[int, dict[str, str]]:
        """Do it, if this reference was never seen; the status and what became of it."""
        reference, told = operation["reference"], json.dumps(operation, sort_keys=True)
        with self._lock:
            known = self._row(reference)
            if known is not None:
                if known[0] != told:
                    return 409, {"state": "another operation has this reference"}
                return self._became(reference)
            # 1
            self._db.execute("INSERT INTO operations (reference, operation) VALUES (?, ?)", (reference, told))
            try:
                # 2
                ticket = self._platform.credit(operation)
            except Refused as why:
                self._keep(reference, "refused", str(why) or "refused")
                return 422, {"refused": str(why) or "refused"}
            except Exception:
                LOG.exception("%s: nobody knows whether it was done", reference)
                return 502, {"state": "unknown"}
            # 3
            self._keep(reference, "ticket", ticket)
            return 201, {"ticket": ticket}

    def look_up(self, reference: str) -> tuple[int, dict[str, str]]:
        """What became of a reference."""
        with self._lock:
            return self._became(reference)

    def _became(self, reference: str) -> tuple[int, dict[str, str]]:
        row = self._row(reference)
        if row is None:
            return 404, {"state": "never asked for"}
        told, ticket, refused = row
        if refused:
            return 200, {"refused": refused}
        if not ticket and (ticket := self._platform.find(json.loads(told))):
            self._keep(reference, "ticket", ticket)
        return (200, {"ticket": ticket}) if ticket else (202, {"state": "unknown"})

    def _row(self, reference: str) -> tuple[str, str, str] | None:
        found: tuple[str, str, str] | None = self._db.execute(
            "SELECT operation, ticket, refused FROM operations WHERE reference = ?", (reference,)
        ).fetchone()
        return found

    def _keep(self, reference: str, column: str, text: str) -> None:
        query = f"UPDATE operations SET {column} = ? WHERE reference = ?"  # noqa: S608 # our own words
        self._db.execute(query, (text, reference))


def check(told: Any) -> dict[str, str]:
    """An operation as it was sent; raise `ValueError` for anything else."""
    if not isinstance(told, dict) or sorted(told) != sorted(FIELDS):
        raise ValueError(f"an operation has {', '.join(FIELDS)}")
    if not all(isinstance(one, str) and 0 < len(one) <= 64 for one in told.values()):
        raise ValueError("each field is a text of 1 to 64 characters")
    try:
        amount = Decimal(told["amount"])
    except InvalidOperation:
        raise ValueError("the amount is no number") from None
    if not (amount.is_finite() and amount > 0 and told["login"].isdecimal()):
        raise ValueError("the amount is above zero, and the login a number")
    return told


def serve(host: str, port: int, token: str, credits_: Credits) -> ThreadingHTTPServer:
    """A server that answers; the caller runs it. It speaks plain HTTP: put TLS before it."""

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        timeout = 30

        def do_POST(self) -> None:
            """An operation."""
            size = self.headers.get("Content-Length", "")
            if not self._is_known() or self.path != PATH or not size.isdecimal() or int(size) > MAX_BYTES:
                self._answer(400 if self._is_known() else 401, {"state": "nothing was done"})
                return
            try:
                operation = check(json.loads(self.rfile.read(int(size))))
            except ValueError as why:
                self._answer(400, {"state": str(why)})
                return
            self._answer(*credits_.ask(operation))

        def do_GET(self) -> None:
            """What became of one."""
            path, _, reference = self.path.rpartition("/")
            if not self._is_known() or path != PATH:
                self._answer(400 if self._is_known() else 401, {"state": "nothing is known here"})
                return
            self._answer(*credits_.look_up(unquote(reference)))

        def _is_known(self) -> bool:
            shown = self.headers.get("Authorization", "").encode()
            return hmac.compare_digest(shown, f"Bearer {token}".encode())

        def _answer(self, status: int, told: dict[str, str]) -> None:
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the library's name
            """A line that has no account."""
            LOG.info(format, *args)

    return ThreadingHTTPServer((host, port), Handler)


def main() -> None:
    """Run until it is stopped."""
    from bridge.mt5_credits import Mt5Credits  # noqa: PLC0415 # its package is for Windows only

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = ConfigParser()
    settings.read(sys.argv[1], encoding="utf-8")
    mt5, credits_ = settings["mt5"], settings["credits"]
    token = os.environ["IBFLOW_CREDIT_TOKEN"]
    if len(token) < 16:
        raise SystemExit("IBFLOW_CREDIT_TOKEN has 16 characters or more")
    name = credits_["name"]
    platform = Mt5Credits(name, mt5["server"], mt5.getint("login"), os.environ["MT5_PASSWORD"])
    book = Credits(Path(credits_["path"]), platform)
    serve(credits_.get("host", "127.0.0.1"), credits_.getint("port", 8443), token, book).serve_forever()


if __name__ == "__main__":
    main()
