"""SQL that tells from a transfer's two accounts, named as in `commission.accounts`, what an IB has of it."""

from commission import accounts
from schemas import topics

_PAID = "startsWith({to}, '{ib}') AND NOT startsWith({other}, '{ib}') AND {other} != '{rounding}'"
TO_IB = _PAID.format(to="credit", other="debit", ib=accounts.IB, rounding=accounts.ROUNDING)
"""Accruals and true-ups; not what only moves between an IB's own accounts."""
FROM_IB = _PAID.format(to="debit", other="credit", ib=accounts.IB, rounding=accounts.ROUNDING)
"""Reversals, true-ups downwards, forfeits, and rebates the IB pays for."""
EARNING = "code IN ('accrual', 'true_up', 'reversal', 'release', 'forfeit')"
IS_DEAL = "code = 'accrual' AND account_key != ''"
"""An accrual of a deal."""
OF_BOOK = f"_topic = '{topics.PARTNER_BOOK}'"
TAKEN_BACK = "SELECT transfer_id FROM taken_back"
"""Accruals of which nothing is left: a reversal in part tells the share it takes."""


def taken_back(rows: str, placed: str = "1") -> str:
    """The same of rows that a condition names, and maybe of others; `placed` is of what takes them back.

    That follows them on the log, in their partition: so what is below the first of the rows is not looked at.
    """
    return f"{TAKEN_BACK} WHERE (NOT {OF_BOOK} OR _offset >= {first_of(rows)}) AND {placed}"


def first_of(rows: str) -> str:
    """The first place on the partner book's log of the rows that a condition names."""
    return f"(SELECT min(_offset) FROM transfers WHERE {OF_BOOK} AND {rows})"  # noqa: S608  - our own constants


def grown(state: str) -> str:
    """By how much transfers make the IBs' accounts of a state grow: `:held`, `:pending`, `:payable`."""
    of = f"startsWith({{side}}, '{accounts.IB}') AND endsWith({{side}}, '{state}')"
    return f"sumIf(amount, {of.format(side='credit')}) - sumIf(amount, {of.format(side='debit')})"
