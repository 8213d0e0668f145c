"""What payouts ask of the ledger: what is payable, and what the books made of commands."""

from datetime import datetime

from api.ledger import Ledger, Row
from api.problems import Problem
from api.queries.money import grown
from commission import accounts
from commission.money import shown
from commission.payouts.log import Payouts
from schemas.payouts import decode_payout

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
_ANSWER = """
SELECT reason FROM payout_answers FINAL WHERE batch_id = '' AND subject_id = {id:String}
ORDER BY _offset LIMIT 1
"""


def payable(ledger: Ledger, period: str, currency: str) -> list[Row]:
    """What the period's statements and advances made payable, whatever became of it since."""
    rows = ledger.rows(_PAYABLE, period=period, currency=currency, limit=MAX_PAYABLE + 1)
    if len(rows) > MAX_PAYABLE:
        raise Problem(
            422,
            f"The period has more than {MAX_PAYABLE:,} payable amounts in {currency}.",
            code="too_many_rows",
        )
    return rows


def answers(ledger: Ledger, batch_id: str) -> dict[str, str]:
    """By command, what the books made of it: "", or why they refused it."""
    rows = ledger.rows(_ANSWERS, id=batch_id, limit=MAX_ANSWERS)
    return {row["answer_id"]: row["reason"] for row in rows}


def answer_of(ledger: Ledger, change_id: str) -> str | None:
    """What the books made of a change or hold: "", or why they refused it; None if it is not known yet."""
    rows = ledger.rows(_ANSWER, id=change_id)
    return str(rows[0]["reason"]) if rows else None


def open_since(ledger: Ledger) -> datetime:
    """When the newest period that is closed ended; long ago, if none is."""
    ((row),) = ledger.rows("SELECT max(ends_at) AS ended_at FROM statements_current")
    found: datetime = row["ended_at"]
    return found


MAX_PARTNERS = 1_000_000
_PARTNERS = """
SELECT k.ib_id AS ib_id, k.name AS name, k.kyc_approved AS kyc_approved,
    if(c.is_told, c.agreement, p.agreement) AS agreement_accepted
FROM partners_known AS k
LEFT JOIN (
    SELECT ib_id, JSONExtractBool(definition, 'agreement_accepted') AS agreement FROM partners FINAL
) AS p ON p.ib_id = k.ib_id
LEFT JOIN (
    SELECT ib_id, true AS is_told,
        argMax(assumeNotNull(agreement_accepted), (occurred_at, event_id)) AS agreement
    FROM partner_changes FINAL
    WHERE application IN ('', 'approved') AND isNotNull(agreement_accepted) GROUP BY ib_id
) AS c ON c.ib_id = k.ib_id
LIMIT {limit:UInt32}
"""
_LAST_STATEMENTS = """
SELECT ib_id, count() AS count, sum(payable) AS total FROM (
    SELECT ib_id, payable FROM statements_current
    WHERE currency = {currency:String}
        AND starts_at < (SELECT max(starts_at) FROM periods FINAL WHERE period = {period:String})
    ORDER BY starts_at DESC LIMIT 6 BY ib_id
) GROUP BY ib_id LIMIT {limit:UInt32}
"""
_NEGATIVE = """
SELECT ib_id, currency AS of, argMax(closing, starts_at) AS newest FROM statements_current
WHERE currency != {currency:String} GROUP BY ib_id, currency HAVING newest < 0
ORDER BY ib_id, of LIMIT {limit:UInt32}
"""


def known_partners(ledger: Ledger) -> dict[str, Row]:
    """By IB, its name and whether its KYC is approved and its agreement accepted."""
    return {row["ib_id"]: row for row in ledger.rows(_PARTNERS, limit=MAX_PARTNERS)}


def last_statements(ledger: Ledger, period: str, currency: str) -> dict[str, Row]:
    """By IB, how many statements of its last six before a period there are, and what they made payable."""
    rows = ledger.rows(_LAST_STATEMENTS, period=period, currency=currency, limit=MAX_PARTNERS)
    return {row["ib_id"]: row for row in rows}


