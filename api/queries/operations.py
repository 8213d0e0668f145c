"""Partitions: how far each is stored; those that are stopped, by the log of operations as it is stored."""

from api.ledger import Ledger, Row
from api.scope import Scope
from schemas.stops import Operations, PartitionStopped, decode_operation

MAX_OPERATIONS = 10_000
"""Newest stops and decisions looked at; a person makes each of the decisions."""

_NEWEST = """
SELECT record FROM operations FINAL ORDER BY _offset DESC LIMIT {limit:UInt32}
"""
_POSITIONS = """
SELECT topic, partition, next_offset FROM sink_positions FINAL
ORDER BY topic, partition LIMIT {limit:UInt32}
"""


def positions(ledger: Ledger, scope: Scope) -> list[Row]:
    """How many messages of each partition are stored, by topic."""
    scope.check_whole()
    return ledger.rows(_POSITIONS, limit=MAX_OPERATIONS)


def stopped_partitions(ledger: Ledger, scope: Scope) -> list[PartitionStopped]:
    """The stops that stand, by topic and partition."""
    scope.check_whole()
    newest = ledger.rows(_NEWEST, limit=MAX_OPERATIONS)
    operations = Operations.of(decode_operation(row["record"]) for row in reversed(newest))
    return [stop for _, stop in sorted(operations.stops.items())]
