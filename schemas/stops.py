"""What stops a partition and what a person decides: one log, in one order, and the state it folds to.

A decision is valid if it answers a stop that stands. That depends on the order of the log alone, so workers,
replay, the command line and the API agree on what was skipped, and the log is the audit of it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from schemas.models import read_or_none

MAX_ERROR_CHARS = 2_000
"""Of the text of an error; the worker's log has all of it."""
MAX_REASON_CHARS = 1_000
MAX_NAME_CHARS = 128

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
Offset = Annotated[int, Field(ge=0, lt=2**63)]
Number = Annotated[int, Field(ge=0, lt=2**31)]
Action = Literal["skip", "retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionStopped:
    """A worker could not apply the message at `offset`; the partition waits for a decision.

    `cause` is "fold" if the message itself cannot be applied, and "effects" if it was folded but its
    outputs or its state could not be written: some outputs may be in use, so it can only be retried.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    type: Literal["partition_stopped"] = "partition_stopped"
    topic: Name
    partition: Number
    offset: Offset
    cause: Literal["fold", "effects"]
    error: Annotated[str, Field(max_length=MAX_ERROR_CHARS)]
    worker: Annotated[str, Field(max_length=MAX_NAME_CHARS)]
    at: AwareDatetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BookCommand:
    """A person's decision about the message a partition stopped at, with their name and reason."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    type: Literal["book_command"] = "book_command"
    action: Action
    topic: Name
    partition: Number
    offset: Offset
    by: Name
    reason: Annotated[str, Field(min_length=1, max_length=MAX_REASON_CHARS)]
    at: AwareDatetime


Operation = PartitionStopped | BookCommand
OPERATION: TypeAdapter[Operation] = TypeAdapter(Annotated[Operation, Field(discriminator="type")])
Place = tuple[str, int]
"""Topic and partition."""


def decode_operation(message: bytes | str) -> Operation | None:
    """Read one message of the log; None if it is no operation, for everyone alike."""
    return read_or_none(OPERATION, message)


def stopped(
    place: Place,
    offset: int,
    cause: Literal["fold", "effects"],
    error: BaseException,
    worker: str,
    at: datetime,
) -> PartitionStopped:
    """The record of a stop, with the error's kind and text in bounds."""
    text = f"{type(error).__name__}: {error}"
    return PartitionStopped(
        topic=place[0],
        partition=place[1],
        offset=offset,
        cause=cause,
        error=text[:MAX_ERROR_CHARS].encode("utf-8", "backslashreplace").decode()[:MAX_ERROR_CHARS],
        worker=worker[:MAX_NAME_CHARS],
        at=at,
    )


@dataclass(slots=True)
class Operations:
    """The fold of the log: the stops that stand, and what was skipped for good."""

    stops: dict[Place, PartitionStopped] = field(default_factory=dict)
    skips: dict[Place, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    """Offset → why, as the dead letters of the message tell it."""
    _half_written: set[tuple[Place, int]] = field(default_factory=set)

    @classmethod
    def of(cls, operations: Iterable[Operation | None]) -> "Operations":
        """Fold a whole log."""
        state = cls()
        for operation in operations:
            state.learn(operation)
        return state

    def learn(self, operation: Operation | None) -> None:
        """Fold the next operation; a decision about nothing that stands changes nothing."""
        if operation is None:
            return
        place = operation.topic, operation.partition
        if isinstance(operation, PartitionStopped):
            if operation.cause == "effects":
                self._half_written.add((place, operation.offset))
            if operation.offset not in self.skips[place]:  # a skip is final
                self.stops[place] = operation
        elif self.refusal(operation) is None:
            stop = self.stops.pop(place)
            if operation.action == "skip":
                why = f"skipped by {operation.by}: {operation.reason} (it could not be applied: {stop.error})"
                self.skips[place][operation.offset] = why

    def refusal(self, command: BookCommand) -> str | None:
        """Why a command would have no effect, and what to do; None if it is valid."""
        place = command.topic, command.partition
        stop, named = self.stops.get(place), f"{command.topic}/{command.partition}"
        if stop is None:
            return f"{named} is not stopped"
        if stop.offset != command.offset:
            return f"{named} is stopped at offset {stop.offset}, not {command.offset}"
        if command.action == "skip" and not self.is_skippable(stop):
            return (
                f"the message {named}/{stop.offset} was folded and may be partly written; "
                "leaving it out would not take that back: remove the cause and retry"
            )
        return None

    def is_skippable(self, stop: PartitionStopped) -> bool:
        """Whether nothing of the message can have left its partition in any attempt."""
        return ((stop.topic, stop.partition), stop.offset) not in self._half_written
