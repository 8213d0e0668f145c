"""What somebody who clicks is answered, and what is told of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from msgspec.structs import replace

from api.links.clicker import Rate, Recent, bot_word, network_of
from api.links.landing import Hosts, check_landing
from api.links.redirect import Redirect, read_params
from commission.links.click_id import is_genuine, parse
from commission.links.records import LinkSaved
from infra.links.targets import Targets
from schemas.clicks import LinkClicked
from schemas.wire import decode
from tests.link_world import KEY, known, link

NOON = datetime(2026, 9, 1, 12, 0, 0, 123_456, tzinfo=UTC)
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile Safari/604.1"
LANDING = "https://broker.test/open?lang=en&ref={click_id}&ib={ib}&c={campaign}&s={sub1}#form"
SPRING = link("spring", "ib north", campaign="spring & co", landing=LANDING)


class World:
    """A redirect over links, with a clock and a spool that a test looks at."""

    def __init__(self, *links: LinkSaved, hosts: str = "broker.test", **options: Any) -> None:
        self.now, self.kept, self.full = NOON, list[LinkClicked](), ""
        self.links = {one.code: known(one) for one in links or (SPRING,)}
        targets = Targets(lambda: self.links, hosts)
        self.app = Redirect(targets.find, self._keep, KEY, now=lambda: self.now, **options)

    def _keep(self, line: bytes) -> str:
        if not self.full:
            record = decode(line)
            assert isinstance(record, LinkClicked)
            self.kept.append(record)
        return self.full

    def ask(
        self, path: str = "/go/spring", method: str = "GET", peer: str = "203.0.113.77", **headers: str
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers, body."""
        said: list[Any] = []

        async def send(message: Any) -> None:
            said.append(message)

        async def receive() -> Any:
            raise AssertionError("no body is read")

        given = {"user_agent": PHONE, **headers}
        raw = [(name.replace("_", "-").encode(), text.encode()) for name, text in given.items()]
        bare, _, query = path.partition("?")
        scope: Any = {"type": "http", "method": method, "path": bare, "query_string": query.encode()}
        asyncio.run(self.app(scope | {"headers": raw, "client": (peer, 1)}, receive, send))
        start, body = said
        answered = {name.decode(): value.decode() for name, value in start["headers"]}
        assert int(answered["content-length"]) == len(body["body"])
        assert answered["cache-control"] == "no-store"
        return start["status"], answered, body["body"].decode()


def test_a_click_is_sent_on_and_told() -> None:
    """The landing page is filled in, what no macro names is passed on, and the click is as it was."""
    world = World()
    status, headers, body = world.ask("/go/spring?sub1=a%26b&utm=x+y&lang=de&clickid=k7")
    assert (status, body) == (302, "")
    page = urlsplit(headers["location"])
    assert (page.scheme, page.netloc, page.path, page.fragment) == ("https", "broker.test", "/open", "form")
    query = parse_qsl(page.query)
    click_id = dict(query)["ref"]
    assert query == [
        ("lang", "en"), ("ref", click_id), ("ib", "ib north"), ("c", "spring & co"), ("s", "a&b"),
        ("utm", "x y"), ("clickid", "k7"),
    ]  # fmt: skip
    assert is_genuine(click_id, (KEY,))
    told = parse(click_id)
    assert told is not None
    assert (told.link, told.at, told.is_bot) == ("spring", NOON.replace(microsecond=123_000), False)
    assert world.kept == [
        LinkClicked(
            click_id=click_id,
            link="spring",
            ib_id="ib north",
            campaign="spring & co",
            occurred_at=NOON.replace(microsecond=123_000),
            network="203.0.113.0/24",
            params={"sub1": "a&b", "utm": "x y", "lang": "de", "clickid": "k7"},
        )
    ]


