"""The dispatcher: takes deliveries off their topic, sends each when it is due, and remembers what came of it.

Processes share the partitions of the topic `deliveries`; each has the state of its own, so a kill loses
nothing and another process goes on where it was.
"""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka.structs import TopicPartition

from api.postbacks.delivery import Target, deliver
from api.postbacks.safe_client import SafeClient
from commission.postbacks.records import Known
from commission.postbacks.waiting import Waiting
from infra.connect.topics import partition_counts
from infra.postbacks.desk import EndpointDesk
from infra.postbacks.partition import DeliveryPartition
from infra.postbacks.queue import Answered, Due, EndpointQueue
from schemas.attempts import Attempt
from schemas.errors import Unusable
from schemas.kafka import async_config
from schemas.topics import DELIVERIES, MAX_MESSAGE_BYTES
from streams.changelog import Changelog
from streams.stages import DISPATCHER

log = logging.getLogger("ibflow.postbacks")

REFRESH_S = 1.0
"""How soon a decision about an endpoint is known."""
RETRY_S = 2.0
MAX_WAITING = 200_000
"""Deliveries of one endpoint in one process; more are given up, and say so: they can be asked for again."""
MAX_MESSAGES = 500
POLL_MS = 200
DISABLE_AFTER = timedelta(days=5)
"""Of failures and nothing else."""
GROUP = "ibflow-dispatcher"
SESSION_MS = 20_000
"""How long a dispatcher may be silent before others have its partitions."""
STOP_S = 20.0
THREADS = 64


@dataclass(frozen=True, slots=True)
class Place:
    """Where a dispatcher runs."""

    kafka: str
    instance: str
    """Its lasting name: after a restart it has its partitions back at once."""
    state: Path | None
    """Folder of its state; None keeps it in memory."""
    proxy: str = ""


