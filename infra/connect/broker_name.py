"""Whose data these are: the name in broker.yaml, on the log since the first publication, in the data folder.

A typo in an address must not feed one broker's deals to another's books. The name is a header of the messages
of the topic `terms`, and the first that has one counts; terms published before names existed have none.
"""

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.errors import Unavailable, Unusable
from schemas.kafka import client_config
from schemas.settings import Settings
from schemas.topics import BROKER_HEADER, SOURCE_HEADER, TERMS
from streams.broker import log_range

ASK_SECONDS = 30.0
POLL_SECONDS = 0.2
NAME_FILE = "broker"
"""In the data folder: whose ledger is there."""
HOW_TO_NAME = "write `broker: NAME` into broker.yaml"


def broker_of_log(kafka: str) -> str | None:
    """Whose terms the log has; "" if they have no name, None if there are none."""
    consumer = Consumer(
        {
            **client_config(kafka),
            "group.id": "ibflow-broker",  # required by the client; never joined, never committed
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
        }
    )
    try:
        low, high = log_range(consumer, TERMS, 0)
        if high <= low:
            return None
        consumer.assign([TopicPartition(TERMS, 0, low)])
        return _first_name(consumer, high)
    except KafkaException as error:
        raise Unavailable(f"the Kafka at {kafka} does not say whose terms it has: {error}") from None
    finally:
        consumer.close()


def _first_name(consumer: Consumer, end: int) -> str | None:
    deadline = time.monotonic() + ASK_SECONDS
    is_published = False
    while time.monotonic() < deadline:
        message = consumer.poll(POLL_SECONDS)
        if message is None:
            continue
        if (error := message.error()) is not None:
            raise KafkaException(error)
        headers = dict(message.headers() or ())
        if name := headers.get(BROKER_HEADER):
            return name if isinstance(name, str) else name.decode()
        is_published |= SOURCE_HEADER not in headers  # what networks want of the books is of no broker
        if (message.offset() or 0) + 1 >= end:
            return "" if is_published else None
    raise Unavailable(f"Kafka does not send the topic {TERMS} within {ASK_SECONDS:.0f} s")


def check_broker(kafka: str, name: str) -> None:
    """Raise `Unusable` unless a folder of terms and the log are of the same broker."""
    known = broker_of_log(kafka)
    if known is None or known == name:
        return
    if not known:
        raise Unusable(
            f"these terms are of the broker {name}, and those on the Kafka at {kafka} of one without a name; "
            "if they are the same, publish the terms first: `ibflow terms publish FOLDER --yes` names it"
        )
    whose = f"of the broker {name}" if name else f"of a broker without a name ({HOW_TO_NAME})"
    raise Unusable(f"the Kafka at {kafka} has the data of the broker {known}, and these terms are {whose}")


def check_data_folder(settings: Settings, kafka: str) -> None:
    """Note in the data folder whose ledger it has; raise `Unusable` if the log is another broker's."""
    name, path = broker_of_log(kafka), settings.data_dir / NAME_FILE
    if not name:
        return
    known = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    if known and known != name:
        raise Unusable(
            f"the data folder {settings.data_dir.absolute()} has the ledger of the broker {known}, and the "
            f"Kafka at {kafka} the books of {name}; one of IBFLOW_DATA_DIR and IBFLOW_KAFKA is wrong"
        )
    path.write_text(f"{name}\n", encoding="utf-8")
