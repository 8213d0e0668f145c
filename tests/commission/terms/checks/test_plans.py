"""Checks of plans and their components: each mistake has its code at its own place, with what to do."""

from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from commission.terms.checks.check import check_terms
from commission.terms.checks.published import TermsProblem
from commission.terms.components import (
    CohortBonus,
    CommissionShare,
    Component,
    Cpa,
    CpaAmount,
    Cpl,
    DepositShare,
    Pips,
    Rebate,
    RevenueShare,
    SpreadShare,
)
from commission.terms.market import RatePublished
from commission.terms.partners import PlanAssignment, StatusChange
from commission.terms.plans import Budget, Clawback, PlanDefined
from commission.terms.rates import Band, Caps, LotFactor, Override, RankRates, Tiers, When
from tests.commission.terms.checks.plan_parts import (
    EURUSD,
    D,
    band,
    check,
    ib,
    lot,
    on,
    plan,
    rate,
    rates,
    symbol,
)

BY_RATE: dict[str, Any] = {"pass_unit": "rate"}


def spread(**said: Any) -> SpreadShare:
    return replace(SpreadShare(name="x", rates=rates("0.1")), **said)


def cpa(amount: str = "400", **said: Any) -> Cpa:
    return replace(Cpa(name="x", amounts=(CpaAmount(amount=D(amount)),), min_trades=1), **said)


def tiers(*bands: Band, **said: Any) -> Tiers:
    return replace(Tiers(by="lots", bands=bands), **said)


def codes(found: Iterable[TermsProblem]) -> list[str]:
    return [problem.code for problem in found]


