"""The whole pipeline on one machine: Kafka, workers in processes of their own, server in this one."""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from commission.terms.calendar import PeriodEnded
from infra.connect.settings import prepare_topics
from infra.local_kafka.local import LocalKafka
from infra.processes.child_process import Process
from infra.processes.owner import Owner
from infra.processes.probe import probe
from infra.processes.progress import Progress, Watch
from infra.processes.server import ApiServer
from infra.processes.setting_files import check_setting_files
from ingest.publish.publisher import publish_terms
from schemas.errors import Unavailable
from schemas.settings import Settings

log = logging.getLogger("ibflow.stack")

SUPERVISE_SECONDS = 0.25
DRAIN_SECONDS = 300.0
PROBE_SECONDS = 120.0


MAX_WORKERS = 4


def one_a_core() -> int:
    """Workers that a machine is good for by itself: each is one core's Python."""
    return min(os.cpu_count() or 1, MAX_WORKERS)


@dataclass(slots=True)
class Stack:
    """Everything `ibflow dev` runs. As a context manager it stops what it started."""

    settings: Settings
    workers: int = 1
    kafka: str = ""
    processes: list[Process] = field(default_factory=list)
    server: ApiServer = field(init=False)
    failure: Unavailable | None = None
    """Why a worker is not started again."""
    ended: threading.Event = field(default_factory=threading.Event)
    """Set with `failure`; a caller may set it as well."""
    _owner: Owner | None = None
    _own_kafka: bool = False
    _paused: bool = False
    _stopping: threading.Event = field(default_factory=threading.Event)
    _supervisor: threading.Thread | None = None

    def start(self) -> None:
        """Start Kafka, then the workers, then the server; return when the API answers."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        check_setting_files(self.settings)
        self._owner = Owner.take(self.settings.data_dir)
        # Not beside the database's opening: importing chDB changes the working folder of the whole process
        # for a moment, and a Kafka started then has its data inside the package.
        self.kafka = self.settings.kafka_address() if self.settings.kafka else self._start_kafka()
        prepare_topics(self.settings, self.kafka)
        environment = {**self.settings.for_worker(), "IBFLOW_KAFKA": str(self.kafka)}
        for number in range(1, self.workers + 1):
            name = f"worker-{number}"
            log_file = self.settings.data_dir / f"{name}.log"
            process = Process(name, ["worker", "--instance", name], log_file, environment)
            process.start()
            self.processes.append(process)
        self.server = ApiServer(self.settings, self.kafka, self._owner)
        self.server.start()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._supervisor.start()

    def _start_kafka(self) -> str:
        local = LocalKafka()
        self._own_kafka = local.status(self.settings.kafka_dir) is None
        return local.start(self.settings.kafka_dir).bootstrap_servers

    def pause(self) -> None:
        """Stop the workers and keep them stopped."""
        self._paused = True
        for process in self.processes:
            process.stop()

    def unpause(self) -> None:
        """Start the workers again."""
        for process in self.processes:
            process.start()
        self._paused = False

    def _supervise(self) -> None:
        while not self._stopping.wait(SUPERVISE_SECONDS):
            try:
                for process in () if self._paused else self.processes:
                    process.keep()
            except Unavailable as error:
                self.failure = error
                self.ended.set()
                return

    def stop(self) -> None:
        """Stop in the other direction; what is under way is taken up at the next start."""
        self._stopping.set()
        if self._supervisor is not None:
            self._supervisor.join()
        for process in self.processes:
            process.stop()
        if hasattr(self, "server"):
            self.server.stop()
        if self._own_kafka:
            LocalKafka().stop(self.settings.kafka_dir)
        if self._owner is not None:
            self._owner.leave()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def drain(self, on_progress: Callable[[Progress], None] | None = None) -> Progress:
        """Wait until everything written is applied and stored."""
        watch = Watch(self.kafka)

        def check(progress: Progress) -> None:
            self.check()
            if self.server.sink.failure is not None:
                raise Unavailable(f"the sink cannot store: {self.server.sink.failure}")
            if on_progress is not None:
                on_progress(progress)

        try:
            return watch.wait(self.server.sink.positions, DRAIN_SECONDS, check)
        finally:
            watch.close()

    def check(self) -> None:
        """Raise what a worker was given up for."""
        if self.failure is not None:
            raise self.failure

    def probe(self) -> None:
        """Wait until a message has gone through a worker and into the database: then everything works."""
        probe(self.kafka, self.server.sink.positions, PROBE_SECONDS, self.check, self.ended)
        self.check()

    def end_periods(self, periods: list[str]) -> None:
        """Tell the books that these periods are over: their statements close."""
        publish_terms([PeriodEnded(period=period) for period in periods], self.kafka)
