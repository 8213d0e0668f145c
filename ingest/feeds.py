"""The `feed:` of a server in broker.yaml: how to ask the live server; secrets only by name."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from commission.events import Platform
from ingest.yaml_page import Fields, Page, Text, to_whole

SqlKind = Literal["mt5-sql", "mt4-sql"]
MIN_INTERVAL_S, MAX_INTERVAL_S = 1, 3_600
DEFAULT_INTERVAL_S = 5
DEFAULT_PORT = 3306

_PLATFORM: dict[str, Platform] = {"mt5-sql": "mt5", "mt4-sql": "mt4"}
_NEEDED = ("kind", "host", "database", "user", "password_env")
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_NAME = re.compile(r"[^\s/]{1,64}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlFeed:
    """A server's own database; `password_env` is the environment variable that holds the password."""

    kind: SqlKind
    host: str
    database: str
    user: str
    password_env: str
    port: int = DEFAULT_PORT
    tls_ca: str = ""
    """File of the authority that signed the database's certificate; empty: without TLS."""
    interval_s: int = DEFAULT_INTERVAL_S


Feed = SqlFeed


def read_feed(page: Page, server: str, platform: Platform, fields: Fields) -> Feed | None:
    """The feed of a server, if it has one; what is wrong with it is told to the page."""
    if "feed" not in fields:
        return None
    what = f"the feed of {server}"
    line = fields.line_at("feed")
    keys = page.mapping(
        fields["feed"], what, line=line, required=_NEEDED, optional=("port", "tls_ca", "interval_s")
    )
    kind = page.choice(keys, "kind", what, get_args(SqlKind), "")
    if kind and _PLATFORM[kind] != platform:
        page.fail(keys.line_at("kind"), f"{what} is {kind}, but {server} is {platform.upper()}")
    _check_variable(page, keys, what)
    return SqlFeed(
        kind="mt4-sql" if kind == "mt4-sql" else "mt5-sql",
        host=page.parsed(keys, "host", what, _matching(_HOST), "write a name or an address", ""),
        database=page.parsed(keys, "database", what, _matching(_NAME), "write the database's name", ""),
        user=page.parsed(keys, "user", what, _matching(_NAME), "write the user's name", ""),
        password_env=str(keys.get("password_env", "")),
        port=page.parsed(keys, "port", what, _between(1, 65_535), "write 1 to 65535", DEFAULT_PORT),
        tls_ca=page.parsed(keys, "tls_ca", what, str, "write a file's path", ""),
        interval_s=page.parsed(
            keys,
            "interval_s",
            what,
            _between(MIN_INTERVAL_S, MAX_INTERVAL_S),
            f"write {MIN_INTERVAL_S} to {MAX_INTERVAL_S} seconds",
            DEFAULT_INTERVAL_S,
        ),
    )


def _check_variable(page: Page, keys: Fields, what: str) -> None:
    """The text is not repeated: it may be the password itself, written in the wrong place."""
    name = keys.get("password_env")
    if "password_env" in keys and not (isinstance(name, Text) and _VARIABLE.fullmatch(name)):
        page.fail(
            keys.line_at("password_env"),
            f"{what}: password_env is no name of an environment variable such as MT5_PASSWORD; the password"
            " itself does not belong here",
        )
        keys.put("password_env", Text.at(keys.line_at("password_env"), ""), keys.line_at("password_env"))


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    return lambda text: str(text) if pattern.fullmatch(text) else None


def _between(least: int, most: int) -> Callable[[str], int | None]:
    def parse(text: str) -> int | None:
        number = to_whole(text)
        return number if number is not None and least <= number <= most else None

    return parse