Case = tuple[Component, str, str, str]
"""A component, the path inside it, the code and a part of the text."""
RATES: list[Case] = [
    (lot(rates=()), "rates", "no_rates", "is empty"),
    (lot(rates=rates(XAGUSD="1")), "rates XAGUSD", "unknown_symbol", "no server"),
    (lot(rates=rates(**{"class:fx": "1"})), "rates class:fx", "unknown_symbol", "class:fx"),
    (lot(rates=rates(**{"class:*": "1"})), "rates class:*", "bad_match", "prefix"),
    (lot(rates=rates(**{"*USD": "1"})), "rates *USD", "bad_match", "prefix"),
    (lot(rates=(rate("1", ""),)), "rates ", "bad_match", "prefix"),
    (lot(rates=rates("-1")), "rates *", "negative_rate", "0 or more"),
    (lot(rates=rates("NaN")), "rates *", "negative_rate", "NaN"),
    (lot(rates=(rate("1"), rate("2"))), "rates *#2", "ambiguous_rate", "* has two values, 1"),
    (
        lot(rates=(rate("1"), rate("2", country="CY"), rate("3", since=on(9)))),
        "rates *#3",
        "ambiguous_rate",
        "2 for *, country CY and 3 for *, from 2026-09-01",
    ),
    (
        lot(rates=(rate("1", until=on(10)), rate("2", since=on(9)))),
        "rates *#2",
        "ambiguous_rate",
        "until 2026-10-01",
    ),
    (
        lot(rates=(rate("1"), rate("1", country="Cyprus"))),
        "rates *#2",
        "bad_country",
        "two capitals",
    ),
    (lot(rates=(rate("1", login="7"),)), "rates *", "bad_login", "live/1001"),
    (lot(rates=(rate("1", group="real*,"),)), "rates *", "bad_group", "not a mask of groups"),
    (lot(rates=(rate("1", group="real!test"),)), "rates *", "bad_group", "! before what is excluded"),
    (lot(rates=(rate("1", group="!test*"),)), "rates *", "bad_group", "only excludes"),
    (lot(when=When(groups=("real*", "!"))), "when groups", "bad_group", "not a mask of groups"),
    (
        lot(rates=(rate("1", group="real*"), rate("2", group="*-ecn"))),
        "rates *#2",
        "ambiguous_rate",
        "neither is more specific",
    ),
    (
        lot(rates=(rate("1", group="ec?"), rate("2", group="e?n,std"))),
        "rates *#2",
        "ambiguous_rate",
        "group e?n,std",
    ),
    (lot(rates=(rate("1", since=on(9), until=on(9)),)), "rates *", "bad_period", "before it begins"),
    (spread(rates=rates("35")), "rates *", "share_above_one", "0.35"),
    (spread(rates=rates("-1")), "rates *", "negative_rate", "0 or more"),
    (CommissionShare(name="x", rates=rates("2")), "rates *", "share_above_one", "0.35"),
    (Rebate(name="x", unit="share", rates=rates("2")), "rates *", "share_above_one", "0.35"),
]
SPREADS: list[Case] = [
    (spread(average_pips=rates("1", XAG="1")), "average_pips XAG", "unknown_symbol", "XAG"),
    (spread(average_pips=rates("0")), "average_pips *", "bad_average", "above 0"),
    (spread(basis="markup", markup_pips=rates("0")), "markup_pips *", "bad_average", "markup_pips of *"),
    (spread(basis="markup"), "markup_pips", "no_markup", "EURUSD, XAUUSD"),
    (spread(cap_pips=D(0)), "cap_pips", "bad_cap", "leave it out"),
    (spread(plus_pips=D(-1)), "plus_pips", "bad_spread", "0 or more"),
    (spread(basis="open", entry="in"), "entry", "condition_needs_out", "basis open looks at closed"),
]
CONDITIONS: list[Case] = [
    (lot(entry="in", when=When(min_holding_s=60)), "entry", "condition_needs_out", "min_holding_s looks"),
    (lot(entry="in", when=When(min_pips=D(1))), "entry", "condition_needs_out", "write entry: out"),
    (lot(entry="in", when=When(same_price=False)), "entry", "condition_needs_out", "same_price"),
    (lot(hedged=True), "hedged", "hedged_needs_in", "write entry: in"),
    (lot(when=When(countries=("cy",))), "when countries", "bad_country", "'cy'"),
    (
        lot(when=When(countries=("CY",), countries_not=("US",))),
        "when countries_not",
        "bad_condition",
        "both given",
    ),
    (lot(when=When(min_pips=D(-1))), "when min_pips", "bad_condition", "0 or more"),
    (lot(caps=Caps()), "caps", "bad_cap", "names no cap"),
    (lot(caps=Caps(per_day=D(0))), "caps per_day", "bad_cap", "above 0"),
    (lot(caps=Caps(per_day=D(9), per_week=D(5))), "caps per_day", "caps_order", "above per_week of 5"),
    (
        RevenueShare(name="x", rates=rates("0.1"), terms=("swap", "swap")),
        "terms",
        "bad_revenue",
        "each once",
    ),
    (
        RevenueShare(name="x", rates=rates("0.1"), quarantine_below=D(0)),
        "quarantine_below",
        "bad_revenue",
        "above 0",
    ),
]
TIERS: list[Case] = [
    (lot(tiers=tiers()), "tiers bands", "no_bands", "add one"),
    (lot(tiers=tiers(band("0"))), "tiers bands 0 start", "bad_band", "begin above"),
    (lot(tiers=tiers(band("5"), band("5"))), "tiers bands 1 start", "bad_band", "upwards"),
    (lot(tiers=tiers(band("5", factor=D(-1)))), "tiers bands 0 factor", "bad_factor", "0 or more"),
    (lot(tiers=tiers(band("5", "-1"))), "tiers bands 0 rates *", "negative_rate", "0 or more"),
    (
        lot(tiers=tiers(band("5", rates=(rate("2", "EURUSD"),)))),
        "tiers bands 0 rates",
        "tier_gap",
        "no rate for XAUUSD",
    ),
    (
        lot(tiers=tiers(band("5"), lookback_periods=3)),
        "tiers lookback_periods",
        "lookback_needs_level",
        "mode: level",
    ),
    (
        lot(tiers=tiers(band("5"), mode="graduated", step=1)),
        "tiers step",
        "lookback_needs_level",
        "graduated",
    ),
    (lot(tiers=tiers(band("5"), by="active_clients")), "tiers by", "tiers_need_min_lots", "active_min_lots"),
    (
        cpa(tiers=Tiers(by="lots", bands=(Band(start=D(5), factor=D(2)),))),
        "tiers by",
        "bad_tiers",
        "by: count",
    ),
]
OVERRIDES: list[Case] = [
    (lot(override=Override(mode="cascade")), "override", "incomplete_override", "needs pass_up"),
    (lot(override=Override(mode="split")), "override", "incomplete_override", "needs shares"),
    (lot(override=Override(mode="rank")), "override", "incomplete_override", "needs ranks"),
    (
        lot(
            tiers=tiers(band("5")),
            override=Override(mode="rank", ranks=(RankRates(rank="a", rates=rates()),)),
        ),
        "tiers",
        "tiers_under_rank",
        "leave tiers out",
    ),
    (
        lot(override=Override(levels=(rates(),))),
        "override levels",
        "incomplete_override",
        "belongs to the mode absolute",
    ),
    (
        lot(override=Override(mode="absolute", levels=(rates("-1"),))),
        "override levels 0 *",
        "negative_rate",
        "0 or more",
    ),
    (
        lot(override=Override(mode="cascade", pass_up=(D(2),))),
        "override pass_up 0",
        "share_above_one",
        "pass_unit: rate",
    ),
    (
        lot(override=Override(mode="cascade", pass_up=(D(-2),), **BY_RATE)),
        "override pass_up 0",
        "negative_rate",
        "0 or more",
    ),
    (
        lot(override=Override(mode="split", shares=(D(70), D("0.3")))),
        "override shares 0",
        "share_above_one",
        "0.7",
    ),
    (
        lot(override=Override(mode="split", shares=(D("0.7"), D("0.4")))),
        "override shares",
        "shares_above_one",
        "add up to 1.1",
    ),
    (
        lot(override=Override(mode="rank", ranks=(RankRates(rank="a", rates=rates()),) * 2)),
        "override ranks 1",
        "bad_rank",
        "lowest first",
    ),
]
CLIENTS: list[Case] = [
    (cpa("0"), "amounts 0 amount", "bad_cpa", "pays more than 0"),
    (cpa(amounts=()), "amounts", "bad_cpa", "write one"),
    (
        cpa(amounts=(CpaAmount(amount=D(1)), CpaAmount(amount=D(2)))),
        "amounts 1",
        "ambiguous_amount",
        "keep one",
    ),
    (
        cpa(amounts=(CpaAmount(amount=D(1), min_deposit=D(-1)),)),
        "amounts 0 min_deposit",
        "bad_cpa",
        "0 or more",
    ),
    (cpa(min_lots=D(-1)), "min_lots", "bad_cpa", "0 or more"),
    (cpa(clawback_days=-1), "clawback_days", "bad_cpa", "0 or more"),
    (cpa(ftd_window_hours=0), "ftd_window_hours", "bad_cpa", "1 or more"),
    (cpa(qualification_days=0), "qualification_days", "bad_cpa", "1 or more"),
    (cpa(countries=("Cyprus",)), "countries", "bad_country", "'Cyprus'"),
    (
        Cpl(name="x", amounts=(CpaAmount(amount=D(5)),), min_ftd_rate=D(6)),
        "min_ftd_rate",
        "share_above_one",
        "6 % as 0.06",
    ),
    (
        Cpl(name="x", amounts=(CpaAmount(amount=D(5), min_deposit=D(9)),)),
        "amounts 0 min_deposit",
        "bad_cpa",
        "before any deposit",
    ),
    (DepositShare(name="x", share=D(5)), "share", "share_above_one", "5 % as 0.05"),
    (DepositShare(name="x", share=D("0.1"), max_amount=D(0)), "max_amount", "bad_cap", "above 0"),
    (
        DepositShare(name="x", share=D("0.1"), max_amount=D(9), of="net"),
        "max_amount",
        "bad_cap",
        "leave it out",
    ),
    (
        CohortBonus(name="x", amount=D(0), clients=3, min_lots=D(20)),
        "amount",
        "bad_cohort",
        "must be above 0",
    ),
    (CohortBonus(name="x", amount=D(9), clients=0, min_lots=D(20)), "clients", "bad_cohort", "above 0"),
]


