"""Who clicks, as far as it is looked at: a network, a bot or not, somebody who was just here."""

import re
from collections import Counter
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

BOT_WORDS = (
    *("bot", "crawl", "spider", "slurp", "scrap", "preview", "fetch", "monitor", "scan", "archiver"),
    *("facebookexternalhit", "whatsapp", "telegram", "skypeuripreview", "embedly", "mediapartners"),
    *("lighthouse", "headless", "phantomjs", "selenium", "puppeteer", "playwright"),
    *("curl", "wget", "python", "java/", "okhttp", "go-http-client", "libwww", "httpclient", "axios", "node"),
    *("postman", "insomnia", "ruby", "perl", "php/", "uptime", "pingdom", "validator", "feed"),
)
"""What machines call themselves. No list has all of them: it marks, and nobody is refused by it."""
_BOT = re.compile("|".join(map(re.escape, BOT_WORDS)), re.IGNORECASE)
MAX_AGENT = 512
DUPLICATE_S = 600
"""A second click within so long is a duplicate; it may be one up to twice as long."""
MAX_REMEMBERED = 200_000
"""Clicks; once there are more the older half is forgotten, and counted as such."""
MAX_NETWORKS = 100_000
"""Whose clicks are counted in one second; those of more are refused."""


@lru_cache(maxsize=8_192)
def bot_word(agent: str) -> str:
    """The word that gives a bot away; "" of what may be a person. Give it at most `MAX_AGENT` characters."""
    if not agent.strip():
        return "no user agent"
    found = _BOT.search(agent)
    return found[0].lower() if found is not None else ""


def network_of(address: str) -> str:
    """The address without what tells one person's from another's: a /24, of IPv6 a /48; "" of none."""
    parts = address.split(".")
    if len(parts) == 4 and all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
        return f"{parts[0]}.{parts[1]}.{parts[2]}.0/24" if all(int(part) < 256 for part in parts) else ""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return network_of(str(found.ipv4_mapped))
    return str(ip_network((found, 48), strict=False))


class Recent:
    """Clicks of the last minutes, by a hash that is nowhere kept."""

    def __init__(self, seconds: float = DUPLICATE_S, most: int = MAX_REMEMBERED) -> None:
        self._seconds, self._half = seconds, most // 2
        self._new: set[int] = set()
        self._old: set[int] = set()
        self._turned = 0.0
        self.forgotten = 0
        """Clicks that there was no room for any more."""

    def is_again(self, network: str, agent: str, code: str, now: float) -> bool:
        """Whether the same browser of the same network was here; it is from now on."""
        rested = now - self._turned
        if rested >= self._seconds or len(self._new) >= self._half:
            if rested < self._seconds:
                self.forgotten += len(self._old)
            self._old = self._new if rested < 2 * self._seconds else set()
            self._new, self._turned = set(), now
        name = hash((network, agent, code))
        is_known = name in self._new or name in self._old
        self._new.add(name)
        return is_known


class Rate:
    """How many clicks of one network are let through a second."""

    def __init__(self, a_second: int) -> None:
        self._most = a_second
        self._second = 0
        self._counts: Counter[str] = Counter()

    def is_over(self, network: str, now: float) -> bool:
        """Whether it is one too many; 0 is no limit."""
        if not self._most:
            return False
        if int(now) != self._second:
            self._second = int(now)
            self._counts.clear()
        if len(self._counts) >= MAX_NETWORKS and network not in self._counts:
            return True
        self._counts[network] += 1
        return self._counts[network] > self._most
