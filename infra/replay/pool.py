"""Work on partitions in processes of their own, each with its own connection to the log.

Processes are spawned, never forked: neither chDB nor a Kafka client survives a fork.
"""

import multiprocessing
import os
import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from infra.archive.log import Log, LogAt
from infra.gc_tuning import collect_rarely
from schemas.errors import Unavailable

Task = TypeVar("Task")
Result = TypeVar("Result")

LOOK_SECONDS = 0.1


class Bar(Protocol):
    """Hears how many more messages are done, and how many there are in all."""

    def __call__(self, done: int, total: int | None = None, /) -> None:
        """Move on."""


def no_bar(done: int, total: int | None = None, /) -> None:
    """Show nothing."""


@contextmanager
def progress_bar(console: Console) -> Iterator[Bar]:
    """A bar of messages for as long as the block runs."""
    columns = (TextColumn("folding again"), BarColumn(), MofNCompleteColumn(), TextColumn("messages"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def move(done: int, total: int | None = None, /) -> None:
            progress.update(task, advance=done, total=total)

        yield move


_done: Any = None
"""Where this process reports how many messages it has folded."""
_where: LogAt | None = None


def report(messages: int) -> None:
    """Tell whoever waits that so many more messages are done."""
    if _done is not None:
        _done.put(messages)


class Pool(AbstractContextManager["Pool"]):
    """As many processes as asked for, or one for each core, and never more than there is work for."""

    def __init__(self, where: LogAt, workers: int | None, tasks: int) -> None:
        self._where = where
        wanted = (os.cpu_count() or 1) if workers is None else workers
        self._executor: ProcessPoolExecutor | None = None
        self._reports: Any = None
        if wanted:
            context = multiprocessing.get_context("spawn")
            self._reports = context.Queue()
            self._executor = ProcessPoolExecutor(
                max(1, min(wanted, tasks)), context, _begin, (self._reports, where)
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._reports.close()

    def each(
        self,
        work: Callable[[Log, Task], Result],
        tasks: Iterable[Task],
        bar: Bar | None = None,
    ) -> Iterator[tuple[Task, Result]]:
        """Do `work` for each task, over a connection of the worker's own; in the order they are done."""
        if self._executor is None:
            with self._where.open() as log:
                for task in tasks:
                    yield task, work(log, task)
            return
        under_way: dict[Future[Any], Task] = {
            self._executor.submit(_work, work, task): task for task in tasks
        }
        while under_way:
            done, _ = wait(under_way, LOOK_SECONDS, FIRST_COMPLETED)
            self._advance(bar or no_bar)
            for future in done:
                task = under_way.pop(future)
                try:
                    yield task, future.result()
                except BrokenProcessPool:
                    raise Unavailable(
                        "a worker process ended early, most often for want of memory; use fewer --workers"
                    ) from None

    def _advance(self, bar: Bar) -> None:
        while True:
            try:
                bar(self._reports.get_nowait())
            except queue.Empty:
                return


def _begin(reports: Any, where: LogAt) -> None:
    global _done, _where  # a worker process has one of each
    collect_rarely()
    _done, _where = reports, where


def _work(work: Callable[[Log, Any], Any], task: Any) -> Any:
    assert _where is not None, "a worker begins with its log"
    with _where.open() as log:
        return work(log, task)
