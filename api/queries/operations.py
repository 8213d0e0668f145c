"""Partitions that are stopped, from the log of operations as the sink stored it."""

from api.ledger import Ledger
from api.scope import Scope
from schemas.stops import Operations, PartitionStopped, decode_operation

MAX_OPERATIONS = 10_000
"""Newest stops and decisions looked at; a person makes each of the decisions."""

_NEWEST = """
SELECT record FROM operations FINAL ORDER BY _offset DESC LIMIT {limit:UInt32}
"""


def stopped_partitions(ledger: Ledger, scope: Scope) -> list[PartitionStopped]:
    """The stops that stand, by topic and partition."""
    scope.check_whole()
    newest = ledger.rows(_NEWEST, limit=MAX_OPERATIONS)
    operations = Operations.of(decode_operation(row["record"]) for row in reversed(newest))
    return [stop for _, stop in sorted(operations.stops.items())]
