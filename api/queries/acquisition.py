"""How far clients came, by the month in which they registered: the funnel and its cohorts."""

from api.ledger import Ledger, Row
from api.queries.periods import INSIDE, Interval
from api.scope import Scope, sees, sees_client

STEPS = {
    "verified": "kyc.approved",
    "deposited": "ftd",
    "traded": "first_trade",
    "qualified": "cpa.qualified",
    "lost": "cpa.clawback",
}
"""What is counted, and the milestone that says so. `lost` are those of which a CPA was ever taken back."""
MAX_COHORTS = 600

_COHORTS = f"""
SELECT toStartOfMonth(occurred_at) AS cohort, count() AS registered,
    {", ".join(f"countIf(has(kinds, '{kind}')) AS {name}" for name, kind in STEPS.items())}
FROM (
    SELECT client_id, occurred_at FROM clients FINAL
    WHERE {INSIDE} AND ({{ib:String}} = '' OR ib_id = {{ib:String}}) AND {sees_client("client_id")}
) AS c
LEFT JOIN (
    SELECT client_id AS about, groupUniqArray(kind) AS kinds FROM milestones FINAL
    WHERE {sees("ib_id")} GROUP BY about
) AS m ON m.about = c.client_id
GROUP BY cohort ORDER BY cohort DESC LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants; values are parameters


def cohorts(ledger: Ledger, scope: Scope, interval: Interval, ib: str = "") -> list[Row]:
    """Of the clients that registered in each month (UTC) of the interval, how many came how far by now."""
    values = interval.parameters | scope.parameters
    return ledger.rows(_COHORTS, ib=ib, limit=MAX_COHORTS, **values)


def funnel(rows: list[Row]) -> dict[str, int]:
    """All cohorts together."""
    return {name: sum(row[name] for row in rows) for name in ("registered", *STEPS)}
