"""How the pay of one deal is priced and shared: what is divided, the fast lane, caps of a deal.

Each a small ledger worked out by hand. Anna is a client of ib-north, below ib-top.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from commission.terms.components import RevenueShare
from commission.terms.partners import PlanAssignment
from commission.terms.rates import Band, Caps, Override, RankRates, Tiers
from tests.build import ANNA, SYMBOLS, D, deal, partner, per_lot, plan, rates, run
from tests.commission.worlds import NORTH, OUT, TOP, tiers, tree

HALVES = Override(mode="split", shares=(D("0.5"), D("0.5")))
BY_RATE: dict[str, Any] = {"mode": "cascade", "pass_unit": "rate"}
FIVE = deal("1 buy 5 EURUSD out")


@pytest.mark.parametrize(
    ("override", "north", "top"),
    [
        # 50 % of 300 are 150, of -100 are -50: 60 % and 40 % of 150 - 50
        (Override(mode="split", shares=(D("0.6"), D("0.4"))), "60.00 USD", "40.00 USD"),
        (Override(mode="cascade", pass_up=(D("0.4"),)), "60.00 USD", "40.00 USD"),
        # 20 % of 300 are 60, of -100 are -20; the rest of 150 and -50 stays: 90 - 30
        (Override(pass_up=(D("0.2"),), **BY_RATE), "60.00 USD", "40.00 USD"),
        # 70 % of 300 are more than the 150 there are, and 70 % of -100 are more than the -50
        (Override(pass_up=(D("0.7"),), **BY_RATE), None, "100.00 USD"),
    ],
)
def test_a_loss_is_divided_like_a_gain(override: Override, north: str | None, top: str) -> None:
    """Anna loses 300 and later wins 100; half of the net result is divided."""
    net = RevenueShare(name="net", rates=rates("*=0.5"), terms=("client_result",), override=override)
    lost, won = replace(OUT, profit=D(-300)), deal("2 buy 1 EURUSD out", day=4, profit=D(100))
    owed = {TOP: top} if north is None else {NORTH: north, TOP: top}
    assert owed == run(*ANNA, lost, won, terms=tree(net, None)).owed
    assert owed == run(*ANNA, won, lost, terms=tree(net, None)).owed


def test_a_band_alone_may_pay_what_is_divided() -> None:
    """Nothing a lot, 4 a lot from 3 lots on: 5 x 4 = 20, 10 each, all of it by true-ups."""
    bands = tiers(("3", "1"))
    paying = replace(bands, bands=(replace(bands.bands[0], rates=rates("*=4")),))
    said = run(*ANNA, FIVE, terms=tree(per_lot("*=0", override=HALVES, tiers=paying), None))
    assert said.owed == {NORTH: "10.00 USD", TOP: "10.00 USD"}
    assert [row.code for row in said.transfers] == ["true_up", "true_up"]


def test_what_is_nothing_at_every_band_leaves_nothing_to_share() -> None:
    """Nothing a lot, and twice nothing: the deal has its reason."""
    free = per_lot("*=0", override=HALVES, tiers=tiers(("3", "2")))
    assert {"1": "rejected nothing_due"} == run(*ANNA, FIVE, terms=tree(free, None)).reasons


def test_a_band_is_passed_up_by_the_same_amounts() -> None:
    """5 lots at 3 and 1 passed on: 10 and 5. The band makes it 5 x 6 = 30, of which 5 are passed on."""
    passed = per_lot("*=3", override=Override(pass_up=(D(1),), **BY_RATE))
    assert {NORTH: "10.00 USD", TOP: "5.00 USD"} == run(*ANNA, FIVE, terms=tree(passed, None)).owed
    doubled = replace(passed, tiers=tiers(("3", "2")))
    assert {NORTH: "25.00 USD", TOP: "5.00 USD"} == run(*ANNA, FIVE, terms=tree(doubled, None)).owed


def test_a_row_tells_how_it_was_divided() -> None:
    """A rank is named where ranks decide, and only there."""
    halved = run(*ANNA, OUT, terms=tree(per_lot("*=4", override=HALVES), None))
    assert [factors(row) for row in halved.transfers] == [(4, "split", None)] * 2
    ranked = per_lot(
        "*=9", override=Override(mode="rank", ranks=(RankRates(rank="one", rates=rates("*=2")),))
    )
    north = partner("ib-north USD", schedule=(PlanAssignment(plan_id="own", rank="one"),))
    (row,) = run(*ANNA, OUT, terms=(*SYMBOLS, plan("own USD", ranked), north)).transfers
    assert factors(row) == (2, "rank", "one")


def factors(row: Any) -> tuple[Any, ...]:
    """What a divided row says of its base."""
    return D(row.factors["base"]), row.factors["mode"], row.factors.get("rank")


def test_no_ranks_pay_nobody() -> None:
    """A reason of the plan, for which no deal waits."""
    ranked = per_lot("*=9", override=Override(mode="rank"))
    assert {"1": "rejected no_plan"} == run(*ANNA, OUT, terms=tree(ranked, None)).reasons


# The fast lane


@pytest.mark.parametrize("mode", ["difference", "absolute"])  # in the lane, and by the general path
@pytest.mark.parametrize(
    ("lots", "amount", "uncapped"),
    [
        ("5", 25, None),
        ("6", 30, None),  # exactly the cap: nothing is cut
        ("10", 30, 50),
    ],
)
def test_the_cap_of_a_deal_in_its_own_currency(
    lots: str, amount: int, uncapped: int | None, mode: Any
) -> None:
    """5 a lot, at most 30 of a deal."""
    capped = per_lot("*=5", caps=Caps(per_deal=D(30)), override=Override(mode=mode))
    (row,) = run(*ANNA, deal(f"1 buy {lots} EURUSD out"), terms=tree(capped, None)).transfers
    assert row.amount == amount
    told = [D(row.factors[name]) for name in ("uncapped", "cap") if name in row.factors]
    assert told == ([] if uncapped is None else [uncapped, 30])


def test_one_ib_with_tiers_keeps_the_others_from_the_lane() -> None:
    """5 lots at 5 are 25; the IB above has 7, doubled from 3 lots on: 70 - 25."""
    above = per_lot("*=7", tiers=tiers(("3", "2")))
    assert {NORTH: "25.00 USD", TOP: "45.00 USD"} == run(*ANNA, FIVE, terms=tree(per_lot("*=5"), above)).owed


# What a rate is multiplied by


@pytest.mark.parametrize(
    ("equity", "credit", "coefficient"),
    [("100", "25", "0.75"), ("0.5", "0.1", "0.8")],  # also of an account with less than a unit left
)
def test_an_own_factor_and_credit_go_together(equity: str, credit: str, coefficient: str) -> None:
    """8 a lot, half of it by the IB's own factor, times (equity - credit) / equity: 3, and 3.20."""
    held = PlanAssignment(plan_id="own", factor=D("0.5"))
    own = plan("own USD", per_lot("*=8", credit_coefficient=True))
    terms = (*SYMBOLS, own, partner("ib-north USD", schedule=(held,)))
    known = replace(OUT, equity=D(equity), credit=D(credit))
    (row,) = run(*ANNA, known, terms=terms).transfers
    assert row.amount == 4 * D(coefficient)
    assert D(row.factors["own_factor"]) == D("0.5")
    assert D(row.factors["coefficient"]) == D(coefficient)
    full = replace(held, factor=D(1))
    (row,) = run(*ANNA, known, terms=(*terms, partner("ib-north USD", schedule=(full,)))).transfers
    assert row.amount == 8 * D(coefficient)
    assert "own_factor" not in row.factors


@pytest.mark.parametrize("known", [{"equity": D(100)}, {"credit": D(25)}])
def test_credit_needs_both_numbers(known: dict[str, Any]) -> None:
    """One of the two alone tells nothing."""
    terms = tree(per_lot("*=5", credit_coefficient=True), None)
    assert {"1": "rejected equity_unknown"} == run(*ANNA, replace(OUT, **known), terms=terms).reasons


def test_the_rates_of_a_band_count_or_its_factor() -> None:
    """5 lots at 5; from 3 lots on 6 a lot: 5 x 6. Gold has no rate there: 1.5 times its own, 5 x 5 x 1.5."""
    bands = Tiers(by="lots", bands=(Band(start=D(3), rates=rates("EURUSD=6"), factor=D("1.5")),))
    terms = tree(per_lot("*=5", tiers=bands), None)
    assert {NORTH: "30.00 USD"} == run(*ANNA, FIVE, terms=terms).owed
    assert {NORTH: "37.50 USD"} == run(*ANNA, replace(FIVE, symbol="XAUUSD"), terms=terms).owed
