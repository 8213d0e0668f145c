"""The log of operations: which decisions count is a matter of its order alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.stops import (
    MAX_ERROR_CHARS,
    OPERATION,
    Action,
    BookCommand,
    Operation,
    Operations,
    PartitionStopped,
    decode_operation,
    stopped,
)
from tests.build import at

PLACE = ("client-book", 3)


def stop(offset: int = 7, *, half_written: bool = False) -> PartitionStopped:
    """The fold, or the writing of its effects, failed."""
    return stopped(PLACE, offset, "effects" if half_written else "fold", ValueError("bad"), "w-1", at(1))


def command(action: Action, offset: int = 7) -> BookCommand:
    """Ann decides."""
    return BookCommand(
        action=action, topic=PLACE[0], partition=PLACE[1], offset=offset, by="ann", reason="agreed", at=at(2)
    )


def of(*operations: Operation) -> tuple[int | None, list[int]]:
    """The offset the partition stands at, and those skipped."""
    state = Operations.of(operations)
    found = state.stops.get(PLACE)
    return found and found.offset, [*state.skips[PLACE]]


def test_a_decision_ends_the_stop_it_answers() -> None:
    """A retry leaves nothing, a skip the offset with who and why."""
    assert (7, []) == of(stop())
    assert (None, []) == of(stop(), command("retry"))
    assert (None, [7]) == of(stop(), command("skip"))
    why = Operations.of([stop(), command("skip")]).skips[PLACE][7]
    assert "skipped by ann: agreed (it could not be applied: ValueError: bad)" == why


def test_a_decision_about_nothing_that_stands_changes_nothing() -> None:
    """Before the stop, for another offset, or after another decision: the first one counts."""
    assert (7, []) == of(command("skip"), stop())
    assert (7, []) == of(stop(), command("skip", 8))
    assert (None, []) == of(stop(), command("retry"), command("skip"))
    assert (None, [7]) == of(stop(), command("skip"), command("retry"))


def test_a_retry_that_fails_can_be_skipped() -> None:
    """The second stop is a new question."""
    assert (None, [7]) == of(stop(), command("retry"), stop(), command("skip"))


def test_a_skip_is_final() -> None:
    """A late report of the same stop, by a worker that lost the partition, opens nothing."""
    assert (None, [7]) == of(stop(), command("skip"), stop())


def test_what_may_be_half_written_cannot_be_skipped() -> None:
    """In no later attempt either: what an earlier one sent is in use."""
    assert (7, []) == of(stop(half_written=True), command("skip"))
    assert (7, []) == of(stop(half_written=True), command("retry"), stop(), command("skip"))
    assert (None, []) == of(stop(half_written=True), command("retry"))
    refusal = Operations.of([stop(half_written=True)]).refusal(command("skip"))
    assert refusal is not None
    assert "remove the cause and retry" in refusal


def test_refusals_say_what_is_stopped() -> None:
    """So that a person finds the offset to name."""
    assert "client-book/3 is not stopped" == Operations().refusal(command("skip"))
    state = Operations.of([stop()])
    assert "client-book/3 is stopped at offset 7, not 8" == state.refusal(command("retry", 8))


@given(st.text(max_size=5_000))
def test_any_error_is_a_record(text: str) -> None:
    """Whatever an exception says, its stop is written and read back, in bounds."""
    told = stopped(PLACE, 0, "fold", ValueError(text + "\ud800"), "w", at(1))
    assert len(told.error) <= MAX_ERROR_CHARS
    assert told == decode_operation(OPERATION.dump_json(told))


@pytest.mark.parametrize("message", [b"", b"{", b'{"type":"deal"}', b"\xff"])
def test_what_is_no_operation_is_nothing_to_all(message: bytes) -> None:
    """Bytes of another producer change no state."""
    assert decode_operation(message) is None


@pytest.mark.parametrize("change", [{"offset": -1}, {"by": ""}, {"reason": "x" * 1_001}, {"action": "undo"}])
def test_a_record_out_of_bounds_is_none(change: dict[str, object]) -> None:
    """Limits hold for readers too."""
    values = OPERATION.dump_python(command("skip"), mode="json") | change
    assert decode_operation(json.dumps(values)) is None
