"""A pipeline and a payout log in memory, over a real ClickHouse."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.client import Client

from commission.events import ReratingApproved
from commission.terms.calendar import PeriodReopened
from infra.payouts.desk import PayoutDesk, PayoutLog
from schemas.errors import Unavailable
from schemas.payouts import PAYOUT_RECORD, PayoutExported, PayoutsWithheld
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from streams.partition import Message
from streams.table_rows import Rows


class Live:
    """A pipeline whose messages the database archives as the sink does; `publish` goes into it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.pipeline = LocalPipeline(on_message=lambda message, offset: self.sent.append((message, offset)))
        self.sent: list[tuple[Message, int]] = []
        self.fails = False
        self.now = datetime(2026, 11, 20, 9, tzinfo=UTC)

    def feed(self, *records: Record) -> list[Record]:
        """Write records and store everything they cause."""
        outputs = list(self.pipeline.feed(records))
        sent, self.sent = self.sent, []
        ends: dict[str, int] = {}
        rows = Rows()
        for message, offset in sent:
            ends[message.topic] = offset + 1
            rows.add(message.topic, 0, offset, message.value, message.source)
        rows.store(self.client)
        positions = [[topic, 0, end] for topic, end in ends.items()]
        self.client.insert("sink_positions", positions, column_names=["topic", "partition", "next_offset"])
        return outputs

    def publish(self, records: Sequence[ReratingApproved | PeriodReopened]) -> None:
        """As Kafka would take them."""
        if self.fails:
            raise Unavailable("Kafka is away")
        self.feed(*records)

    def tick(self) -> datetime:
        """A minute later each time it is asked."""
        self.now += timedelta(minutes=1)
        return self.now

    def transfers(self, code: str) -> list[str]:
        """Amounts of one code, in the order they were stored."""
        sql = "SELECT amount FROM transfers FINAL WHERE code = {code:String} ORDER BY stored_at, transfer_id"
        return [f"{row[0]:.2f}" for row in self.client.query(sql, {"code": code}).result_rows]


class _Log:
    """A log of one partition, as a reader of it sees it."""

    def __init__(self, messages: list[bytes]) -> None:
        self._messages, self.next = messages, 0

    def read(self) -> list[tuple[int, bytes]]:
        """What is new."""
        new = list(enumerate(self._messages))[self.next :]
        self.next = len(self._messages)
        return new

    def close(self) -> None:
        """Nothing is open."""


def payouts_in_memory() -> PayoutDesk:
    """A desk over a log of its own, in memory."""
    messages: list[bytes] = []

    class InMemory(PayoutLog):
        def __init__(self, _kafka: str, period: str) -> None:
            self._log, self._period = _Log(messages), period  # type: ignore[assignment] # reads alike
            self.exports, self.withheld = {}, {}

        def append(self, record: PayoutExported | PayoutsWithheld) -> None:
            messages.append(PAYOUT_RECORD.dump_json(record))

    return PayoutDesk("", lambda: datetime(2026, 11, 20, tzinfo=UTC), InMemory)
