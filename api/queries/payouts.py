"""What payouts ask of the ledger: what is payable, and what the books made of commands."""

from api.ledger import Ledger, Row
from api.problems import Problem

MAX_PAYABLE = 200_000
"""Statements and advances of one period and currency."""
MAX_ANSWERS = 1_000_000
"""Of one batch: some three a line."""

# An advance is of the period in which it was granted. An IB that the terms do not know is not approved.
_PAYABLE = """
SELECT s.ib_id AS ib_id, p.name AS name, s.currency AS currency, s.amount AS amount,
    s.statement_id AS statement_id, s.is_followed AS is_followed, p.kyc_approved AS kyc_approved
FROM (
    SELECT ib_id, currency, payable AS amount, statement_id,
        hash IN (SELECT previous FROM statements_current) AS is_followed
    FROM statements_current WHERE period = {period:String} AND currency = {currency:String} AND payable > 0
    UNION ALL
    SELECT ib_id, currency, amount, replaceOne(caused_by, 'change|', '') AS statement_id, true AS is_followed
    FROM transfers FINAL
    CROSS JOIN (SELECT starts_at, ends_at FROM periods FINAL WHERE period = {period:String}) AS p
    WHERE code = 'advance' AND currency = {currency:String}
        AND occurred_at >= p.starts_at AND occurred_at < p.ends_at
) AS s
LEFT JOIN (SELECT ib_id, name, kyc_approved FROM partners_known) AS p ON p.ib_id = s.ib_id
ORDER BY ib_id, statement_id LIMIT {limit:UInt32}
"""

_ANSWERS = """
SELECT answer_id, reason FROM payout_answers FINAL WHERE batch_id = {id:String} LIMIT {limit:UInt32}
"""


def payable(ledger: Ledger, period: str, currency: str) -> list[Row]:
    """What the period's statements and advances made payable, whatever became of it since."""
    rows = ledger.rows(_PAYABLE, period=period, currency=currency, limit=MAX_PAYABLE + 1)
    if len(rows) > MAX_PAYABLE:
        raise Problem(422, f"The period has more than {MAX_PAYABLE:,} payable amounts in {currency}.")
    return rows


def answers(ledger: Ledger, batch_id: str) -> dict[str, str]:
    """By command, what the books made of it: "", or why they refused it."""
    rows = ledger.rows(_ANSWERS, id=batch_id, limit=MAX_ANSWERS)
    return {row["answer_id"]: row["reason"] for row in rows}
