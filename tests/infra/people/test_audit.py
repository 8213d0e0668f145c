"""The audit log's chain: what is changed, left out or put in between shows."""

import msgspec
import pytest

from api.people import Note
from infra.people.audit import AuditLog
from schemas.audit import AuditEntry
from schemas.errors import Unavailable
from tests.memory_logs import MemoryMessages


def written(*names: str) -> list[bytes]:
    messages: list[bytes] = []
    log = AuditLog(MemoryMessages(messages))
    for name in names:
        log.write(Note(name, "change", "/v1/x"))
    return messages


def faults_of(messages: list[bytes]) -> tuple[str, ...]:
    return AuditLog(MemoryMessages(messages)).check().faults


def test_each_entry_follows_from_the_one_before() -> None:
    messages = written("anna", "ben", "cleo")
    found = AuditLog(MemoryMessages(messages)).check()
    assert (found.entries, found.faults) == (3, ())
    assert len(found.head) == 64
    assert AuditLog(MemoryMessages([])).check() == (0, "", ())


def changed(message: bytes) -> bytes:
    return message.replace(b"ben", b"bob")


@pytest.mark.parametrize("how", ["changed", "left out", "put in between", "exchanged", "no entry"])
def test_a_chain_that_was_tampered_with(how: str) -> None:
    first, second, third = written("anna", "ben", "cleo")
    tampered = {
        "changed": [first, changed(second), third],
        "left out": [first, third],
        "put in between": [first, written("anna", "eve")[1], second, third],
        "exchanged": [first, third, second],
        "no entry": [first, b"{}", second, third],
    }[how]
    assert faults_of(tampered) != ()


def test_an_entry_that_lost_a_race_is_written_again() -> None:
    """ben writes between anna's look and her entry; hers stands twice in the log and once in the chain."""
    messages: list[bytes] = []
    ben = AuditLog(MemoryMessages(messages))
    shared = MemoryMessages(messages, lambda: ben.write(Note("ben", "change")))
    anna = AuditLog(shared)
    anna.write(Note("anna", "change"))
    assert len(messages) == 3
    found = AuditLog(MemoryMessages(messages)).check()
    assert (found.entries, found.faults) == (2, ())
    assert [entry.by for entry in anna.newest(0, 10)[0]] == ["anna", "ben"]


def test_what_kafka_has_twice_is_no_fault() -> None:
    first, second = written("anna", "ben")
    assert faults_of([first, first, second, second]) == ()


def test_whoever_never_gets_a_turn_is_told_so() -> None:
    class Deaf(MemoryMessages):
        def append(self, messages: object) -> None:
            """Keeps nothing."""

    with pytest.raises(Unavailable, match="not in it"):
        AuditLog(Deaf([])).write(Note("anna", "change"))


def test_pages_go_from_the_newest_down() -> None:
    log = AuditLog(MemoryMessages(written(*"abcde")))
    entries, oldest = log.newest(0, 2)
    assert ([entry.number for entry in entries], oldest) == ([5, 4], 1)
    assert [entry.number for entry in log.newest(4, 9)[0]] == [3, 2, 1]


def test_an_entry_says_what_the_one_before_was() -> None:
    first, second = (msgspec.json.decode(one, type=AuditEntry) for one in written("anna", "ben"))
    assert first.previous == ""
    assert len(second.previous) == 64
