"""`ibflow poll` as a process, on a real Kafka and a real MariaDB: killed, stopped and told what is wrong."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from commission.events import Deal
from infra.connect.topics import ensure_topics
from schemas.topics import ACCOUNT_BOOK
from schemas.wire import decode_batch
from streams.broker import log_range
from tests.eventually import eventually
from tests.ingest.sql_server import MT5_DEALS, SqlServer, deal
from tests.services import kafka

ROOT = Path(__file__).parents[3]
NOW = datetime.now(UTC).replace(microsecond=0)
PARTITIONS = 2
WAIT_S = 60


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real broker with the pipeline's topics."""
    with kafka(tmp_path_factory.mktemp("kafka")) as started:
        ensure_topics(started, PARTITIONS, 1)
        yield started


def terms(folder: Path, sql: SqlServer) -> Path:
    """The example broker's terms, whose server mt5-live has the database as its feed."""
    shutil.copytree(ROOT / "examples/broker/terms", folder / "terms")
    file = folder / "terms" / "broker.yaml"
    own = sql.address
    feed = (
        f"feed: {{kind: mt5-sql, host: {own.host}, port: {own.port}, database: {own.database},"
        f" user: {own.user}, password_env: MT5_PASSWORD, interval_s: 1}}"
    )
    lines = file.read_text().splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.strip().startswith("mt5-live:")]
    lines[at] = lines[at].rstrip("}") + f", currency: USD, {feed}}}"
    file.write_text("\n".join(lines))
    return folder / "terms"


def start(folder: Path, servers: str, sql: SqlServer, *options: str, **more: str) -> "subprocess.Popen[str]":
    """The command, in a folder of its own."""
    environment = {
        **os.environ, "IBFLOW_KAFKA": servers, "IBFLOW_DATA_DIR": str(folder / "data"),
        "IBFLOW_PARTITIONS": str(PARTITIONS), "MT5_PASSWORD": sql.address.password, "PYTHONPATH": str(ROOT),
    } | more  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "infra.cli",
        "poll",
        "mt5-live",
        "--terms",
        str(folder / "terms"),
        *options,
    ]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def arrived(servers: str) -> list[str]:
    """The numbers of the deals that Kafka has, doubles and all."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "test", "enable.auto.commit": False})
    numbers = list[str]()
    for partition in range(PARTITIONS):
        low, high = log_range(consumer, ACCOUNT_BOOK, partition)
        consumer.assign([TopicPartition(ACCOUNT_BOOK, partition, low)])
        for _ in range(high - low):
            message = consumer.poll(10)
            assert message is not None
            records = decode_batch(message.value() or b"")
            numbers += [record.deal_id for record in records if isinstance(record, Deal)]
    consumer.close()
    return numbers


def wait_for(servers: str, number: str) -> None:
    eventually(lambda: number in arrived(servers), within=WAIT_S, every=0.2)


def test_a_poller_is_killed_and_stopped(servers: str, sql: SqlServer, tmp_path: Path) -> None:
    """After kill -9 a new process goes on; SIGTERM ends it in order; every deal is there."""
    sql.run(MT5_DEALS.format(name="mt5_deals"))
    terms(tmp_path, sql)
    sql.insert("mt5_deals", *(deal(number, NOW - timedelta(minutes=number)) for number in range(1, 51)))
    first = start(tmp_path, servers, sql)
    wait_for(servers, "50")
    sql.insert("mt5_deals", deal(100, NOW))
    wait_for(servers, "100")
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=WAIT_S)
    sql.insert("mt5_deals", deal(200, NOW))
    second = start(tmp_path, servers, sql)
    wait_for(servers, "200")
    second.send_signal(signal.SIGTERM)
    out, err = second.communicate(timeout=WAIT_S)
    assert 0 == second.returncode
    assert "deals: " in out
    assert sql.address.password not in out + err
    numbers = arrived(servers)
    assert {*map(str, range(1, 51)), "100", "200"} == set(numbers)
    assert 1 == numbers.count("200")
    once = start(tmp_path, servers, sql, "--once")
    once.communicate(timeout=WAIT_S)
    assert 0 == once.returncode


@pytest.mark.parametrize(
    ("options", "more", "code", "told"),
    [
        ((), {"MT5_PASSWORD": ""}, 2, "MT5_PASSWORD is not set"),
        ((), {"MT5_PASSWORD": "hunter2"}, 2, "refuses"),
        (("--from", "yesterday"), {}, 2, "write a time such as"),
    ],
)
def test_what_a_person_can_mend_is_told(
    servers: str,
    sql: SqlServer,
    tmp_path: Path,
    options: tuple[str, ...],
    more: dict[str, str],
    code: int,
    told: str,
) -> None:
    """A missing or wrong password and a bad time end the command with a sentence and no traceback."""
    terms(tmp_path, sql)
    out, err = (process := start(tmp_path, servers, sql, *options, **more)).communicate(timeout=WAIT_S)
    assert code == process.returncode
    assert told in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err
    assert "hunter2" not in out + err
