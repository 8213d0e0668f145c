"""What an IB gives back of its own money is at most what the deal brought it."""

from typing import Any

import pytest

from commission.terms.components import Component, Rebate, RevenueShare
from tests.build import ANNA, D, deal, per_lot, rates, run
from tests.commission.worlds import NORTH, world


def back(rate: str, **fields: Any) -> Rebate:
    """So much a lot to the client, out of the IB's money."""
    return Rebate(**({"name": "back", "rates": rates(f"*={rate}"), "funded_by": "ib"} | fields))


RESULT = RevenueShare(name="result", rates=rates("*=0.5"), terms=("client_result",))


@pytest.mark.parametrize(
    ("components", "client", "ib"),
    [
        ((per_lot("*=5"), back("8")), "10.00 USD", None),  # 2 lots: 16 asked, 10 earned
        ((per_lot("*=5"), back("5")), "10.00 USD", None),  # exactly what there is
        ((per_lot("*=5"), back("4")), "8.00 USD", "2.00 USD"),
        ((per_lot("*=5"), back("8", funded_by="broker")), "16.00 USD", "10.00 USD"),
        ((per_lot("*=5"), back("1.5", unit="share")), "10.00 USD", None),  # 150 % of 10
        ((per_lot("*=5"), back("3"), back("4", name="more")), "10.00 USD", None),  # 6, and of 8 the other 4
        ((back("8"),), None, None),  # nothing earned
        ((RESULT, back("8")), "16.00 USD", "14.00 USD"),  # the period brings half of 60: 30 - 16
    ],
)
def test_a_rebate_out_of_the_ibs_money(
    components: tuple[Component, ...], client: str | None, ib: str | None
) -> None:
    """Two lots of EURUSD by which anna loses 60."""
    found = run(*ANNA, deal("1 buy 2 EURUSD out", profit=D(-60)), terms=world(*components)).owed
    wanted = {"client:anna:rebate": client, NORTH: ib}
    assert found == {account: amount for account, amount in wanted.items() if amount}


def test_the_row_tells_what_was_asked() -> None:
    """16 asked, 10 earned."""
    rows = run(*ANNA, deal("1 buy 2 EURUSD out"), terms=world(per_lot("*=5"), back("8"))).transfers
    (row,) = [row for row in rows if row.component == "rebate"]
    assert (D(row.factors["before_limit"]), D(row.factors["ib_earned"])) == (16, 10)
