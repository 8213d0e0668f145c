"""The push endpoint where it runs: beside the API in `ibflow serve`, and alone as `ibflow receive`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from api.operators import Operator
from commission.events import Deal
from infra.cli.app import app
from infra.connect.settings import prepare_topics
from infra.processes.push_server import open_desk
from infra.processes.server import ApiServer
from schemas.errors import Unusable
from schemas.settings import Settings
from schemas.wire import encode
from tests import services

TERMS = Path(__file__).parents[3] / "examples" / "broker" / "terms"
TOKEN, API_TOKEN = "token-of-the-bridge", "token-of-the-api"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with services.kafka(tmp_path_factory.mktemp("kafka")) as bootstrap:
        yield bootstrap


@pytest.fixture
def settings(kafka: str, tmp_path: Path) -> Settings:
    bridges = tmp_path / "bridges.yaml"
    digest = sha256(TOKEN.encode()).hexdigest()
    bridges.write_text(f"bridges: [{{name: live, server: mt5-live, token_sha256: {digest}}}]\n")
    return Settings(
        data_dir=tmp_path,
        kafka=kafka,
        partitions=2,
        api_port=0,
        push_port=0,
        bridges_file=bridges,
        terms_dir=TERMS,
        api_token=API_TOKEN,  # type: ignore[arg-type] # pydantic makes it a secret
    )


def push(url: str, token: str) -> httpx.Response:
    deal = Deal(
        platform="mt5",
        server="mt5-live",
        login=1,
        deal_id="1",
        revision="r",
        kind="balance",
        currency="USD",
        occurred_at=datetime(2026, 9, 1, tzinfo=UTC),
        profit=Decimal(1),
    )
    return httpx.post(
        f"{url}/v1/ingest/deals",
        params={"dialect": "ibflow"},
        content=encode([deal])[0],
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"},
        timeout=30,
    )


def test_the_server_takes_pushes_under_its_port(settings: Settings, kafka: str) -> None:
    """API and push endpoint share a port and no tokens: neither's opens the other."""
    prepare_topics(settings, kafka)
    server = ApiServer(settings, kafka)
    server.start()
    try:
        assert 200 == push(server.url, TOKEN).status_code
        assert 401 == push(server.url, API_TOKEN).status_code
        for token, status in ((API_TOKEN, 200), (TOKEN, 401)):
            headers = {"Authorization": f"Bearer {token}"}
            asked = httpx.get(f"{server.url}/v1/partners", headers=headers, timeout=30)
            assert status == asked.status_code
    finally:
        server.stop()


def test_the_command_takes_pushes_alone(settings: Settings, kafka: str) -> None:
    """`ibflow receive` answers on its own port, tells where, and ends on SIGTERM."""
    names = {
        "IBFLOW_KAFKA": kafka,
        "IBFLOW_PARTITIONS": "2",
        "IBFLOW_DATA_DIR": str(settings.data_dir),
        "IBFLOW_BRIDGES_FILE": str(settings.bridges_file),
        "IBFLOW_TERMS_DIR": str(TERMS),
        "IBFLOW_PUSH_PORT": "0",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "infra.cli", "receive"]
    with subprocess.Popen(command, env=os.environ | names, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1].removesuffix("/v1/ingest/deals")
        assert {"status": "ok"} == httpx.get(f"{url}/health", timeout=30).json()
        assert 200 == push(url, TOKEN).status_code
        assert 401 == push(url, "another").status_code
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(30)


def test_a_key_that_may_feed_pushes_as_a_crm_does(settings: Settings, kafka: str) -> None:
    """With the right `ingest`, beside the file's tokens; a key that reads pushes nothing."""
    keys = {
        "feeds": Operator("erp", rights=frozenset({"ingest"})),
        "reads": Operator("bi", rights=frozenset({"read"})),
    }
    desk = open_desk(settings, kafka, keys.get)
    assert desk is not None
    try:
        found = {token: desk.senders.of_token(token) for token in ("feeds", "reads", TOKEN, "another")}
    finally:
        desk.close()
    feeds, bridge = found["feeds"], found[TOKEN]
    assert feeds is not None
    assert (feeds.name, feeds.profile) == ("key erp", None)
    assert bridge is not None
    assert bridge.profile is not None, "a bridge has its one server"
    assert (found["reads"], found["another"]) == (None, None)


def test_nobody_may_push_unless_it_is_said(settings: Settings, kafka: str) -> None:
    """Without a file of bridges there is no endpoint; with one, the servers' clocks must be known."""
    assert open_desk(settings.model_copy(update={"bridges_file": None}), kafka) is None
    with pytest.raises(Unusable, match="IBFLOW_TERMS_DIR"):
        open_desk(settings.model_copy(update={"terms_dir": None}), kafka)


def test_the_command_says_what_is_missing(kafka: str, tmp_path: Path) -> None:
    """`ibflow receive` without a file of bridges ends with a sentence that says how to write one."""
    names = {"IBFLOW_KAFKA": kafka, "IBFLOW_DATA_DIR": str(tmp_path)}
    ended = CliRunner().invoke(app, ["receive"], env=names)
    assert 2 == ended.exit_code
    assert "IBFLOW_BRIDGES_FILE" in ended.output
