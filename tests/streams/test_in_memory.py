"""The pipeline in memory: the same stages, records in, ledger out, nothing asynchronous."""

from msgspec.structs import replace

from schemas import topics
from schemas.wire import decode, encode
from streams.in_memory import LocalPipeline, entry_topic
from tests.build import (
    ANNA,
    PLANS,
    TERMS,
    D,
    cpa,
    deal,
    deposit,
    ended,
    exchange,
    kyc,
    per_lot,
    period,
    plan,
    run,
    spread,
    told,
)

ONE = deal("1 buy 1 EURUSD out")


def test_records_enter_where_they_belong() -> None:
    """Deals and links by account, CRM events by client, everything else as terms."""
    link, registration = ANNA
    entries = {
        topics.ACCOUNT_BOOK: (ONE, link),
        topics.CLIENT_BOOK: (registration, deposit("anna d1 5 USD", day=2), kyc("anna approved", day=2)),
        topics.TERMS: (*TERMS, exchange("USD/JPY 150"), period("2026-09"), ended("2026-09")),
    }
    for topic, records in entries.items():
        assert {entry_topic(record) for record in records} == {topic}


def test_outputs_come_as_soon_as_their_cause() -> None:
    """`feed` is lazy: a record's outputs come before the next record is read."""
    pipeline = LocalPipeline()
    assert list(pipeline.feed(TERMS)) == []
    fed = []

    def records():  # type: ignore[no-untyped-def] # a generator of records
        for record in (*ANNA, ONE):
            fed.append(record)
            yield record

    first = next(pipeline.feed(records()))
    assert first.type == "milestone"
    assert fed == list(ANNA)


def test_a_batch_gives_what_its_records_give() -> None:
    """The same records as one micro-batch, as several and one by one."""
    deals = [replace(ONE, deal_id=str(number)) for number in range(9)]
    one_by_one = run(*ANNA, *deals)
    pipeline = LocalPipeline()
    list(pipeline.feed((*TERMS, *ANNA)))
    said = told(pipeline.feed_batch(topics.ACCOUNT_BOOK, list(deals)))
    assert encode(said.transfers) == encode(one_by_one.transfers)


def test_a_record_in_the_wrong_topic_is_a_dead_letter() -> None:
    """It is kept with its place and reason; its neighbours are folded."""
    pipeline = LocalPipeline()
    list(pipeline.feed((*TERMS, *ANNA)))
    said = told(pipeline.feed_batch(topics.ACCOUNT_BOOK, [ANNA[1], ONE]))
    assert [letter.position for letter in pipeline.dead_letters] == ["0/1 line 1"]
    assert pipeline.dead_letters[0].payload == encode([ANNA[1]])[0]
    assert len(said.transfers) == 2


def test_terms_survive_the_wire() -> None:
    """What leaves as one component arrives as the same, whatever is left out of the JSON."""
    bare = (per_lot("*=1"), spread("*=0.5"), cpa("1"), cpa("1", min_deposit=D(0), min_lots=D(0)))
    for record in (*PLANS, *(plan("p USD", component) for component in bare)):
        assert decode(encode([record])[0]) == record
