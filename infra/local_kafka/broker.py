"""The broker as a process: its settings file, its command lines, its identity, and whether it answers."""

import base64
import json
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.local_kafka.errors import KafkaUnavailable
from infra.local_kafka.jars import write_whole
from infra.local_kafka.ports import HOST
from schemas.kafka import KafkaAddress, SignIn, client_config

SERVER_PROPERTIES = "server.properties"
LOG = "kafka.log"
STATE = "state.json"
SEGMENTS = "data"

LOG_BYTES_READ = 1_000_000
LOG_LINE_MAX = 300
TAIL_LINES = 8
ERROR_LINES_MAX = 4
ERROR_SIGNS = (" ERROR ", "Exception", "Error:")
POLL_S = 0.05
FORMAT_TIMEOUT_S = 60
LAUNCH_TIMEOUT_S = 10
# A corrected clock moves a process's start time a little; a recycled pid moves it by far more.
CREATE_TIME_TOLERANCE_S = 2.0

JVM_OPTIONS = (
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    # The optimising compiler takes 7 s of CPU in a broker's first minute, from the workers beside it on the
    # same machine; what it saves afterwards is less than 1 µs a record (measured).
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
)
PRIVATE_UMASK = 0o077
"""Its files hold every deal: they are their owner's alone, whoever starts it."""
FORMAT_JVM_OPTIONS = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True, slots=True)
class BrokerState:
    """Which process serves a data folder, and on which ports; it outlives the process, so that ports stay."""

    pid: int
    create_time: float
    port: int
    controller_port: int

    def is_alive(self) -> bool:
        """Tell whether this very process runs, not another that was given its pid."""
        try:
            process = psutil.Process(self.pid)
            # A killed process is a zombie at once, but keeps its ports until its last thread is gone.
            is_gone = process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
            moved_s = abs(process.create_time() - self.create_time)
        except psutil.NoSuchProcess:
            return False
        return moved_s < CREATE_TIME_TOLERANCE_S and not is_gone

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients."""
        return f"{HOST}:{self.port}"


def load_state(data_dir: Path) -> BrokerState | None:
    """Read which process serves the folder, or did last."""
    try:
        return BrokerState(**json.loads((data_dir / STATE).read_text()))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


def save_state(data_dir: Path, state: BrokerState) -> None:
    """Write down which process serves the folder."""
    write_whole(data_dir / STATE, json.dumps(asdict(state)))


def server_properties(
    port: int, controller_port: int, message_bytes_max: int, extra: Mapping[str, str]
) -> dict[str, str]:
    """Settings of one node that is broker and controller, with every internal topic on it alone."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        # Relative to the data folder, where the broker runs: its path may hold any character, and may change.
        "log.dirs": SEGMENTS,
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(message_bytes_max),
        "log.retention.ms": "-1",
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # Never change these three: a group's offsets are found by its hash modulo this number.
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.num.partitions": "8",
        "share.coordinator.state.topic.num.partitions": "8",
        # Kept for good, as the records are: by default a group idle for a week loses its offsets.
        "offsets.retention.minutes": str(10 * 365 * 24 * 60),
        "group.initial.rebalance.delay.ms": "0",
        # A killed broker's successor may register only when this session has run out: by default after 9 s.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # Its default, 128 MB, is a sixth of our heap.
        "log.cleaner.dedupe.buffer.size": str(32 * 1024 * 1024),
    } | dict(extra)


def write_properties(data_dir: Path, properties: Mapping[str, str]) -> None:
    """Write the settings file, anew for every start."""
    lines = [f"{name}={setting}" for name, setting in properties.items()]
    write_whole(data_dir / SERVER_PROPERTIES, "\n".join(lines) + "\n")


def format_once(data_dir: Path, java: Path, classpath: str) -> None:
    """Give a new data folder its cluster id; a formatted one stays as it is."""
    if (data_dir / SEGMENTS / "meta.properties").exists():
        return
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = [str(java), *FORMAT_JVM_OPTIONS, "-cp", classpath, "kafka.tools.StorageTool"]
    # `=` keeps an id that begins with a dash from being read as an option.
    command = [
        *tool,
        "format",
        f"--cluster-id={cluster_id}",
        "--config",
        SERVER_PROPERTIES,
        "--ignore-formatted",
    ]
    try:
        done = subprocess.run(  # noqa: S603  # the Java and the jars found above
            command,
            cwd=data_dir,
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_S,
            check=False,
            umask=PRIVATE_UMASK,
        )
    except subprocess.TimeoutExpired as error:
        message = f"formatting {data_dir} took over {FORMAT_TIMEOUT_S} s: is its disk slow?"
        raise KafkaUnavailable(message) from error
    if done.returncode:
        raise failure(f"Kafka cannot format {data_dir}", done.stdout + done.stderr)


