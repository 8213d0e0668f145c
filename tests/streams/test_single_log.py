"""A log of decisions on a real Kafka: read to its end, gone on with, and nothing asked for while it waits."""

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from streams.single_log import SingleLog, append_to
from tests import services

TOPIC = "decisions"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with services.kafka(tmp_path_factory.mktemp("kafka")) as servers:
        admin = AdminClient({"bootstrap.servers": servers})
        admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(30)
        yield servers


def test_it_goes_on_where_it_stopped(kafka: str) -> None:
    """Also where whoever reads stopped in the middle: what was not taken is told again, and nothing twice."""
    log = SingleLog(kafka, TOPIC)
    assert list(log.read()) == []
    append_to(kafka, TOPIC, b"a", b"b", b"c")
    assert [next(log.read()), next(log.read())] == [(0, b"a"), (0, b"a")]
    for offset, _ in log.read():
        if offset == 1:
            break
    assert list(log.read()) == [(1, b"b"), (2, b"c")]
    append_to(kafka, TOPIC, b"d")
    assert (list(log.read()), list(log.read()), log.next) == ([(3, b"d")], [], 4)
    log.close()
    append_to(kafka, TOPIC, b"e")
    assert list(log.read()) == [(4, b"e")]
    assert list(log.at(2, 0)) == [b"c", b"a"]
    assert list(log.read()) == []
    log.close()


def test_nothing_is_fetched_while_it_waits(kafka: str) -> None:
    """Fifty fetches a second for each log took a tenth of a core of an idle machine."""
    log = SingleLog(kafka, TOPIC)
    assert len(list(log.read())) == 5
    assert log._consumer is not None
    assert log._consumer.assignment() == []
    log.close()
