"""A CPA by tiers of deposits, when some of the money goes back."""

import pytest

from commission.terms.components import CpaAmount
from schemas.wire import Record
from tests.build import ANNA, D, cpa, deposit, kyc, run
from tests.commission.worlds import NORTH, back, world

TIERS = tuple(
    CpaAmount(min_deposit=D(least), amount=D(amount))
    for least, amount in ((200, 250), (500, 450), (2000, 700))
)


@pytest.mark.parametrize(
    ("events", "owed"),
    [
        ((deposit("anna d 2000 USD", day=2),), "700.00 USD"),
        ((deposit("anna d 2000 USD", day=2), back("d", 1, "1750", day=20)), "250.00 USD"),  # 250 left
        ((deposit("anna d 2000 USD", day=2), back("d", 1, "1500", day=20)), "450.00 USD"),  # 500 left
        ((deposit("anna d 2000 USD", day=2), back("d", 1, "1801", day=20)), None),  # 199 left
        (
            (deposit("anna d 2000 USD", day=2), back("d", 1, "1500", day=20), back("d", 2, "250", day=21)),
            "250.00 USD",
        ),
        (  # the larger of two goes
            (deposit("anna d 250 USD", day=2), deposit("anna e 1750 USD", day=2), back("e", 1, None, day=20)),
            "250.00 USD",
        ),
        (  # the first goes; the second, of a later day, is never worth more than what was granted
            (deposit("anna d 250 USD", day=2), deposit("anna e 5000 USD", day=9), back("d", 1, None, day=20)),
            "250.00 USD",
        ),
    ],
)
def test_what_is_left_tells_the_tier(events: tuple[Record, ...], owed: str | None) -> None:
    """In whichever order it is told."""
    terms = world(cpa("1", amounts=TIERS, min_lots=D(0)))
    for order in (events, events[::-1]):
        found = run(*ANNA, kyc("anna approved", day=1), *order, terms=terms).owed
        assert found == ({} if owed is None else {NORTH: owed})