FIRST_LEG: list[Case] = [
    (
        lot(close_by="first_leg", when=When(min_holding_s=60)),
        "close_by",
        "condition_needs_each_leg",
        "write close_by: each_leg",
    ),
    (
        cpa(tiers=Tiers(by="count", bands=(Band(start=D(3), rates=rates("1")),))),
        "tiers bands 0 rates",
        "bad_tiers",
        "write a factor",
    ),
]


@pytest.mark.parametrize(
    ("component", "path", "code", "text"),
    [*RATES, *SPREADS, *CONDITIONS, *TIERS, *OVERRIDES, *CLIENTS, *FIRST_LEG],
)
def test_a_component_that_would_pay_wrongly_is_an_error(
    component: Component, path: str, code: str, text: str
) -> None:
    """One mistake is one finding at its own place that says what to do."""
    subject = ("plan", "p", "1", "component", "x", *path.split(" "))
    found = [problem for problem in check(plan(component)) if problem.severity == "error"]
    assert [(p.subject, p.code, text in p.text) for p in found] == [(subject, code, True)], found


@pytest.mark.parametrize(
    "component",
    [
        lot(rates=(rate("1"), rate("2", country="CY"), rate("3", country="GR"))),
        lot(rates=(rate("1"), rate("2", country="CY"), rate("3", country="CY", since=on(9)))),
        lot(rates=(rate("1", until=on(9)), rate("2", since=on(9)))),
        lot(rates=(rate("1"), rate("2", client="c1"), rate("3", login="live/1"), rate("4", group="r*"))),
        lot(rates=(rate("1"), rate("2", group="real*"), rate("3", group="real\\ecn*"))),
        lot(rates=rates("1", EURUSD="2", **{"class:metal": "3"})),
        lot(override=Override(mode="absolute")),
        lot(tiers=tiers(Band(start=D(5), factor=D("1.5")), mode="level", lookback_periods=3, step=1)),
        cpa(amounts=(CpaAmount(amount=D(1)), CpaAmount(amount=D(2), country="CY"))),
        cpa(tiers=Tiers(by="count", bands=(Band(start=D(5), factor=D(2)),))),
        spread(average_pips=(rate("1.2"), rate("20", "XAUUSD"))),
    ],
)
def test_a_sound_component_has_no_problem(component: Component) -> None:
    """Rates told apart by country, period, client, login, group or symbol stand side by side."""
    assert check(plan(component)) == ()


