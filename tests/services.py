"""Services for tests, found in this order: an address in the environment, Docker, the native one.

| service | address | Docker | native |
|---|---|---|---|
| Kafka | IBFLOW_TEST_KAFKA | testcontainers | our own local Kafka |
| ClickHouse | IBFLOW_TEST_CLICKHOUSE | testcontainers | chDB, always tested too, with shards as well |
| Chromium | IBFLOW_TEST_CHROMIUM, a program | - | the one of this machine, else apt's, see chromium.py |
| MariaDB | IBFLOW_TEST_MARIADB | testcontainers | `mariadbd` of this machine, else apt's, see mariadb.py |

Each fixture that asks has one of its own; an address in the environment is shared, and `make test` then
runs in one process. A test never skips because a service is missing: the native ones need nothing but this
project; for MariaDB a machine without apt is told what to install.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from shutil import copytree, rmtree
from tempfile import mkdtemp

import clickhouse_connect
import docker
import requests
from clickhouse_connect.driver.client import Client
from docker.errors import DockerException
from ruamel.yaml import YAML
from testcontainers.community.kafka import KafkaContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

from infra.clickhouse.migrations import migrate
from infra.local_kafka import jars
from infra.local_kafka.broker import SEGMENTS, format_once, server_properties, write_properties
from infra.local_kafka.java import find_java
from infra.local_kafka.local import LocalKafka
from schemas.settings import Settings
from tests import mariadb as native_mariadb
from tests.shards import CLUSTER, sharded_client

EMBEDDED = ("chdb", "shards")
CHDB = "shards" if os.environ.get("IBFLOW_TEST_SHARDS") else "chdb"
"""What tests of one kind of ClickHouse take: with IBFLOW_TEST_SHARDS=1 all of them have shards."""
DOCKER_SOCKET = Path("/var/run/docker.sock")
COMPOSE = Path(__file__).parents[1] / "docker-compose.yml"
CLICKHOUSE_IMAGE: str = YAML(typ="safe").load(COMPOSE)["services"]["clickhouse"]["image"]
"""What is told to users is what is tested."""
MARIADB_IMAGE = "mariadb:10.11"
KAFKA_IMAGE = "confluentinc/cp-kafka:8.1.0"
"""Kafka 4.1, in the image testcontainers knows how to configure."""


@cache
def docker_answers() -> bool:
    """Whether a Docker engine can be asked."""
    if not os.environ.get("DOCKER_HOST") and not DOCKER_SOCKET.exists():
        return False
    try:
        client = docker.from_env(timeout=3)
        client.ping()
        client.close()
    except (DockerException, requests.RequestException):
        return False
    return True


@contextmanager
def kafka(folder: Path) -> Iterator[str]:
    """Bootstrap servers of a broker for tests; topics need names of their own."""
    if address := os.environ.get("IBFLOW_TEST_KAFKA"):
        yield address
    elif docker_answers():
        with KafkaContainer(KAFKA_IMAGE).with_kraft() as container:
            yield container.get_bootstrap_server()
    else:
        _format(folder)
        with LocalKafka().running(folder) as running:
            yield running.bootstrap_servers


def prepared(settings: Settings) -> Settings:
    """Let a stack of our own find a formatted Kafka and our tables in its data folder, without a row."""
    _format(settings.kafka_dir)
    copytree(_ledger_folder("chdb"), settings.chdb_dir, symlinks=True)
    return settings


def _format(kafka_dir: Path) -> None:
    """As Kafka's own tool does it, in a Java of its own for each folder."""
    if not (kafka_dir / SEGMENTS).exists():
        copytree(_formatted(), kafka_dir / SEGMENTS)


@cache
def _formatted() -> Path:
    folder = _kept("kafka")
    properties = server_properties(1, 2, LocalKafka().message_bytes_max, {})
    write_properties(folder, properties)
    classpath = os.pathsep.join(map(str, jars.classpath(jars.default_cache_dir())))
    format_once(folder, find_java(), classpath)
    return folder / SEGMENTS


