"""The `feed:` of a server in broker.yaml: how to ask the live server; secrets only by name."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from commission.events import Platform
from ingest.mt5.web_access import MAX_CONNECTIONS, MAX_REQUESTS_PER_S, WebApi
from ingest.terms.yaml_page import Fields, Page, Text, to_whole

SqlKind = Literal["mt5-sql", "mt4-sql"]
MIN_INTERVAL_S, MAX_INTERVAL_S = 1, 3_600
DEFAULT_INTERVAL_S = 5
DEFAULT_PORT = 3306

_PLATFORM: dict[str, Platform] = {"mt5-sql": "mt5", "mt4-sql": "mt4", "mt5-web-api": "mt5"}
SQL_NEEDED = ("kind", "host", "database", "user", "password_env")
SQL_OPTIONAL = ("port", "tls_ca", "interval_s")
WEB_NEEDED = ("kind", "url", "login", "password_env")
WEB_OPTIONAL = (
    "groups", "logins", "period_clock", "connections", "requests_per_s", "ca_file", "interval_s",
)  # fmt: skip
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


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFeed:
    """A server's Web API."""

    api: WebApi
    interval_s: int = DEFAULT_INTERVAL_S


Feed = SqlFeed | WebFeed


def read_feed(page: Page, server: str, platform: Platform, fields: Fields) -> Feed | None:
    """The feed of a server, if it has one; what is wrong with it is told to the page."""
    if "feed" not in fields:
        return None
    what, line = f"the feed of {server}", fields.line_at("feed")
    keys = page.mapping(fields["feed"], what, line=line, required=("kind",), optional=None)
    kind = page.choice(keys, "kind", what, tuple(_PLATFORM), "")
    if not kind:
        return None
    if _PLATFORM[kind] != platform:
        page.fail(keys.line_at("kind"), f"{what} is {kind}, but {server} is {platform.upper()}")
    _check_variable(page, keys, what)
    return _read_web(page, keys, what) if kind == "mt5-web-api" else _read_sql(page, keys, what, kind)


def _read_sql(page: Page, keys: Fields, what: str, kind: str) -> SqlFeed:
    page.mapping(keys, what, required=SQL_NEEDED, optional=SQL_OPTIONAL)
    return SqlFeed(
        kind="mt4-sql" if kind == "mt4-sql" else "mt5-sql",
        host=page.parsed(keys, "host", what, _matching(_HOST), "write a name or an address", ""),
        database=page.parsed(keys, "database", what, _matching(_NAME), "write the database's name", ""),
        user=page.parsed(keys, "user", what, _matching(_NAME), "write the user's name", ""),
        password_env=str(keys.get("password_env", "")),
        port=_whole(page, keys, "port", what, (1, 65_535), DEFAULT_PORT),
        tls_ca=page.parsed(keys, "tls_ca", what, str, "write a file's path", ""),
        interval_s=_interval_s(page, keys, what),
    )


def _read_web(page: Page, keys: Fields, what: str) -> WebFeed | None:
    before = len(page.problems)
    page.mapping(keys, what, required=WEB_NEEDED, optional=WEB_OPTIONAL)
    login = _whole(page, keys, "login", what, (1, 999_999_999), 1)
    numbers = [to_whole(str(entry)) or 0 for entry in page.items(keys, "logins")]
    if not all(numbers):
        page.fail(keys.line_at("logins"), f"{what}: logins are numbers")
    interval_s = _interval_s(page, keys, what)
    clock = page.choice(keys, "period_clock", what, ("server", "utc"), "server")
    ca_file = page.parsed(keys, "ca_file", what, Path, "write a file's path", None)
    connections = _whole(page, keys, "connections", what, (1, MAX_CONNECTIONS), 3)
    requests_per_s = _whole(page, keys, "requests_per_s", what, (1, MAX_REQUESTS_PER_S), 10)
    if len(page.problems) > before:
        return None
    try:
        api = WebApi(
            url=str(keys["url"]),
            login=login,
            password_env=str(keys["password_env"]),
            groups=tuple(str(entry) for entry in page.items(keys, "groups")),
            logins=tuple(numbers),
            period_clock="utc" if clock == "utc" else "server",
            connections=connections,
            requests_per_s=requests_per_s,
            ca_file=ca_file,
        )
    except ValueError as error:
        page.fail(keys.line, f"{what}: {error}")
        return None
    return WebFeed(api=api, interval_s=interval_s)


def _interval_s(page: Page, keys: Fields, what: str) -> int:
    limits = (MIN_INTERVAL_S, MAX_INTERVAL_S)
    return _whole(page, keys, "interval_s", what, limits, DEFAULT_INTERVAL_S)


def _check_variable(page: Page, keys: Fields, what: str) -> None:
    """The text is not repeated: it may be the password itself, written in the wrong place."""
    name = keys.get("password_env")
    if "password_env" in keys and not (isinstance(name, Text) and _VARIABLE.fullmatch(name)):
        page.fail(
            keys.line_at("password_env"),
            f"{what}: password_env is not the name of an environment variable such as MT5_PASSWORD; the"
            " password itself does not belong here",
        )
        keys.put("password_env", Text.at(keys.line_at("password_env"), ""), keys.line_at("password_env"))


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    return lambda text: str(text) if pattern.fullmatch(text) else None


def _whole(page: Page, keys: Fields, key: str, what: str, limits: tuple[int, int], usual: int) -> int:
    least, most = limits

    def parse(text: str) -> int | None:
        number = to_whole(text)
        return number if number is not None and least <= number <= most else None

    return page.parsed(keys, key, what, parse, f"write {least} to {most}", usual)
