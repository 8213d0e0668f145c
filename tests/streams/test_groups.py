"""How messages are taken in groups: what a stage holds for how long, and what begins at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest
from faust.types import EventT

from streams.groups import MAX_GROUP_BYTES, SMALL_GROUP, Waiting
from streams.stages import ACCOUNTS, CLIENTS, PARTNERS, Stage

Event = EventT[bytes]


@dataclass
class Sent:
    """An event that is its own message."""

    value: bytes

    @property
    def message(self) -> "Sent":
        """As Faust gives it."""
        return self


def events(*values: bytes) -> list[Event]:
    """Events of these messages."""
    return [cast(Any, Sent(value)) for value in values]


@dataclass
class World:
    """A stage's waiting messages, a clock that only pauses move, and what comes while a group is held."""

    waiting: Waiting
    now: float = 1_000.0
    meanwhile: Sequence[Event] = ()

    async def pause(self, seconds: float) -> None:
        """Let time pass, and messages come."""
        self.now += seconds
        for event in self.meanwhile:
            await self.waiting.put(event)

    async def take(self, put: Sequence[Event], meanwhile: Sequence[Event] = ()) -> tuple[float, list[bytes]]:
        """Put messages and take a group: for how long it was held, and what it has."""
        before, self.meanwhile = self.now, meanwhile
        for event in put:
            await self.waiting.put(event)
        group = await self.waiting.first()
        await self.waiting.fill(group)
        return round(self.now - before, 6), [event.message.value for event in group]


def world(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> World:
    """One partition of a stage."""
    here = World(Waiting(stage))
    monkeypatch.setattr("streams.groups.asyncio.sleep", here.pause)
    monkeypatch.setattr("streams.groups.time.monotonic", lambda: here.now)
    return here


def test_what_comes_at_once_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deal's message is alone in its group, or with whatever waits behind it."""
    here = world(ACCOUNTS, monkeypatch)
    assert (0.0, [b"1"]) == asyncio.run(here.take(events(b"1")))
    assert (0.0, [b"2", b"3"]) == asyncio.run(here.take(events(b"2", b"3")))


def test_a_clients_message_takes_along_what_comes_right_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The partitions of the account book send theirs at nearly one time."""
    here = world(CLIENTS, monkeypatch)
    took = asyncio.run(here.take(events(b"1"), meanwhile=events(b"2", b"3")))
    assert (CLIENTS.gather_s, [b"1", b"2", b"3"]) == took


def test_an_ibs_first_message_begins_at_once_and_the_next_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a command is answered as fast as ever, and a stream of transfers makes few groups."""
    here = world(PARTNERS, monkeypatch)
    assert (0.0, [b"1"]) == asyncio.run(here.take(events(b"1")))
    here.now += 0.1
    took = asyncio.run(here.take(events(b"2"), meanwhile=events(b"3")))
    assert (round(PARTNERS.rest_s - 0.1, 6), [b"2", b"3"]) == took
    here.now += PARTNERS.rest_s
    assert (0.0, [b"4"]) == asyncio.run(here.take(events(b"4")))


def test_a_backlog_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a group behind the first message is worth a transaction."""
    here = world(CLIENTS, monkeypatch)
    held, group = asyncio.run(here.take(events(*[b"x"] * (1 + SMALL_GROUP))))
    assert (0.0, 1 + SMALL_GROUP) == (held, len(group))


def test_a_group_ends_with_the_message_that_makes_it_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is behind that begins the next one."""
    here = world(ACCOUNTS, monkeypatch)
    put = events(b"1", b"2" * MAX_GROUP_BYTES, b"3")
    assert (0.0, [b"1", b"2" * MAX_GROUP_BYTES]) == asyncio.run(here.take(put))
    assert (0.0, [b"3"]) == asyncio.run(here.take([]))
