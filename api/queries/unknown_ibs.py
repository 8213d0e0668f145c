"""IBs that clients or sub-IBs are said to belong to, and that neither terms nor CRM made IBs."""

from api.ledger import Ledger, Row
from api.scope import KNOWN_CLIENTS, Scope

MAX_UNKNOWN = 1_000

# Whose a client is by its newest word; of two of one time, by the one told last, as in its book.
_UNKNOWN = f"""
SELECT ib_id, countIf(is_client) AS clients, countIf(NOT is_client) AS sub_ibs FROM (
    SELECT argMax(ib, told) AS ib_id, true AS is_client FROM (
        SELECT client_id, coalesce(ib_id, '') AS ib, tuple(occurred_at, toUInt64(0)) AS told
        FROM {KNOWN_CLIENTS}
        UNION ALL
        SELECT client_id, coalesce(ib_id, '') AS ib, tuple(occurred_at, _offset + 1) AS told
        FROM client_events FINAL WHERE type = 'client_reassigned'
    ) GROUP BY client_id
    UNION ALL
    SELECT coalesce(parent, '') AS ib_id, false AS is_client FROM partners_known
)
WHERE ib_id != '' AND ib_id NOT IN (SELECT ib_id FROM partners_known)
GROUP BY ib_id ORDER BY clients + sub_ibs DESC, ib_id LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants; values are parameters


def unknown_ibs(ledger: Ledger, scope: Scope) -> list[Row]:
    """Each with its `clients` and `sub_ibs`; [] for a part of the broker, which has no such IB.

    Nothing is lost: what earns them waits until they are known.
    """
    return ledger.rows(_UNKNOWN, limit=MAX_UNKNOWN) if scope.is_whole else []
