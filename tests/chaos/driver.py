"""One run: the real pipeline in processes of its own, a plan of faults, and what came of it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from infra.connect.settings import prepare_topics
from infra.local_kafka.local import LocalKafka
from infra.local_kafka.ports import auto_port
from infra.processes.child_process import Process
from infra.processes.progress import STAGE_TOPICS, Watch
from infra.processes.server import ApiServer
from ingest.publish.publisher import publish, publish_terms
from schemas.settings import Settings
from streams.broker import log_ends
from tests.chaos.disk import Disk, limit_files
from tests.chaos.feeder import STOP, Cursor
from tests.chaos.plan import SPARE, WORKERS, Fault, plan
from tests.chaos.proxy import Proxy
from tests.synthetic import Synthetic

CLIENTS = 400
DEALS_A_FAULT, DEALS_A_SHORT_FAULT = 600, 240
"""New input for as long as a fault takes; later there would be repeats alone, of one server."""
PARTITIONS = 4
SUPERVISE_S, LOOK_S = 0.25, 0.2
FOR_EVER = 1_000_000
"""Deaths: a process is started again whatever happens to it, for things do."""
ASK_S = 3.0
HANG_S = 240.0
DISK_S = 60.0
"""A worker whose disk is full ends by itself within this."""
FEED_S, DRAIN_S = 240.0, 300.0
DELAY_S = 0.2
COMPILE = "import faust, uvloop, streams.app"
"""What workers need is compiled before they start, and they keep nothing compiled: Python puts a file that a
limit cut short in the place of a whole one, and no process of this checkout would start again."""
QUICK = {"reconnect.backoff.max.ms": 250, "log_level": 0}
"""So that the measuring client is back as soon as Kafka is."""

Offsets = Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class Recovery:
    """A fault, and how long after its end everything written by then was applied and stored."""

    fault: Fault
    seconds: float


@dataclass(slots=True)
class Chaos:
    """A pipeline under faults. As a context manager it stops what it started."""

    folder: Path
    seed: int
    faults: int
    is_short: bool = False
    processes: dict[str, Process] = field(default_factory=dict)
    recoveries: list[Recovery] = field(default_factory=list)
    exits: Counter[str] = field(default_factory=Counter)
    _down: set[str] = field(default_factory=set)
    _counted: set[int] = field(default_factory=set)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _errors: list[BaseException] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _undo: ExitStack = field(default_factory=ExitStack)
    broker: Synthetic = field(init=False)
    settings: Settings = field(init=False)
    proxy: Proxy = field(init=False)
    disk: Disk = field(init=False)
    _kafka: LocalKafka = field(init=False)
    _kafka_port: int = field(init=False)

    def __post_init__(self) -> None:
        deals = (DEALS_A_SHORT_FAULT if self.is_short else DEALS_A_FAULT) * self.faults
        self.broker = Synthetic(clients=CLIENTS, deals=deals, seed=self.seed)
        api_port = auto_port(None, self.folder / "api")
        store = "rocksdb" if self.seed % 2 else "memory"
        self.settings = Settings(data_dir=self.folder, partitions=PARTITIONS, api_port=api_port, store=store)
        self._kafka_port = auto_port(None, self.folder / "kafka")
        self.proxy = Proxy(auto_port(None, self.folder / "proxy", self._kafka_port), self._kafka_port)
        advertised = f"PLAINTEXT://{self.proxy.address}"
        self._kafka = LocalKafka(extra_properties={"advertised.listeners": advertised})
        self.disk = Disk(self.folder / "state")

    # Start and stop

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._start(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.__exit__(kind, error, trace)

    def _start(self, undo: ExitStack) -> None:
        if self.settings.store == "rocksdb":
            undo.callback(self.disk.unmount)
            self.disk.mount()
        self.proxy.start()
        undo.callback(self.proxy.stop)
        undo.callback(lambda: self._kafka.kill(self.settings.kafka_dir))
        self._kafka.start(self.settings.kafka_dir, self._kafka_port)
        prepare_topics(self.settings, self.proxy.address)
        publish_terms(self.broker.terms(), self.proxy.address)
        publish(self.broker.crm(), self.proxy.address)
        subprocess.run([sys.executable, "-c", COMPILE], check=True)
        for name in (*WORKERS, SPARE):
            self._add(name, ["worker", "--instance", name])
        self._add("server", ["serve"])
        numbers = [str(n) for n in (self.broker.clients, self.broker.deals, self.broker.seed)]
        feeder = [self.proxy.address, str(self.folder), *numbers]
        self._add("feeder", feeder, "tests.chaos.feeder")
        self._down.add(SPARE)
        undo.callback(self._stop_processes)
        supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        supervisor.start()
        undo.callback(supervisor.join)
        undo.callback(self._stopping.set)

    def _add(self, name: str, arguments: list[str], module: str = "infra.cli") -> None:
        environment = {
            "PYTHONDONTWRITEBYTECODE": "1",
            "IBFLOW_KAFKA": self.proxy.address,
            "IBFLOW_DATA_DIR": str(self.folder),
            "IBFLOW_STORE": self.settings.store,
            "IBFLOW_API_PORT": str(self.settings.api_port),
        }
        log_file = self.folder / f"{name}.log"
        self.processes[name] = Process(
            name, arguments, log_file, environment, module, quick_deaths_max=FOR_EVER
        )
        self._locks[name] = threading.Lock()

    def _stop_processes(self) -> None:
        for process in self.processes.values():
            process.kill()

    def _supervise(self) -> None:
        while not self._stopping.wait(SUPERVISE_S):
            for name, process in self.processes.items():
                self._count_exit(name, process)
                if name in self._down:
                    continue
                if process.running is None:
                    process.start()
                process.keep()

    def _count_exit(self, name: str, process: Process) -> None:
        running = process.running
        if running is not None and running.poll() is not None and running.pid not in self._counted:
            self._counted.add(running.pid)
            self.exits[f"{name} {running.returncode}"] += 1

    # Faults

    def run(self) -> None:
        """Carry out the plan; return once the pipeline has recovered from every fault."""
        has_folder = self.settings.store == "rocksdb"
        threads: list[threading.Thread] = []
        for fault in plan(self.seed, self.faults, has_folder=has_folder, is_short=self.is_short):
            time.sleep(fault.gap_s)
            self._say(f"{fault.kind} {fault.target} {fault.seconds or ''}{' …' if fault.overlaps else ''}")
            thread = threading.Thread(target=self._suffer, args=(fault,), daemon=True)
            thread.start()
            threads.append(thread)
            if not fault.overlaps:
                thread.join()
            if self._errors:
                break
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _say(self, text: str) -> None:
        done = len(self.recoveries)
        sys.stderr.write(f"seed {self.seed} ({self.settings.store}) {done}/{self.faults}: {text}\n")

    def _suffer(self, fault: Fault) -> None:
        try:
            with self._locks.setdefault(fault.target, threading.Lock()):
                ended_at = self._inject(fault)
            self._await_recovery(fault)
            self.recoveries.append(Recovery(fault, time.monotonic() - ended_at))
        except BaseException as error:  # the driver's thread raises it
            self._errors.append(error)

    def _inject(self, fault: Fault) -> float:
        """Do it; return when it ended. A kill ends at once: the restart belongs to the recovery."""
        kinds: dict[str, Callable[[Fault], float | None]] = {
            "kill -9": self._kill,
            "pause": self._pause,
            "zombie": self._pause,
            "drop connections": self._drop,
            "delay 200 ms": self._delay,
            "silence": self._silence,
            "rebalance": self._rebalance,
            "stop and start": self._stop_and_start,
            "full disk": self._fill_disk,
            "full file": self._limit_files,
        }
        return kinds[fault.kind](fault) or time.monotonic()

    def _kill(self, fault: Fault) -> float:
        killed_at = time.monotonic()
        if fault.target == "kafka":
            self._kafka.kill(self.settings.kafka_dir)
            self._kafka.start(self.settings.kafka_dir, self._kafka_port)
        else:
            self.processes[fault.target].kill()
        return killed_at

    def _pause(self, fault: Fault) -> None:
        if fault.target == "kafka":
            running = self._kafka.status(self.settings.kafka_dir)
            assert running is not None
            os.kill(running.pid, signal.SIGSTOP)
            time.sleep(fault.seconds)
            os.kill(running.pid, signal.SIGCONT)
        elif (process := self.processes[fault.target].running) is not None:
            process.send_signal(signal.SIGSTOP)
            time.sleep(fault.seconds)
            process.send_signal(signal.SIGCONT)

    def _drop(self, _: Fault) -> None:
        self.proxy.drop()

    def _delay(self, fault: Fault) -> None:
        self.proxy.delay(DELAY_S)
        time.sleep(fault.seconds)
        self.proxy.delay(0)

    def _silence(self, fault: Fault) -> None:
        self.proxy.silence(on=True)
        time.sleep(fault.seconds)
        self.proxy.silence(on=False)

    def _rebalance(self, fault: Fault) -> None:
        """Let a third worker come, or go for good."""
        if fault.target in self._down:
            self._down.remove(fault.target)
        else:
            self._down.add(fault.target)
            self.processes[fault.target].stop()

    def _stop_and_start(self, fault: Fault) -> None:
        self._down.add(fault.target)
        self.processes[fault.target].stop()
        time.sleep(fault.seconds)
        self._down.remove(fault.target)

    def _fill_disk(self, fault: Fault) -> None:
        """Fill it, then crash the worker: it cannot open its state until there is room."""
        if not self.disk.is_own:
            self._limit_files(fault)
            return
        self.disk.fill()
        time.sleep(fault.seconds / 2)
        self.processes[fault.target].kill()
        time.sleep(fault.seconds)
        self.disk.free()

    def _limit_files(self, fault: Fault) -> None:
        """Make the next write of the worker's state fail; its successor has room again."""
        process = self.processes[fault.target].running
        if process is None or process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            limit_files(process.pid)
        deadline = time.monotonic() + DISK_S
        while process.poll() is None:
            assert time.monotonic() < deadline, f"{fault.target} lives on without its disk"
            time.sleep(LOOK_S)

    # Recovery

    def _await_recovery(self, fault: Fault) -> None:
        deadline, fed, why = time.monotonic() + HANG_S, _fed(self.folder), ""
        goal: Offsets | None = None
        while time.monotonic() < deadline:
            # A new client after each failure: an old one may wait for long before it connects again.
            gauge = Gauge(self.proxy.address, f"http://127.0.0.1:{self.settings.api_port}")
            try:
                goal = goal or gauge.ends()
                while time.monotonic() < deadline:
                    is_fed = fault.target != "feeder" or _fed(self.folder) > fed
                    if is_fed and not (why := gauge.behind(goal)):
                        return
                    time.sleep(LOOK_S)
            except (KafkaException, RuntimeError, httpx.HTTPError) as error:
                why = str(error)
            finally:
                gauge.close()
        raise AssertionError(f"seed {self.seed}: no recovery within {HANG_S:.0f} s from {fault}: {why}")

    # The end

    def finish(self) -> ApiServer:
        """Let the feeder end, stop the processes, and store the rest from here; the server, its API down."""
        (self.folder / STOP).touch()
        deadline = time.monotonic() + FEED_S
        while not Cursor.load(self.folder).is_done:
            assert time.monotonic() < deadline, "the feeder does not come to its end"
            time.sleep(LOOK_S)
        self._down |= {"server", "feeder"}
        self.processes["server"].stop()
        server = ApiServer(self.settings, self.proxy.address)
        self._undo.callback(server.stop)
        server.start()
        watch = Watch(self.proxy.address)
        try:
            watch.wait(server.sink.positions, DRAIN_S)
        finally:
            watch.close()
        return server


