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
from schemas.errors import Unavailable
from schemas.settings import OwnSettings


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
            asked.append(self.headers.get("Authorization", "") or self.headers.get("X-ClickHouse-Key", ""))
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
    with pytest.raises(Unavailable), ClickHouseAt(dsn, ca_file).open():
        pass
    assert asked


def test_its_password_is_not_shown() -> None:
    """A DSN in the settings is no part of their text."""
    assert "pass-word" not in repr(OwnSettings(clickhouse="clickhouses://ann:pass-word@db.example/ledger"))
