"""The trial balance: every account's debits and credits, whose difference must be zero."""

from typing import Any

from api.ledger import Ledger
from api.queries.by_days import added_up
from api.queries.days import Days, days_of
from api.queries.ordered import Asked, Kind, Listing
from api.queries.sources import accounts
from api.queries.transfer_keys import near
from api.scope import Scope

_TOTALS = """
SELECT currency, sum(debit_of) AS debit, sum(credit_of) AS credit, debit - credit AS difference
FROM (SELECT currency, debit AS debit_of, credit AS credit_of FROM ({accounts}))
GROUP BY currency ORDER BY currency LIMIT 1000
"""
_ACCOUNTS = """
SELECT account, currency, sum(debit_of) AS debit, sum(credit_of) AS credit, credit - debit AS balance
FROM (SELECT account, currency, debit AS debit_of, credit AS credit_of FROM ({accounts}))
WHERE startsWith(account, {{account:String}})
GROUP BY account, currency
"""
_SORTS: dict[str, tuple[str, Kind]] = {
    "account": ("account", "text"),
    "debit": ("debit", "amount"),
    "credit": ("credit", "amount"),
    "balance": ("balance", "amount"),
}
BY_ACCOUNT = Asked("account", "asc")

# The difference is zero by construction, a row moving money between two accounts. These counts are
# zero only if the rows themselves are sound, so they are what the balance is worth. `{rows}` is which rows.
_BACK = "SELECT assumeNotNull(reverses) AS id FROM transfers WHERE reverses IS NOT NULL AND {rows}"
CHECKS = f"""
SELECT
    (SELECT uniqExact(transfer_id) FROM transfers WHERE amount <= 0 AND {{rows}}) AS amounts_not_positive,
    (SELECT uniqExact(transfer_id) FROM transfers
        WHERE (debit = credit OR debit = '' OR credit = '') AND {{rows}}) AS accounts_missing,
    (SELECT uniqExact(transfer_id) FROM transfers WHERE reverses IS NOT NULL AND {{rows}}
        AND assumeNotNull(reverses) NOT IN (
            SELECT transfer_id FROM transfers WHERE {near(_BACK)} AND transfer_id IN ({_BACK})
        )) AS reversals_without_original,
    (SELECT count() FROM (SELECT reverses FROM transfers WHERE {near(_BACK)} AND reverses IN ({_BACK})
        GROUP BY reverses HAVING uniqExact(transfer_id) > 1)) AS originals_reversed_twice
"""  # noqa: S608  - the parts are constants of this room; values are parameters
"""Of ids instead of `FINAL` rows, and no set larger than the reversals."""
KINDS = ("amounts_not_positive", "accounts_missing", "reversals_without_original", "originals_reversed_twice")

# Of new rows and of each month the newest look: what it found stands until the next one finds nothing.
_WORST = "greatest(maxIf({name}, month = ''), sumIf({name}, month != '')) AS {name}"
_VERIFIED = f"""
SELECT count() AS looks, max(at) AS checked_at, maxIf(seen, month = '') AS up_to,
    minIf(at, month != '') AS months_since, countIf(month != '') AS months,
    {", ".join(_WORST.format(name=name) for name in KINDS)}, sum(different) AS sums_different
FROM (
    SELECT checked_at AS at, up_to AS seen, month, sums_different AS different, {", ".join(KINDS)}
    FROM ledger_checks ORDER BY at DESC LIMIT 1 BY month
)
"""  # noqa: S608  - as above


def trial_balance(
    ledger: Ledger, scope: Scope, limit: int, asked: Asked = BY_ACCOUNT, account: str = ""
) -> dict[str, Any]:
    """Sums per currency, checks of the rows, and one page of accounts whose path starts with `account`.

    What balances is the whole: it is shown to whoever sees everything.
    """
    scope.check_whole()
    read = days_of(ledger)
    listing = Listing(
        _ACCOUNTS.format(accounts=accounts(read)), _SORTS, ("account", "currency"), ("account",)
    )
    found = listing.page(ledger, asked, limit, account=account, **read.parameters)
    return {**verified(ledger, scope, read), "accounts": found["items"], "next_cursor": found["next_cursor"]}


def looked_at(ledger: Ledger, scope: Scope) -> tuple[dict[str, Any], dict[str, int]]:
    """When rows were looked at in the background, and what was found by kind; both empty before that."""
    scope.check_whole()
    found = ledger.row(_VERIFIED)
    looks, months = found.pop("looks"), found.pop("months")
    times = {name: found.pop(name) for name in ("checked_at", "up_to", "months_since")}
    if not months:
        del times["months_since"]
    return (times, found) if looks else ({}, {})


def verified(ledger: Ledger, scope: Scope, read: Days | None = None) -> dict[str, Any]:
    """Whether the ledger balances, per currency, and whether its rows are sound.

    Rows are looked at in the background: `checked_at` says when, `up_to` which were there, and `months_since`
    since when every month was gone through with its sums. Before the first time rows are looked at now.
    """
    times, checks = looked_at(ledger, scope)
    if not times:
        checks = ledger.row(CHECKS.format(rows="1"))
    read = read or days_of(ledger)
    totals = added_up(ledger, read, _totals, ("currency",), ("debit", "credit", "difference"))
    currencies = sorted(totals, key=lambda row: str(row["currency"]))
    is_zero = all(row["difference"] == 0 for row in currencies) and not any(checks.values())
    return {"balanced": is_zero, "currencies": currencies, "checks": checks, **times}


def _totals(read: Days) -> tuple[str, dict[str, object]]:
    return _TOTALS.format(accounts=accounts(read)), read.parameters