def test_a_link_may_pass_nothing_on() -> None:
    """Then only macros are filled; one without a value is empty."""
    bare = link("bare", "i", landing="https://broker.test/?s={sub1}", passes_query=False)
    assert World(bare).ask("/go/bare?x=1")[1]["location"] == "https://broker.test/?s="


def test_what_is_no_link_leads_nowhere() -> None:
    """Unknown, over, told to no book yet, or to a host that is not allowed any more."""
    over = replace(SPRING, code="over", expires_at=NOON)
    world = World(SPRING, over)
    assert world.ask("/go/nobody")[0] == 404
    assert world.ask("/go/")[0] == 404
    assert world.ask("/go/spring/x")[0] == 404
    assert world.ask("/go/over")[0] == 410
    world.links["spring"] = replace_known(world, told=0)
    assert world.ask()[0] == 404
    assert World(hosts="other.test").ask()[0] == 410
    assert world.kept == []


def replace_known(world: World, **fields: Any) -> Any:
    """The link `spring` otherwise."""
    one = world.links["spring"]
    return type(one)(one.saved, one.created_by, one.created_at, **fields)


def test_who_only_looks_does_not_click() -> None:
    """HEAD and a browser that fetches ahead are no clicks; nothing but GET and HEAD is answered."""
    world = World()
    status, headers, _ = world.ask(method="HEAD")
    assert (status, headers["location"][:34]) == (302, "https://broker.test/open?lang=en&r")
    assert world.ask(sec_purpose="prefetch;prerender")[0] == 503
    assert world.ask(purpose="prefetch")[0] == 503
    assert world.ask(method="POST")[0] == 405
    assert world.kept == []
    assert world.app.tally.answers["head"] == 1


def test_bots_and_second_clicks_are_marked() -> None:
    """A bot's id says so itself; the same browser of the same network is a duplicate for ten minutes."""
    world = World()
    world.ask(user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)")
    world.ask(user_agent="")
    world.ask()
    world.ask(peer="203.0.113.12")  # of the same /24
    world.ask(peer="203.0.114.12")
    world.now += timedelta(minutes=21)
    world.ask()
    assert [(one.bot, one.is_duplicate) for one in world.kept] == [
        ("bot", False), ("no user agent", False), ("", False), ("", True), ("", False), ("", False),
    ]  # fmt: skip
    ids = [parse(one.click_id) for one in world.kept]
    assert [one is not None and one.is_bot for one in ids] == [True, True, False, False, False, False]
    assert (world.app.tally.bots, world.app.tally.duplicates) == (2, 1)


def test_a_full_spool_is_said_loudly() -> None:
    """Nobody is sent on with a click that is not kept."""
    world = World()
    world.full = "clicks cannot be kept: Kafka is away, and the spool is full"
    status, headers, body = world.ask()
    assert (status, headers["retry-after"], body) == (503, "5", f"{world.full}\n")
    assert world.app.tally.answers[world.full] == 1


def test_a_network_is_let_through_so_often_a_second() -> None:
    """Two clicks a second of one /24; another network has its own."""
    world = World(rate=2)
    answers = [world.ask(peer=peer)[0] for peer in ("9.9.9.1", "9.9.9.2", "9.9.9.3", "9.9.8.1")]
    assert answers == [302, 302, 429, 302]
    world.now += timedelta(seconds=1)
    assert world.ask(peer="9.9.9.3")[0] == 302
    assert not Rate(0).is_over("9.9.9.0/24", 1.0)


def test_only_a_proxy_that_is_named_tells_who_clicks() -> None:
    """The last address it added counts; of anybody else the header counts for nothing."""
    world = World(proxies=("10.0.0.1",))
    world.ask(peer="10.0.0.1", x_forwarded_for="1.1.1.1, 198.51.100.9")
    world.ask(peer="10.0.0.2", x_forwarded_for="198.51.100.9")
    assert [one.network for one in world.kept] == ["198.51.100.0/24", "10.0.0.0/24"]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("203.0.113.777", ""),
        ("unix", ""),
        ("", ""),
    ],
)
def test_an_address_is_cut_to_its_network(address: str, network: str) -> None:
    """No more is kept than a /24 or a /48."""
    assert network_of(address) == network


