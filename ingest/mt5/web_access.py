"""Access to the Web API of an MT5 server: its address, whom to log in as, and the proof of the password."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from schemas.errors import Unusable

MAX_CONNECTIONS = 5
MAX_REQUESTS_PER_S = 100
MAX_TIMEOUT_S = 120.0

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WebApi:
    """How to ask one server. `password_env` is the environment variable that holds the password.

    Deals are asked for by `groups` (names or masks such as `real\\*,!real\\test*`) or by `logins`.
    """

    url: str
    login: int
    password_env: str
    groups: tuple[str, ...] = ()
    logins: tuple[int, ...] = ()
    period_clock: Literal["server", "utc"] = "server"
    """What a request's `from` and `to` count in."""
    connections: int = 3
    requests_per_s: int = 10
    timeout_s: float = 30.0
    ca_file: Path | None = None
    """The authority that signed the server's certificate, where it is none of the well-known."""

    def __post_init__(self) -> None:
        check_url(self.url)
        if bool(self.groups) == bool(self.logins):
            raise ValueError("name either groups or logins: the Web API is asked for deals by one of the two")
        if not 1 <= self.connections <= MAX_CONNECTIONS:
            raise ValueError(f"connections: {self.connections} is not 1 to {MAX_CONNECTIONS}")
        if not 1 <= self.requests_per_s <= MAX_REQUESTS_PER_S:
            raise ValueError(f"requests_per_s: {self.requests_per_s} is not 1 to {MAX_REQUESTS_PER_S}")
        if not 0 < self.timeout_s <= MAX_TIMEOUT_S:
            raise ValueError(f"timeout_s: {self.timeout_s} is not more than 0 and at most {MAX_TIMEOUT_S}")


def check_url(url: str) -> None:
    """Raise ValueError for an address that is not https, or holds more than scheme, host and port."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        raise ValueError("url: not an address such as https://mt5.example.com:443") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.host in _LOCAL)
    if not is_safe or not parts.host or parts.userinfo or parts.query or parts.path not in ("", "/"):
        raise ValueError(
            "url: write https://, the host and perhaps a port, such as https://mt5.example.com:443; the"
            " password belongs into the environment"
        )


def password_hash(password: str) -> bytes:
    """What both sides know: MD5 of the password's MD5 and the word WebAPI, as the protocol has it."""
    return _md5(_md5(password.encode("utf-16-le")) + b"WebAPI")


def answer_to(challenge: bytes, hashed: bytes) -> str:
    """The answer to a challenge that proves knowledge of the password."""
    return _md5(hashed + challenge).hex()


def password_of(api: WebApi) -> str:
    """Read the password from the environment; raise `Unusable` if it is not there."""
    password = os.environ.get(api.password_env, "")
    if not password:
        raise Unusable(
            f"the password of the Web API's login {api.login} is not there; set the environment variable"
            f" {api.password_env}"
        )
    return password


def _md5(raw: bytes) -> bytes:
    return hashlib.md5(raw, usedforsecurity=False).digest()
