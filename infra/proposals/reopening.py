"""What taking back the end of a period would post: its statements, withdrawn."""

from datetime import datetime

from clickhouse_connect.driver.client import Client

from api.ledger import Ledger, Row
from api.proposals import ProposalRefused
from api.views.terms import known_terms
from commission.accounts import is_of_ib
from commission.ids import digest
from commission.terms.calendar import PeriodReopened
from commission.terms.period_ends import why_not_reopened
from infra.proposals.preview import Computed
from schemas.proposals import Change, Line, Preview, ProposalRequest

SOMEBODY = "a second person"
"""Who approves, while nobody has."""
MAX_STATEMENTS = 50_000
"""Of one period."""

_STATEMENTS = """
SELECT statement_id, ib_id, currency, payable, rounding, hash FROM statements_current
WHERE period = {period:String} ORDER BY ib_id, currency LIMIT {limit:UInt32}
"""
_ROWS = """
SELECT transfer_id, code, ib_id, caused_by, component, occurred_at, amount, currency, debit, credit
FROM transfers FINAL WHERE period = {period:String} AND code IN ('statement', 'rounding')
  AND transfer_id NOT IN (SELECT assumeNotNull(reverses) FROM transfers WHERE code = 'reopening')
ORDER BY ib_id, currency, code LIMIT {limit:UInt32}
"""
_POSTED = "SELECT count() FROM statement_withdrawals WHERE proposal_id = {id:String}"


def compute_reopening(
    client: Client, wanted: ProposalRequest, proposal_id: str, at: datetime, by: tuple[str, str]
) -> Computed:
    """The statements it withdraws and the rows it turns round; raise `ProposalRefused` where it may not be.

    `by` are who created it and who approves.
    """
    ledger = Ledger(lambda: client)
    terms = known_terms(ledger)
    record = PeriodReopened(
        period=wanted.reopen,
        at=at,
        reason=wanted.title,
        proposal_id=proposal_id,
        created_by=by[0],
        approved_by=by[1] or SOMEBODY,
    )
    if why := why_not_reopened(record, {period.period: period for period in terms.periods}, terms.ended):
        raise ProposalRefused(why)
    statements = ledger.rows(_STATEMENTS, period=wanted.reopen, limit=MAX_STATEMENTS + 1)
    if not statements:
        raise ProposalRefused(f"{wanted.reopen} has no statements that could be withdrawn")
    if len(statements) > MAX_STATEMENTS:
        raise ProposalRefused(f"{wanted.reopen} has more than {MAX_STATEMENTS:,} statements")
    rows = ledger.rows(_ROWS, period=wanted.reopen, limit=3 * MAX_STATEMENTS)
    preview = Preview(
        deals=len(statements),
        corrected=len(statements),
        rows=len(rows),
        lines=tuple(_line(one, rows) for one in statements),
        undecided=(),
        positions={},
        fingerprint=digest(*sorted(f"{one['statement_id']} {one['hash']}" for one in statements)),
    )
    return Computed(
        preview, tuple(map(_change, rows)), (record,), tuple(s["statement_id"] for s in statements)
    )


def is_posted(client: Client, proposal_id: str) -> bool:
    """Whether the books have withdrawn statements for it."""
    return bool(client.query(_POSTED, {"id": proposal_id}).result_rows[0][0])


def _line(statement: Row, rows: list[Row]) -> Line:
    place = statement["ib_id"], statement["currency"]
    payable, rounding = statement["payable"], statement["rounding"]
    return Line(
        ib_id=place[0],
        currency=place[1],
        reversals=sum((row["ib_id"], row["currency"]) == place for row in rows),
        accruals=0,
        true_ups=0,
        taken_back=payable,
        given=payable + rounding,
        delta=rounding,
        of_closed=rounding * 0,
        clients=rounding * 0,
    )


def _change(row: Row) -> Change:
    """The row turned round, as the IB sees it."""
    return Change(
        transfer_id=digest("reopening", row["transfer_id"]),
        code="reopening",
        ib_id=row["ib_id"],
        client_id="",
        caused_by=row["caused_by"],
        component=row["component"],
        occurred_at=row["occurred_at"],
        amount=row["amount"] * (is_of_ib(row["debit"]) - is_of_ib(row["credit"])),
        to_client=row["amount"] * 0,
        currency=row["currency"],
        reverses=row["transfer_id"],
        period=row["caused_by"].partition("|")[2],
        lands_in="",
    )
