"""Statements: closed periods of IBs, and what a payout may send for one."""

from typing import Any

from api.ledger import Ledger, Row
from api.paging import decode_cursor, page
from api.problems import Problem
from schemas.columns import STATEMENT_COLUMNS

MAX_PAYOUT_LINES = 100_000

_LIST = f"""
SELECT {", ".join(STATEMENT_COLUMNS)} FROM statements FINAL
WHERE ({{ib:String}} = '' OR ib_id = {{ib:String}}) AND ({{period:String}} = '' OR period = {{period:String}})
  AND (period, ib_id, currency) > ({{after_period:String}}, {{after_ib:String}}, {{after_currency:String}})
ORDER BY period, ib_id, currency LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants; values are parameters

_PAYABLE = """
SELECT s.period AS period, s.ib_id AS ib_id, p.name AS name, s.currency AS currency, s.payable AS amount,
    s.statement_id AS statement_id, p.kyc_approved AS kyc_approved
FROM (SELECT * FROM statements FINAL WHERE period = {period:String} AND payable > 0) AS s
LEFT JOIN (SELECT ib_id, name, kyc_approved FROM partners_known) AS p ON p.ib_id = s.ib_id
ORDER BY ib_id, currency LIMIT {limit:UInt32}
"""


def statements(ledger: Ledger, ib: str, period: str, limit: int, cursor: str = "") -> dict[str, Any]:
    """One page of statements, in the order of period, IB and currency."""
    after = decode_cursor(cursor, str, str, str) if cursor else ["", "", ""]
    names = ("after_period", "after_ib", "after_currency")
    rows = ledger.rows(_LIST, ib=ib, period=period, limit=limit + 1, **dict(zip(names, after, strict=True)))
    return page(rows, limit, key=lambda row: (row["period"], row["ib_id"], row["currency"]))


def payable(ledger: Ledger, period: str) -> list[Row]:
    """What the period's statements let a payout send; an IB the terms do not know is not approved."""
    rows = ledger.rows(_PAYABLE, period=period, limit=MAX_PAYOUT_LINES + 1)
    if len(rows) > MAX_PAYOUT_LINES:
        raise Problem(422, f"The period has more than {MAX_PAYOUT_LINES:,} lines; a file of it would be cut.")
    return rows
