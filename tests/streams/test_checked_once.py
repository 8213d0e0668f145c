"""What is checked of a record once, where it enters, and not again of what is made of it."""

from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext

import pytest

from commission.events import AccountLinked, RoutedDeal
from commission.money import EXACT
from infra.archive.log import Logged
from infra.replay.fold import PartitionFold
from schemas import topics
from schemas.dead_letters import DEAD_LETTER
from schemas.wire import Record, decode_batch, encode
from streams.in_memory import EPOCH, LocalPipeline
from streams.partition import Message, Partition
from streams.stages import CLIENTS, STAGES
from streams.store import MemoryStore
from tests.build import deal, deposit, exchange
from tests.synthetic import Synthetic

COUNTS = {topic.name: 1 for topic in topics.TOPICS}
ROUTED = RoutedDeal(client_id="anna", deal=deal("1 buy 1 EURUSD in"))
FROM_A_STAGE = "account-book/0/0/0"


def with_nan(record: Record, field: str) -> bytes:
    """The record's line, with a number that has no end."""
    (line,) = encode([record])
    before, _, after = line.partition(b'"%s":"' % field.encode())
    assert after, "the field is in the line"
    return before + b'"%s":"NaN"' % field.encode() + after.partition(b'"')[2]


@pytest.mark.parametrize(
    ("stage", "line"),
    [
        (topics.ACCOUNT_BOOK, with_nan(deal("1 buy 1 EURUSD in", price=Decimal(1)), "price")),
        (topics.CLIENT_BOOK, with_nan(deposit("anna d1 500 USD", day=2), "amount")),
        (topics.TERMS, with_nan(exchange("EUR/USD 1.1"), "rate")),
    ],
)
def test_what_enters_is_checked_where_it_enters(stage: str, line: bytes) -> None:
    """A NaN from outside, at each door: a dead letter with the line, and nothing else."""
    partition = Partition(next(one for one in STAGES if one.topic == stage), 0, COUNTS, MemoryStore())
    step = partition.step(0, line, "", EPOCH)
    assert step is not None
    sent = {message.topic: message.value for message in step.messages if message.value}
    assert [*sent] == [topics.DEAD_LETTERS]
    assert DEAD_LETTER.validate_json(sent[topics.DEAD_LETTERS]).payload == line


def test_all_that_stages_send_is_as_a_door_would_take_it() -> None:
    """Every message between the stages of a broker with spreads, caps and bad lines: each reads in full."""
    seen: list[Message] = []
    pipeline, broker = (
        LocalPipeline(lambda message, _: seen.append(message)),
        Synthetic(20, 400, is_hybrid=True),
    )
    links = [event for event in broker.crm() if isinstance(event, AccountLinked)]
    bad = with_nan(broker.trades()[0], "price")
    pipeline.feed_batch(topics.TERMS, [*broker.terms()])
    pipeline.feed_batch(topics.ACCOUNT_BOOK, [*links])
    pipeline.feed_batch(topics.CLIENT_BOOK, [event for event in broker.crm() if event not in links])
    for start in range(0, 400, 100):
        some = broker.trades()[start : start + 100]
        list(pipeline._send(Message(topics.ACCOUNT_BOOK, 0, b"\n".join([*encode(some), bad]))))
    sent = [message for message in seen if message.source and message.topic != topics.DEAD_LETTERS]
    records = [record for message in sent for record in decode_batch(message.value)]
    assert len(pipeline.dead_letters) == 4
    assert {record.type for record in records} >= {"routed_deal", "transfer", "rejection"}


def test_no_fold_makes_a_number_without_an_end() -> None:
    """From numbers that have one: what would not have one is an error, which stops the partition."""
    with localcontext(EXACT):
        with pytest.raises(DivisionByZero):
            Decimal(1) / Decimal(0)
        with pytest.raises(InvalidOperation):
            Decimal(0) / Decimal(0)
        with pytest.raises(Overflow):
            Decimal("1e999999") * 10


def test_a_replay_checks_all_of_it_once_more() -> None:
    """A worker takes a stage's word; `verify --deep`, which folds the archive again, does not."""
    line = with_nan(RoutedDeal(client_id="anna", deal=deal("1 buy 1 EURUSD in", price=Decimal(1))), "price")
    worker = Partition(CLIENTS, 0, COUNTS, MemoryStore())
    taken = worker.step(0, line, FROM_A_STAGE, EPOCH)
    assert taken is not None
    assert topics.DEAD_LETTERS not in {message.topic for message in taken.messages}
    replayed = PartitionFold(CLIENTS, 0, COUNTS).step(Logged(0, FROM_A_STAGE, line))
    assert [message.topic for message in replayed] == [topics.DEAD_LETTERS]
