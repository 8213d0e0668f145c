"""A pipeline and a log of payouts in memory, over a real ClickHouse."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from commission.events import ReratingApproved
from commission.payouts.commands import AnyCommand
from commission.terms.calendar import PeriodReopened
from infra.payouts.desk import PayoutDesk
from infra.payouts.facts import LedgerFacts
from infra.payouts.withholding import Withholding
from schemas import topics
from schemas.errors import Unavailable
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from streams.partition import Message
from streams.table_rows import Rows
from tests.payout_log import MemoryLog


class Killed(Exception):
    """The process is gone."""


class Live:
    """A pipeline whose messages the database archives as the sink does; `publish` goes into it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.pipeline = LocalPipeline(on_message=lambda message, offset: self.sent.append((message, offset)))
        self.sent: list[tuple[Message, int]] = []
        self.proposals: list[bytes] = []
        """The messages of their log."""
        self.fails = False
        self.lags = False
        """Whether the database has not stored yet what is fed; `catch_up` stores it."""
        self.effects: list[str] = []
        self.kill_at: int | None = None
        """The number of the effect at which the process ends, once."""
        self.now = datetime(2026, 11, 20, 9, tzinfo=UTC)

    def feed(self, *records: Record) -> list[Record]:
        """Write records and store everything they cause."""
        outputs: list[Record] = []
        for record in records:
            if isinstance(record, AnyCommand):
                outputs += self.pipeline.feed_batch(topics.PARTNER_BOOK, [record])
            else:
                outputs += self.pipeline.feed([record])
        if not self.lags:
            self.catch_up()
        return outputs

    def catch_up(self) -> None:
        """Store everything that was sent."""
        sent, self.sent = self.sent, []
        ends: dict[str, int] = {}
        rows = Rows()
        for message, offset in sent:
            ends[message.topic] = offset + 1
            rows.add(message.topic, 0, offset, message.value, message.source)
        rows.store(self.client)
        positions = [[topic, 0, end] for topic, end in ends.items()]
        if positions:
            self.client.insert(
                "sink_positions", positions, column_names=["topic", "partition", "next_offset"]
            )

    def store_proposals(self) -> None:
        """Store their log as the sink does."""
        rows = Rows()
        for offset, message in enumerate(self.proposals):
            rows.add(topics.PROPOSALS, 0, offset, message, "")
        rows.store(self.client)

    def publish(self, records: Sequence[ReratingApproved | PeriodReopened | AnyCommand]) -> None:
        """As Kafka would take them."""
        if self.fails:
            raise Unavailable("Kafka is away")
        half = len(records) // 2
        self.effect("before publishing")
        self.feed(*records[:half])
        self.effect("between publishing")
        self.feed(*records[half:])
        self.effect("after publishing")

    def effect(self, what: str) -> None:
        """Note an effect, or end the process there."""
        self.effects.append(what)
        if len(self.effects) - 1 == self.kill_at:
            raise Killed(what)

    def tick(self) -> datetime:
        """A minute later each time it is asked."""
        self.now += timedelta(minutes=1)
        return self.now

    def transfers(self, code: str) -> list[str]:
        """Amounts of one code, in the order they were stored."""
        sql = "SELECT amount FROM transfers FINAL WHERE code = {code:String} ORDER BY stored_at, transfer_id"
        return [f"{row[0]:.2f}" for row in self.client.query(sql, {"code": code}).result_rows]


def payouts_in_memory(live: Live) -> tuple[PayoutDesk, Withholding]:
    """A desk over a log of its own, in memory, and what proposals ask of the same log."""
    log = MemoryLog([])
    facts = LedgerFacts(Ledger(lambda: live.client))
    return PayoutDesk(log, facts, live.publish, live.tick), Withholding(log, facts, live.tick)
