"""Publishing to Kafka, against librdkafka's own mock broker: real client, real protocol."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from confluent_kafka import Producer

from commission.events import AccountLinked, ClientRegistered, Deal
from commission.terms.market import RatePublished
from ingest.publish import outbox, publisher
from ingest.publish.outbox import PublishFailed
from ingest.publish.publisher import publish, publish_in_turn, publish_terms
from ingest.sources import EncodedDeals
from schemas.dead_letters import DEAD_LETTER, to_dead_letter
from schemas.topics import ACCOUNT_BOOK, CLIENT_BOOK, DEAD_LETTERS, TERMS, partition_of
from schemas.wire import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_RECORD_BYTES, decode, decode_batch, encode
from tests.ingest.ingest_exports import RECEIVED
from tests.ingest.mock_kafka import Broker

AT = datetime(2026, 9, 1, tzinfo=UTC)


def deal(number: int, login: int) -> Deal:
    return Deal(
        platform="mt5",
        server="Demo",
        login=login,
        deal_id=str(number),
        revision="r",
        kind="balance",
        currency="USD",
        occurred_at=AT + timedelta(seconds=number),
        profit=Decimal(number),
    )


def test_every_record_arrives_once_in_order_at_its_partition(broker: Broker) -> None:
    """Deals and links go by account, client events by client, each account in its order."""
    deals = [deal(number, login=1 + number % 7) for number in range(1, 5_001)]
    link = AccountLinked(event_id="e", client_id="c", server="Demo", login=3, occurred_at=AT)
    client = ClientRegistered(event_id="e", client_id="c", occurred_at=AT)
    letter = to_dead_letter(b"x", source="s", position="line 1", code="c", reason="r", received_at=RECEIVED)
    progress: list[int] = []
    report = publish([link, *deals, client, letter], broker.bootstrap, on_progress=progress.append)

    messages = broker.messages(ACCOUNT_BOOK)
    arrived = [
        (message.partition(), record) for message in messages for record in decode_batch(message.value())
    ]
    assert sorted(record.deal_id for _, record in arrived if isinstance(record, Deal)) == sorted(
        d.deal_id for d in deals
    )
    for login in range(1, 8):
        of_login = [record for _, record in arrived if record.login == login]
        expected = [event for event in (link, *deals) if event.login == login]
        assert of_login == expected
    for partition, record in arrived:
        assert partition == partition_of(record.account_key, broker.partitions[ACCOUNT_BOOK])
    (client_message,) = broker.messages(CLIENT_BOOK)
    assert decode(client_message.value()) == client
    assert client_message.partition() == partition_of("c", broker.partitions[CLIENT_BOOK])
    (letter_message,) = broker.messages(DEAD_LETTERS)
    assert (letter_message.partition(), DEAD_LETTER.validate_json(letter_message.value())) == (0, letter)
    assert report.records == {ACCOUNT_BOOK: 5_001, CLIENT_BOOK: 1, DEAD_LETTERS: 1}
    assert (report.total, report.messages) == (5_003, len(messages) + 2)
    assert progress[-1] == 5_003
    assert {message.headers() for message in messages} == {None}


def test_encoded_deals_are_sent_as_they_are(broker: Broker) -> None:
    """Lines made before are sent unchanged, at their account's partition, in order among other items."""
    deals = [deal(number, login=1 + number % 7) for number in range(1, 9_001)]
    middle = EncodedDeals([d.account_key for d in deals[3:-3]], encode(deals[3:-3]))
    progress: list[int] = []
    items = [*deals[:3], EncodedDeals([], []), middle, *deals[-3:]]
    report = publish(items, broker.bootstrap, on_progress=progress.append)
    messages = broker.messages(ACCOUNT_BOOK)
    for login in range(1, 8):
        expected = [line for d, line in zip(deals, encode(deals), strict=True) if d.login == login]
        found = [
            (message.partition(), line)
            for message in messages
            for line in message.value().split(b"\n")
            if decode(line).login == login
        ]
        place = partition_of(f"Demo/{login}", broker.partitions[ACCOUNT_BOOK])
        assert found == [(place, line) for line in expected]
    assert (report.records, progress[-1]) == ({ACCOUNT_BOOK: 9_000}, 9_000)
    assert max(message.value().count(b"\n") for message in messages) < MAX_BATCH_RECORDS
    assert max(len(message.value()) for message in messages) <= MAX_BATCH_BYTES


def test_an_encoded_line_over_the_limit_is_refused(broker: Broker) -> None:
    """A line that no reader would take is not sent."""
    line = encode([deal(1, login=1)])[0] + b" " * MAX_RECORD_BYTES
    with pytest.raises(PublishFailed, match="the limit is"):
        publish([EncodedDeals(["Demo/1"], [line])], broker.bootstrap)


