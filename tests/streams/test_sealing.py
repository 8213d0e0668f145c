"""A book that seals its old deals says what one that never does says, and finds each of them for ever."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.events import AccountLinked, ReratingApproved
from commission.outputs import Transfer
from schemas import topics
from schemas.wire import Record
from streams import sealing
from streams.in_memory import EPOCH, LocalPipeline
from streams.partition import Partition
from streams.sealing import BLOCK, FEWEST, SealedDeals
from streams.stages import CLIENTS
from streams.store import MemoryStore
from tests.build import SYMBOLS, D, at, deal, ended, linked, partner, per_lot, period, plan, registered
from tests.oracle.brokers import random_broker
from tests.oracle.dice import AGREED

COUNTS = {topic.name: 1 for topic in topics.TOPICS}
LATER = datetime(2100, 1, 1, tzinfo=UTC)
NEVER: dict[str, Any] = {"_old_before": lambda _records, _terms: None}
ALWAYS: dict[str, Any] = {"_old_before": lambda _records, _terms: LATER, "FEWEST": 1, "BLOCK": 2}
"""Every message seals all deals that it does not write itself, two in a block."""
TERMS = (*SYMBOLS, plan("p USD", per_lot("*=10")), partner("ib USD p"))


@contextmanager
def sealing_as(how: dict[str, Any]) -> Iterator[None]:
    """Other rules of what is sealed, for a while."""
    with ExitStack() as stack:
        for name, value in how.items():
            stack.enter_context(patch.object(sealing, name, value))
        yield


def store_of(pipeline: LocalPipeline) -> dict[bytes, bytes]:
    """The state of the client book."""
    store = pipeline._stages[topics.CLIENT_BOOK].store
    assert isinstance(store, MemoryStore)
    return store.values


def sealed_in(values: Iterable[bytes]) -> list[bytes]:
    """The keys of blocks."""
    return [key for key in values if key.startswith(b"0/@block/")]


def rerated(records: list[Record]) -> Iterator[Record]:
    """Every deal of a client's own account, and every client, approved to be rated again."""
    clients = {one.login: one.client_id for one in records if isinstance(one, AccountLinked)}
    for number, record in enumerate(records):
        if record.type == "deal" and record.login in clients:  # type: ignore[union-attr] # a deal has one
            client_id = clients[record.login]  # type: ignore[union-attr] # likewise
            yield ReratingApproved(
                client_id=client_id,
                proposal_id=f"p{number}",
                occurred_at=LATER,
                deal=record,  # type: ignore[arg-type] # a deal
            )
    for client_id in sorted({*clients.values()}):
        yield ReratingApproved(client_id=client_id, proposal_id="p", occurred_at=LATER)


@pytest.mark.parametrize("seed", range(40))
def test_a_book_that_seals_says_the_same(seed: int) -> None:
    """Random brokers with late revisions, cancellations, refunds, disputes, KYC; then all is rated again.

    Every row of both is compared, in its order, with its id and its factors.
    """
    records = random_broker(seed, AGREED)
    whole = [*records, *rerated(records)]
    with sealing_as(NEVER):
        plain = LocalPipeline()
        expected = [*plain.feed(whole)]
    with sealing_as(ALWAYS):
        sealed = LocalPipeline()
        found = [*sealed.feed(whole)]
    assert found == expected
    assert not sealed_in(store_of(plain))
    deals = [key for key in store_of(plain) if key.startswith(b"0/d:")]
    own = [key for key in store_of(sealed) if key.startswith(b"0/d:")]
    assert len(own) < len(deals) or not deals
    assert bool(sealed_in(store_of(sealed))) == bool(deals)