def test_parameters_are_bounded_and_the_rest_is_counted() -> None:
    """Thirty of 200 characters, the first of a name, printable, within 4,096 bytes."""
    many = "&".join(f"p{number}=x" for number in range(33))
    kept, dropped = read_params(many.encode())
    assert (len(kept), dropped) == (30, 3)
    assert read_params(b"a=1&a=2&b%3D=3&c=%0d%0aSet-Cookie:x&d=%ff&e=%C3%A9&&f") == (
        {"a": "1", "e": "é", "f": ""}, 4,
    )  # fmt: skip
    assert read_params(b"a=" + b"x" * 201) == ({}, 1)
    assert read_params(b"a=1&" + b"b" * 5000) == ({"a": "1"}, 1)
    assert read_params(b"") == ({}, 0)


def test_what_is_remembered_of_clicks_is_bounded() -> None:
    """At the bound the older half is forgotten, and counted."""
    recent = Recent(seconds=600, most=4)
    assert [recent.is_again("n", str(number), "c", 1000.0) for number in range(6)] == [False] * 6
    assert recent.forgotten == 2
    assert recent.is_again("n", "5", "c", 1001.0)
    assert not recent.is_again("n", "0", "c", 1001.0)


def test_people_are_no_bots() -> None:
    """Browsers as they are; what says nothing of itself is no person's."""
    for agent in (
        PHONE,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36 Edg/150",
        "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
        "Mozilla/5.0 (Linux; Android 16; SM-S928B) AppleWebKit/537.36 SamsungBrowser/30.0 Mobile Safari/537",
    ):
        assert bot_word(agent) == ""
    assert bot_word("  ") == "no user agent"
    assert bot_word("facebookexternalhit/1.1") == "facebookexternalhit"


HOSTS = Hosts.from_text("broker.test, *.brand.test, http://localhost:8000, shop.test:8443")


@pytest.mark.parametrize(
    "url",
    [
        "https://broker.test/open?ref={click_id}",
        "https://eu.brand.test",
        "https://shop.test:8443/x",
        "http://localhost:8000/open",
    ],
)
def test_links_lead_to_hosts_that_are_allowed(url: str) -> None:
    """Exact, or below a name; over http only where the list says so."""
    check_landing(url, HOSTS)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://evil.test/", "may not lead to"),
        ("https://brand.test/", "may not lead to"),
        ("https://evilbrand.test/", "may not lead to"),
        ("https://broker.test.evil.test/", "may not lead to"),
        ("https://broker.test:444/", "may not lead to"),
        ("http://broker.test/", "may not lead to"),
        ("https://localhost:8000/", "may not lead to"),
        ("https://broker.test@evil.test/", "user or a password"),
        ("https://evil.test\\@broker.test/", "printable ASCII"),
        ("//broker.test/", "no address"),
        ("/open", "no address"),
        ("javascript:alert(1)", "no address"),
        ("https://broker.test:x/", "no address"),
        ("https://broker.test/\r\nSet-Cookie: a=b", "printable ASCII"),
        ("https://brök.test/", "printable ASCII"),
        ("https://broker.test/" + "x" * 1000, "printable ASCII"),
        ("https://{sub1}/", "in the query only"),
        ("https://broker.test/{sub1}", "in the query only"),
        ("https://broker.test/?a={clickid}", "did you mean {click_id}?"),
        ("https://broker.test/?{sub1}=1", "not for its name"),
    ],
)
def test_links_lead_nowhere_else(url: str, why: str) -> None:
    """No open redirect, whatever is written as a landing page."""
    with pytest.raises(ValueError, match=why.replace("?", r"\?").replace("{", r"\{")):
        check_landing(url, HOSTS)
