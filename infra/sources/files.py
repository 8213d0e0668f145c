"""Read files of any known format and publish what is in them; who reads what is decided here."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from commission.events import Platform
from infra.sources.profiles import profile_of
from ingest.counts import Counts
from ingest.market import quotes_csv
from ingest.market.quotes_csv import Quotes, quoted, to_tolerance
from ingest.publish.outbox import PublishReport
from ingest.publish.publisher import publish_in_turn
from ingest.readers.detect import detect, lacking, read_any, read_encoded
from ingest.readers.formats import CRM_KINDS
from ingest.server_time import ServerClock, parse_rule
from ingest.source_items import Item
from ingest.sources import NO_OPTIONS, AccountOptions, EncodedDeals, ServerProfile, UnreadableSource
from ingest.terms.servers import BrokerServer


@dataclass(frozen=True, slots=True)
class Input:
    """A file, and the server it was exported from; CRM files have none."""

    path: Path
    server: BrokerServer | None = None
    said: AccountOptions = NO_OPTIONS
    encoding: str = ""
    """Code page of an MT4 statement, where it is not UTF-8 or cp1252."""
    quotes: Quotes | None = None
    """The server's quotes, for deals that have none."""


class Pace:
    """Says how many records were read, and how many a second since the first of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[int, float] | None = None

    def __call__(self, done: int) -> str:
        """Tell it for a terminal."""
        now = self._clock()
        first_done, first_at = self._first = self._first or (done, now)
        per_second = f", {(done - first_done) / (now - first_at):,.0f} rows/s" if now > first_at else ""
        return f"publishing: {done:,} rows{per_second}"


def read_quotes(path: Path, clock: ServerClock, tolerance: str) -> Quotes:
    """The quotes of a file, for deals up to `tolerance` later; raise `UnreadableSource`."""
    try:
        span = to_tolerance(tolerance)
    except ValueError as error:
        raise UnreadableSource(f"--quote-tolerance: {error}") from None
    return quotes_csv.read(path, clock, span, datetime.now(UTC))


def read_inputs(inputs: Iterable[Input], counts: Counts) -> Iterator[Item]:
    """Everything the files hold, file after file."""
    received_at = datetime.now(UTC)
    for given in inputs:
        items = read_any(given.path, _profile_for(given), received_at, counts, encoding=given.encoding)
        yield from items if given.quotes is None else quoted(items, given.quotes, counts)


def feed(
    inputs: Iterable[Input],
    kafka: str,
    counts: Counts,
    on_progress: Callable[[int], None] | None = None,
    click_keys: Sequence[bytes] = (),
) -> PublishReport:
    """Publish everything the files hold, one after the other; return when the broker has all of it."""
    parts = _encoded_inputs(inputs, counts)
    return publish_in_turn(parts, kafka, on_progress=on_progress, click_keys=click_keys)


def _encoded_inputs(inputs: Iterable[Input], counts: Counts) -> Iterator[Iterable[Item | EncodedDeals]]:
    """What `read_inputs` yields, a file at a time and by the fast lane where there is one."""
    received_at = datetime.now(UTC)
    for given in inputs:
        if given.quotes is not None:
            yield read_inputs([given], counts)
        else:
            profile = _profile_for(given)
            yield read_encoded(given.path, profile, received_at, counts, encoding=given.encoding)


def _profile_for(given: Input) -> ServerProfile | None:
    """The profile of a file's server; raise `UnreadableSource` where an export lacks one."""
    if given.server is not None:
        return profile_of(given.server, given.said)
    if (kind := detect(given.path)) not in CRM_KINDS:
        platform: Platform = "mt4" if kind.startswith("mt4") else "mt5"
        nameless = ServerProfile(
            "?", platform, parse_rule("UTC"), currency=given.said.currency, login=given.said.login
        )
        raise lacking(given.path, nameless, ("--server",), given.encoding)
    return None
