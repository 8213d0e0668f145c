"""The trial balance: every account's debits and credits, whose difference must be zero."""

from typing import Any

from api.ledger import Ledger
from api.paging import decode_cursor, page

_LEGS = """
SELECT leg.1 AS account, currency, leg.2 AS debit_of, leg.3 AS credit_of
FROM transfers FINAL
ARRAY JOIN [(debit, amount, amount - amount), (credit, amount - amount, amount)] AS leg
"""

_TOTALS = f"""
SELECT currency, sum(debit_of) AS debit, sum(credit_of) AS credit, debit - credit AS difference
FROM ({_LEGS}) GROUP BY currency ORDER BY currency LIMIT 1000
"""  # noqa: S608  - the parts are constants of this file

_ACCOUNTS = f"""
SELECT account, currency, sum(debit_of) AS debit, sum(credit_of) AS credit, credit - debit AS balance
FROM ({_LEGS}) WHERE startsWith(account, {{account:String}})
GROUP BY account, currency
HAVING (account, currency) > ({{after_account:String}}, {{after_currency:String}})
ORDER BY account, currency LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters

# The difference is zero by construction, a row moving money between two accounts. These counts are
# zero only if the rows themselves are sound, so they are what the balance is worth.
_CHECKS = """
SELECT
    (SELECT count() FROM transfers FINAL WHERE amount <= 0) AS amounts_not_positive,
    (SELECT count() FROM transfers FINAL
        WHERE debit = credit OR debit = '' OR credit = '') AS accounts_missing,
    (SELECT count() FROM transfers FINAL WHERE reverses IS NOT NULL AND assumeNotNull(reverses) NOT IN (
        SELECT transfer_id FROM transfers FINAL)) AS reversals_without_original,
    (SELECT count() FROM (SELECT reverses FROM transfers FINAL WHERE reverses IS NOT NULL
        GROUP BY reverses HAVING count() > 1)) AS originals_reversed_twice
"""


def trial_balance(ledger: Ledger, limit: int, cursor: str = "", account: str = "") -> dict[str, Any]:
    """Sums per currency, checks of the rows, and one page of accounts whose path starts with `account`."""
    after = decode_cursor(cursor, str, str) if cursor else ["", ""]
    rows = ledger.rows(
        _ACCOUNTS, account=account, after_account=after[0], after_currency=after[1], limit=limit + 1
    )
    accounts = page(rows, limit, key=lambda row: (row["account"], row["currency"]))
    return {**summary(ledger), "accounts": accounts["items"], "next_cursor": accounts["next_cursor"]}


def summary(ledger: Ledger) -> dict[str, Any]:
    """Whether the ledger balances, per currency, and whether its rows are sound."""
    currencies = ledger.rows(_TOTALS)
    checks = ledger.row(_CHECKS)
    is_zero = all(row["difference"] == 0 for row in currencies) and not any(checks.values())
    return {"balanced": is_zero, "currencies": currencies, "checks": checks}
