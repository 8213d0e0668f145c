"""`ibflow rate`: fold an events file through the pipeline in memory, without Kafka."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from commission.events import ClientRegistered
from commission.ledger import ledger_hash
from commission.outputs import Transfer
from ingest.ids import check_country
from ingest.sources import RowRejected
from schemas.dead_letters import DeadLetter
from schemas.errors import Unusable
from schemas.wire import InvalidRecord, Record, decode
from streams.in_memory import LocalPipeline


class InvalidEvents(Unusable):
    """The events file has a line that is no event; the message names it."""


def read_events(path: Path) -> Iterator[Record]:
    """One event a line; blank lines are passed over."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = decode(line.strip())
                if isinstance(record, ClientRegistered):
                    check_country(record.country)
                yield record
            except (InvalidRecord, RowRejected) as error:
                raise InvalidEvents(f"{path}:{number}: {error}") from None


def rate(terms: Iterable[Record], events: Iterable[Record]) -> tuple[list[Record], str]:
    """Everything the pipeline says for these events, and the ledger's hash."""
    outputs, digest, _ = rate_or_refuse(terms, events)
    return outputs, digest


def rate_or_refuse(
    terms: Iterable[Record], events: Iterable[Record]
) -> tuple[list[Record], str, list[DeadLetter]]:
    """The same, and what a book refused."""
    pipeline = LocalPipeline()
    outputs = [*pipeline.feed(terms), *pipeline.feed(events)]
    digest = ledger_hash(output for output in outputs if isinstance(output, Transfer))
    return outputs, digest, pipeline.dead_letters
