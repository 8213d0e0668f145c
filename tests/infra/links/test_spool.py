"""Clicks reach Kafka once, whatever stops meanwhile; what there is no room for is refused."""

import threading
from pathlib import Path

import pytest

from infra.links import spool as spools
from infra.links.spool import Spool
from schemas.errors import Unavailable, Unusable
from tests.eventually import eventually


class Kafka:
    """Takes messages, unless it is away; it may lose its answer."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.is_away = self.loses_answer = False

    def send(self, message: bytes) -> None:
        """As `ClickSender.send`."""
        if self.is_away:
            raise Unavailable("nobody answers")
        self.lines += message.split(b"\n")
        if self.loses_answer:
            self.loses_answer = False
            raise Unavailable("no answer")


def opened(folder: Path, kafka: Kafka, max_bytes: int = 10_000) -> Spool:
    """A spool that tries again at once."""
    return Spool(folder, max_bytes, kafka.send, retry_s=0.01)


def test_clicks_are_sent_in_their_order_and_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over many files: each is removed once Kafka has it."""
    monkeypatch.setattr(spools, "FILE_BYTES", 100)
    monkeypatch.setattr(spools, "SYNC_S", 0.001)
    kafka = Kafka()
    spool = opened(tmp_path, kafka)
    spool.start()
    clicks = [b"click %d" % number for number in range(200)]
    for start in range(0, 200, 20):
        assert [spool.keep(click) for click in clicks[start : start + 20]] == [""] * 20
        eventually(lambda end=start + 20: len(kafka.lines) == end)  # type: ignore[misc]
    spool.stop()
    assert kafka.lines == clicks
    assert spool.bytes_left == 0
    assert len(list(tmp_path.glob("*.jsonl"))) <= 1


def test_clicks_wait_on_disk_while_kafka_is_away_and_are_sent_once(tmp_path: Path) -> None:
    """Another process finds them; what was sent before is not sent again."""
    kafka = Kafka()
    first = opened(tmp_path, kafka)
    first.start()
    first.keep(b"a")
    eventually(lambda: kafka.lines == [b"a"])
    kafka.is_away = True
    for click in (b"b", b"c"):
        assert first.keep(click) == ""
    eventually(lambda: first.is_kafka_away and first.bytes_left == 4)
    first.stop()
    kafka.is_away = False
    second = opened(tmp_path, kafka)
    assert second.bytes_left == 4
    second.start()
    second.keep(b"d")
    eventually(lambda: len(kafka.lines) == 4)
    second.stop()
    assert kafka.lines == [b"a", b"b", b"c", b"d"]


def test_a_lost_answer_sends_the_same_again(tmp_path: Path) -> None:
    """Twice on the topic, under one click id: the table keeps one."""
    kafka = Kafka()
    kafka.loses_answer = True
    spool = opened(tmp_path, kafka)
    spool.start()
    spool.keep(b"a")
    eventually(lambda: spool.bytes_left == 0 and kafka.lines)
    spool.stop()
    assert kafka.lines == [b"a", b"a"]


def test_a_full_spool_refuses_until_kafka_is_back(tmp_path: Path) -> None:
    """What was taken is kept; nothing is dropped in silence."""
    kafka = Kafka()
    kafka.is_away = True
    spool = opened(tmp_path, kafka, max_bytes=10)
    spool.start()
    assert spool.keep(b"123456789") == ""
    eventually(lambda: spool.bytes_left == 10)
    assert "Kafka is away" in spool.keep(b"x")
    kafka.is_away = False
    eventually(lambda: spool.bytes_left == 0)
    assert spool.keep(b"y") == ""
    spool.stop()
    assert kafka.lines == [b"123456789", b"y"]


def test_memory_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes nothing fills memory only up to a bound."""
    monkeypatch.setattr(spools, "MAX_WAITING", 2)
    spool = opened(tmp_path, Kafka())
    assert [spool.keep(b"x") for _ in range(3)] == ["", "", "clicks cannot be kept: the disk is too slow"]


def test_a_disk_that_fails_is_said_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clicks that could not be synced are written again; meanwhile others are refused."""
    kafka, is_full = Kafka(), threading.Event()
    real = spools.os.fsync

    def fsync(number: int) -> None:
        if is_full.is_set():
            raise OSError(28, "No space left on device")
        real(number)

    monkeypatch.setattr(spools.os, "fsync", fsync)
    spool = opened(tmp_path, kafka)
    is_full.set()
    spool.start()
    spool.keep(b"a")
    eventually(lambda: spool.keep(b"b") == "clicks cannot be kept: No space left on device")
    is_full.clear()
    eventually(lambda: b"a" in kafka.lines)
    eventually(lambda: spool.keep(b"c") == "")
    spool.stop()
    assert kafka.lines.count(b"a") == 1
    assert kafka.lines[-1] == b"c"


def test_a_line_that_a_crash_cut_is_taken_off(tmp_path: Path) -> None:
    """The clicks before it are whole."""
    (tmp_path / "000000000007.jsonl").write_bytes(b"a\nb\nhal")
    kafka = Kafka()
    spool = opened(tmp_path, kafka)
    assert spool.bytes_left == 4
    spool.start()
    spool.keep(b"c")
    eventually(lambda: len(kafka.lines) == 3)
    spool.stop()
    assert kafka.lines == [b"a", b"b", b"c"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """Nobody's files are sent."""
    (tmp_path / "mine.jsonl").write_bytes(b"x\n")
    with pytest.raises(Unusable, match="none of the spool's files"):
        opened(tmp_path, Kafka())
