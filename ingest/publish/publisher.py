"""Events to Kafka: micro-batches of one partition each, in order, every delivery checked."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from commission.events import AccountEvent, ReratingApproved
from commission.payouts.commands import AnyCommand, ClientCommand
from commission.terms.partners import PartnerChanged
from commission.terms.records import TermsRecord
from ingest.clicks import with_genuine_clicks
from ingest.publish.outbox import Outbox, PublishReport, check_length
from ingest.source_items import Event, Item
from ingest.sources import EncodedDeals
from schemas.dead_letters import DEAD_LETTER, DECISION, DeadLetter, DeadLetterDecision
from schemas.reconciliations import RECONCILIATION, Reconciliation
from schemas.topics import (
    ACCOUNT_BOOK,
    CLIENT_BOOK,
    DEAD_LETTERS,
    PARTNER_BOOK,
    RECONCILIATIONS,
    TERMS,
)
from schemas.wire import batches, encode

STEP_RECORDS = 500


def publish(
    events: Iterable[Item | EncodedDeals],
    bootstrap: str,
    *,
    on_progress: Callable[[int], None] | None = None,
    click_keys: Sequence[bytes] = (),
) -> PublishReport:
    """Send events to the books and return once Kafka has all of them; raise `PublishFailed` if not.

    Order is kept within a partition, so within an account and within a client. Memory stays flat
    however many events there are. Deals that are wire lines already are sent as they are.
    `on_progress` hears the number of records read so far. `click_keys` tell which click ids of registrations
    are genuine: without them none is.
    """
    return publish_in_turn([events], bootstrap, on_progress=on_progress, click_keys=click_keys)


def publish_in_turn(
    parts: Iterable[Iterable[Item | EncodedDeals]],
    bootstrap: str,
    *,
    on_progress: Callable[[int], None] | None = None,
    click_keys: Sequence[bytes] = (),
) -> PublishReport:
    """The same for several parts, each sent only once Kafka has all of the one before.

    Else a few events of a CRM would wait in a batch that is not full while the deals behind them go out.
    """
    outbox = Outbox(bootstrap)
    seen = 0
    try:
        for events in parts:
            for step in _steps(events):
                if isinstance(step, EncodedDeals):
                    outbox.add_deals(step)
                    seen += len(step.lines)
                else:
                    _add_step(outbox, step, click_keys)
                    seen += len(step)
                if on_progress is not None:
                    on_progress(seen)
            outbox.finish()
        return outbox.finish()
    finally:
        outbox.abandon()


class Publisher:
    """Publishes again and again through one producer; after a `PublishFailed` it is of no more use."""

    def __init__(self, bootstrap: str) -> None:
        self._outbox = Outbox(bootstrap)

    def publish(self, items: Sequence[Item]) -> None:
        """Send items and return once Kafka has all of them; raise `PublishFailed` if not."""
        try:
            _add_step(self._outbox, items)
            self._outbox.finish()
        except BaseException:
            self._outbox.abandon()
            raise


def publish_terms(records: Iterable[TermsRecord], bootstrap: str, broker: str = "") -> PublishReport:
    """Send terms, in order, in one message if they fit, so that they become known together.

    `broker` is the name of whose they are, which their log has from then on.
    """
    outbox = Outbox(bootstrap)
    lines = encode(records)
    try:
        for line in lines:
            check_length(line)
        for message in batches(lines):
            outbox.send(TERMS, 0, message, message.count(b"\n") + 1, broker)
        return outbox.finish()
    finally:
        outbox.abandon()


def publish_decisions(decisions: Iterable[DeadLetterDecision], bootstrap: str) -> PublishReport:
    """Send what people decided about dead letters, and return once Kafka has all of it."""
    outbox = Outbox(bootstrap)
    try:
        for decision in decisions:
            outbox.add(DEAD_LETTERS, 0, DECISION.dump_json(decision))
        return outbox.finish()
    finally:
        outbox.abandon()


def publish_corrections(records: Iterable[ReratingApproved], bootstrap: str) -> PublishReport:
    """Send approved corrections to the client book, and return once Kafka has all of them."""
    outbox = Outbox(bootstrap)
    try:
        for record in records:
            (line,) = encode([record])
            outbox.add(CLIENT_BOOK, outbox.partition(CLIENT_BOOK, record.client_id), line)
        return outbox.finish()
    finally:
        outbox.abandon()


def publish_payout_commands(commands: Iterable[AnyCommand | ClientCommand], bootstrap: str) -> PublishReport:
    """Send commands to the books of IBs and clients, in order for each; return once Kafka has all."""
    outbox = Outbox(bootstrap)
    try:
        for command in commands:
            (line,) = encode([command])
            topic, key = PARTNER_BOOK, command.ib_id
            if isinstance(command, ClientCommand):
                topic, key = CLIENT_BOOK, command.client_id
            outbox.add(topic, outbox.partition(topic, key), line)
        return outbox.finish()
    finally:
        outbox.abandon()


def publish_reconciliation(found: Reconciliation, bootstrap: str) -> PublishReport:
    """Send what a sweep found, and return once Kafka has it."""
    outbox = Outbox(bootstrap)
    try:
        outbox.send(RECONCILIATIONS, 0, RECONCILIATION.dump_json(found), 1)
        return outbox.finish()
    finally:
        outbox.abandon()


def _steps(events: Iterable[Item | EncodedDeals]) -> Iterator[list[Item] | EncodedDeals]:
    """Single items by the step, encoded deals as they come, in one order."""
    step: list[Item] = []
    for event in events:
        if isinstance(event, EncodedDeals):
            yield step
            yield event
            step = []
            continue
        step.append(event)
        if len(step) >= STEP_RECORDS:
            yield step
            step = []
    yield step


def _add_step(outbox: Outbox, step: Sequence[Item], click_keys: Sequence[bytes] = ()) -> None:
    letters = [item for item in step if isinstance(item, DeadLetter)]
    events = [with_genuine_clicks(item, click_keys) for item in step if not isinstance(item, DeadLetter)]
    for letter in letters:
        outbox.add(DEAD_LETTERS, 0, DEAD_LETTER.dump_json(letter))
    for event, line in zip(events, encode(events), strict=True):
        topic, key = topic_and_key(event)
        outbox.add(topic, outbox.partition(topic, key), line)


def topic_and_key(event: Event) -> tuple[str, str]:
    """Where an event goes: its topic, and the key that tells its partition."""
    if isinstance(event, AccountEvent):
        return ACCOUNT_BOOK, event.account_key
    if isinstance(event, PartnerChanged):
        return TERMS, event.ib_id
    return CLIENT_BOOK, event.client_id
