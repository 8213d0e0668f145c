"""All commands find the server and the token in one way, and speak of what it answers in the same words."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from click.testing import Result
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from fastapi import FastAPI
from typer.testing import CliRunner

from api.gate import Gate
from api.operators import Operators
from infra.cli.app import app
from infra.cli.console import ExitCode, mendable_errors
from infra.connect.ledger_at import find_server
from infra.connect.ports import url_at
from schemas.errors import Unusable
from schemas.settings import OwnSettings, Settings
from tests import services

TERMS = Path(__file__).parents[3] / "examples" / "broker" / "terms"
READS: list[list[str]] = [
    ["verify"],
    ["verify", "--deep"],
    ["audit", "0" * 34],
    ["statements", "export", "ib-a", "2026-09", "-o", "unwritten.jsonl"],
    ["terms", "show"],
    ["dead-letters", "list"],
    ["dead-letters", "show", "abc"],
    ["proposals", "list"],
    ["replay", "--workers", "0"],
    ["what-if", "--terms", str(TERMS), "--workers", "0"],
]
"""Every command that asks about the ledger (`reconcile` needs a Kafka as well)."""


@pytest.fixture(autouse=True)
def _nothing_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `.env`, and what the options of `ibflow` set is forgotten after the test."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATA_DIR", "URL", "TOKEN_FILE", "KAFKA", "CLICKHOUSE", "OPERATOR_TOKEN", "API_TOKEN"):
        monkeypatch.setenv(f"IBFLOW_{name}", "")
        monkeypatch.delenv(f"IBFLOW_{name}")


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """A server behind the API's own gate, with one token, that has nothing else."""
    behind = FastAPI()
    behind.add_middleware(Gate, operators=Operators("right"))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(behind, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


def ibflow(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def said(result: Result) -> str:
    """What it complained of, as one line."""
    return " ".join(result.stderr.split())


@pytest.mark.parametrize("command", READS, ids=" ".join)
def test_a_missing_token_is_one_sentence(command: list[str], guarded: str, tmp_path: Path) -> None:
    """Exit 2, what is missing and how to give it; neither a traceback nor advice about HTTP headers."""
    nameless = ibflow("--url", guarded, *command)
    assert (2, True) == (nameless.exit_code, isinstance(nameless.exception, SystemExit)), nameless.output
    assert f"the server at {guarded} wants a token; give yours in IBFLOW_OPERATOR_TOKEN" in said(nameless)
    (tmp_path / "token").write_text("wrong\n")
    (tmp_path / "token").chmod(0o600)
    wrong = ibflow("--url", guarded, "--token-file", tmp_path / "token", *command)
    assert (2, True) == (wrong.exit_code, "does not know this token" in said(wrong)), wrong.output
    assert not {"Authorization", "wrong"} & set(said(wrong).split())


@pytest.mark.parametrize("command", READS, ids=" ".join)
def test_a_server_that_is_away_is_one_sentence(command: list[str], tmp_path: Path) -> None:
    """Exit 4, which is neither "does not hold" nor "rejected rows"."""
    result = ibflow("--url", "http://127.0.0.1:9", *command)
    assert (4, True) == (result.exit_code, "the server at http://127.0.0.1:9 does not answer" in said(result))
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("command", READS, ids=" ".join)
def test_a_command_that_reads_makes_no_ledger(command: list[str], tmp_path: Path, guarded: str) -> None:
    """A folder without one is exit 2; nothing is made there, and a server that runs below it is named."""
    result = ibflow("--data-dir", tmp_path / "typo", *command)
    assert (2, True) == (result.exit_code, f"there is no ledger in {tmp_path / 'typo'}" in said(result))
    assert [] == list(tmp_path.iterdir())
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "serve.json").write_text(json.dumps({"url": guarded}))
    result = ibflow("--data-dir", tmp_path, *command)
    assert f"One runs in {tmp_path / 'demo'}: `ibflow --data-dir {tmp_path / 'demo'}" in said(result)
    assert ["demo"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("command", [["verify"], ["replay", "--workers", "0"], READS[-1]], ids=" ".join)
def test_an_empty_ledger_is_not_in_order(command: list[str], tmp_path: Path) -> None:
    """Nothing was checked: exit 2 and no tick."""
    with services.ledger(OwnSettings(data_dir=tmp_path).chdb_dir, "chdb"):
        pass
    result = ibflow("--data-dir", tmp_path, *command)
    told = "no history yet" if command[0] == "what-if" else f"the ledger in {tmp_path} is empty"
    assert (2, True) == (result.exit_code, told in said(result)), result.output
    assert "✓" not in result.output


def test_what_is_nearest_says_where_and_who(
    tmp_path: Path, guarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flag, environment, data folder, in this order, for the server as for the token."""

    def found() -> tuple[str, str]:
        server = find_server(Settings(data_dir=tmp_path))
        assert server is not None
        return server.url, server.token

    (tmp_path / "serve.json").write_text(json.dumps({"url": guarded}))
    assert (guarded, "") == found()
    (tmp_path / "token").write_text(" of the folder\n")
    (tmp_path / "token").chmod(0o600)
    assert (guarded, "of the folder") == found()
    monkeypatch.setenv("IBFLOW_API_TOKEN", "shared")
    assert "shared" == found()[1]
    monkeypatch.setenv("IBFLOW_OPERATOR_TOKEN", "anna's")
    monkeypatch.setenv("IBFLOW_URL", "http://named.example/")
    assert ("http://named.example", "anna's") == found()
    (tmp_path / "other").write_text("of the flag")
    (tmp_path / "other").chmod(0o600)
    away = ibflow("--url", "http://127.0.0.1:9", "--token-file", tmp_path / "other", "verify")
    assert "the server at http://127.0.0.1:9 does not answer" in said(away)
    assert ("http://127.0.0.1:9", "of the flag") == found()


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The file is for its owner alone; one that is named has to be there."""
    (tmp_path / "token").write_text("secret")
    (tmp_path / "token").chmod(0o644)
    with pytest.raises(Unusable, match=r"others can read the token in .*; `chmod 600 "):
        find_server(Settings(data_dir=tmp_path, url="http://named.example"))
    with pytest.raises(Unusable, match=r"none cannot be read: .*No such file"):
        find_server(Settings(data_dir=tmp_path, url="http://named.example", token_file=tmp_path / "none"))


def test_a_server_that_listens_everywhere_is_asked_here() -> None:
    """Its note is an address that can be asked, of either family."""
    assert "http://127.0.0.1:80" == url_at("0.0.0.0", 80)  # noqa: S104 # the case
    assert ["http://[::1]:80", "http://[fe80::1]:80"] == [url_at("::", 80), url_at("fe80::1", 80)]
    assert "http://ledger.example:80" == url_at("ledger.example", 80)


@pytest.mark.parametrize("client", [Consumer, AdminClient])
def test_a_kafka_that_goes_away_is_a_sentence(
    client: type[Consumer], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever part of a command asks it, at whatever time: exit 4."""
    with pytest.raises(Exception) as ended, mendable_errors():  # noqa: PT011 # typer's, looked at below
        client({"bootstrap.servers": "127.0.0.1:9", "group.id": "g", "log_level": 0}).list_topics(timeout=0.5)
    assert ExitCode.UNAVAILABLE == getattr(ended.value, "exit_code", None), ended.value
    assert "Kafka does not answer as it should" in capsys.readouterr().err
