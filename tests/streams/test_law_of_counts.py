"""Every event is folded, refused or counted as a repeat of something equal; the three add up."""

import os
from collections import Counter
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from commission.books.account import AccountState
from commission.events import (
    AccountLinked,
    ChargebackReceived,
    ClientReassigned,
    ClientRegistered,
    Deal,
    DepositCleared,
    KycChanged,
    WithdrawalPaid,
)
from schemas.wire import Record
from streams.in_memory import LocalPipeline, entry_topic
from streams.state_codec import decode_state, encode_state
from streams.store import MemoryStore
from tests.oracle.brokers import random_broker

SEEDS = int(os.environ.get("IBFLOW_COUNTS", "12"))
FACTS = (ClientRegistered, ClientReassigned, DepositCleared, KycChanged, AccountLinked)
"""What is known by what it is; a chargeback and a withdrawal are where the CRM names them."""


class Counted:
    """The pipeline, and what became of each record."""

    def __init__(self) -> None:
        self.pipeline, self.counts = LocalPipeline(), Counter[str]()

    def tell(self, record: Record) -> str:
        """What a record was: `new`, `refused` or a `repeat`; never two of these, never none."""
        known, repeats, letters = self.state, self.repeated, len(self.pipeline.dead_letters)
        said = list(self.pipeline.feed([record]))
        found = {
            "new": self.state != known or bool(said),
            "refused": len(self.pipeline.dead_letters) == letters + 1,
            "repeat": self.repeated == repeats + 1,
        }
        [what] = [word for word, holds in found.items() if holds] or [f"nothing became of {record}"]
        self.counts[what] += 1
        return what

    @property
    def state(self) -> dict[tuple[str, bytes], bytes]:
        """What the books know, without how much they have read and which event ids they have seen."""
        found = {}
        for partition in self.pipeline._stages.values():
            assert isinstance(partition.store, MemoryStore)
            for key, value in partition.store.values.items():
                if b"/@" not in key and b"/e:" not in key:
                    found[partition.stage.name, key] = without_number(partition.stage.name, key, value)
        return found

    @property
    def repeated(self) -> int:
        """How many records the stages counted as repeats."""
        return sum(partition.applied.repeated for partition in self.pipeline._stages.values())


def without_number(stage: str, key: bytes, value: bytes) -> bytes:
    """An account that changed hands counts the records of its deals, also those that come again."""
    own = key.partition(b"/")[2].decode()
    if stage != "accounts" or not own.startswith("a:"):
        return value
    return encode_state(own, replace(decode_state(AccountState, own, value), numbered=0))


def named(record: Any) -> bool:
    """Whether it is known by what it is, whatever event tells of it."""
    match record:
        case ChargebackReceived():
            return bool(record.chargeback_id)
        case WithdrawalPaid():
            return bool(record.withdrawal_id)
    return isinstance(record, (*FACTS, Deal))


def again(record: Any) -> Any:
    """The same of another source, under an event id of its own."""
    event = {} if isinstance(record, Deal) else {"event_id": f"copy of {record.event_id}"}
    return replace(record, source="a copy", **event)


def otherwise(record: Any) -> Any:
    """Another content under the same event id."""
    return replace(record, occurred_at=record.occurred_at + timedelta(seconds=1))


def stream(records: list[Record], chance: Random) -> list[tuple[Record, str]]:
    """What is told, and what has to become of it; `""` where the random broker repeats things itself."""
    told: list[tuple[Record, str]] = [(record, "") for record in records]
    for record in records:
        if chance.random() < 0.3 and named(record):
            insert(told, record, (again(record), "repeat"), chance)
        if chance.random() < 0.2:
            insert(told, record, (record, "repeat"), chance)
        if chance.random() < 0.2 and not isinstance(record, Deal):
            insert(told, record, (otherwise(record), "refused"), chance)
    return told


def insert(told: list[tuple[Record, str]], after: Record, new: tuple[Record, str], chance: Random) -> None:
    """Somewhere behind a record."""
    place = next(n for n, (record, _) in enumerate(told) if record is after)
    told.insert(chance.randint(place + 1, len(told)), new)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_event_is_folded_refused_or_a_repeat(seed: int) -> None:
    """A broker with repeats under other event ids, and ids that are used twice: nothing is silent."""
    records = random_broker(seed)
    events = [r for r in records if entry_topic(r) != "terms"]
    counted, expected = Counted(), Counter[str]()
    for _ in counted.pipeline.feed(
        r for r in records if entry_topic(r) == "terms" and r.type != "period_ended"
    ):
        pass
    told = stream(events, Random(seed))
    for record, due in told:
        found = counted.tell(record)
        assert due in ("", found), f"{found}, and not a {due}: {record}"
        expected[due] += 1
    assert counted.counts.total() == len(told)
    assert counted.counts["refused"] == len(counted.pipeline.dead_letters) >= expected["refused"]
    assert counted.counts["repeat"] == counted.repeated >= expected["repeat"]