def test_a_late_revision_of_a_sealed_deal() -> None:
    """20 closings of 1 lot pay 10 each on 2 September. At the end of September nothing is old; at the end of
    April 180 days take clawbacks back to 2 November, and all are sealed. Later one is corrected to 3 lots: 10
    is reversed, by the id of the first row, and 30 posted. Another is told again, and known.
    """
    pipeline = LocalPipeline()
    closings = [replace(deal(f"{n} sell 1 EURUSD out", day=2), position_id="") for n in range(20)]
    records = [
        *TERMS,
        period("2026-09"),
        period("2027-04"),
        registered("anna ib"),
        linked("1 anna"),
        *closings,
    ]
    first = [row for row in pipeline.feed(records) if isinstance(row, Transfer)]
    assert [row.amount for row in first] == [D(10)] * 20
    for name, blocks in (("2026-09", 0), ("2027-04", 1)):
        for _ in pipeline.feed([ended(name)]):
            pass
        assert len(sealed_in(store_of(pipeline))) == blocks
    assert not [key for key in store_of(pipeline) if key.startswith(b"0/d:")]
    late = replace(closings[7], revision="late", volume_e8=3 * closings[7].volume_e8)
    rows = [row for row in pipeline.feed([closings[3], late]) if isinstance(row, Transfer)]
    assert [(row.code, row.amount) for row in rows] == [("reversal", D(10)), ("accrual", D(30))]
    assert rows[0].reverses == first[7].transfer_id
    assert [key for key in store_of(pipeline) if key.startswith(b"0/d:")] == [b"0/d:anna:live|7"]
    assert pipeline._stages[topics.CLIENT_BOOK].applied.repeated == 1


def test_what_a_period_leaves_alone() -> None:
    """A deal of the 180 days before the end of a period keeps its own key, and so do fewer than 16."""
    days = [(day, f"{day}-{n}") for day in (1, 60) for n in range(FEWEST)]
    young = [replace(deal(f"{name} sell 1 EURUSD out", day=day), position_id="") for day, name in days]
    few = [replace(one, login=2, deal_id=f"b{one.deal_id}") for one in young[: FEWEST - 1]]
    end = replace(period("2027-03"), ends_at=at(200))
    pipeline = LocalPipeline()
    told = [registered("anna ib"), registered("ben ib"), linked("1 anna"), linked("2 ben")]
    for _ in pipeline.feed([*TERMS, end, *told, *young, *few, ended("2027-03")]):
        pass
    own = {key.decode() for key in store_of(pipeline) if key.startswith(b"0/d:")}
    assert own == {f"0/d:anna:live|60-{n}" for n in range(16)} | {f"0/d:ben:live|b1-{n}" for n in range(15)}


@pytest.mark.parametrize("seed", range(3))
def test_a_restart_after_any_message_seals_the_same(seed: int) -> None:
    """What is kept follows from the log: recovered before each message, it has the same bytes."""
    log: list[bytes] = []
    pipeline = LocalPipeline(
        lambda message, _: log.append(message.value) if message.topic == topics.CLIENT_BOOK else None
    )
    for _ in pipeline.feed(random_broker(seed, AGREED)):
        pass
    with sealing_as(ALWAYS):
        steady = Partition.recover(CLIENTS, 0, COUNTS, MemoryStore())
        values: dict[bytes, bytes] = {}
        for offset, value in enumerate(log):
            restarted = Partition.recover(CLIENTS, 0, COUNTS, MemoryStore(values))
            steps = [one.step(offset, value, "", EPOCH) for one in (steady, restarted)]
            assert steps[0] is not None
            assert steps[1] is not None
            assert (steps[0].messages, steps[0].state) == (steps[1].messages, steps[1].state)
            steady.commit(steps[0])
            restarted.commit(steps[1])
    assert sealed_in(values)


@given(st.lists(st.dictionaries(st.integers(0, 400), st.binary(max_size=2), max_size=90), max_size=6))
def test_blocks_hold_what_was_put_into_them(batches: list[dict[int, bytes]]) -> None:
    """Whatever comes in whatever order: the newest value of each, no other, in blocks of 64 at most."""
    state: dict[str, bytes] = {}
    deals = SealedDeals(state.get, lambda prefix: [key for key in state if key.startswith(prefix)])
    model: dict[str, bytes] = {}
    for batch in batches:
        news = {f"d:a:s|{number}": value for number, value in batch.items()}
        if not news:
            continue
        changes: sealing.Changes = {}
        deals._seal(news, changes)
        state |= {key: value for key, value in changes.items() if value is not None}
        model |= news
        deals.forget()
    assert {key: deals.find(key) for key in model} == model
    assert sorted(deals.keys("d:a:")) == sorted(model)
    assert all(
        deals.find(f"d:a:s|{number}") is None for number in range(401) if f"d:a:s|{number}" not in model
    )
    assert all(
        len(deals._block("a", key.partition(":")[2])) <= BLOCK for key in state if key[:7] == "@block/"
    )