WARNINGS: list[Case] = [
    (lot(rates=rates("1", EURUSD="2", **{"EUR*": "3"})), "rates EUR*", "unreachable_rate", "never counts"),
    (
        lot(rates=(rate("1"), rate("2", until=on(9)), rate("3", since=on(9)))),
        "rates *",
        "unreachable_rate",
        "other rates cover",
    ),
    (lot(rates=(rate("1"), rate("1"))), "rates *#2", "unreachable_rate", "leave it out"),
    (lot(entry="both", when=When(min_holding_s=60)), "entry", "condition_needs_out", "on opening"),
    (
        Rebate(name="x", rates=rates(), override=Override(mode="split", shares=(D(1),))),
        "override",
        "idle_override",
        "goes to the client",
    ),
]


@pytest.mark.parametrize(("component", "path", "code", "text"), WARNINGS)
def test_a_component_that_may_be_meant_is_a_warning(
    component: Component, path: str, code: str, text: str
) -> None:
    """What pays nothing wrong, but likely not what was thought, is told without stopping."""
    subject = ("plan", "p", "1", "component", "x", *path.split(" "))
    found = [problem for problem in check(plan(component)) if problem.severity == "warning"]
    assert [(p.subject, p.code) for p in found] == [(subject, code)], found
    assert text in found[0].text