def test_batches_keep_both_limits(broker: Broker) -> None:
    """No message has more than its records or bytes, and few messages hold many deals."""
    publish((deal(number, login=1) for number in range(1, 4_502)), broker.bootstrap)
    messages = broker.messages(ACCOUNT_BOOK)
    counts = [message.value().count(b"\n") + 1 for message in messages]
    assert sum(counts) == 4_501
    assert len(messages) < 6
    assert max(counts) <= MAX_BATCH_RECORDS
    assert max(len(message.value()) for message in messages) <= MAX_BATCH_BYTES


def test_memory_is_bounded_across_partitions(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the bound of all unfinished batches, they are sent as they are, and nothing is lost."""
    monkeypatch.setattr(outbox, "MAX_BUFFERED_BYTES", 5_000)
    publish([deal(number, login=number % 50 + 1) for number in range(1, 201)], broker.bootstrap)
    messages = broker.messages(ACCOUNT_BOOK)
    assert len(messages) > 10
    assert sum(message.value().count(b"\n") + 1 for message in messages) == 200


def test_a_full_queue_waits(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full send queue slows the reading down and loses nothing."""
    monkeypatch.setitem(outbox.CONFIG, "queue.buffering.max.messages", 2)
    monkeypatch.setattr(outbox, "MAX_BUFFERED_BYTES", 1)
    report = publish([deal(number, login=1) for number in range(1, 51)], broker.bootstrap)
    assert report.messages == len(broker.messages(ACCOUNT_BOOK)) == 50


def test_a_part_is_there_before_the_next_is_read(broker: Broker) -> None:
    """One client event fills no batch, and no deal that is read after it overtakes it; both are counted."""
    there: list[int] = []
    registered = ClientRegistered(event_id="r", client_id="anna", ib_id="ib", occurred_at=AT)

    def deals() -> Iterator[Deal]:
        there.append(len(broker.messages(CLIENT_BOOK)))
        yield deal(1, 1)

    before = len(broker.messages(CLIENT_BOOK))
    report = publish_in_turn([[registered], deals()], broker.bootstrap)
    assert there == [before + 1]
    assert report.records == {CLIENT_BOOK: 1, ACCOUNT_BOOK: 1}


def test_nothing_to_publish(broker: Broker) -> None:
    """No events, no messages."""
    assert publish([], broker.bootstrap).total == 0


def test_terms_travel_together(broker: Broker) -> None:
    """Terms that fit are one message on partition 0, in order."""
    rates = [
        RatePublished(base="EUR", quote="USD", rate=Decimal(number), as_of=AT) for number in range(1, 1_000)
    ]
    assert publish_terms(rates, broker.bootstrap).messages == 1
    (message,) = broker.messages(TERMS)
    assert (message.partition(), decode_batch(message.value())) == (0, rates)


def test_missing_topic_is_told(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic is never made by accident: with one partition it would split a book."""
    monkeypatch.setattr(publisher, "ACCOUNT_BOOK", "no-such-topic")
    with pytest.raises(PublishFailed, match="no-such-topic"):
        publish([deal(1, login=1)], broker.bootstrap)


def test_unreachable_kafka_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens, publishing fails with the address."""
    monkeypatch.setattr(outbox, "METADATA_TIMEOUT_S", 0.5)
    monkeypatch.setitem(outbox.CONFIG, "log_level", 0)
    with pytest.raises(PublishFailed, match=r"127\.0\.0\.1:1:"):
        publish([deal(1, login=1)], "127.0.0.1:1")


def test_undelivered_messages_are_told(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that refuses a message makes publishing fail, and says what was acknowledged."""
    monkeypatch.setitem(outbox.CONFIG, "message.max.bytes", 1_000)
    monkeypatch.setitem(outbox.CONFIG, "log_level", 0)
    with pytest.raises(PublishFailed, match="0 of 0 messages were acknowledged"):
        publish([deal(number, login=1) for number in range(1, 11)], broker.bootstrap)


def test_a_lost_broker_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages without an acknowledgement in time make publishing fail."""
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (first,) = producer.list_topics(timeout=10).brokers.values()
    producer.list_topics(ACCOUNT_BOOK, timeout=10)
    monkeypatch.setitem(outbox.CONFIG, "delivery.timeout.ms", 1_500)
    monkeypatch.setitem(outbox.CONFIG, "log_level", 0)

    def events() -> Iterator[Deal]:
        nonlocal producer
        for number in range(1, 601):
            if number == 550:
                del producer  # the mock cluster ends with its producer
            yield deal(number, login=1)

    monkeypatch.setattr(outbox, "MAX_BUFFERED_BYTES", 1)
    with pytest.raises(PublishFailed, match="not delivered"):
        publish(events(), f"{first.host}:{first.port}")


def test_a_failing_source_is_passed_on(broker: Broker) -> None:
    """What the source raises is what the caller sees."""

    def events() -> Iterator[Deal]:
        yield deal(1, login=1)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        publish(events(), broker.bootstrap)