class Dispatcher(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Sends what is due until it is stopped; everything it knows is in its partitions' state."""

    def __init__(self, place: Place, desk: EndpointDesk) -> None:
        self._place, self._desk = place, desk
        self._queues: dict[str, EndpointQueue] = {}
        self._targets: dict[str, Target] = {}
        self._clients: dict[str, SafeClient] = {}
        self._known: Mapping[str, Known] = {}
        self._parts: dict[int, DeliveryPartition] = {}
        self._tasks: dict[object, asyncio.Task[None]] = {}
        self._counts: Mapping[str, int] = {}
        self._consumer: Any = None
        self._producer: Any = None
        self._failed = asyncio.Event()

    async def run(self, stop: threading.Event) -> None:
        """Send until `stop`; after a failure, begin again from what is durable."""
        while not stop.is_set():
            try:
                await self._refresh()
                if self._known:
                    await self._run(stop)
            except Exception:
                log.exception("the dispatcher begins again in %s s; nothing is lost", RETRY_S)
            await _wait(stop, RETRY_S if self._known else REFRESH_S)

    async def _run(self, stop: threading.Event) -> None:
        self._failed.clear()
        self._counts = await asyncio.to_thread(partition_counts, self._place.kafka)
        self._producer = AIOKafkaProducer(
            **async_config(self._place.kafka), acks="all", max_request_size=MAX_MESSAGE_BYTES
        )
        self._consumer = AIOKafkaConsumer(
            **async_config(self._place.kafka),
            group_id=GROUP,
            group_instance_id=self._place.instance,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_MS,
            fetch_max_bytes=MAX_MESSAGE_BYTES,
            max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        )
        try:
            await self._producer.start()
            await self._consumer.start()
            self._consumer.subscribe([DELIVERIES], listener=self)
            self._watch("refresh", self._refresh_always())
            while not stop.is_set() and not self._failed.is_set():
                await self._take_in()
        finally:
            await self._end()

    async def _take_in(self) -> None:
        found = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=MAX_MESSAGES)
        for place, messages in found.items():
            part = self._parts.get(place.partition)
            if part is None:
                continue  # taken away meanwhile
            await self._queue(part, await part.take(messages))

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Let go: what is under way ends, and whoever has them next may repeat it."""
        for place in revoked:
            part = self._parts.pop(place.partition, None)
            if part is None:
                continue
            for queue in self._queues.values():
                queue.forget(place.partition)
            await self._cancel(("partition", place.partition))
            await part.close()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Take up, beside the group: with much that waits it takes longer than the group would."""
        for place in assigned:
            number = place.partition
            changelog = Changelog(self._place.kafka, DISPATCHER.changelog, number, self._place.state)
            self._parts[number] = DeliveryPartition(number, changelog, self._producer, self._counts)
            self._consumer.pause(place)
            self._watch(("partition", number), self._take_up(self._parts[number]))

    async def _take_up(self, part: DeliveryPartition) -> None:
        """The state says what waits, and where to read on; then keep what comes of it."""
        place = TopicPartition(DELIVERIES, part.number)
        await self._queue(part, await part.open())
        self._consumer.seek(place, part.next_offset)
        self._consumer.resume(place)
        await part.run()

    async def _queue(self, part: DeliveryPartition, found: list[Waiting]) -> None:
        if any(one.delivery.endpoint_id not in self._known for one in found):
            await self._refresh()
        for one in sorted(found, key=lambda one: one.delivery.sequence):
            delivery = one.delivery
            queue = self._queue_of(delivery.endpoint_id)
            if len(queue) >= MAX_WAITING:
                self._watch(object(), self._give_up(part, one, f"over {MAX_WAITING:,} wait for it"))
                continue
            owner = delivery.event.client_id or delivery.event.ib_id
            at = one.due_at.timestamp()
            queue.add(Due(at, delivery.sequence, delivery.delivery_id, part.number, owner))

    def _queue_of(self, name: str) -> EndpointQueue:
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = EndpointQueue(name, partial(self._send, name))
            self._set(queue)
            self._watch(("queue", name), queue.run())
        return queue

    async def _send(self, name: str, due: Due, answered: Answered) -> Attempt | None:
        """Try once; None if it is gone or another's by now."""
        part, target = self._parts.get(due.partition), self._targets.get(name)
        waiting = part.waiting(due.delivery_id) if part is not None else None
        if part is None or waiting is None:
            return None
        if self._known[name].state == "removed":
            return await self._give_up(part, waiting, "the endpoint was removed")
        assert target is not None, "a queue is open only where there is a target"
        number = waiting.attempts + 1
        attempt = await deliver(waiting.delivery, target, self._clients[name], number, _now())
        answered(attempt)
        await part.record(attempt, waiting)
        if attempt.outcome == "disabled":
            await self._disable(name, "it answered 410 Gone")
        elif attempt.outcome != "delivered":
            await self._look_at(name, attempt.attempted_at)
        else:
            self._forgive(name)
        return attempt

    async def _give_up(self, part: DeliveryPartition, waiting: Waiting, why: str) -> Attempt:
        delivery = waiting.delivery
        attempt = Attempt(
            milestone_id=delivery.event.milestone_id,
            endpoint=delivery.endpoint_id,
            attempt=waiting.attempts + 1,
            attempted_at=_now(),
            outcome="failed",
            error=f"{why}: not sent",
            replay=delivery.replay,
            delivery_id=delivery.delivery_id,
        )
        log.warning("endpoint %s: %s was given up: %s", delivery.endpoint_id, delivery.delivery_id, why)
        await part.record(attempt, waiting)
        return attempt

    async def _look_at(self, name: str, now: datetime) -> None:
        """Disable an endpoint that has done nothing but fail for days."""
        since = min((one.failing[name] for one in self._parts.values() if name in one.failing), default=now)
        if now - since >= DISABLE_AFTER:
            await self._disable(name, f"it has only failed since {since:%Y-%m-%d %H:%M} UTC")

    def _forgive(self, name: str) -> None:
        for part in self._parts.values():
            part.forgive(name)

    async def _disable(self, name: str, why: str) -> None:
        self._queues[name].is_open = False
        log.error("endpoint %s is disabled: %s; `ibflow endpoints resume %s` goes on", name, why, name)
        with suppress(Unusable):  # a person was faster
            await asyncio.to_thread(self._desk.note_state, name, "disabled", why, "the dispatcher")

    async def _refresh_always(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            await self._refresh()

    async def _refresh(self) -> None:
        """Learn what was decided about endpoints."""
        before, self._known = self._known, await asyncio.to_thread(self._desk.listed)
        await asyncio.to_thread(self._desk.end_day)
        for name, known in self._known.items():
            if before.get(name) != known:
                await self._learn(name, known, before.get(name))

    async def _learn(self, name: str, known: Known, before: Known | None) -> None:
        if before is None or before.saved.version != known.saved.version or name not in self._targets:
            try:
                self._targets[name] = await asyncio.to_thread(self._desk.target, known)
            except Unusable as error:
                log.warning("nothing is sent to %s: %s", name, error)
                self._targets.pop(name, None)
                return
            old = self._clients.get(name)
            self._clients[name] = SafeClient(self._targets[name].policy, proxy=self._place.proxy)
            if old is not None:
                self._watch(object(), _close_later(old))
        if name in self._queues:
            self._set(self._queues[name])

    def _set(self, queue: EndpointQueue) -> None:
        known, target = self._known.get(queue.name), self._targets.get(queue.name)
        if known is not None and target is not None:
            queue.set(target.endpoint, is_open=known.state in ("active", "removed"))

    def _watch(self, name: object, work: Any) -> None:
        """Run it beside; its failure begins everything again."""

        def ended(task: "asyncio.Task[Any]") -> None:
            if self._tasks.get(name) is task:
                del self._tasks[name]
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("a part of the dispatcher failed: %r", error)
                self._failed.set()

        task = self._tasks[name] = asyncio.ensure_future(work)
        task.add_done_callback(ended)

    async def _cancel(self, *names: object) -> None:
        """Stop them, and return once they have stopped."""
        tasks = [task for name in names if (task := self._tasks.pop(name, None)) is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _end(self) -> None:
        await self._cancel(*self._tasks)
        for part in self._parts.values():
            await part.close()
        self._parts.clear()
        self._queues.clear()
        with suppress(Exception):
            await self._consumer.stop()
            await self._producer.stop()
        for client in self._clients.values():
            await client.close()
        self._clients.clear()
        self._targets.clear()
        self._known = {}


class DispatcherThread:
    """A dispatcher in a thread of its own, as the server runs it."""

    def __init__(self, place: Place, desk: EndpointDesk) -> None:
        self._stop = threading.Event()
        self._make: Callable[[], Dispatcher] = lambda: Dispatcher(place, desk)
        self._thread = threading.Thread(target=self._main, name="postbacks", daemon=True)

    def _main(self) -> None:
        async def run() -> None:
            # Names are looked up in these threads: a resolver that hangs for some must not delay all.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
            await self._make().run(self._stop)

        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run())

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Let what is under way end; nothing new is sent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """A sixth of what a delivery costs is the loop's; Windows has no other than its own."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 # not there on Windows

    return uvloop.new_event_loop


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1_000 * 1_000)


async def _wait(stop: threading.Event, seconds: float) -> None:
    await asyncio.to_thread(stop.wait, seconds)


async def _close_later(client: SafeClient) -> None:
    await asyncio.sleep(STOP_S)
    await client.close()
