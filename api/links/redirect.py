"""`GET /go/{code}`: one click, sent on and told; an application of its own, before everything else.

1. the link; 2. who clicks; 3. the click's id and the landing page's address; 4. the click into the spool,
else 503; 5. the redirect. Nothing here waits: Kafka, the database and the disk are other threads'.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import unquote_plus

from starlette.types import ASGIApp, Receive, Scope, Send

from api.links.clicker import MAX_AGENT, Rate, Recent, bot_word, network_of
from api.links.landing import Landing
from commission.links.click_id import RANDOM_BYTES, make
from commission.links.records import LinkSaved
from schemas.clicks import MAX_NAME_CHARS, MAX_PARAM_CHARS, MAX_PARAMS, LinkClicked
from schemas.wire import encode

PREFIX = "/go/"
MAX_QUERY = 4_096
"""Bytes of a query that are read."""
_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_TEXT = ((b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff"))
_ALWAYS = ((b"cache-control", b"no-store"), (b"x-robots-tag", b"noindex"))

Answer = tuple[int, str, list[tuple[bytes, bytes]]]
"""Status, what became of the click, headers."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a link leads."""

    link: LinkSaved
    landing: Landing | None
    """None: its host is not allowed any more."""


@dataclass(slots=True)
class Tally:
    """What became of clicks since the process began."""

    answers: Counter[str] = field(default_factory=Counter)
    """`sent`, and why others were not."""
    bots: int = 0
    duplicates: int = 0


class Redirect:
    """The application. `find` knows the links, `keep` takes a click or says why it cannot."""

    def __init__(
        self,
        find: Callable[[str], Target | None],
        keep: Callable[[bytes], str],
        key: bytes,
        *,
        rate: int = 0,
        proxies: Iterable[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`proxies`: whose `X-Forwarded-For` is believed; `rate`: clicks a second of one network."""
        self._find, self._keep, self._key = find, keep, key
        self._proxies, self._now, self._random = frozenset(proxies), now, random
        self._rate, self.recent = Rate(rate), Recent()
        self.tally = Tally()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        del receive
        status, headers, body = self.answer(scope)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def answer(self, scope: Scope) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers and body for a request."""
        status, why, more = self._answer(scope)
        self.tally.answers[why] += 1
        body = b"" if status == 302 or scope["method"] == "HEAD" else f"{why}\n".encode()
        headers = [*_ALWAYS, (b"content-length", str(len(body)).encode()), *more]
        if body:
            headers += _TEXT
        return status, headers, body

    def _answer(self, scope: Scope) -> Answer:
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "links are followed by GET", [(b"allow", b"GET, HEAD")]
        now = self._now()
        target = self._find(scope["path"][len(PREFIX) :])
        if target is None:
            return 404, "there is no such link", []
        if target.landing is None or target.link.is_over(now):
            return 410, "this link is over", []
        headers = dict(scope["headers"])
        if _is_prefetch(headers):  # the browser asks again once somebody really clicks
            return 503, "links are not fetched ahead", [(b"vary", b"sec-purpose, purpose")]
        return self._send_on(scope, headers, target.link, target.landing, now)

    def _send_on(
        self, scope: Scope, headers: Mapping[bytes, bytes], link: LinkSaved, landing: Landing, now: datetime
    ) -> Answer:
        params, dropped = read_params(scope["query_string"])
        values = {"ib": link.ib_id, "campaign": link.campaign, "link": link.code}
        if scope["method"] == "HEAD":  # nobody clicked
            return 302, "head", [(b"location", landing.fill(values, params).encode("ascii"))]
        network = network_of(self._address(scope, headers))
        agent = headers.get(b"user-agent", b"").decode("latin-1")[:MAX_AGENT]
        seconds = now.timestamp()
        if self._rate.is_over(network, seconds):
            return 429, "too many clicks of one network", [(b"retry-after", b"1")]
        bot = bot_word(agent)
        values["click_id"] = make(
            int(seconds * 1000), self._random(RANDOM_BYTES), link.code, self._key, is_bot=bool(bot)
        )
        again = self.recent.is_again(network, agent, link.code, seconds)
        click = LinkClicked(
            click_id=values["click_id"],
            link=link.code,
            ib_id=link.ib_id,
            campaign=link.campaign,
            occurred_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
            network=network,
            bot=bot,
            is_duplicate=again,
            params=params,
            dropped=dropped,
        )
        if why := self._keep(encode((click,))[0]):
            return 503, why, [(b"retry-after", b"5")]
        self.tally.bots += bool(bot)
        self.tally.duplicates += again
        return 302, "sent", [(b"location", landing.fill(values, params).encode("ascii"))]

    def _address(self, scope: Scope, headers: Mapping[bytes, bytes]) -> str:
        peer = str((scope.get("client") or ("",))[0])
        if peer not in self._proxies:
            return peer
        return headers.get(b"x-forwarded-for", b"").decode("latin-1").rpartition(",")[2].strip() or peer


def read_params(query: bytes) -> tuple[dict[str, str], int]:
    """The parameters of a query, each the first of its name, and how many more there were than are kept."""
    kept: dict[str, str] = {}
    if not query:
        return kept, 0
    pairs = query[:MAX_QUERY].decode("latin-1").split("&")
    dropped = query[MAX_QUERY:].count(b"&") + 1 if len(query) > MAX_QUERY else 0
    if dropped:
        pairs = pairs[:-1]  # it is cut
    for pair in filter(None, pairs):
        name, _, text = pair.partition("=")
        value = unquote_plus(text)
        is_good = 0 < len(name) <= MAX_NAME_CHARS and _NAME_CHARS.issuperset(name)
        is_good = is_good and len(value) <= MAX_PARAM_CHARS and value.isprintable() and "\ufffd" not in value
        if is_good and name not in kept and len(kept) < MAX_PARAMS:
            kept[name] = value
        else:
            dropped += 1
    return kept, dropped


def _is_prefetch(headers: Mapping[bytes, bytes]) -> bool:
    return any(b"prefetch" in headers.get(name, b"") for name in (b"sec-purpose", b"purpose", b"x-moz"))


def with_links(app: ASGIApp, redirect: Redirect) -> ASGIApp:
    """The links before an application: neither its sign-in nor its limits are for who clicks."""

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        is_click = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        await (redirect if is_click else app)(scope, receive, send)

    return front