def test_a_spread_without_an_average_is_told() -> None:
    """The average may come from the symbol or the component; a table that lacks one cannot pay."""
    bare = replace(EURUSD, average_pips=None)
    place = ("plan", "p", "1", "component", "x", "average_pips")
    for basis, severity in (("execution", "warning"), ("table", "error")):
        found = check_terms((bare, plan(spread(basis=basis))))
        assert [(p.subject, p.code, p.severity) for p in found] == [(place, "no_average_spread", severity)]
        assert check_terms((bare, plan(spread(basis=basis, average_pips=rates("1"))))) == ()


def test_points_need_digits() -> None:
    """A point is 10^-digits: without them a component in points has no amount."""
    bare = replace(EURUSD, digits=None)
    found = check_terms((bare, plan(Pips(name="x", rates=rates(), unit="point"))))
    assert [(p.subject[-1], p.code) for p in found] == [("unit", "missing_digits")]
    assert "EURUSD has no digits" in found[0].text
    assert check_terms((bare, plan(Pips(name="x", rates=rates())))) == ()


@pytest.mark.parametrize(
    ("said", "key", "code"),
    [
        ({"tick_size": D("0.01")}, "tick_size", "incomplete_tick"),
        ({"tick_value": D(1)}, "tick_value", "incomplete_tick"),
        ({"tick_size": D(0), "tick_value": D(1)}, "tick_size", "bad_size"),
        ({"average_pips": D(0)}, "average_pips", "bad_size"),
        ({"digits": 13}, "digits", "bad_size"),
        ({"base_currency": "Euro"}, "base", "bad_currency"),
    ],
)
def test_what_a_symbol_may_also_say_is_checked(said: dict[str, Any], key: str, code: str) -> None:
    """Ticks come in pairs, sizes are above 0, the base is a currency."""
    found = check_terms((replace(EURUSD, **said),))
    assert [(p.subject, p.code) for p in found] == [(("symbol", "live", "EURUSD", key), code)]


@pytest.mark.parametrize(
    ("said", "path", "code"),
    [
        ({"components": ()}, "components", "no_components"),
        ({"version": 0}, "version", "bad_plan"),
        ({"hold_days": -1}, "hold_days", "bad_plan"),
        ({"min_payout": D(-1)}, "min_payout", "bad_plan"),
        ({"clawback": Clawback(window_days=-1)}, "clawback window_days", "bad_plan"),
        ({"budget": Budget(share=D(60))}, "budget", "bad_budget"),
        ({"budget": Budget(share=D(1), revenue=())}, "budget", "bad_budget"),
        ({"when": When(countries=("Cyprus",))}, "when countries", "bad_country"),
        ({"lot_factors": (LotFactor(factor=D(-1)),)}, "lot_factors *", "bad_factor"),
        ({"lot_factors": (LotFactor(factor=D(1), match="XAG*"),)}, "lot_factors XAG*", "unknown_symbol"),
        (
            {"lot_factors": (LotFactor(factor=D(1)), LotFactor(factor=D(2)))},
            "lot_factors *#2",
            "ambiguous_rate",
        ),
        ({"hold_days": 200}, "clawback", "clawback_shorter_than_hold"),
    ],
)
def test_a_plan_that_would_pay_wrongly_is_an_error(said: dict[str, Any], path: str, code: str) -> None:
    """Counts, budget, conditions and lot factors of a plan have bounds."""
    found = [p for p in check(plan(**said)) if p.severity == "error"]
    place = ("plan", "p", str(said.get("version", 1)), *path.split(" "))
    assert (place, code) in [(p.subject, p.code) for p in found], found


