"""The trial balance: every account's debits and credits, whose difference must be zero."""

from typing import Any

from api.ledger import Ledger
from api.paging import decode_cursor, page
from api.queries.days import Days, days_of
from api.queries.sources import accounts
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
HAVING (account, currency) > ({{after_account:String}}, {{after_currency:String}})
ORDER BY account, currency LIMIT {{limit:UInt32}}
"""

# The difference is zero by construction, a row moving money between two accounts. These counts are
# zero only if the rows themselves are sound, so they are what the balance is worth.
CHECKS = """
SELECT
    (SELECT uniqExact(transfer_id) FROM transfers WHERE amount <= 0) AS amounts_not_positive,
    (SELECT uniqExact(transfer_id) FROM transfers
        WHERE debit = credit OR debit = '' OR credit = '') AS accounts_missing,
    (SELECT uniqExact(transfer_id) FROM transfers WHERE reverses IS NOT NULL
        AND assumeNotNull(reverses) NOT IN (
            SELECT transfer_id FROM transfers WHERE transfer_id IN (
                SELECT assumeNotNull(reverses) FROM transfers WHERE reverses IS NOT NULL
            )
        )) AS reversals_without_original,
    (SELECT count() FROM (SELECT reverses FROM transfers WHERE reverses IS NOT NULL
        GROUP BY reverses HAVING uniqExact(transfer_id) > 1)) AS originals_reversed_twice
"""
"""Of ids instead of `FINAL` rows, and no set larger than the reversals: a second of ten million rows."""

_VERIFIED = "SELECT * FROM ledger_checks ORDER BY checked_at DESC LIMIT 1"


def trial_balance(
    ledger: Ledger, scope: Scope, limit: int, cursor: str = "", account: str = ""
) -> dict[str, Any]:
    """Sums per currency, checks of the rows, and one page of accounts whose path starts with `account`.

    What balances is the whole: it is shown to whoever sees everything.
    """
    scope.check_whole()
    after = decode_cursor(cursor, str, str) if cursor else ["", ""]
    read = days_of(ledger)
    rows = ledger.rows(
        _ACCOUNTS.format(accounts=accounts(read)),
        account=account,
        after_account=after[0],
        after_currency=after[1],
        limit=limit + 1,
        **read.parameters,
    )
    found = page(rows, limit, key=lambda row: (row["account"], row["currency"]))
    return {**verified(ledger, scope, read), "accounts": found["items"], "next_cursor": found["next_cursor"]}


def verified(ledger: Ledger, scope: Scope, read: Days | None = None) -> dict[str, Any]:
    """Whether the ledger balances, per currency, and whether its rows are sound.

    Rows are looked at in the background: `checked_at` says when, `up_to` which were there. Before the first
    time they are looked at now.
    """
    scope.check_whole()
    found = ledger.rows(_VERIFIED)
    checks = found[0] if found else ledger.row(CHECKS)
    times: dict[str, Any] = {name: checks.pop(name) for name in ("up_to", "checked_at") if name in checks}
    read = read or days_of(ledger)
    currencies = ledger.rows(_TOTALS.format(accounts=accounts(read)), **read.parameters)
    is_zero = all(row["difference"] == 0 for row in currencies) and not any(checks.values())
    return {"balanced": is_zero, "currencies": currencies, "checks": checks, **times}
