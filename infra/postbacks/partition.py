"""One partition of deliveries: what waits, durable before anything is sent, and gone only once it was told.

1 take a delivery in: appended to the changelog, then queued. A crash before it reads the message again
2 send it. A crash after it sends it again, under the same id
3 write the attempt. A crash after it writes another one of the same number, which the table absorbs
4 append what becomes of the delivery: gone, or waiting for its next time
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from msgspec.structs import replace

from commission.postbacks.waiting import Failing, Waiting, failing_key, waiting_key
from schemas.attempts import Attempt
from schemas.topics import ATTEMPTS, SOURCE_HEADER
from schemas.wire import batches, encode
from streams.changelog import Changelog
from streams.partition import Message, Partition
from streams.protocol import Incoming, apply
from streams.stages import DISPATCHER
from streams.state_codec import decode_state, encode_state

AT_ONCE = 256
MAX_TOGETHER = 500
"""Results that are made durable as one."""


class Result(NamedTuple):
    """What came of a try, and who waits for it to be durable."""

    attempt: Attempt
    waiting: Waiting
    done: "asyncio.Future[None]"


class DeliveryPartition:
    """The state of a partition, and the results that are not in it yet."""

    def __init__(
        self, number: int, changelog: Changelog, producer: AIOKafkaProducer, counts: Mapping[str, int]
    ) -> None:
        self.number = number
        self.failing: dict[str, datetime] = {}
        """Endpoint → since when it has only failed, here."""
        self._changelog, self._producer, self._counts = changelog, producer, counts
        self._partition: Partition | None = None
        self._lock = asyncio.Lock()
        self._results: list[Result] = []
        self._forgiven: set[str] = set()
        self._more = asyncio.Event()
        self._taken: list[Waiting] = []

    async def open(self) -> list[Waiting]:
        """Become the only one that has it; everything that waits in it."""
        await self._changelog.open()
        self._partition = Partition.recover(DISPATCHER, self.number, self._counts, self._changelog)
        prefix = self._partition.key("")
        found: list[Waiting | None] = []
        for key in [*self._changelog.keys(prefix + b"d:")]:
            found.append(self._read(key, Waiting))
            if len(found) % AT_ONCE == 0:
                await asyncio.sleep(0)  # what else runs here has its turn
        for key in self._changelog.keys(prefix + b"f:"):
            failing = self._read(key, Failing)
            if failing is not None:
                self.failing[key[len(prefix) + 2 :].decode()] = failing.since
        return [one for one in found if one is not None]

    @property
    def next_offset(self) -> int:
        """The first message that it still needs."""
        assert self._partition is not None, "it is open"
        return self._partition.applied.offset + 1

    async def take(self, messages: Sequence[Any]) -> list[Waiting]:
        """Take in messages of the topic; the deliveries that are new."""
        assert self._partition is not None, "it is open"
        incoming = [
            Incoming(one.offset, one.value or b"", _source(one.headers), _time(one.timestamp))
            for one in messages
        ]
        async with self._lock:
            self._taken = []
            _, refused = await apply(self._partition, self, incoming)
            if refused is not None:
                raise RuntimeError(f"deliveries/{self.number}/{refused.offset}") from refused.error
            return self._taken

    async def send(self, messages: Sequence[Message]) -> None:
        """Append what the fold says, which is dead letters only."""
        sent = [await self._producer.send(one.topic, one.value, partition=one.partition) for one in messages]
        await asyncio.gather(*sent)

    async def append_state(self, partition: Partition, state: Mapping[bytes, bytes | None]) -> None:
        """Append to the changelog: whole, or not at all."""
        prefix = partition.key("d:")
        await self._changelog.append(state, self._changelog.opening)
        self._taken += [
            decode_state(Waiting, key.decode(), value)
            for key, value in state.items()
            if key.startswith(prefix) and value is not None
        ]

    def waiting(self, delivery_id: str) -> Waiting | None:
        """A delivery that waits; None if it is gone."""
        assert self._partition is not None, "it is open"
        found: Waiting | None = self._read(self._partition.key(waiting_key(delivery_id)), Waiting)
        return found

    async def record(self, attempt: Attempt, waiting: Waiting) -> None:
        """Return once the result is durable."""
        result = Result(attempt, waiting, asyncio.get_running_loop().create_future())
        self._results.append(result)
        self._more.set()
        await result.done

    def forgive(self, endpoint_id: str) -> None:
        """It took a delivery, here or of another partition: it does not only fail."""
        if self.failing.pop(endpoint_id, None) is not None:
            self._forgiven.add(endpoint_id)
            self._more.set()

    async def run(self) -> None:
        """Make results durable, those that wait together, until cancelled."""
        while True:
            await self._more.wait()
            together, self._results = self._results[:MAX_TOGETHER], self._results[MAX_TOGETHER:]
            if not self._results:
                self._more.clear()
            async with self._lock:
                await self._settle(together)
            for result in together:
                if not result.done.done():
                    result.done.set_result(None)

    async def close(self) -> None:
        """Give it up."""
        for result in self._results:
            result.done.cancel()
        await self._changelog.close()

    async def _settle(self, results: Sequence[Result]) -> None:
        # 1 the attempts, for whoever looks
        target = self.number % self._counts[ATTEMPTS]
        lines = encode(result.attempt for result in results)
        sent = [await self._producer.send(ATTEMPTS, value, partition=target) for value in batches(lines)]
        await asyncio.gather(*sent)
        # 2 what becomes of the deliveries
        state = self._after(results)
        if not state:
            return
        await self._changelog.append(state, self._changelog.opening)
        self._changelog.write(state)

    def _after(self, results: Iterable[Result]) -> dict[bytes, bytes | None]:
        assert self._partition is not None, "it is open"
        key = self._partition.key
        state: dict[bytes, bytes | None] = {key(failing_key(name)): None for name in self._forgiven}
        self._forgiven.clear()
        for attempt, waiting, _ in results:
            is_over = attempt.outcome in ("delivered", "failed")
            place = key(waiting_key(waiting.delivery.delivery_id))
            state[place] = None if is_over else _later(attempt, waiting)
            failing = key(failing_key(attempt.endpoint))
            if attempt.outcome != "delivered" and attempt.endpoint not in self.failing:
                self.failing[attempt.endpoint] = attempt.attempted_at
                state[failing] = encode_state(
                    failing_key(attempt.endpoint), Failing(since=attempt.attempted_at)
                )
        return state

    def _read(self, key: bytes, kind: type[Any]) -> Any:
        found = self._changelog.get(key)
        return None if found is None else decode_state(kind, key.decode(), found)


def _later(attempt: Attempt, waiting: Waiting) -> bytes:
    due_at = attempt.next_attempt_at or attempt.attempted_at
    key = waiting_key(waiting.delivery.delivery_id)
    return encode_state(key, replace(waiting, attempts=attempt.attempt, due_at=due_at))


def _source(headers: Sequence[tuple[str, bytes]]) -> str:
    return next((value.decode() for key, value in headers or () if key == SOURCE_HEADER), "")


def _time(timestamp_ms: int | None) -> datetime:
    return datetime.fromtimestamp((timestamp_ms or 0) / 1_000, UTC)
