"""A ClickHouse behind TLS: its certificate is checked, and the password goes to no other."""

import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.archive.clickhouse_log import ClickHouseAt
from infra.connect.settings import connect
from schemas.errors import Unavailable, Unusable
from schemas.settings import OwnSettings, TlsFiles


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path, list[str]]]:
    """A port that shows a certificate of its own making, the certificate, and what was asked there."""
    folder, asked = tmp_path_factory.mktemp("tls"), list[str]()
    key, ca_file = folder / "key.pem", folder / "ca.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=db"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(ca_file)]
    subprocess.run(command, check=True, capture_output=True)

    class Database(BaseHTTPRequestHandler):
        """It hears a question and is broken: no ClickHouse with TLS runs here."""

        def do_POST(self) -> None:
            """Refuse."""
            assert isinstance(self.connection, ssl.SSLSocket)
            shown = "certificate " if self.connection.getpeercert() else ""
            by_certificate = self.headers.get("X-ClickHouse-SSL-Certificate-Auth", "")
            asked.append(f"{shown}{by_certificate}{self.headers.get('Authorization', '')}")
            self.send_error(404, "no database")

        do_GET = do_POST  # noqa: N815 # as the base class spells it

        def log_message(self, *_: object) -> None:
            """Nothing."""

    class Server(HTTPServer):
        """A client that turns away at its certificate is no error here."""

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Close what is left of it."""
            request.close()

    server = Server(("127.0.0.1", 0), Database)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca_file, key)
    # Who shows a certificate must show this one; who shows none is seen without.
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(ca_file)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, ca_file, asked
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.mark.parametrize("scheme", ["clickhouses", "https"])
def test_its_certificate_is_checked(secured: tuple[int, Path, list[str]], scheme: str) -> None:
    """With its authority in IBFLOW_CLICKHOUSE_CA it is asked; without, nothing is sent to it."""
    port, ca_file, asked = secured
    dsn = f"{scheme}://ann:pass-word@127.0.0.1:{port}/ledger"
    asked.clear()
    with pytest.raises(Unavailable) as ended:
        connect(OwnSettings(clickhouse=dsn))
    assert ([], False) == (asked, "pass-word" in str(ended.value))
    with pytest.raises(Unavailable):
        connect(OwnSettings(clickhouse=dsn, clickhouse_ca=ca_file))
    assert asked
    asked.clear()
    with pytest.raises(Unavailable), ClickHouseAt(dsn, TlsFiles(ca_file)).open():
        pass
    assert asked


def test_a_certificate_of_ours_is_shown(secured: tuple[int, Path, list[str]]) -> None:
    """Beside a password both are; without one the certificate stands for the user."""
    port, ca_file, asked = secured
    known = {
        "clickhouse_ca": ca_file,
        "clickhouse_cert": ca_file,
        "clickhouse_key": ca_file.parent / "key.pem",
    }
    for user, wanted in (("ann", "certificate on"), ("ann:pass-word", "certificate Basic ")):
        asked.clear()
        with pytest.raises(Unavailable):
            connect(
                OwnSettings.model_validate({"clickhouse": f"https://{user}@127.0.0.1:{port}/ledger", **known})
            )
        assert asked[0].startswith(wanted), asked


@pytest.mark.parametrize(
    ("dsn", "files", "told"),
    [
        ("https://db/x", {"clickhouse_cert": __file__}, "CERT and IBFLOW_CLICKHOUSE_KEY go together"),
        (
            "https://db/x",
            {"clickhouse_ca": "/none.pem"},
            "there is no file /none.pem, which IBFLOW_CLICKHOUSE_CA",
        ),
        (
            "http://db/x",
            {"clickhouse_cert": __file__, "clickhouse_key": __file__},
            "needs a DSN `clickhouses",
        ),
    ],
)
def test_files_that_cannot_be_used_are_refused(dsn: str, files: dict[str, str], told: str) -> None:
    """A certificate without its key, a file that is not there, a certificate that nobody would ask for."""
    with pytest.raises(Unusable, match=told):
        connect(OwnSettings.model_validate({"clickhouse": dsn, **files}))


def test_its_password_is_not_shown() -> None:
    """A DSN in the settings is no part of their text."""
    assert "pass-word" not in repr(OwnSettings(clickhouse="clickhouses://ann:pass-word@db.example/ledger"))
