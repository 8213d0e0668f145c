"""How IBs stand: what is on their accounts, and who traded."""

from datetime import datetime
from decimal import Decimal

from api.ledger import Ledger, Row
from api.queries.days import days_of
from api.queries.money import IS_DEAL, TAKEN_BACK
from api.queries.periods import INSIDE, Interval
from api.queries.sources import accounts
from api.scope import KNOWN_CLIENTS, Scope, sees
from commission.accounts import HELD, IB, IN_PAYOUT, PAID, PAYABLE, PENDING

STATES = {"held": HELD, "pending": PENDING, "payable": PAYABLE, "in_payout": IN_PAYOUT, "paid": PAID}
"""What money of an IB waits for, and how the account of it ends."""

_BALANCES = f"""
SELECT currency, {
    ", ".join(
        f"sumIf(credit_of - debit_of, endsWith(account, '{ending}')) AS {name}"
        for name, ending in STATES.items()
    )
}
FROM (SELECT account, currency, debit AS debit_of, credit AS credit_of FROM ({{accounts}}))
WHERE startsWith(account, '{IB}') AND {{seen}}
GROUP BY currency ORDER BY currency LIMIT 1000
"""  # noqa: S608  - the parts are constants; values are parameters
_ACTIVE = f"""
SELECT uniqExact(client_id) AS traded FROM transfers
WHERE {INSIDE} AND {IS_DEAL} AND client_id != '' AND {sees("ib_id")}
  AND transfer_id NOT IN ({TAKEN_BACK})
"""  # noqa: S608  - as above
# PREWHERE has the time alone: ClickHouse remembers where no row answers it, for every IB of the period.
# A row that was written twice counts once by its group; FINAL would read all months of the IB.
_LATER = f"""
SELECT sumIf(amount, endsWith(credit, '{PENDING}')) - sumIf(amount, endsWith(debit, '{PENDING}')) AS amount
FROM (
    SELECT any(amount) AS amount, any(debit) AS debit, any(credit) AS credit FROM transfers
    PREWHERE occurred_at >= {{at:DateTime64(6, 'UTC')}} OR matures_at >= {{at:DateTime64(6, 'UTC')}}
    WHERE {sees("ib_id")} AND currency = {{currency:String}}
    GROUP BY transfer_id
)
"""  # noqa: S608  - the parts are constants; values are parameters
_REGISTERED = f"""
SELECT count() AS clients, countIf({INSIDE}) AS registered FROM {KNOWN_CLIENTS}
WHERE {sees("ib_id")}
"""  # noqa: S608  - as above


def balances(ledger: Ledger, scope: Scope) -> list[Row]:
    """One row a currency: `held`, `pending`, `payable`, `in_payout` and `paid` of the IBs that are seen."""
    read = days_of(ledger)
    seen = sees("splitByChar(':', toString(account))[2]")
    sql = _BALANCES.format(accounts=accounts(read), seen=seen)
    return ledger.rows(sql, **read.parameters, **scope.parameters)


def pending_later(ledger: Ledger, scope: Scope, currency: str, at: datetime) -> Decimal:
    """What of these IBs' pending money matures at a time or later, so is on no statement that ends there."""
    found: Decimal = ledger.row(_LATER, currency=currency, at=at, **scope.parameters)["amount"]
    return found


def clients(ledger: Ledger, scope: Scope, interval: Interval) -> Row:
    """How many clients these IBs have, registered in the interval, and were paid for a deal of in it."""
    values = interval.parameters | scope.parameters
    return {**ledger.row(_REGISTERED, **values), **ledger.row(_ACTIVE, **values)}
