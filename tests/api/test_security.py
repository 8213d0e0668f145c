"""What an attacker tries: filters as SQL, bodies deep or no text, requests that two read differently.

CSRF, fixation, redirects and the time of a sign-in are in test_sign_in.py, slow clients in
tests/infra/connect/test_server_limits.py, whose data who sees in test_scope.py, a provider's tokens in
tests/infra/people/test_oidc.py, formulas in test_reports.py.
"""

import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from infra.connect.ports import listen
from infra.connect.server_thread import HttpThread
from tests.api.conftest import (
    ENDLESS,
    Browser,
    browser,
    client_row,
    insert,
    partner_row,
    per_lot,
    rejection_row,
    routes_of,
    statement_row,
)

INJECTED = (
    "' OR 1=1 -- ",
    "x' UNION ALL SELECT name FROM system.tables -- ",
    "{sees_all:UInt8}",
    "%",
)
FREE = "string"


def filters(http: Browser) -> Iterator[tuple[str, str]]:
    """Every parameter of every list and report that takes any text, with its route."""
    for path, methods in http.get("/openapi.json").json()["paths"].items():
        if "get" not in methods or "{" in path or path == ENDLESS:
            continue
        for one in methods["get"].get("parameters", []):
            schema = one["schema"].get("items", one["schema"])
            is_free = schema.get("type") == FREE and "enum" not in schema and "pattern" not in schema
            if one["in"] == "query" and is_free:
                yield path, one["name"]


def test_no_filter_is_read_as_sql(http: Browser) -> None:
    """What is injected is answered as a name that nobody has: by the same status and the same rows."""
    asked = 0
    for path, name in filters(http):
        for text in INJECTED:
            usual = http.get(path, params={name: "z" * len(text)})  # some have a length
            assert usual.status_code < 500 or usual.json()["code"] == "not_in_this_process", (path, name)
            answer = http.get(path, params={name: text})
            asked += 1
            assert answer.status_code == usual.status_code, (path, name, text, answer.text[:200])
            if usual.status_code == 200 and "json" in answer.headers["content-type"]:
                assert rows_of(usual.json()) == rows_of(answer.json()), (path, name, text)
    assert asked > 100


def rows_of(answer: Any) -> Any:
    """What was found, without what the answer says of the question."""
    return answer.get("items") if isinstance(answer, dict) else answer


def writes(http: Browser) -> Iterator[str]:
    """Every route that takes JSON."""
    for path, methods in http.get("/openapi.json").json()["paths"].items():
        if "application/json" in methods.get("post", {}).get("requestBody", {}).get("content", {}):
            yield re.sub(r"{\w+}", "1", path)


BODIES = {
    "deep lists": b"[" * 30_000 + b"]" * 30_000,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "half": b'{"a":',
    "no text": b"\xff\xfe\x00{",
    "a lone surrogate": b'{"title": "\\ud800", "reason": "\\udfff", "name": "\\ud800"}',
    "not a number": b'{"amount": NaN, "minimum": Infinity}',
    "a large number": b'{"amount": ' + b"9" * 5_000 + b', "year": 1e400}',
    "twice": b'{"reason": "a", "reason": "b"}',
    "a null": b"null",
    "control characters": b'{"reason": "a\\u0000b", "ib": "\\u0007"}',
}


@pytest.mark.parametrize("kind", BODIES)
def test_no_body_breaks_a_route(http: Browser, kind: str) -> None:
    """Each is refused with a problem, or by the desk that is not there; none is a defect."""
    paths = list(writes(http))
    assert len(paths) > 20
    for path in paths:
        answer = http.post(path, content=BODIES[kind], headers={"Content-Type": "application/json"})
        problem = answer.json()
        is_absent = problem["code"] == "not_in_this_process"
        assert 400 <= answer.status_code < 500 or is_absent, (path, answer.status_code, answer.text[:200])