def test_a_clawback_that_nothing_uses_may_be_short() -> None:
    """With every scope `none` the window means nothing."""
    nothing = Clawback(window_days=0, chargeback="none", refund="none", deposit_reversal="none", fraud="none")
    assert check(plan(hold_days=30, clawback=nothing)) == ()


def test_a_cpa_is_taken_back_at_least_as_long_as_it_is_held() -> None:
    """A CPA still on hold that can no longer be taken back would be paid for nothing."""
    found = check(plan(cpa(clawback_days=20), hold_days=30))
    assert [(p.subject[-1], p.code) for p in found] == [("clawback_days", "clawback_shorter_than_hold")]


def test_symbols_that_nothing_pays_for_are_one_warning() -> None:
    """They are named once for a plan; a plan without components for deals is silent."""
    found = check(plan(lot(rates=(rate("1", "class:forex"),))))
    assert [(p.subject, p.code, p.severity) for p in found] == [
        (("plan", "p", "1"), "uncovered_symbol", "warning")
    ]
    assert "in XAUUSD;" in found[0].text
    assert check(plan(cpa())) == ()


# Partners and uplines


def test_statuses_run_forward_and_factors_are_positive() -> None:
    """As parents and plans do; a factor of 0 would switch a plan off without saying so."""
    statuses = (StatusChange(status="suspended", since=on(9)), StatusChange(status="active"))
    found = check(plan(), ib("a", statuses=statuses))
    assert [(p.subject, p.code) for p in found] == [(("partner", "a", "status", "1"), "not_increasing")]
    held = (PlanAssignment(plan_id="p", factor=D(0)),)
    found = check(plan(), ib("a", schedule=held))
    assert [(p.subject, p.code) for p in found] == [(("partner", "a", "plan", "0", "factor"), "bad_factor")]


def test_different_modes_along_an_upline_are_one_warning() -> None:
    """The lowest IB's mode decides; a pair of plans is told once, however many IBs hold it."""
    above = plan(lot(rates=rates("9"), override=Override(mode="split", shares=(D(1),))), plan_id="q")
    found = check(plan(), above, ib("top", plan_id="q"), ib("a", parent="top"), ib("b", parent="top"))
    assert [(p.subject, p.code, p.severity) for p in found] == [
        (("partner", "a", "parent"), "override_modes_differ", "warning")
    ]
    assert "difference in p, split in q" in found[0].text


def test_a_rank_that_the_lowest_plan_does_not_list_is_a_warning() -> None:
    """Such an IB takes nothing; one without a rank likewise."""
    ranks = (RankRates(rank="bronze", rates=rates()), RankRates(rank="gold", rates=rates()))
    ranked = plan(lot(override=Override(mode="rank", ranks=ranks)))
    found = check(ranked, ib("top", rank="platinum"), ib("a", parent="top", rank="bronze"))
    assert [(p.subject, p.code) for p in found] == [(("partner", "top", "plan"), "unknown_rank")]
    assert "use one of bronze, gold" in found[0].text
    assert codes(check(ranked, ib("a"))) == ["unknown_rank"]


def test_rebates_are_not_compared_along_an_upline() -> None:
    """A rebate is the direct IB's alone: that the one above gives back less means nothing."""
    low, high = (
        plan(lot(rates=rates(paid)), Rebate(name="back", rates=rates(given)), plan_id=plan_id)
        for plan_id, paid, given in (("p", "5", "2"), ("q", "7", "1"))
    )
    assert check(low, high, ib("top", plan_id="q"), ib("a", parent="top")) == ()


# Budgets


def budgeted(*components: Component, share: str = "0.5", **said: Any) -> PlanDefined:
    return plan(*components, budget=Budget(share=D(share), revenue=("spread",)), **said)


