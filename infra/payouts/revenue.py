"""What the broker took of an IB's clients in a period: charges, swaps and spreads, of those below it as well.

It is estimated of the deals as stored (`api.views.revenue`), by the rates of the period's end.
"""

from collections import defaultdict
from decimal import Decimal, localcontext

from api.ledger import Ledger
from api.queries.periods import Interval
from api.queries.revenue import traded
from api.views.revenue import Valuation
from api.views.terms import known_terms
from commission.money import EXACT


def revenue_of(ledger: Ledger, currency: str, interval: Interval) -> dict[str, Decimal]:
    """By IB, in a currency; an IB whose clients brought nothing is not in it."""
    terms, own = known_terms(ledger), defaultdict[str, Decimal](Decimal)
    valuation = Valuation(terms, currency, interval.ends_at)
    with localcontext(EXACT):
        for row in traded(ledger, interval):
            own[row["of_ib"]] += valuation.of(row)
        found = defaultdict[str, Decimal](Decimal)
        for ib_id, amount in own.items():
            chain = terms.upline(ib_id, interval.ends_at)
            for one in {ib_id, *(() if chain is None else chain.path)}:
                found[one] += amount
    return dict(found)
