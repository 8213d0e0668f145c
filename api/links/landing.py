"""Landing pages: which hosts they may have, their macros, and the address that one click is sent to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from api.postbacks.macros import MACRO, check_template
from schemas.errors import Unusable

SUBS = tuple(f"sub{number}" for number in range(1, 11))
MACROS = frozenset({"click_id", "ib", "campaign", "link", *SUBS})
MAX_URL = 1_000
"""Characters of a landing page's address, with its macros."""
_HOST = re.compile(r"(http://)?(\*\.)?([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Hosts:
    """Which hosts links may lead to: over https, but for those written with `http://`."""

    entries: tuple[str, ...]

    @classmethod
    def from_text(cls, text: str) -> "Hosts":
        """Read a setting: `broker.com, *.broker.com, http://localhost:8000`; raise `Unusable`."""
        entries = tuple(part.strip().lower() for part in text.split(",") if part.strip())
        for entry in entries:
            if not _HOST.fullmatch(entry):
                raise Unusable(f"IBFLOW_LANDING_HOSTS has `{entry[:80]}`: no host such as broker.com")
        return cls(entries)

    def has(self, url: str) -> bool:
        """Whether the URL's host, with its port and scheme, is one of them."""
        split = urlsplit(url)
        place = (split.hostname or "") + (f":{split.port}" if split.port is not None else "")
        start = "http://" if split.scheme == "http" else ""
        return any(_fits(entry, start, place) for entry in self.entries)


def _fits(entry: str, start: str, place: str) -> bool:
    if entry.startswith("http://") != bool(start):
        return False
    entry = entry.removeprefix("http://")
    return place.endswith(entry[1:]) if entry.startswith("*.") else place == entry


def check_landing(url: str, hosts: Hosts) -> None:
    """Raise `ValueError` for what a link may not lead to, saying what to do."""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or set(url) & set(' "<>\\^`|'):
        raise ValueError(f"the landing page is an address of at most {MAX_URL} printable ASCII characters")
    check_template(url, MACROS)
    try:
        split = urlsplit(url)
        _ = split.port
    except ValueError:
        raise ValueError("the landing page is no address such as https://broker.com/open") from None
    if split.scheme not in ("https", "http") or not split.hostname:
        raise ValueError("the landing page is no address such as https://broker.com/open")
    if split.username is not None or split.password is not None:
        raise ValueError("the landing page has a user or a password; leave them out")
    if not hosts.has(url):
        known = ", ".join(hosts.entries) or "none: IBFLOW_LANDING_HOSTS is not set"
        raise ValueError(f"links may not lead to {split.scheme}://{split.netloc[:80]}; allowed are {known}")


class Landing:
    """A landing page taken apart once, so that filling it in costs little."""

    __slots__ = ("_constants", "_fragment", "_has_query", "_macros", "_own", "_passes")

    def __init__(self, url: str, *, passes_query: bool) -> None:
        address, mark, fragment = url.partition("#")
        pieces = MACRO.split(address)
        self._constants, self._macros = pieces[::2], pieces[1::2]
        self._fragment = mark + fragment
        self._has_query, self._passes = "?" in address, passes_query
        query = address.partition("?")[2]
        self._own = {pair.partition("=")[0] for pair in query.split("&")} | set(self._macros)

    def fill(self, values: Mapping[str, str], params: Mapping[str, str]) -> str:
        """The address of one click: what fills a macro is encoded, what no macro names is passed on."""
        made = [self._constants[0]]
        for name, constant in zip(self._macros, self._constants[1:], strict=True):
            made += (_encoded(values.get(name) or params.get(name, "")), constant)
        if self._passes:
            mark = "&" if self._has_query else "?"
            for name, value in params.items():
                if name not in self._own:
                    made += (mark, _encoded(name), "=", _encoded(value))
                    mark = "&"
        return "".join((*made, self._fragment))


def _encoded(text: str) -> str:
    return text if text.isalnum() and text.isascii() else quote(text, safe="")
