"""A Kafka of one's own: start, stop, status and kill, by data folder."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.local_kafka import broker, jars
from infra.local_kafka.broker import BrokerState
from infra.local_kafka.errors import disk_errors_named
from infra.local_kafka.java import find_java, first_suitable
from infra.local_kafka.locks import exclusive
from infra.local_kafka.ports import asked_port, auto_port
from schemas.kafka import SignIn

DATA_ADVICE = "Free space there, or choose another folder with --data"


@dataclass(frozen=True, slots=True)
class RunningKafka:
    """A broker that is up: where clients connect, and where its things lie."""

    bootstrap_servers: str
    pid: int
    data_dir: Path
    log_file: Path


@dataclass(frozen=True, slots=True)
class LocalKafka:
    """Settings of local brokers; each data folder has at most one broker, and every call names the folder.

    The broker runs in a session of its own: it outlives its starter, and Ctrl-C in a terminal does not reach
    it. `running` is for those who want it to end with them.
    """

    heap_mb: int = 768
    message_bytes_max: int = 1_100_000
    start_timeout_s: float = 30.0
    stop_timeout_s: float = 15.0
    cache_dir: Path = field(default_factory=jars.default_cache_dir)
    java: Path | None = None
    extra_properties: Mapping[str, str] = field(default_factory=dict)
    sign_in: SignIn | None = None
    """Who asks whether it answers, if the properties have it ask for a name."""

    def start(self, data_dir: Path | str, port: int = 0) -> RunningKafka:
        """Start the folder's broker, or return the one that runs; return when it answers.

        `port` 0 means the port it had last time if that is free, else a free one. A broker that already runs
        keeps its port, whatever is asked. Raise `KafkaUnavailable` if there will be none.
        """
        data_dir = Path(data_dir).absolute()
        with self._alone(data_dir):
            state = broker.load_state(data_dir)
            if state is None or not state.is_alive():
                return _to_running(data_dir, self._start(data_dir, port, state))
            broker.await_answer(data_dir, state, self.start_timeout_s, self.sign_in)
            return _to_running(data_dir, state)

    def stop(self, data_dir: Path | str) -> bool:
        """Stop the folder's broker cleanly, by force if it takes too long; False if none ran."""
        data_dir = Path(data_dir).absolute()
        if not data_dir.is_dir():
            return False
        with self._alone(data_dir):
            state = broker.load_state(data_dir)
            if state is None or not state.is_alive():
                return False
            broker.end(state, self.stop_timeout_s)
            return True

    def kill(self, data_dir: Path | str) -> bool:
        """Kill the folder's broker with SIGKILL, as a crash would; False if none ran."""
        # Without the lock: a crash does not wait for its turn.
        state = broker.load_state(Path(data_dir).absolute())
        if state is None or not state.is_alive():
            return False
        broker.kill(state)
        return True

    def status(self, data_dir: Path | str) -> RunningKafka | None:
        """Return the folder's broker if its process lives; it may still be starting (see `answers`)."""
        data_dir = Path(data_dir).absolute()
        state = broker.load_state(data_dir)
        return _to_running(data_dir, state) if state is not None and state.is_alive() else None

    def answers(self, data_dir: Path | str, timeout_s: float = 2.0) -> bool:
        """Tell whether the folder's broker lives and answers a client within the bound."""
        state = broker.load_state(Path(data_dir).absolute())
        return state is not None and state.is_alive() and broker.answers(state, timeout_s, self.sign_in)

    @contextmanager
    def running(self, data_dir: Path | str, port: int = 0) -> Iterator[RunningKafka]:
        """Start the folder's broker and stop it at the end, unless it ran before: then leave it running."""
        ran_before = self.status(data_dir) is not None
        kafka = self.start(data_dir, port)
        try:
            yield kafka
        finally:
            if not ran_before:
                self.stop(data_dir)

    def _start(self, data_dir: Path, port: int, before: BrokerState | None) -> BrokerState:
        broker_port = asked_port(port) if port else auto_port(before.port if before else None, data_dir)
        controller_port = auto_port(before.controller_port if before else None, data_dir, broker_port)
        java = first_suitable(iter([self.java])) if self.java else find_java()
        classpath = os.pathsep.join(map(str, jars.classpath(self.cache_dir)))
        properties = broker.server_properties(
            broker_port, controller_port, self.message_bytes_max, self.extra_properties
        )
        # 1 settings, 2 format, 3 process, 4 state. A crash before 3 leaves nothing to undo; between 3 and 4
        # a broker we do not know, which holds Kafka's own lock on the folder: the next start says so.
        broker.write_properties(data_dir, properties)
        broker.format_once(data_dir, java, classpath)
        pid, create_time = broker.launch(data_dir, java, classpath, self.heap_mb)
        state = BrokerState(pid, create_time, broker_port, controller_port)
        broker.save_state(data_dir, state)
        self._await_first_answer(data_dir, state)
        return state

    def _await_first_answer(self, data_dir: Path, state: BrokerState) -> None:
        try:
            broker.await_answer(data_dir, state, self.start_timeout_s, self.sign_in)
        except BaseException:
            # Also on Ctrl-C: whoever gave up waiting does not expect a broker to appear later.
            broker.end(state, wait_s_max=2.0)
            raise

    @contextmanager
    def _alone(self, data_dir: Path) -> Iterator[None]:
        with disk_errors_named(data_dir, DATA_ADVICE):
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            with exclusive(data_dir / "lock", self.start_timeout_s + self.stop_timeout_s):
                yield


def _to_running(data_dir: Path, state: BrokerState) -> RunningKafka:
    return RunningKafka(state.bootstrap_servers, state.pid, data_dir, data_dir / broker.LOG)
