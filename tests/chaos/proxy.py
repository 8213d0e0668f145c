"""A TCP proxy in front of Kafka whose connections can be cut, slowed down and silenced."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

HOST = "127.0.0.1"
CHUNK_BYTES = 65_536
CALL_SECONDS = 10.0


class Proxy:
    """Passes bytes between a port of its own and `upstream`; runs in a thread of its own."""

    def __init__(self, port: int, upstream: int) -> None:
        self._port, self._upstream = port, upstream
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._delay_s = 0.0
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"{HOST}:{self._port}"

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._call(self._listen())

    def stop(self) -> None:
        """Close every connection, and listen no longer."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_SECONDS)
        self._loop.close()

    def drop(self) -> int:
        """Cut all connections in the middle of whatever they carry; return how many there were."""
        return self._call(self._drop())

    def delay(self, seconds: float) -> None:
        """Hold every piece of data for so long, in both directions; 0 ends it."""
        self._loop.call_soon_threadsafe(setattr, self, "_delay_s", seconds)

    def silence(self, *, on: bool) -> None:
        """Pass nothing on and close nothing: the other side looks slow, not gone."""
        self._loop.call_soon_threadsafe(self._flows.clear if on else self._flows.set)

    def _call(self, work: Coroutine[Any, Any, int | None]) -> int:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_SECONDS) or 0

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, self._port)

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._drop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _drop(self) -> int:
        count = len(self._writers) // 2
        for writer in self._writers:
            writer.transport.abort()
        return count

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._upstream)
        except OSError:
            writer.transport.abort()  # as the broker itself would refuse
            return
        for source, target in ((reader, far_writer), (far_reader, writer)):
            self._writers.add(target)
            task = asyncio.ensure_future(self._pump(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):  # a cut connection ends both directions
            while data := await source.read(CHUNK_BYTES):
                await self._flows.wait()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                target.write(data)
                await target.drain()
        self._writers.discard(target)
        target.close()
