"""A dead letter of a CRM's file, and a log that stores what is decided about it at once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from infra.dead_letters.desk import DeadLetterDesk
from infra.dead_letters.letters import Publish
from schemas.dead_letters import DEAD_LETTER_RECORD, DeadLetter, DeadLetterDecision, to_dead_letter
from streams.table_rows import _COLUMNS, Rows

HEADER = "event,event_id,occurred_at,client_id,deposit_id,amount,currency,click.subId"
BAD = "deposit,e1,2026-09-01T08:30:00Z,c1,d1,25O,USD,s"
"""An O in place of a zero."""
GOOD = BAD.replace("25O", "250")


def crm_letter(payload: bytes = BAD.encode()) -> DeadLetter:
    return to_dead_letter(
        payload, source="crm-csv crm.csv", position="line 3", code="bad_amount", reason="25O is no amount",
        received_at=datetime(2026, 9, 2, tzinfo=UTC), header=HEADER,
    )  # fmt: skip


class Letters:
    """What was sent, and the database as a sink would have it."""

    def __init__(self, client: Client) -> None:
        self._client, self._next = client, 0
        self.sent: list[Any] = []
        self.is_stored = True
        """Whether the database shows decisions at once."""
        self.desk = DeadLetterDesk(Publish(self.sent.extend, self.sent.extend, self._decide), servers=dict)

    def add(self, letter: DeadLetter) -> str:
        """Store it; its id."""
        self._store(letter)
        return letter.dead_letter_id

    def _decide(self, decisions: Sequence[DeadLetterDecision]) -> None:
        for decision in decisions if self.is_stored else ():
            self._store(decision)

    def _store(self, record: DeadLetter | DeadLetterDecision) -> None:
        rows = Rows()
        self._next += 1
        rows.add("dead-letters", 0, self._next, DEAD_LETTER_RECORD.dump_json(record), "")
        for table, found in rows.rows.items():
            if found:
                self._client.insert(table, found, column_names=list(_COLUMNS[table]))
