"""A postback never leads inside: hosts, DNS answers, redirects, credentials, ports, sizes and time."""

import asyncio
import socket
import time
from collections.abc import Iterator
from threading import Thread

import pytest

from api.postbacks import connection as connection_module
from api.postbacks import safe_client
from api.postbacks.connection import MAX_BODY_BYTES, Answer, NoAnswer
from api.postbacks.public_addresses import BlockedAddress, Policy, check_address, check_url
from api.postbacks.safe_client import Resolve, SafeClient, checked_addresses, resolve
from tests.api.receiver import Receiver, receiving

OPEN = Policy(allow_http=True, allow_private=True)
HTTP = Policy(allow_http=True)

PRIVATE = (
    "0.0.0.0",  # noqa: S104  - an address to refuse
    "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1",
    "127.255.0.1", "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1",
    "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1",
    "2001:10::1", "2002:7f00:1::", "2002:a00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "", "localhost", "1.2.3", "999.1.1.1",
)  # fmt: skip

DISGUISED = (
    "2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001", "0177.0.0.1", "127.1", "127.0.1", "0",
    "1", "0x7f.1", "127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]", "[::]", "169.254.169.254", "0xa9fea9fe",
    "2852039166", "[fe80::1%25eth0]", "[64:ff9b::7f00:1]", "1.2.3.4.5", "256.1.1.1",
    "00000177.0.0.1", "0x7f.0x0.0x0.0x1", "0X7F000001", "127.000.000.001", "127.0.0.1..", "169.254.43518",
    "0251.0376.0251.0376", "[0:0:0:0:0:ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]", "[::ffff:7f00:1]",
    "[::ffff:a9fe:a9fe]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]", "[2002:7f00:1::]", "[64:ff9b:1::7f00:1]",
    "[fd00:ec2::254]", "[fec0::1]", "[::1%25lo]", "100.100.100.200", "192.0.0.192", "192.168.257",
)  # fmt: skip

ELSEWHERE = (
    "http://localhost/", "http://localhost./", "http://LOCALHOST/", "http://ip6-localhost/",
    "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/", "http://127\u30020\u30020\u30021/",
    "http://\uff11\uff12\uff17.0.0.1/", "http://127.0.0.1#@t.example/", "http://t.example#@127.0.0.1:22/",
    "http://t.example:80@127.0.0.1/", "http://127.0.0.1\\@t.example/", "http://t.example%00@127.0.0.1/",
    "http://[::1]t.example/", "http://t.example:80:80/", "http:/\\127.0.0.1/", "http://127.0.0.1:80\t/",
    "http:127.0.0.1/", "http:///127.0.0.1/", "http://127.0.0.1%2f@t.example/", "http://[v1.x]/",
)  # fmt: skip
"""Of public lists: names of this machine, digits of other scripts, URLs that two readers read two ways."""


def send(
    url: str, policy: Policy, resolver: Resolve = resolve, timeout_s: float = 15.0, proxy: str = ""
) -> Answer:
    """One GET by a client of its own."""

    async def once() -> Answer:
        client = SafeClient(policy, resolver=resolver, proxy=proxy)
        try:
            return await client.send("GET", url, {}, b"", timeout_s)
        finally:
            await client.close()

    return asyncio.run(once())


def answering(*answers: str) -> Resolve:
    """A resolver that says this of every host."""

    async def told(_host: str, _port: int) -> list[str]:
        return [*answers]

    return told


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    """Loopback, private, link-local, shared, mapped, translated, reserved or unreadable: none passes."""
    with pytest.raises(BlockedAddress):
        check_address(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"]
)
def test_a_public_address_passes(address: str) -> None:
    """The list denies no ordinary tracker."""
    assert str(check_address(address)) == address


@pytest.mark.parametrize("host", DISGUISED)
def test_a_host_that_hides_an_address_is_refused(host: str) -> None:
    """Decimal, hex, octal, short and bracketed forms are refused before anything is resolved."""
    with pytest.raises((BlockedAddress, ValueError)):
        check_url(f"http://{host}/x", HTTP)


