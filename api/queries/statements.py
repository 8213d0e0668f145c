"""Statements: closed periods of IBs."""

from typing import Any, Literal

from api.ledger import Ledger, Row
from api.paging import decode_cursor, page
from api.queries.ordered import Asked, Kind, Listing
from api.scope import Scope, sees
from schemas.columns import STATEMENT_COLUMNS

_AMOUNTS = ("opening", "accrued", "reversed", "payable", "closing", "held")
Order = Literal["oldest", "newest"]
OLDEST, NEWEST = Asked("period", "asc"), Asked("period", "desc")
BY_TIME: dict[Order, Asked] = {"oldest": OLDEST, "newest": NEWEST}

_LIST = f"""
SELECT {", ".join(STATEMENT_COLUMNS)} FROM statements_current
WHERE ({{ib:String}} = '' OR ib_id = {{ib:String}}) AND ({{period:String}} = '' OR period = {{period:String}})
  AND {sees("ib_id")}
"""  # noqa: S608  - the parts are constants; values are parameters
_SORTS: dict[str, tuple[str, Kind]] = {
    "period": ("starts_at", "time"),
    "ib": ("ib_id", "text"),
    "transfers": ("transfers", "number"),
    **{name: (name, "amount") for name in _AMOUNTS},
}
LISTING = Listing(
    _LIST,
    _SORTS,
    ("ib_id", "currency", "statement_id"),
    ("ib_id", "period", "currency", "statement_id"),
)

_ONE = f"""
SELECT {", ".join(STATEMENT_COLUMNS)}, stored_at FROM statements FINAL
WHERE statement_id = {{statement:String}} AND {sees("ib_id")} LIMIT 1
"""  # noqa: S608  - the parts are constants; values are parameters
_BEFORE = f"""
SELECT statement_id FROM statements FINAL
WHERE ib_id = {{ib:String}} AND hash = {{hash:String}} AND {sees("ib_id")} LIMIT 1
"""  # noqa: S608  - as above
_WITHDRAWAL = f"""
SELECT at, reason, proposal_id FROM statement_withdrawals FINAL
WHERE statement_id = {{statement:String}} AND {sees("ib_id")} LIMIT 1
"""  # noqa: S608  - as above

_WITHDRAWN = f"""
SELECT w.statement_id AS statement_id, w.ib_id AS ib_id, w.period AS period, w.currency AS currency,
    s.starts_at AS starts_at, s.payable AS payable, s.closing AS closing, s.hash AS hash,
    w.at AS withdrawn_at, w.reason AS reason, w.proposal_id AS proposal_id
FROM (SELECT * FROM statement_withdrawals FINAL
    WHERE ({{ib:String}} = '' OR ib_id = {{ib:String}})
      AND ({{period:String}} = '' OR period = {{period:String}}) AND {sees("ib_id")}
      AND statement_id > {{after:String}} ORDER BY statement_id LIMIT {{limit:UInt32}}) AS w
INNER JOIN (SELECT statement_id, starts_at, payable, closing, hash FROM statements FINAL) AS s
    ON s.statement_id = w.statement_id
ORDER BY statement_id
"""  # noqa: S608  - as above


def statement(ledger: Ledger, scope: Scope, statement_id: str) -> Row | None:
    """One statement, also one that was withdrawn."""
    found = ledger.rows(_ONE, statement=statement_id, **scope.parameters)
    return found[0] if found else None


def before(ledger: Ledger, scope: Scope, row: Row) -> str:
    """The id of the statement whose hash a statement names as the one before it; "" of the first."""
    if not row["previous"]:
        return ""
    found = ledger.rows(_BEFORE, ib=row["ib_id"], hash=row["previous"], **scope.parameters)
    return str(found[0]["statement_id"]) if found else ""


def withdrawal(ledger: Ledger, scope: Scope, statement_id: str) -> Row | None:
    """When and why a statement was withdrawn, if it was."""
    found = ledger.rows(_WITHDRAWAL, statement=statement_id, **scope.parameters)
    return found[0] if found else None


def withdrawn(
    ledger: Ledger, scope: Scope, ib: str, period: str, limit: int, cursor: str = ""
) -> dict[str, Any]:
    """One page of the statements that were withdrawn, in the order of their ids."""
    after = decode_cursor(cursor, str)[0] if cursor else ""
    rows = ledger.rows(_WITHDRAWN, ib=ib, period=period, after=after, limit=limit + 1, **scope.parameters)
    return page(rows, limit, key=lambda row: (row["statement_id"],))


def statements(
    ledger: Ledger,
    scope: Scope,
    ib: str,
    period: str,
    limit: int,
    asked: Asked = OLDEST,
) -> dict[str, Any]:
    """One page of statements, unless asked otherwise in the order of the periods, of IBs and currencies."""
    return LISTING.page(ledger, asked, limit, ib=ib, period=period, **scope.parameters)
