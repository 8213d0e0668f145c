"""The banner's half minute: counted only while something waits and nothing is stored."""

import pytest

from infra.processes.stall import StallWatch


class Sink:
    """One that does as it is told."""

    def __init__(self) -> None:
        self.waits, self.done, self.now = 0, 0, 0.0

    def lag(self) -> int:
        """What waits; below zero it cannot say."""
        if self.waits < 0:
            raise RuntimeError("the sink cannot store")
        return self.waits


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def watch(sink: Sink) -> StallWatch:
    return StallWatch(sink.lag, lambda: sink.done, lambda: sink.now)


def later(sink: Sink, watch: StallWatch, by: float) -> float | None:
    """What is told after so long, looked at every five seconds."""
    for _ in range(int(by / 5)):
        sink.now += 5
        watch.look()
    return watch.seconds()


def test_idle_is_no_stall(sink: Sink, watch: StallWatch) -> None:
    assert later(sink, watch, 300) is None


def test_what_waits_for_half_a_minute_is_one_until_something_is_stored(sink: Sink, watch: StallWatch) -> None:
    """From 30 s on, also while more arrives; one message stored ends it."""
    watch.look()
    sink.waits = 3
    assert later(sink, watch, 25) is None
    sink.waits = 9
    assert later(sink, watch, 10) == 35
    sink.done += 1
    assert later(sink, watch, 5) is None


def test_a_slow_sink_is_no_stall(sink: Sink, watch: StallWatch) -> None:
    """It stores, though more waits than before."""
    for _ in range(20):
        sink.waits += 100
        sink.done += 1
        assert later(sink, watch, 5) is None


def test_a_sink_that_cannot_say_is_one(sink: Sink, watch: StallWatch) -> None:
    watch.look()
    sink.waits = -1
    assert later(sink, watch, 40) == 40