@pytest.mark.parametrize("url", ELSEWHERE)
def test_a_url_that_leads_elsewhere_reaches_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused when it is read, or because of where its host is: no socket is opened, whoever reads it how."""

    async def told(host: str, port: int) -> list[str]:
        return ["10.0.0.1"] if host == "t.example" else await resolve(host, port)

    def opened(*where: object) -> None:
        pytest.fail(f"{where} was dialled")

    monkeypatch.setattr(safe_client, "_open", opened)
    with pytest.raises((BlockedAddress, NoAnswer, ValueError)):
        send(url, HTTP, told)


@pytest.mark.parametrize(
    "url",
    [
        "http://t.example/x", "ftp://t.example/x", "file:///etc/passwd", "gopher://t.example",
        "//t.example/x",
        "https://user:password@t.example/", "https://user@t.example/", "https://t.example:22/",
        "https://t.example:80/",
        "https:///x", "https://t.example\\@10.0.0.1/", "https://t.example /x", "https://%31%32%37.0.0.1/",
    ],
)  # fmt: skip
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    """Only https, only its ports, no credentials, no clever spelling."""
    with pytest.raises(BlockedAddress):
        check_url(url, Policy())


@pytest.mark.parametrize(
    "answers", [["10.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["8.8.8.8", "::1"], [], ["x"], ["8.8.8.8"] * 0]
)
def test_one_private_dns_answer_blocks_the_host(answers: list[str]) -> None:
    """Every answer is checked; a public one beside a private one does not help."""
    with pytest.raises(BlockedAddress):
        send("http://t.example/", HTTP, answering(*answers))


def test_a_resolver_that_fails_blocks() -> None:
    """No answer means no connection, not an unchecked one."""

    async def fails(_host: str, _port: int) -> list[str]:
        raise socket.gaierror("no such host")

    with pytest.raises(NoAnswer, match="cannot be resolved"):
        send("http://t.example/", HTTP, fails)


def test_the_checked_address_is_dialled_and_the_name_is_kept(receiver: Receiver) -> None:
    """The host is resolved once, the socket goes to that answer, and Host still names the tracker."""
    asked = []

    async def once(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    port = receiver.url.rpartition(":")[2]
    answer = send(f"http://t.example:{port}/p?a=1", OPEN, once)
    assert (answer.status, answer.body) == (200, b"ok")
    assert asked == [("t.example", int(port))]
    assert receiver.seen[0].headers["host"] == f"t.example:{port}"
    assert receiver.seen[0].target == "/p?a=1"


def test_a_second_dns_answer_leads_nowhere() -> None:
    """Rebinding: what is dialled is what was checked, and each new connection is checked anew."""
    told = [["8.8.8.8", "2606:4700::1111"], ["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"]]

    async def turning(_host: str, _port: int) -> list[str]:
        return told.pop(0)

    async def connect() -> list[str]:
        return await checked_addresses("t.example", 80, HTTP, turning)

    assert asyncio.run(connect()) == ["8.8.8.8", "2606:4700::1111"]
    with pytest.raises(BlockedAddress):
        asyncio.run(connect())
    for _ in range(2):
        with pytest.raises(BlockedAddress):
            send("http://t.example/", HTTP, turning)
    assert told == []


def test_localhost_of_the_real_resolver_is_refused_on_both_families() -> None:
    """What the system says of `localhost`, whether 127.0.0.1, ::1 or both."""
    with pytest.raises(BlockedAddress):
        send("http://localhost/", HTTP)


def test_an_egress_proxy_is_asked_and_hosts_are_checked_before(receiver: Receiver) -> None:
    """The request goes to the proxy with the whole address; a private host does not get that far."""
    answer = send("http://t.example/p?a=1", HTTP, answering("8.8.8.8"), proxy=receiver.url)
    assert (answer.status, receiver.seen[0].target) == (200, "http://t.example/p?a=1")
    with pytest.raises(BlockedAddress):
        send("http://t.example/", HTTP, answering("10.0.0.1"), proxy=receiver.url)
    assert len(receiver.seen) == 1


def test_a_kept_connection_is_used_again(receiver: Receiver) -> None:
    """One connection to the checked address serves one request after another."""
    receiver.keeps_connections = True
    asked = []

    async def count(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async def twice() -> None:
        client = SafeClient(OPEN, resolver=count)
        url = f"http://t.example:{receiver.url.rpartition(':')[2]}/"
        for _ in range(2):
            assert (await client.send("GET", url, {})).status == 200
        await client.close()

    asyncio.run(twice())
    assert len(asked) == 1


def test_tls_names_the_tracker_not_the_address() -> None:
    """The handshake with the pinned address asks for the name, so the certificate must be the name's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hello: list[bytes] = []
        thread = Thread(target=_take_hello, args=(listener, hello))
        thread.start()
        url = f"https://t.example:{listener.getsockname()[1]}/"
        with pytest.raises(NoAnswer):
            send(url, OPEN, answering("127.0.0.1"))
        thread.join()
    assert b"t.example" in hello[0]


