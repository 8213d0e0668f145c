"""SQL that tells from a transfer's two accounts whether an IB earned or lost by it."""

TO_IB = "startsWith(credit, 'ib:') AND NOT startsWith(debit, 'ib:') AND debit != 'rounding'"
"""Accruals and true-ups; not what only moves between an IB's own accounts."""
FROM_IB = "startsWith(debit, 'ib:') AND NOT startsWith(credit, 'ib:') AND credit != 'rounding'"
"""Reversals, true-ups downwards, forfeits, and rebates the IB pays for."""
EARNING = "code IN ('accrual', 'true_up', 'reversal', 'release', 'forfeit')"
TAKEN_BACK = """
SELECT assumeNotNull(reverses) FROM transfers FINAL
WHERE reverses IS NOT NULL AND NOT mapContains(factors, 'share')
"""
"""Accruals of which nothing is left: a reversal in part tells the share it takes."""
