"""A connection to a receiver: what it may answer, lie about, leave out or add; and the one after it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from api.postbacks import safe_client
from api.postbacks.connection import MAX_BODY_BYTES, MAX_HEAD_BYTES, NoAnswer
from api.postbacks.public_addresses import BlockedAddress, Policy
from api.postbacks.safe_client import SafeClient
from tests.eventually import WITHIN_S

OPEN = Policy(allow_http=True, allow_private=True)
Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(*answers: bytes) -> Behave:
    """A receiver that answers each request of a connection in turn, then closes it."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

    return behave


async def local(_host: str, _port: int) -> list[str]:
    """Every name is this machine's."""
    return ["127.0.0.1"]


class Seen:
    """What came of the requests, and how many connections they took."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.connections = 0


@asynccontextmanager
async def receiving(behave: Behave, seen: Seen, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Such a receiver on a free port; what still behaves at the end is stopped."""
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        with suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            await behave(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.get_running_loop().create_task(serve(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def ask(
    behave: Behave,
    times: int = 1,
    url: str = "http://t.example:{port}/p?a=1",
    *,
    tls: ssl.SSLContext | None = None,
    is_proxy: bool = False,
    after_each: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0),
) -> Seen:
    """Send some requests, one after another, to a receiver that behaves so."""
    seen = Seen()

    async def run() -> None:
        async with receiving(behave, seen, tls) as port:
            proxy = f"http://127.0.0.1:{port}" if is_proxy else ""
            client = SafeClient(OPEN, proxy=proxy, resolver=local)
            for _ in range(times):
                try:
                    answer = await client.send("GET", url.format(port=port), {"x": "y"}, timeout_s=1.0)
                    seen.answers.append(f"{answer.status} {answer.body[:20].decode()}".strip())
                except NoAnswer as failed:
                    seen.answers.append(str(failed))
                await after_each()
            await client.close()

    asyncio.run(run())
    return seen


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (OK, "200 ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "204"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nretry-after: 9\r\n\r\n",
            "200 ok",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "200 ok"),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, "200 ok"),
    ],
)
def test_a_whole_answer_leaves_the_connection_for_the_next(answer: bytes, told: str) -> None:
    """Whatever its framing: three requests take one connection."""
    seen = ask(answering(answer, answer, answer), 3)
    assert (seen.answers, seen.connections) == ([told] * 3, 1)


@pytest.mark.parametrize(
    "answer",
    [
        OK + OK,
        OK + b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n",
        OK + b"x",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
    ],
    ids=["twice", "another after it", "more than it said", "HTTP/1.0", "it says so"],
)
def test_an_answer_that_has_more_is_never_the_next_one(answer: bytes) -> None:
    """What nobody asked for is not taken for the answer to the next request: that has its own connection."""
    seen = ask(answering(answer, OK), 2)
    assert (seen.answers, seen.connections) == (["200 ok", "200 ok"], 2)


def test_what_comes_while_nothing_is_asked_ends_the_connection() -> None:
    """A late second answer of a connection that waits: its receiver sees the end before anything is asked."""
    is_answered, is_ended = asyncio.Event(), asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await is_answered.wait()
        writer.write(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")
        with suppress(OSError):
            await reader.read()
        is_ended.set()

    async def ended() -> None:
        is_answered.set()
        await asyncio.wait_for(is_ended.wait(), WITHIN_S)

    seen = ask(late, 2, after_each=ended)
    assert (seen.answers, seen.connections) == (["200 ok", "200 ok"], 2)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", "200 ok"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "200 until the end"),
        (CHUNKED + b"2\r\nok\r\nzz\r\n", "200 ok"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nok", "200 o"),
        (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "101"),
    ],
    ids=["breaks off", "no length", "chunks that are none", "longer than it said", "another protocol"],
)
def test_a_body_that_lies_leaves_the_status(answer: bytes, told: str) -> None:
    """The tracker has said it took it: as failed it would be sent to it again and again."""
    assert ask(answering(answer), 1).answers == [told]


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (b"", "closed unanswered"),
        (b"HTTP/1.1 200", "closed unanswered"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "RemoteProtocolError"),
        (b"HTTP/1.1 abc\r\n\r\n", "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * (MAX_HEAD_BYTES // 6 + 9), "larger than"),
    ],
    ids=["closed", "half a line", "not HTTP", "no status", "two lengths", "a head without end"],
)
def test_what_is_no_answer_is_told_as_what_it_is(answer: bytes, word: str) -> None:
    """Nothing of it is a status."""
    (told,) = ask(answering(answer), 1).answers
    assert word in told


def test_a_receiver_that_hangs_has_its_time_and_no_more() -> None:
    """One second was asked for."""

    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    assert ask(hang).answers == ["TimeoutException: the total time is over"]