def clickhouse_kinds() -> list[str]:
    """The embedded ClickHouse, and a server where one is named or Docker can start one."""
    return ["chdb", *(["server"] if os.environ.get("IBFLOW_TEST_CLICKHOUSE") or docker_answers() else [])]


def ledger_kinds() -> list[str]:
    """The same, and shards in the embedded one."""
    return ["shards", *clickhouse_kinds()]


def embedded(folder: Path, kind: str = CHDB) -> Client:
    """One more client on the embedded database in a folder."""
    if kind == "shards":
        return sharded_client(folder)
    return clickhouse_connect.get_client(interface="chdb", path=str(folder))


@contextmanager
def clickhouse(kind: str, folder: Path) -> Iterator[Client]:
    """A client on an empty database."""
    if kind in EMBEDDED:
        with embedded(folder, kind) as client:
            yield client
    elif dsn := os.environ.get("IBFLOW_TEST_CLICKHOUSE"):
        with _empty(dsn) as client:
            yield client
    else:
        ready = HttpWaitStrategy(8123, "/ping")
        server = DockerContainer(CLICKHOUSE_IMAGE).with_exposed_ports(8123).waiting_for(ready)
        server.with_env("CLICKHOUSE_USER", "test").with_env("CLICKHOUSE_PASSWORD", "test")
        with server as running:
            host, port = running.get_container_host_ip(), running.get_exposed_port(8123)
            with _empty(f"clickhouse://test:test@{host}:{port}/default") as client:
                yield client


@contextmanager
def ledger(folder: Path, kind: str = CHDB) -> Iterator[Client]:
    """A client on our tables: empty, or as they were left in the folder."""
    is_new = kind in EMBEDDED and not (folder / "metadata").exists()
    if is_new:
        copytree(_ledger_folder(kind), folder, symlinks=True, dirs_exist_ok=True)
    with clickhouse(kind, folder) as client:
        if not is_new:  # a copy has all migrations; to see that they are there is a fifth of its price
            migrate(client, cluster=CLUSTER.name if kind == "shards" else "")
        yield client


@cache
def _ledger_folder(kind: str) -> Path:
    """Our tables as the embedded ClickHouse keeps them: 400 files are copied sooner than it makes them."""
    folder = _kept("tables")
    with clickhouse(kind, folder) as client:
        migrate(client, cluster=CLUSTER.name if kind == "shards" else "")
    return folder


def _kept(what: str) -> Path:
    """A folder until this process ends."""
    folder = Path(mkdtemp(prefix=f"ibflow-{what}-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """Address of a MariaDB whose user may do everything: `mysql://user:password@host:port`."""
    if address := os.environ.get("IBFLOW_TEST_MARIADB"):
        yield address
    elif docker_answers():
        user, password = native_mariadb.USER, native_mariadb.PASSWORD
        server = (
            DockerContainer(MARIADB_IMAGE)
            .with_exposed_ports(3306)
            .with_env("MARIADB_ROOT_PASSWORD", password)
        )
        server.with_env("MARIADB_USER", user).with_env("MARIADB_PASSWORD", password)
        server.with_volume_mapping(str(native_mariadb.grants(folder)), "/docker-entrypoint-initdb.d", "ro")
        with server as running:
            host, port = running.get_container_host_ip(), int(running.get_exposed_port(3306))
            native_mariadb.await_answer(port, lambda: True, folder / "log", host)
            yield native_mariadb.address(host, port)
    else:
        with native_mariadb.running(folder) as address:
            yield address


@contextmanager
def _empty(dsn: str) -> Iterator[Client]:
    name = f"ibflow_test_{os.getpid()}"
    with clickhouse_connect.get_client(dsn=dsn) as admin:
        admin.command(f"CREATE DATABASE {name}")
        try:
            with clickhouse_connect.get_client(dsn=dsn, database=name) as client:
                yield client
        finally:
            admin.command(f"DROP DATABASE {name}")