def launch(data_dir: Path, java: Path, classpath: str, heap_mb: int) -> tuple[int, float]:
    """Start the broker in a session of its own; return its pid and its start time."""
    _put_log_aside(data_dir / LOG)
    broker = [str(java), f"-Xmx{heap_mb}m", *JVM_OPTIONS, "-cp", classpath, "kafka.Kafka", SERVER_PROPERTIES]
    # The shell in between makes the broker nobody's child: killed, it leaves its starter no zombie.
    script = f'"$@" </dev/null >>{LOG} 2>&1 & echo $!'
    command = ["/bin/sh", "-c", script, "sh", *broker]
    shell = subprocess.run(  # noqa: S603  # a fixed script; only arguments vary
        command,
        cwd=data_dir,
        stdout=subprocess.PIPE,
        text=True,
        timeout=LAUNCH_TIMEOUT_S,
        check=True,
        start_new_session=True,
        umask=PRIVATE_UMASK,
    )
    pid = int(shell.stdout)
    try:
        return pid, psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        raise _death(data_dir) from None


def _put_log_aside(log: Path) -> None:
    # One file a run, and the run before it: a message quotes this run's lines, and the log stays bounded.
    if log.exists():
        log.replace(log.with_name(log.name + ".1"))


def await_answer(data_dir: Path, state: BrokerState, timeout_s: float, sign_in: SignIn | None = None) -> None:
    """Wait until the broker answers, or say why it does not."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not state.is_alive():
            raise _death(data_dir)
        if answers(state, timeout_s=2.0, sign_in=sign_in):
            return
        time.sleep(POLL_S)
    raise KafkaUnavailable(
        f"Kafka (pid {state.pid}) did not answer on {state.bootstrap_servers} within {timeout_s:g} s: "
        f"is this machine very busy? Its log ({data_dir / LOG}) says:\n"
        f"{what_matters(_log_of_this_run(data_dir))}"
    )


def answers(state: BrokerState, timeout_s: float, sign_in: SignIn | None = None) -> bool:
    """Tell whether a client gets an answer within the bound."""
    try:
        address = KafkaAddress(state.bootstrap_servers, sign_in or SignIn())
        # First by hand: a refused connection costs a client of librdkafka far longer, and lines on stderr.
        socket.create_connection((HOST, state.port), timeout_s).close()
        client = AdminClient({**client_config(address), "log_level": 0})
        return bool(client.list_topics(timeout=timeout_s).brokers)
    except (OSError, KafkaException):
        return False


def end(state: BrokerState, wait_s_max: float) -> bool:
    """Ask the process to stop, kill it if it has not within the bound; True if it stopped by itself."""
    if _signal(state, signal.SIGTERM, wait_s_max):
        return True
    kill(state)
    return False


def kill(state: BrokerState) -> None:
    """Kill the process and wait until it is gone."""
    if not _signal(state, signal.SIGKILL, wait_s_max=10.0):
        raise KafkaUnavailable(
            f"Kafka (pid {state.pid}) survives SIGKILL: its disk hangs, or it is another user's"
        )


def _signal(state: BrokerState, number: signal.Signals, wait_s_max: float) -> bool:
    """Send a signal; True once the process is gone."""
    deadline = time.monotonic() + wait_s_max
    try:
        psutil.Process(state.pid).send_signal(number)
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied as error:
        raise KafkaUnavailable(
            f"Kafka (pid {state.pid}) belongs to another user, who must stop it"
        ) from error
    while state.is_alive():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def failure(what: str, said: str) -> KafkaUnavailable:
    """Explain a failure: advice for the causes that we know, and what matters of what Kafka said."""
    advice = next((advice for sign, advice in FAILURES if sign in said), UNKNOWN_FAILURE)
    return KafkaUnavailable(f"{what}. {advice}. Kafka's own words:\n{what_matters(said)}")


def what_matters(said: str) -> str:
    """Quote errors first, then the last lines, without the frames of Java's stack traces."""
    lines = [line for line in said.splitlines() if not line.startswith("\tat ")]
    errors = [line for line in lines[:-TAIL_LINES] if any(sign in line for sign in ERROR_SIGNS)]
    quoted = [*errors[:ERROR_LINES_MAX], *lines[-TAIL_LINES:]]
    return "\n".join(f"  {line[:LOG_LINE_MAX]}" for line in quoted) or "  (nothing)"


def _log_of_this_run(data_dir: Path) -> str:
    try:
        with (data_dir / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_BYTES_READ))
            return log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def _death(data_dir: Path) -> KafkaUnavailable:
    return failure(f"Kafka ended while starting (log: {data_dir / LOG})", _log_of_this_run(data_dir))


FAILURES = (
    (
        "Address already in use",
        "Another program took its port in that moment: start again, or choose one with --port",
    ),
    (
        "No space left on device",
        "The disk of the data folder is full: free space, or choose another with --data",
    ),
    (
        "Failed to acquire lock",
        "Another Kafka, unknown to us, uses this data folder: end it, or choose another --data",
    ),
    ("OutOfMemoryError", "Its heap is too small for these data: start with a larger --heap-mb"),
    ("Could not reserve enough space", "This machine lacks the memory: start with a smaller --heap-mb"),
    ("Invalid maximum heap size", "That heap is not possible here: start with another --heap-mb"),
)
UNKNOWN_FAILURE = (
    "If it fails with a new folder too (--data), Java or the machine is at fault; if not, the data are"
)