EVIL = "<img src=x onerror=alert(1)>\"'"
PAGES = (
    "/", "/ibs", "/ibs/branch?root={}", "/ibs/{}", "/clients/{}", "/accounts?key={}", "/deals?key={}",
    "/transfers/{}", "/reports?group_by=ib", "/reports?group_by=symbol", "/statements", "/statements/{}",
    "/unpaid", "/balance", "/operations", "/dead-letters", "/dead-letters/{}", "/search?q={}",
    "/search/found?q={}", "/completeness", "/{}",
)  # fmt: skip


def test_no_name_from_outside_is_markup(ledger: Ledger, chdb: Client) -> None:
    """IBs, clients, symbols, plans, reasons and ids that are a tag: each page shows them as text."""
    insert(chdb, "partners", partner_row(EVIL, EVIL, None, kyc=False))
    insert(chdb, "clients", client_row(EVIL, EVIL))
    facts = {
        "client_id": EVIL, "account_key": f"live/{EVIL}", "symbol": EVIL, "plan_id": EVIL, "rule": EVIL,
        "path": [EVIL], "factors": {EVIL: EVIL}, "credit": f"ib:{EVIL}:pending",
    }  # fmt: skip
    insert(chdb, "transfers", per_lot(EVIL, EVIL, f"live|{EVIL}", "1.00", "broker:expense > x", **facts))
    insert(chdb, "statements", statement_row(EVIL, EVIL, "USD", "1", "1"))
    insert(chdb, "rejections", rejection_row(9, "rejected", EVIL) | {"text": EVIL, "account_key": EVIL})
    letter = {"source": EVIL, "position": EVIL, "code": EVIL, "reason": EVIL, "payload": EVIL}
    row = {"dead_letter_id": EVIL, "received_at": rejection_row(1, "rejected", "x")["occurred_at"]}
    insert(chdb, "dead_letters", row | letter | {"_topic": "t", "_partition": 0, "_offset": 7})
    http = browser(ledger)
    shown = 0
    for page in PAGES:
        answer = http.get(page.replace("{}", quote(EVIL, safe="")), headers={"Accept": "text/html"})
        assert answer.status_code < 500, page
        assert "<img" not in answer.text, page
        shown += "&lt;img" in answer.text
    assert shown > 10, "the pages do show them"


@pytest.fixture
def port(ledger: Ledger) -> Iterator[int]:
    """A real server."""
    listener, server = listen("127.0.0.1", 0), HttpThread(browser(ledger).app, "smuggling")
    server.start(listener)
    yield listener.getsockname()[1]
    server.stop()


SECOND = b"GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEAD = b"POST /v1/proposals HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
SMUGGLED = {
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + SECOND,
    "length and chunks": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "an odd encoding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + SECOND,
    "two encodings": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + SECOND,
    "a signed length": HEAD + b"Content-Length: +4\r\n\r\nnull" + SECOND,
    "a length of two": HEAD + b"Content-Length: 4, 4\r\nX: y\r\n\r\nnull",
    "a space before the colon": HEAD + b"Content-Length : 44\r\n\r\n" + SECOND,
    "a bad chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + SECOND,
    "a line feed in a header": b"GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\nY\x00: b\r\n\r\n",
    "two hosts": b"GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
    "no host": b"GET /v1/me HTTP/1.1\r\n\r\n",
    "a long header": b"GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    "many headers": b"GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: a\r\n" * 20_000 + b"\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("kind", SMUGGLED)
def test_a_request_that_two_read_differently_is_none(port: int, kind: str) -> None:
    """It is refused or cut, and what follows it on the connection is not answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as sock:
        try:
            sock.sendall(SMUGGLED[kind])
            sock.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: sock.recv(65_536), b""))
        except TimeoutError:
            raise
        except OSError:
            return  # cut while it was sent, or before its end was said
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", answer)
    assert len(statuses) <= 1, answer[:500]
    assert all(400 <= int(one) < 500 for one in statuses), answer[:500]
    assert b"this machine" not in answer


def test_every_route_is_known_to_one_of_these_tests(http: Browser) -> None:
    """The walks above read the document, so that a route added later is tried as well."""
    documented = {*http.get("/openapi.json").json()["paths"]}
    assert {path for path in routes_of("GET") + routes_of("POST") if path.startswith("/v1/")} <= documented