def test_a_body_without_end_is_read_to_what_is_kept() -> None:
    """Then the connection is closed: reading on would take what the receiver wants to send."""

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async def run() -> int:
        async with receiving(pour, Seen()) as port:
            client = SafeClient(OPEN, resolver=local)
            return len((await client.send("GET", f"http://t.example:{port}/", {})).body)

    assert asyncio.run(run()) == MAX_BODY_BYTES


def test_a_reset_is_no_answer() -> None:
    """Also of a connection that was good for one request."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    first, second, third = ask(reset, 3).answers
    assert (first, third) == ("200 ok", "200 ok")
    assert "closed unanswered" in second or "Reset" in second


@pytest.mark.parametrize(
    "url", ["http://t.example:1/p?a=b c", "http://t.example:1/p?a=ü", "http://t.example:1/p\x01?a"]
)
def test_an_address_that_would_be_another_request_is_not_sent(url: str) -> None:
    """Spaces, control characters and other than ASCII must be percent-encoded by who writes the URL."""

    async def run() -> None:
        await SafeClient(OPEN, resolver=local).send("GET", url, {})

    with pytest.raises((NoAnswer, BlockedAddress)):
        asyncio.run(run())


def test_a_header_cannot_begin_another_request() -> None:
    """No value of ours has a line's end; if one ever does, nothing is sent."""

    async def run() -> None:
        await SafeClient(OPEN, resolver=local).send("GET", "http://t.example:1/", {"x": "y\r\nz: 1"})

    with pytest.raises(NoAnswer, match="control character"):
        asyncio.run(run())


def test_a_fragment_stays_here() -> None:
    """What stands behind `#` is nobody's but ours."""
    targets: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        targets.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(OK)

    ask(note, url="http://t.example:{port}/p?a=1#here")
    ask(note, url="http://t.example:{port}#here")
    assert targets == [b"GET /p?a=1 HTTP/1.1", b"GET / HTTP/1.1"]


# TLS and the proxy


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A certificate of t.example that is signed by itself, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), "t.example"
    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    own = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "t.example.pem"
    path.write_bytes(own + certificate.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def trusted(pem: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """The receiver's side; ours trusts its certificate."""
    safe_client.tls_context.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    yield server
    safe_client.tls_context.cache_clear()


def test_a_certificate_of_the_name_is_taken(trusted: ssl.SSLContext) -> None:
    """The socket goes to an address; the certificate is the name's. Two requests shake hands once."""
    seen = ask(answering(OK, OK), 2, "https://t.example:{port}/", tls=trusted)
    assert (seen.answers, seen.connections) == (["200 ok", "200 ok"], 1)


def test_a_certificate_of_another_name_is_refused(trusted: ssl.SSLContext) -> None:
    """Trusted, but not of this host; nothing of the request is sent."""
    (told,) = ask(answering(OK), 1, "https://u.example:{port}/", tls=trusted).answers
    assert "CERTIFICATE_VERIFY_FAILED" in told
    (told,) = ask(answering(OK), 1, "https://127.0.0.1:{port}/", tls=trusted).answers
    assert "CERTIFICATE_VERIFY_FAILED" in told


def test_a_certificate_nobody_trusts_is_refused(pem: Path) -> None:
    """It is signed by nobody that the system knows."""
    safe_client.tls_context.cache_clear()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    (told,) = ask(answering(OK), 1, "https://t.example:{port}/", tls=server).answers
    assert "CERTIFICATE_VERIFY_FAILED" in told


def proxying(trusted: ssl.SSLContext, heads: list[bytes]) -> Behave:
    """A proxy that answers CONNECT, and then is the receiver itself."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.start_tls(trusted)
        await answering(OK, OK)(reader, writer)

    return behave


def test_https_goes_through_the_proxy_and_is_still_the_names(trusted: ssl.SSLContext) -> None:
    """CONNECT names the host, TLS is with the host; the way through is used again."""
    heads: list[bytes] = []
    seen = ask(proxying(trusted, heads), 2, "https://t.example/p", is_proxy=True)
    assert (seen.answers, seen.connections) == (["200 ok", "200 ok"], 1)
    assert heads == [b"CONNECT t.example:443 HTTP/1.1\r\nHost: t.example:443\r\n\r\n"]
    (told,) = ask(proxying(trusted, heads), 1, "https://u.example/p", is_proxy=True).answers
    assert "CERTIFICATE_VERIFY_FAILED" in told


def test_a_proxy_that_refuses_is_told() -> None:
    """Its body is no answer of the receiver's."""
    refusal = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno"
    assert ask(answering(refusal), 1, "https://t.example/p", is_proxy=True).answers == [
        "ProxyError: it answered 403 to CONNECT"
    ]