def test_a_budget_that_the_worst_upline_exceeds_is_an_error() -> None:
    """1.2 pips of EURUSD are 12 USD a lot; 50 % are 6, and 5 + 2 more are 7."""
    above = plan(lot(rates=rates("7")), plan_id="q")
    low = budgeted(lot(rates=rates("5")))
    assert check(low, above, ib("a")) == ()
    found = check(low, above, ib("top", plan_id="q"), ib("a", parent="top"))
    assert [(p.subject, p.code, p.severity) for p in found] == [
        (("plan", "p", "1", "budget"), "budget_exceeded", "error")
    ]
    assert "one lot of EURUSD pays 7.00 USD to a → top" in found[0].text
    assert "0.5 of its spread, 6.00 USD" in found[0].text


@pytest.mark.parametrize(
    ("component", "share", "exceeds"),
    [
        (lot(rates=rates("6")), "0.5", ""),
        (lot(rates=rates("6.01")), "0.5", "exceeds"),
        (lot(rates=(rate("6"), rate("9", client="vip"))), "0.5", "exceeds"),
        (lot(rates=rates("9"), caps=Caps(per_deal=D(6))), "0.5", ""),
        (lot(rates=rates("5"), tiers=tiers(band("100", "7"))), "0.5", "exceeds"),
        (lot(rates=rates("5"), tiers=tiers(Band(start=D(100), factor=D("1.3")))), "0.5", "exceeds"),
        (spread(rates=rates("0.5")), "0.5", ""),
        (spread(rates=rates("0.51")), "0.5", "exceeds"),
        (spread(rates=rates("0.5"), plus_pips=D("0.1")), "0.5", "exceeds"),
        (spread(rates=rates("1"), cap_pips=D("0.6")), "0.5", ""),
        (spread(rates=rates("1"), basis="markup", markup_pips=rates("0.6")), "0.5", ""),
        (Pips(name="x", rates=rates("0.6")), "0.5", ""),
        (Pips(name="x", rates=rates("0.61")), "0.5", "exceeds"),
        (Pips(name="x", rates=rates("6"), unit="point"), "0.5", ""),
        (Pips(name="x", rates=rates("6.1"), unit="point"), "0.5", "exceeds"),
        (lot(rates=rates("5"), override=Override(mode="absolute", levels=(rates("1"),))), "0.5", ""),
        (lot(rates=rates("5"), override=Override(mode="absolute", levels=(rates("2"),))), "0.5", "exceeds"),
        (lot(rates=rates("6"), override=Override(mode="cascade", pass_up=(D(1),))), "0.5", ""),
        (lot(rates=rates("7"), override=Override(mode="split", shares=(D(1),))), "0.5", "exceeds"),
    ],
)
def test_the_worst_case_of_a_lot_follows_the_components(
    component: Component, share: str, exceeds: str
) -> None:
    """On EURUSD, for an IB and its master on the same plan: 12 USD of spread, half of it the budget."""
    found = check_terms((EURUSD, budgeted(component, share=share), ib("top"), ib("a", parent="top")))
    assert ("budget_exceeded" in codes(found)) == bool(exceeds), found


def test_ranks_count_up_to_the_highest_present() -> None:
    """Bronze 5 and gold 2 cost 7, but only where someone is gold."""
    ranks = (RankRates(rank="bronze", rates=rates("5")), RankRates(rank="gold", rates=rates("2")))
    ranked = budgeted(lot(rates=(), override=Override(mode="rank", ranks=ranks)))
    assert check(ranked, ib("a", rank="bronze")) == ()
    assert codes(check(ranked, ib("top", rank="gold"), ib("a", parent="top", rank="bronze"))) == [
        "budget_exceeded"
    ]


def test_a_budget_of_more_than_spread_is_only_warned_of() -> None:
    """What the client is charged is known deal by deal, and may pay for it."""
    found = check(plan(lot(rates=rates("9")), budget=Budget(share=D("0.5"))), ib("a"))
    assert [(p.code, p.severity) for p in found] == [("budget_exceeded", "warning")]
    of_swap = Budget(share=D("0.5"), revenue=("swap",))
    assert check(plan(lot(rates=rates("9")), budget=of_swap), ib("a")) == ()


