"""A plan that changes in the middle of a period: what was earned under a version stays with it."""

from typing import Any

from msgspec.structs import replace

from commission.terms.components import PerLot, RevenueShare
from commission.terms.rates import Band, Caps, Tiers
from schemas.wire import Record
from tests.build import ANNA, SYMBOLS, D, at, deal, exchange, partner, per_lot, period, plan, rates, run
from tests.commission.worlds import NORTH

LATER = 15
"""The day on which the second version begins."""


def terms(first: Any, second: Any) -> tuple[Record, ...]:
    """Two versions of the plan of ib-north; September and October are periods."""
    one, other = plan("own USD", first), plan("own USD", second)
    versions = (one, replace(other, version=2, since=at(LATER)))
    return (*SYMBOLS, period("2026-09"), period("2026-10"), *versions, partner("ib-north USD own"))


def owed(volumes: dict[int, int], first: Any, second: Any) -> Any:
    """What ib-north is owed for closing lots on some days, told in either order."""
    deals = [deal(f"{day} buy {lots} EURUSD out", day=day) for day, lots in volumes.items()]
    found = {run(*ANNA, *order, terms=terms(first, second)).owed[NORTH] for order in (deals, deals[::-1])}
    (amount,) = found
    return D(amount.removesuffix(" USD"))


def banded(rate: int, start: int, factor: str, mode: Any = "slab") -> PerLot:
    """So much a lot, and a multiple of it from some lots on."""
    tiers = Tiers(by="lots", mode=mode, bands=(Band(start=D(start), factor=D(factor)),))
    return per_lot(f"*={rate}", tiers=tiers)


def test_bands_are_those_of_the_version() -> None:
    """12 lots at 5, 6 from 10 on: 72. 5 more at 4, 8 from 20 on, and the month has 17: 20."""
    assert owed({10: 12}, banded(5, 10, "1.2"), banded(4, 20, "2")) == 72
    assert owed({10: 12, 20: 5}, banded(5, 10, "1.2"), banded(4, 20, "2")) == 92


def test_a_period_is_measured_as_one() -> None:
    """8 and 5 lots under two versions of the same bands are 13 in the month: all of them at 6."""
    same = banded(5, 10, "1.2")
    assert owed({10: 8, 20: 5}, same, same) == 13 * 6
    assert owed({10: 8, 20: 5}, banded(5, 10, "1.2", "graduated"), banded(5, 10, "1.2", "graduated")) == (
        10 * 5 + 3 * 6  # three of the 13 lots are above 10
    )


def test_graduated_bands_are_filled_version_by_version() -> None:
    """8 lots below 10, then 12 at the slab, twice 5. Or 12 at the slab, then 8 that are all above 10."""
    graduated, slab = banded(5, 10, "1.2", "graduated"), banded(5, 10, "2")
    assert owed({10: 8, 20: 12}, graduated, slab) == 8 * 5 + 12 * 10
    assert owed({10: 12, 20: 8}, slab, graduated) == 12 * 10 + 8 * 6


def capped(most: int, span: str = "per_period") -> PerLot:
    """5 a lot, at most so much."""
    return per_lot("*=5", caps=Caps(**{span: D(most)}))


def test_a_cap_bounds_what_comes_under_it() -> None:
    """40 under a cap of 100, then 40 more."""
    assert owed({10: 8, 20: 8}, capped(50), capped(50)) == 50  # one cap, not two
    assert owed({10: 8, 20: 8}, capped(50), capped(60)) == 60
    assert owed({10: 8, 20: 8}, capped(30), capped(60)) == 60  # 30, and 30 more of the 40 fit in
    assert owed({10: 8, 20: 8}, capped(50), capped(20)) == 40  # the lower adds nothing, and takes nothing
    assert owed({10: 8, 20: 8}, capped(30), per_lot("*=5")) == 30 + 40
    assert owed({10: 8, 20: 8, 21: 8}, capped(30, "per_day"), capped(35, "per_day")) == 30 + 35 + 35


def test_a_kind_that_changes_settles_each_by_itself() -> None:
    """2 lots at 5 are 10; then half of what the client loses: of 100, less the 40 it wins, 30."""
    share = RevenueShare(name="lots", rates=rates("*=0.5"), terms=("client_result",))
    deals = (
        deal("1 buy 2 EURUSD out", day=10),
        deal("2 buy 1 EURUSD out", day=20, profit=D(-100)),
        deal("3 buy 1 EURUSD out", day=21, profit=D(40)),
    )
    for order in (deals, deals[::-1]):
        assert run(*ANNA, *order, terms=terms(per_lot("*=5", name="lots"), share)).owed == {
            NORTH: "40.00 USD"
        }


def test_a_level_goes_on_under_other_bands() -> None:
    """2 lots reach level 1 for October, where the second version knows a second from 3 lots: 2 + 2 and 2 x 2.

    September: 2 lots at 1. October begins at level 1, of 2 lots: 2 lots at 2. The next day has 4: 1 lot at 4.
    """
    one = Tiers(by="lots", mode="level", bands=(Band(start=D(2), factor=D(2)),), lookback_periods=1)
    two = replace(one, bands=(Band(start=D(2), factor=D(2)), Band(start=D(3), factor=D(4))))
    found = owed({3: 2, 33: 2, 34: 1}, per_lot("*=1", tiers=one), per_lot("*=1", tiers=two))
    assert found == 2 + 4 + 4


def test_two_kinds_wait_for_the_rate_of_one() -> None:
    """2 lots at 5 are 10; half of a loss of 100 waits for what a quarantine of 1,000 EUR is in USD: 60."""
    share = RevenueShare(
        name="lots", rates=rates("*=0.5"), terms=("client_result",), quarantine_below=D(1000)
    )
    one, other = plan("own EUR", share), plan("own USD", replace(banded(5, 9, "2"), name="lots"))
    versions = (one, replace(other, version=2, since=at(LATER)))
    told = (
        *(*SYMBOLS, period("2026-09"), *versions, partner("ib-north USD own")),
        *(*ANNA, deal("1 buy 1 EURUSD out", day=10, profit=D(-100)), deal("2 buy 2 EURUSD out", day=20)),
    )
    assert run(*told, terms=()).owed == {NORTH: "10.00 USD"}
    assert run(*told, exchange("EUR/USD 1.1"), terms=()).owed == {NORTH: "60.00 USD"}


def test_a_late_deal_of_a_kind_that_was_leaves_the_other_kind_alone() -> None:
    """Half of commissions of 10, 2 and 10; later 3 lots at 10, at most 15 a month: 5 + 1 + 5 + 15."""
    first = RevenueShare(name="own", rates=rates("*=0.5"), terms=("commission",))
    second = per_lot("*=10", name="own", entry="in", caps=Caps(per_period=D(15)))
    one, other = plan("own USD", first), replace(plan("own USD", second), version=2, since=at(41))
    calendar = (period("2026-09"), period("2026-10"))
    known = (*SYMBOLS, *calendar, one, other, partner("ib-north USD own"))
    early = deal("1 buy 1 EURUSD in", day=3, commission=D(-10))
    late = deal("2 buy 1 EURUSD in", day=4, commission=D(-2))
    october = (deal("3 buy 1 EURUSD in", day=33, commission=D(-10)), deal("4 buy 3 EURUSD in", day=42))
    for deals in ((early, late, *october), (early, *october, late), (*october, late, early)):
        assert run(*ANNA, *deals, terms=known).owed == {NORTH: "26.00 USD"}