class Gauge:
    """How far workers and sink have come, asked with a client that reconnects at once."""

    def __init__(self, kafka: str, url: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": kafka, **QUICK})
        self._group = Consumer({"bootstrap.servers": kafka, "group.id": "ibflow", **QUICK})
        self._url = url
        self._places = [(topic, number) for topic in STAGE_TOPICS for number in range(PARTITIONS)]

    def ends(self) -> Offsets:
        """What is written."""
        found = self._group.list_topics(timeout=ASK_S).topics
        self._places = [(topic, n) for topic in STAGE_TOPICS for n in found[topic].partitions]
        return log_ends(self._admin, self._places)

    def behind(self, goal: Offsets) -> str:
        """What is not yet applied or stored of what was written up to `goal`; empty if nothing."""
        asked = [TopicPartition(*place) for place, end in goal.items() if end]
        for tp in self._group.committed(asked, timeout=ASK_S):
            if tp.offset < goal[tp.topic, tp.partition]:
                return f"{tp.topic}/{tp.partition} is applied up to {tp.offset}"
        for place, end in goal.items():
            if (stored := self._stored(*place)) < end:
                return f"{place[0]}/{place[1]} is stored up to {stored}"
        return ""

    def _stored(self, topic: str, partition: int) -> int:
        parameters: dict[str, str | int] = {"topic": topic, "partition": partition}
        answer = httpx.get(f"{self._url}/v1/archive/end", params=parameters, timeout=10 * ASK_S)
        return int(json.loads(answer.raise_for_status().text.splitlines()[0])["end"])

    def close(self) -> None:
        """Leave Kafka."""
        self._group.close()


def _fed(folder: Path) -> int:
    cursor = Cursor.load(folder)
    return cursor.next + cursor.repeated