def test_a_budget_in_another_currency_is_converted() -> None:
    """12 USD of spread are 10 EUR at 1.2: half of it is 5. Without a rate nothing can be said."""
    euros = budgeted(lot(rates=rates("5.5")), currency="EUR")
    partner = ib("a", currency="EUR")
    usual = RatePublished(base="EUR", quote="USD", rate=D("1.2"), as_of=on(9))
    found = check(euros, partner, usual)
    assert [p.text[:38] for p in found] == ["one lot of EURUSD pays 5.50 EUR to a, "]
    assert "budget_exceeded" not in codes(check(euros, partner))


@pytest.mark.parametrize(("pay", "exceeds"), [("12.5", False), ("12.51", True)])
def test_the_spread_of_a_future_is_counted_in_ticks(pay: str, exceeds: bool) -> None:  # noqa: FBT001 # a table
    """2 pips of 0.25 are 0.5, 2 ticks of 12.50 = 25 USD a contract; half of it may be paid.

    The server's contract is a tenth of the standard one: of the same tick value, 10 of them make 250 USD.
    """
    said: dict[str, Any] = {"asset_class": "future", "pip": D("0.25"), "average_pips": D(2)}
    size: dict[str, Any] = {"contract_size": D(50), "standard_contract_size": D(50)}
    future = symbol("ES", tick_size=D("0.25"), tick_value=D("12.5"), **said, **size)
    low = budgeted(lot(rates=(rate(pay),)))
    assert ("budget_exceeded" in codes(check_terms((future, low, ib("a"))))) == exceeds
    small = replace(future, contract_size=D(5))
    tenfold = budgeted(lot(rates=(rate(str(10 * D(pay))),)))
    assert ("budget_exceeded" in codes(check_terms((small, tenfold, ib("a"))))) == exceeds


def test_of_an_upline_that_cannot_be_converted_nothing_is_said() -> None:
    """5 USD of the 6 allowed; above it 8 EUR, at 1.25 10 USD, so 5 more. Without a rate nobody knows."""
    low, above = budgeted(lot(rates=rates("5"))), plan(lot(rates=rates("8")), plan_id="q", currency="EUR")
    ibs = (ib("top", plan_id="q", currency="EUR"), ib("a", parent="top"))
    assert "budget_exceeded" not in codes(check(low, above, *ibs))
    usual = RatePublished(base="EUR", quote="USD", rate=D("1.25"), as_of=on(9))
    found = [p.text for p in check(low, above, *ibs, usual) if p.code == "budget_exceeded"]
    assert [text[:48] for text in found] == ["one lot of EURUSD pays 10.00 USD to a → top, but"]


def test_an_ib_without_a_plan_costs_nothing() -> None:
    """6 of the 6 allowed, and nothing above; 6.01 exceed it whoever is there."""
    top = ib("top", schedule=())
    assert check(budgeted(lot(rates=rates("6"))), top, ib("a", parent="top")) == ()
    found = check(budgeted(lot(rates=rates("6.01"))), top, ib("a", parent="top"))
    assert codes(found) == ["budget_exceeded"]


def test_a_terminated_ib_costs_nothing() -> None:
    """From its end on the chain is shorter, but the time before still counts."""
    above = plan(lot(rates=rates("7")), plan_id="q")
    gone = (StatusChange(status="terminated"),)
    chain = (ib("top", plan_id="q", statuses=gone), ib("a", parent="top"))
    assert check(budgeted(lot(rates=rates("5"))), above, *chain) == ()
    later = replace(chain[0], statuses=(StatusChange(status="terminated", since=on(10)),))
    assert codes(check(budgeted(lot(rates=rates("5"))), above, later, chain[1])) == ["budget_exceeded"]


def test_a_class_without_its_prefix_is_told() -> None:
    """`forex` is no symbol; `class:forex` is what is meant."""
    (found,) = check(plan(lot(rates=(rate("1"), rate("2", "forex")))))
    assert found.code == "unknown_symbol"
    assert "did you mean class:forex?" in found.text
