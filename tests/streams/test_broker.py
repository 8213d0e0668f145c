"""Questions to a broker are asked again while it settles, and not for ever."""

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams import broker


def failing(code: int, times: int) -> list[KafkaException]:
    return [KafkaException(KafkaError(code)) for _ in range(times)]


@pytest.mark.parametrize(
    "code",
    [
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    ],
)
def test_a_topic_made_just_now_is_asked_for_again(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "AGAIN_SECONDS", 0.0)
    errors = failing(code, 2)

    def question() -> str:
        if errors:
            raise errors.pop()
        return "answered"

    assert broker.ask(question) == "answered"
    assert not errors


def test_what_does_not_settle_in_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "AGAIN_SECONDS", 0.0)
    asked = []

    def question() -> None:
        asked.append(1)
        raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION))

    with pytest.raises(KafkaException):
        broker.ask(question, within=0.01)
    assert len(asked) > 1


def test_another_error_is_raised_at_once() -> None:
    asked = []

    def question() -> None:
        asked.append(1)
        raise KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))

    with pytest.raises(KafkaException):
        broker.ask(question)
    assert len(asked) == 1


def test_how_far_a_group_is_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """While its coordinator is being found: a stack that waits for its worker else fails now and then."""
    monkeypatch.setattr(broker, "AGAIN_SECONDS", 0.0)
    errors = failing(KafkaError.NOT_COORDINATOR, 2)

    class Group:
        def committed(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
            assert timeout > 0
            if errors:
                raise errors.pop()
            return [TopicPartition(one.topic, one.partition, 7 - 8 * one.partition) for one in places]

    found = broker.commits(Group(), [("books", 0), ("books", 1)])  # type: ignore[arg-type]
    assert found == {("books", 0): 7, ("books", 1): 0}