def negative_closings(ledger: Ledger, currency: str) -> dict[str, list[str]]:
    """By IB, in words, the newest statements in other currencies that close below zero."""
    found: dict[str, list[str]] = {}
    for row in ledger.rows(_NEGATIVE, currency=currency, limit=MAX_PARTNERS):
        owed = f"it owes {shown(-row['newest'], row['of'])} {row['of']}"
        found.setdefault(row["ib_id"], []).append(owed)
    return found


MAX_LINES = 10_000_000
RECORDS_AT_ONCE = 10
"""Of the log: one may have 15 MB."""
_LOG = """
SELECT _offset, record FROM payout_log FINAL WHERE _offset >= {since:UInt64}
ORDER BY _offset LIMIT {records:UInt32}
"""
_LINES = f"""
SELECT splitByChar('|', caused_by)[3] AS line_id, any(ib_id) AS ib_id,
    sumIf(amount, code = 'payout') AS locked, sumIf(amount, code = 'paid') AS paid,
    sumIf(amount, code = 'returned') AS returned,
    sumIf(amount, code = 'exchange' AND debit = '{accounts.EXCHANGE}') AS exchanged,
    sumIf(amount, code = 'exchange' AND credit = '{accounts.EXCHANGE}') AS exchanged_back,
    sumIf(amount, code = 'tax') AS taxed
FROM transfers FINAL WHERE code IN ('payout', 'paid', 'returned', 'exchange', 'tax')
GROUP BY line_id LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants
_EXCHANGED = f"sumIf(amount, credit = '{accounts.EXCHANGE}') - sumIf(amount, debit = '{accounts.EXCHANGE}')"
_OF_TAX = f"startsWith({{side}}, '{accounts.TAX}')"
_TAXED = f"sumIf(amount, {_OF_TAX.format(side='credit')}) - sumIf(amount, {_OF_TAX.format(side='debit')})"
_PLACES = f"""
SELECT ib_id, currency, sum(s) AS stated, sum(p) AS payable, sum(i) AS in_payout, sum(d) AS paid,
    sum(e) AS exchanged, sum(t) AS taxed
FROM (
    SELECT ib_id, currency, payable AS s, payable * 0 AS p, payable * 0 AS i, payable * 0 AS d,
        payable * 0 AS e, payable * 0 AS t
    FROM statements_current
    UNION ALL
    SELECT ib_id, currency, sumIf(amount, code = 'advance') AS s, {grown(accounts.PAYABLE)} AS p,
        {grown(accounts.IN_PAYOUT)} AS i, {grown(accounts.PAID)} AS d, {_EXCHANGED} AS e,
        {_TAXED} AS t
    FROM transfers FINAL GROUP BY ib_id, currency
) GROUP BY ib_id, currency
HAVING stated != payable + in_payout + paid + exchanged + taxed OR least(payable, in_payout, paid) < 0
ORDER BY ib_id, currency LIMIT 1000
"""  # noqa: S608  - the parts are constants


def log_of_payouts(ledger: Ledger) -> Payouts:
    """What counts of the log of payouts, as far as it is stored."""
    known, since = Payouts(), 0
    while rows := ledger.rows(_LOG, since=since, records=RECORDS_AT_ONCE):
        for row in rows:
            if (record := decode_payout(row["record"])) is not None:
                known.add(record, row["_offset"])
        since = rows[-1]["_offset"] + 1
    return known


def moved_lines(ledger: Ledger) -> dict[str, Row]:
    """By line, what its rows have locked, paid and returned."""
    return {row["line_id"]: row for row in ledger.rows(_LINES, limit=MAX_LINES)}


def unequal_places(ledger: Ledger) -> list[Row]:
    """IBs and currencies whose payable, in payout and paid are not what statements and advances state."""
    return ledger.rows(_PLACES)
