"""Who may ask, what every answer carries, and what health tells."""

from base64 import b64encode

import pytest
from clickhouse_connect.driver.client import Client

from api.app import create_app
from api.exposure import ExposureError, check_exposure, is_local_request
from api.ledger import Ledger
from api.routes import health
from schemas.settings import Settings
from schemas.stops import BookCommand, stopped
from tests.api.conftest import Browser, browser, insert, operation_row, utc

TOKEN = "a-long-token"  # noqa: S105  - a token of the test only


def basic(password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'anyone:{password}'.encode()).decode()}"}


PATHS = (
    "/",
    "/docs",
    "/openapi.json",
    "/static/portal.css",
    "/v1/transfers",
    "/v1/statements?period=2026-09",
    "/no",
)


@pytest.mark.parametrize("path", PATHS)
def test_with_a_token_everything_but_health_is_closed(ledger: Ledger, path: str) -> None:
    """Pages, files, routes and unknown paths alike ask for the token."""
    http = browser(ledger, "http://broker.example", api_token=TOKEN, api_host="0.0.0.0")  # noqa: S104  - the case
    refused = http.get(path)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic")
    assert "Authorization: Bearer" in refused.json()["detail"]
    assert http.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code in (200, 404)
    assert http.get(path, headers=basic(TOKEN)).status_code in (200, 404)
    assert http.get("/health").status_code == 200


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer x",
        f"Token {TOKEN}",
        "Basic %%%",
        f"Bearer {TOKEN}x",
        "Basic //8=",
        "Bearer \u00e9",
    ],
)
def test_a_wrong_credential_is_refused(ledger: Ledger, value: str) -> None:
    """Nothing but the token itself opens, and nothing malformed breaks."""
    http = browser(ledger, api_token=TOKEN)
    assert http.get("/v1/transfers", headers={"Authorization": value.encode()}).status_code == 401


def test_without_a_token_the_api_does_not_listen_beyond_loopback(ledger: Ledger) -> None:
    """An empty token is fine on loopback; anywhere else nothing is built."""
    for host in ("127.0.0.1", "::1", "localhost"):
        check_exposure(Settings(_env_file=None, api_host=host))
    for host in ("0.0.0.0", "::", "10.0.0.5", "broker.example", ""):  # noqa: S104  - refused
        settings = Settings(_env_file=None, api_host=host)
        with pytest.raises(ExposureError, match="IBFLOW_API_TOKEN"):
            create_app(ledger, settings)


@pytest.mark.parametrize("base", ["http://evil.example", "http://127.0.0.1.evil.example:8080"])
def test_a_rebound_name_reads_nothing(ledger: Ledger, base: str) -> None:
    """Without a token a request that names another host is refused, though it reached this machine."""
    assert browser(ledger, base).get("/v1/transfers").status_code == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "127.0.0.1:8080", "[::1]:8080", "[::1]"])
def test_this_machine_has_these_names(host: str) -> None:
    """Every way to write loopback is local."""
    assert is_local_request("127.0.0.1", {"host": host})


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("203.0.113.9", {"host": "localhost"}),
        ("", {"host": "localhost"}),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "203.0.113.9"}),
        ("127.0.0.1", {"host": "localhost", "forwarded": "for=203.0.113.9"}),
        ("127.0.0.1", {}),
    ],
)
def test_who_asks_from_elsewhere_is_not_local(peer: str, headers: dict[str, str]) -> None:
    """Whatever host it names: the socket's other end counts, and a proxy here asks for somebody there."""
    assert not is_local_request(peer, headers)


@pytest.mark.parametrize("path", ["/", "/v1/transfers", "/no", "/static/portal.js"])
def test_every_answer_carries_the_security_headers(http: Browser, path: str) -> None:
    """No inline script, no sniffing, no referrer to others, no frame, no cache.

    With no referrer at all a browser would not say either that a form is of this site.
    """
    headers = http.get(path).headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_errors_are_problems(http: Browser) -> None:
    """Unknown paths and methods answer with problem+json."""
    missing, posted = http.get("/nothing"), http.post("/v1/transfers", json={})
    assert (missing.status_code, posted.status_code) == (404, 405)
    assert missing.headers["content-type"] == posted.headers["content-type"] == "application/problem+json"


def test_health_counts_rows_and_tells_the_lag(ledger: Ledger) -> None:
    """A readable ledger and a known lag are healthy."""
    app = create_app(ledger, Settings(_env_file=None), sink_lag=lambda: 7)
    health = Browser(app).get("/health").json()
    assert (health["status"], health["sink_lag"]) == ("ok", 7)
    assert health["rows"]["transfers"] >= 12


def test_health_is_degraded_while_a_partition_is_stopped(
    ledger: Ledger, chdb: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The partition is named, its error is not: health is open to all. A decision mends it."""
    monkeypatch.setattr(health, "MAX_AGE_S", 0)
    stop = stopped(("client-book", 3), 7, "fold", ValueError("of client c-17"), "w-1", utc(1))
    retry = BookCommand(
        action="retry", topic="client-book", partition=3, offset=7, by="ann", reason="mended", at=utc(2)
    )
    app = Browser(create_app(ledger, Settings(_env_file=None), sink_lag=lambda: 0))
    insert(chdb, "operations", operation_row(stop, 0))
    answer = app.get("/health")
    assert (200, "degraded") == (answer.status_code, answer.json()["status"])
    (told,) = answer.json()["stopped"]
    assert {"topic": "client-book", "partition": 3, "offset": 7, "since": "2026-09-01T10:00:00Z"} == told
    assert "c-17" not in answer.text
    page = app.get("/").text
    assert "1 stopped partition" in page
    assert "client-book/3" in page
    insert(chdb, "operations", operation_row(retry, 1))
    assert ("ok", []) == (app.get("/health").json()["status"], app.get("/health").json()["stopped"])
    assert "stopped partition" not in app.get("/").text


def test_health_is_503_when_the_ledger_or_the_sink_fails(ledger: Ledger) -> None:
    """Neither failure is hidden, and neither tells internals."""

    def dead() -> int:
        raise RuntimeError("the sink's thread ended at /secret/place")

    def nowhere() -> Client:
        raise OSError("/secret/place")

    by_sink = Browser(create_app(ledger, Settings(_env_file=None), sink_lag=dead)).get("/health")
    broken = Ledger(nowhere)
    by_ledger = browser(broken).get("/health")
    assert (by_sink.status_code, by_ledger.status_code) == (503, 503)
    assert "secret" not in by_sink.text + by_ledger.text
    assert browser(broken).get("/v1/transfers").json()["title"] == "Service Unavailable"