def _take_hello(listener: socket.socket, hello: list[bytes]) -> None:
    connection, _ = listener.accept()
    with connection:
        hello.append(connection.recv(4_096))


def test_loopback_is_refused_unless_allowed_by_name(receiver: Receiver) -> None:
    """The same receiver is out of reach for an endpoint without `allow_private`."""
    with pytest.raises(BlockedAddress):
        send(receiver.url, HTTP)
    assert receiver.seen == []


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    """A 302 is an answer, not an order."""
    receiver.answers = [(302, {"location": f"{receiver.url}/inside"}, b"")]
    assert send(f"{receiver.url}/a", OPEN).status == 302
    assert [seen.target for seen in receiver.seen] == ["/a"]


def test_a_large_answer_is_read_in_part(receiver: Receiver) -> None:
    """4 kB are enough to see what went wrong."""
    receiver.answers = [(500, {}, b"x" * 1_000_000)]
    assert len(send(receiver.url, OPEN).body) == MAX_BODY_BYTES


def test_a_proxy_of_the_environment_is_ignored(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name again, unchecked."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert send(receiver.url, OPEN).status == 200


def test_a_receiver_that_drips_gains_no_time() -> None:
    """One byte now and then keeps a read alive, but not the request: the total time ends it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=_drip, args=(listener,))
        thread.start()
        started = time.monotonic()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(NoAnswer, match="total time"):
            send(url, OPEN, timeout_s=0.6)
        assert time.monotonic() - started < 2
        thread.join()


@pytest.mark.parametrize("length", [b"", b"Content-Length: 9\r\n"], ids=["without a length", "with one"])
def test_a_body_that_drips_or_breaks_off_leaves_the_status(
    monkeypatch: pytest.MonkeyPatch, length: bytes
) -> None:
    """The tracker has said 200; counted as failed, the conversion would be sent to it again and again."""
    monkeypatch.setattr(connection_module, "BODY_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        head = b"HTTP/1.1 200 OK\r\n" + length + b"\r\nok"
        thread = Thread(target=_answer_slowly, args=(listener, head))
        thread.start()
        started = time.monotonic()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        answer = send(url, OPEN, timeout_s=5)
        assert (answer.status, answer.body[:2]) == (200, b"ok")
        assert time.monotonic() - started < 2
        thread.join()


def _answer_slowly(listener: socket.socket, head: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4_096)
        connection.sendall(head)
        for _ in range(30):
            try:
                connection.send(b"y")
            except OSError:
                return
            time.sleep(0.1)


def _drip(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4_096)
        for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 20:
            try:
                connection.send(bytes([byte]))
            except OSError:
                return
            time.sleep(0.1)
