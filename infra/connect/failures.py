"""Failures of the services' clients as sentences, the same whatever part of a command meets one."""

from clickhouse_connect.driver.exceptions import Error as ClickHouseError
from confluent_kafka import KafkaException
from httpx import HTTPError

from schemas.errors import Unavailable


def as_unavailable(error: BaseException) -> Unavailable | None:
    """What a client of Kafka, ClickHouse or the server raised, as `Unavailable`; None for anything else."""
    if isinstance(error, KafkaException):
        reason = error.args[0].str() if error.args and hasattr(error.args[0], "str") else str(error)
        return Unavailable(f"Kafka does not answer as it should: {reason}; IBFLOW_KAFKA says which it is")
    if isinstance(error, ClickHouseError):
        reason = (str(error).splitlines() or ["no reason given"])[0]
        return Unavailable(f"ClickHouse does not answer as it should: {reason}")
    if isinstance(error, HTTPError):
        return Unavailable(f"the server does not answer: {error}")
    return None
