"""Corrections to faust-streaming 0.15.3, each where Faust lets a class be replaced.

1. `Recovery` resumes stream partitions before it seeks them, and before it resumes flow control, which
   empties the streams' queues: what is fetched in between is dropped, so messages are skipped at
   start. Here a partition stays paused until both are done.
2. A restart begins at the group's committed offset, which may have passed unfinished messages: loss.
   Here it begins after the offset the state carries, and the commit is only a hint for monitors.
3. The producer is idempotent only under `exactly_once`; a broker retry may double or reorder.
4. Table writes are sent one by one and not awaited; a crash leaves half a message's state, and a worker
   that wakes up late overwrites its successor's. Here tables are not used: see `changelog.py`.
5. A fetch waits up to 1.5 s for the partitions it was sent for. The client has one under way at a time, so
   a partition whose messages were taken meanwhile is not asked for until then: seconds of latency under
   a steady trickle. Here it waits 20 ms, and 200 ms once nothing has come for a while: then it is sent for
   every partition, and whatever comes ends it.
6. A worker makes `<app>-data/` in the folder it is started in, for tables; one that may not write there ends.
   Here nothing is kept in it, so nothing is made.
7. A worker waits a second for tables to be declared before it joins its group. Here there are none.

Nothing of Faust is copied or patched; `tests/streams/test_faust_fixes.py` shows them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import monotonic
from typing import Any, cast

import faust
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.broker import FETCH_WAIT_MS

IDLE_AFTER_S, IDLE_FETCH_WAIT_MS = 2.0, 200
"""While nothing comes, fetches that wait 20 ms take a worker 4 % of a core, these 1 %."""

Resume = Callable[[TP], Awaitable[int | None]]
"""The offset a partition starts at by its own state, or None where no state decides."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Makes Kafka's client, which does not let a fetch stand in the way of the next one for long."""

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # Faust has no setting for it
        return consumer

    async def on_start(self) -> None:
        """Let fetches wait longer from when nothing comes."""
        await super().on_start()
        wait_by_need(cast(Any, self._consumer)._fetcher)


def wait_by_need(fetcher: Any, clock: Callable[[], float] = monotonic) -> None:
    """Let the next fetch wait briefly for a while after messages came or partitions changed, else longer."""
    ask, known, busy_until = fetcher._proc_fetch_request, None, clock() + IDLE_AFTER_S

    async def fetch(assignment: Any, *request: Any) -> bool:
        nonlocal known, busy_until
        found: bool = await ask(assignment, *request)
        if found or assignment is not known:
            known, busy_until = assignment, clock() + IDLE_AFTER_S
        fetcher._fetch_max_wait_ms = FETCH_WAIT_MS if clock() < busy_until else IDLE_FETCH_WAIT_MS
        return found

    fetcher._proc_fetch_request = fetch


class Consumer(driver.Consumer):
    """Lets a stream partition flow once it is sought, to where the state ends, and queues are empty."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unsought: set[TP] = set()
        self._sought: set[TP] = set()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Resume changelogs at once; streams wait for their seek and for `resume_flow`."""
        streams = {tp for tp in tps if not self._is_changelog_tp(tp)}
        self._unsought |= streams
        super().resume_partitions(set(tps) - streams)

    def pause_partitions(self, tps: Iterable[TP]) -> None:
        """Pause, also those that were waiting."""
        paused = set(tps)
        self._unsought -= paused
        self._sought -= paused
        super().pause_partitions(paused)

    async def perform_seek(self) -> None:
        """Seek the partitions that wait for it; there is nothing to seek at other times."""
        waiting = self._unsought & self.assignment()
        if not waiting:
            return
        await super().perform_seek()
        resume = cast(App, self.app).resume_offset
        offsets = await asyncio.gather(*(resume(tp) for tp in waiting))
        starts = {tp: offset for tp, offset in zip(waiting, offsets, strict=True) if offset is not None}
        if starts:
            await self.seek_wait(starts)
            self._committed_offset.update({tp: offset or None for tp, offset in starts.items()})
            await self._commit(starts)
        self._unsought -= waiting
        self._sought |= waiting

    def resume_flow(self) -> None:
        """Let flow; Faust has emptied the streams' queues just before, and will not again."""
        super().resume_flow()
        sought, self._sought = self._sought, set()
        if sought:
            super().resume_partitions(sought)

    def hold(self, tp: TP) -> None:
        """Fetch no more of a stopped partition, also when its queue empties."""
        self.pause_partitions({tp})
        self._buffered_partitions.discard(tp)

    async def release(self, tp: TP, offset: int) -> None:
        """Let a held partition flow again, from `offset`."""
        await self.seek_wait({tp: offset})
        super().resume_partitions({tp})


class Producer(driver.Producer):
    """Idempotent: what a broker repeats is neither doubled nor reordered."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class Transport(driver.Transport):
    """Kafka through the corrected consumer and producer."""

    Consumer = Consumer
    Producer = Producer


class NoTables(TableManager):
    """Has no table to wait for, nor the changelog of one to pause."""

    async def on_start(self) -> None:
        """Begin at once."""
        self._tables_finalized.set()
        self._tables_registered.set()
        await self.recovery.start()


class App(faust.App):
    """A Faust app on the corrected transport."""

    resume_offset: Resume

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, TableManager=NoTables, **kwargs)

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    def _create_directories(self) -> None:
        """Make none: state is in the changelogs and in the folder that the settings name."""
