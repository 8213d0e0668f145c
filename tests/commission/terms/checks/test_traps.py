"""Traps: each is shown with its worst case in money, worked out here by hand, and can be accepted by name."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from commission.terms.checks.check import check_terms
from commission.terms.checks.published import TermsProblem
from commission.terms.checks.traps import TRAPS
from commission.terms.components import (
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
    Turnover,
)
from commission.terms.partners import PlanAssignment
from commission.terms.plans import Accepted, PlanDefined
from commission.terms.rates import Band, LotFactor, Override, Tiers, When
from commission.terms.records import TermsRecord
from tests.commission.terms.checks.plan_parts import EURUSD, SYMBOLS, D, band, ib, lot, on, plan, rate, rates

GOLD = lot(name="gold", rates=(rate("10", "XAUUSD"),))
ALL = lot(name="all", rates=rates("5"))


def traps(*records: TermsRecord) -> list[TermsProblem]:
    """The traps of the records, on EURUSD and XAUUSD; nothing else may be an error."""
    found = check_terms((*SYMBOLS, *records))
    assert [p for p in found if p.severity == "error"] == []
    return [p for p in found if p.severity == "trap"]


def told(found: Iterable[TermsProblem]) -> list[tuple[str, str]]:
    return [(problem.code, " ".join(problem.subject)) for problem in found]


def slab(*bands: Band, by: str = "lots", mode: str = "slab") -> Tiers:
    return Tiers(by=by, bands=bands, mode=mode)  # type: ignore[arg-type] # words of the parameters


# Overlaps


def test_two_components_of_a_kind_on_one_symbol_add_up() -> None:
    """Gold is paid 5 as any symbol and 10 as gold: 15 in all, where 10 were meant."""
    (found,) = traps(plan(ALL, GOLD))
    assert (found.code, found.subject) == ("overlap", ("plan", "p", "1", "component", "gold"))
    assert "1 lot of XAUUSD pays 15.00 USD: 5.00 USD by all and 10.00 USD by gold;" in found.text
    assert "accept: [{trap: overlap, because: …}] in p" in found.text


def test_more_symbols_are_counted_behind_the_worst() -> None:
    """5 + 3 on each of two symbols: one is told, the other counted."""
    (found,) = traps(plan(ALL, lot(name="more", rates=rates("3"))))
    assert "pays 8.00 USD: 5.00 USD by all and 3.00 USD by more, and 1 more symbols" in found.text


def test_shares_of_one_base_add_up_too() -> None:
    """30 % and 20 % of a spread of 1.2 pips, 12 USD a lot: 3.60 + 2.40 = 6.00 USD; of gold's 25 USD 12.50."""
    one, other = (SpreadShare(name=n, rates=rates(v)) for n, v in (("a", "0.3"), ("b", "0.2")))
    (found,) = traps(plan(one, other))
    assert "pays 6.00 USD: 3.60 USD by a and 2.40 USD by b" in found.text
    bare = replace(EURUSD, average_pips=None)
    text = next(p.text for p in check_terms((bare, plan(one, other))) if p.code == "overlap")
    assert text.startswith("a deal in EURUSD is paid 0.5 by spread_share: 0.3 by a and 0.2 by b;")
    shares = (CommissionShare(name=n, rates=rates("0.5")) for n in "ab")
    (found,) = traps(plan(*shares))
    assert "is paid 1 by commission_share: 0.5 by a and 0.5 by b" in found.text


APART: list[tuple[Component, Component]] = [
    (ALL, replace(GOLD, entry="in")),
    (ALL, Pips(name="x", rates=rates("0.1"))),
    (replace(ALL, rates=(rate("5", "EURUSD"),)), GOLD),
    (replace(ALL, rates=(rate("5"), rate("0", "XAUUSD"))), GOLD),
    (replace(ALL, when=When(result="loss")), replace(GOLD, when=When(result="profit"))),
    (replace(ALL, when=When(sides=("buy",))), replace(GOLD, when=When(sides=("sell",)))),
    (replace(ALL, when=When(reasons=("client",))), replace(GOLD, when=When(reasons=("expert",)))),
    (replace(ALL, when=When(channels=("web",))), replace(GOLD, when=When(channels=("mail",)))),
    (replace(ALL, when=When(countries=("DE",))), replace(GOLD, when=When(countries=("GB",)))),
    (replace(ALL, when=When(countries=("DE",))), replace(GOLD, when=When(countries_not=("DE", "AT")))),
    (replace(ALL, when=When(groups=("std*",))), replace(GOLD, when=When(groups=("pro*",)))),
    (replace(ALL, rates=(rate("5", group="std*"),)), replace(GOLD, rates=(rate("10", group="pro"),))),
    (replace(ALL, rates=(rate("5", country="DE"),)), replace(GOLD, rates=(rate("10", country="GB"),))),
    (replace(ALL, rates=(rate("5", client="c1"),)), replace(GOLD, rates=(rate("10", client="c2"),))),
    (replace(ALL, rates=(rate("5", until=on(10)),)), replace(GOLD, rates=(rate("10", since=on(10)),))),
    (Rebate(name="a", rates=rates("1")), Rebate(name="b", rates=rates("0.5"), unit="share")),
    (
        RevenueShare(name="a", rates=rates("0.3"), terms=("spread",)),
        RevenueShare(name="b", rates=rates("0.3"), terms=("swap",)),
    ),
]


@pytest.mark.parametrize(("one", "other"), APART)
def test_what_never_meets_one_deal_is_no_overlap(one: Component, other: Component) -> None:
    """Sides, conditions, groups, countries, clients, times and bases that keep two components apart."""
    assert "overlap" not in [p.code for p in check_terms((*SYMBOLS, plan(one, other)))]


@pytest.mark.parametrize(
    "groups", [("real*", "real\\std*"), ("real\\std", "real\\*"), ("real\\std", "real\\std")]
)
def test_groups_that_share_accounts_overlap(groups: tuple[str, str]) -> None:
    """A prefix holds what begins with it; both ways round."""
    one, other = (
        lot(name=name, when=When(groups=(group,))) for name, group in zip("ab", groups, strict=True)
    )
    assert told(traps(plan(one, other))) == [("overlap", "plan p 1 component b")]


# Factors


def test_factors_that_look_like_percentages() -> None:
    """5 USD a lot: at 40 times 200, at 125 times 625, at 37 times 185; 40 % is 0.4."""
    found = traps(
        plan(
            lot(name="lots", rates=rates("5"), tiers=slab(Band(start=D(10), factor=D(125)))),
            lot_factors=(LotFactor(factor=D(40), group="micro*"), LotFactor(factor=D("0.1"))),
        ),
        ib("a", schedule=(PlanAssignment(plan_id="p", factor=D(37)),)),
    )
    assert told(found) == [
        ("percent_factor", "plan p 1 lot_factors *"),
        ("percent_factor", "plan p 1 component lots tiers bands 0 factor"),
        ("percent_factor", "partner a plan 0 factor"),
    ]
    lots, bands, partner = (p.text for p in found)
    assert (
        "group micro* is 40: 1 lot counts as 40 and pays 200.00 USD by lots in EURUSD, not 5.00 USD" in lots
    )
    assert "write 0.4 for 40 %" in lots
    # Every account counts 0.1 lots for a lot where no group says otherwise: 0.50 USD.
    assert "1 lot of EURUSD pays 62.50 USD there, 125 times 0.50 USD; write 1.25 for 125 %" in bands
    assert "a gets 37 times what p pays: 1 lot of EURUSD pays 18.50 USD, not 0.50 USD" in partner


def test_factors_of_what_has_no_price_are_told_without_money() -> None:
    """A CPA's band and a plan that pays by shares alone: what a lot pays is not known."""
    tiered = Cpa(
        name="cpa",
        amounts=(CpaAmount(amount=D(100), min_deposit=D(50)),),
        tiers=slab(Band(start=D(3), factor=D(150)), by="count"),
    )
    swaps = CommissionShare(name="x", rates=rates("0.5"))
    found = traps(
        plan(tiered, swaps, lot_factors=(LotFactor(factor=D(50), match="XAUUSD"),)),
        ib("a", schedule=(PlanAssignment(plan_id="p", factor=D(25)), PlanAssignment(since=on(9)))),
    )
    assert [p.text.split(";")[0] for p in found] == [
        "the lot factor for XAUUSD is 50: 1 lot counts as 50",
        "the factor of the band from 3 is 150 and multiplies what cpa pays",
        "a gets 25 times what p pays",
    ]


@pytest.mark.parametrize("factor", ["0.4", "1", "2.5", "9.9"])
def test_sound_factors_are_no_trap(factor: str) -> None:
    """Below ten a factor is what it says."""
    held = (PlanAssignment(plan_id="p", factor=D(factor)),)
    assert traps(plan(lot_factors=(LotFactor(factor=D(factor)),)), ib("a", schedule=held)) == []


# Sides and units


def test_a_rate_on_both_sides_is_told_with_its_round_turn() -> None:
    """7 USD at opening and 7 at closing are 14."""
    (found,) = traps(plan(lot(name="lots", entry="both", rates=rates("7"))))
    assert (found.code, found.subject[-1]) == ("both_sides", "entry")
    assert "1 lot of EURUSD opened and closed pays 14.00 USD, 7.00 USD each time; if 7 is" in found.text
    assert traps(plan(lot(entry="both", rates=rates("0")))) == []


def test_rates_in_another_unit_stand_out_against_the_spread() -> None:
    """15 pips of EURUSD are 150 USD a lot, its spread of 1.2 pips earns 12; 700 are cents."""
    (found,) = traps(plan(Pips(name="pips", rates=(rate("15", "EURUSD"),))))
    assert "1 lot of EURUSD pays 150.00 USD by pips, and its usual spread earns 12.00 USD" in found.text
    assert "15 is in points or pips" in found.text
    (found,) = traps(plan(lot(name="lots", rates=(rate("700", "EURUSD"),))))
    assert "700 is in lots and not cents" in found.text
    bare = replace(EURUSD, average_pips=None)
    # 10 pips at most are taken for a pair that names none: 100 USD a lot.
    assert "earns 100.00 USD" in next(
        p.text
        for p in check_terms((bare, plan(Pips(name="p", rates=rates("15")))))
        if p.code == "above_spread"
    )
    assert traps(plan(Pips(name="pips", rates=(rate("1", "EURUSD"),)))) == []
    unknown = replace(bare, asset_class="index")
    assert check_terms((unknown, plan(Pips(name="p", rates=rates("15"))))) == ()


def test_turnover_in_the_wrong_unit() -> None:
    """22 basis points of 100,000 are 220 USD; 22 a million are 2.20."""
    (found,) = traps(plan(Turnover(name="t", unit="bps", rates=rates("22"))))
    assert "a turnover of 100,000 USD in EURUSD pays 220.00 USD by t; look whether 22 is by bps" in found.text
    assert traps(plan(Turnover(name="t", rates=rates("22")))) == []
    (found,) = traps(plan(Turnover(name="t", rates=rates("2200"))))
    assert "pays 220.00 USD by t; look whether 2200 is by million" in found.text


# Bands


def test_a_band_one_below_a_round_number() -> None:
    """99 lots at 3 are 297, where 99 at 5 are 495: "less than 100" ends below 100."""
    bands = (band("99", "3"), band("999", "1"))
    found = traps(plan(lot(rates=rates("5"), tiers=slab(*bands))))
    assert told(found) == [
        ("band_edge", "plan p 1 component x tiers bands 0 start"),
        ("band_edge", "plan p 1 component x tiers bands 1 start"),
    ]
    assert "99 lots of EURUSD pay 297.00 USD, not 495.00 USD; if it begins at 100" in found[0].text
    assert "999 lots of EURUSD pay 999.00 USD, not 2997.00 USD" in found[1].text
    assert traps(plan(lot(tiers=slab(*bands, mode="graduated")))) == []
    (by_count, _) = traps(plan(lot(tiers=slab(*bands, by="count"))))
    assert by_count.text.startswith("the band from 99 counts 99 deals too; if it begins at 100")


def test_a_round_band_is_a_note() -> None:
    """From 50 on: exactly 50 lots at 6 are 300, at 5 they would be 250; by factor 1.2 as much."""
    for one in (band("50", "6"), Band(start=D(50), factor=D("1.2"))):
        found = check_terms((*SYMBOLS, plan(lot(rates=rates("5"), tiers=slab(one)))))
        assert [p.severity for p in found] == ["note"]
        text = "the band from 50 includes 50 lots: 50 lots of EURUSD pay 300.00 USD, not 250.00 USD"
        assert found[0].text == text
    assert check_terms((*SYMBOLS, plan(lot(rates=rates("0"), tiers=slab(band("50", "0")))))) == ()


@pytest.mark.parametrize(("entry", "says"), [("in", "opening deals; what"), ("out", "closing deals; what")])
def test_a_share_of_commission_says_which_it_shares(entry: str, says: str) -> None:
    """What is charged on the other side is left out, and the note says so; `both` has nothing left out."""
    share = CommissionShare(name="c", rates=rates("0.5"), entry=entry)  # type: ignore[arg-type] # its words
    (found,) = check_terms((*SYMBOLS, plan(share)))
    assert (found.severity, says in found.text) == ("note", True)
    (found,) = check_terms((*SYMBOLS, plan(replace(share, entry="both"))))
    assert found.text == "c shares the commission of opening and closing deals"


# Clients and rebates


def test_a_cpa_that_asks_for_nothing() -> None:
    """One cent deposited earns 400; any condition ends that."""
    free = Cpa(name="cpa", amounts=(CpaAmount(amount=D(400)),))
    (found,) = traps(plan(free))
    assert "a client who deposits 0.01 USD earns 400.00 USD" in found.text
    assert traps(plan(replace(free, min_lots=D(1)))) == []
    assert traps(plan(replace(free, amounts=(CpaAmount(amount=D(400), min_deposit=D(100)),)))) == []


def test_a_rebate_above_what_the_ib_earns() -> None:
    """8 given back of 5 earned; with funded_by broker, or other components, it is no trap."""
    back = Rebate(name="back", funded_by="ib", rates=rates("8"))
    (found,) = traps(plan(ALL, back))
    assert "back gives back 8.00 USD of 1 lot of EURUSD, and the IB earns 5.00 USD" in found.text
    assert traps(plan(ALL, replace(back, funded_by="broker"))) == []
    assert traps(plan(ALL, replace(back, rates=rates("5")))) == []
    assert traps(plan(ALL, back, CommissionShare(name="c", rates=rates("0.5")))) == []


# Along an upline


def test_cpa_of_two_names_are_both_paid() -> None:
    """300 by one name below and 400 by another above: 700 for a client who should cost 400."""
    low, high = cpa_plans("cpa", "cpa-master")
    (found,) = traps(low, high, ib("top", plan_id="gold"), ib("sub", parent="top"))
    assert (found.code, found.plans) == ("cpa_names", ("p", "gold"))
    assert found.subject == ("plan", "gold", "1", "component", "cpa-master")
    assert "one client of sub may cost 700.00 USD: 300.00 USD by cpa of p and 400.00 USD by" in found.text
    assert "400.00 USD in all" in found.text
    assert traps(*cpa_plans("cpa", "cpa"), ib("top", plan_id="gold"), ib("sub", parent="top")) == []


def test_cpa_of_two_currencies_are_not_added_up() -> None:
    """300 USD and 400 EUR are told side by side."""
    low, high = cpa_plans("cpa", "cpa-master")
    found = check_terms(
        (*SYMBOLS, low, replace(high, currency="EUR"), ib("top", plan_id="gold"), ib("sub", parent="top"))
    )
    text = next(p.text for p in found if p.code == "cpa_names")
    assert "may cost 300.00 USD and 400.00 EUR: " in text


@pytest.mark.parametrize(
    ("below", "above"),
    [
        ({"countries": ("DE",)}, {"countries": ("GB",)}),
        ({"countries": ("DE",)}, {"countries_not": ("DE",)}),
        ({"channels": ("web",)}, {"channels": ("mail",)}),
    ],
)
def test_cpa_for_other_clients_are_no_trap(
    below: dict[str, tuple[str, ...]], above: dict[str, tuple[str, ...]]
) -> None:
    """Countries and channels that no client shares."""
    low, high = cpa_plans("cpa", "cpa-master")
    apart = [
        replace(one, components=tuple(replace(c, **said) for c in one.components if isinstance(c, Cpa)))
        for one, said in ((low, below), (high, above))
    ]
    assert traps(*apart, ib("top", plan_id="gold"), ib("sub", parent="top")) == []


def test_a_cpl_is_overridden_by_its_name_too() -> None:
    """5 and 8 a lead under two names are 13; the plan above may also pay what the one below does not."""
    low, high = (
        plan(Cpl(name=name, amounts=(CpaAmount(amount=D(amount)),)), plan_id=plan_id)
        for plan_id, name, amount in (("p", "lead", "5"), ("gold", "leads", "8"))
    )
    upline = (ib("top", plan_id="gold"), ib("sub", parent="top"))
    (found,) = traps(low, high, *upline)
    assert ("cpl_names", True) == (found.code, "may cost 13.00 USD" in found.text)
    deposits = plan(DepositShare(name="d", share=D("0.01")))
    assert traps(deposits, high, *upline) == []


def test_tiers_below_an_override_come_on_top() -> None:
    """5 and an override of 2 make 7; the band at 6.5 adds 1.5 to the sub-IB: 8.50, and gold pays 7."""
    low = plan(lot(rates=rates("5"), tiers=slab(band("10", "6.5"))))
    high = plan(lot(rates=rates("7")), plan_id="gold")
    (found,) = traps(low, high, ib("top", plan_id="gold"), ib("sub", parent="top"), ib("two", parent="top"))
    assert (found.code, found.plans) == ("tiers_below", ("p", "gold"))
    assert (
        "1 lot of EURUSD pays 8.50 USD to both at the best band, and the better plan 7.00 USD" in found.text
    )
    # Without an override there is nothing to take it from.
    assert (
        traps(
            low,
            replace(high, components=(lot(rates=rates("5")),)),
            ib("top", plan_id="gold"),
            ib("sub", parent="top"),
        )
        == []
    )
    # In another currency the two are not compared.
    upline = (ib("top", plan_id="gold", currency="EUR"), ib("sub", parent="top"))
    assert "tiers_below" not in [
        p.code for p in check_terms((*SYMBOLS, low, replace(high, currency="EUR"), *upline))
    ]


def test_tiers_of_shares_below_an_override() -> None:
    """30 % and 10 % more above; a factor of 1.5 makes 45 %: 55 % of the commission, where 45 are the most."""
    tiers = slab(Band(start=D(10), factor=D("1.5")))
    low = plan(CommissionShare(name="c", rates=rates("0.3"), tiers=tiers))
    high = plan(CommissionShare(name="c", rates=rates("0.4")), plan_id="gold")
    (found,) = traps(low, high, ib("top", plan_id="gold"), ib("sub", parent="top"))
    assert "a deal in EURUSD is paid 0.55 at the best band, not 0.45" in found.text
    split = replace(high.components[0], override=Override(mode="absolute"))  # type: ignore[type-var] # of deals
    assert "tiers_below" not in [
        p.code
        for p in check_terms(
            (
                *SYMBOLS,
                low,
                replace(high, components=(split,)),
                ib("top", plan_id="gold"),
                ib("sub", parent="top"),
            )
        )
    ]


# Acceptance


def test_an_accepted_trap_is_a_warning_with_its_reason() -> None:
    """It keeps its figures, and the plan says who meant it and why."""
    accepted = (Accepted(trap="overlap", because="gold is promoted"),)
    (found,) = check_terms((*SYMBOLS, plan(ALL, GOLD, accept=accepted)))
    assert (found.code, found.severity) == ("overlap", "warning")
    assert "pays 15.00 USD" in found.text
    assert found.text.endswith("(accepted as overlap by p: gold is promoted)")


def test_either_plan_of_an_upline_may_accept() -> None:
    """The plan below or the one above: both are part of the trap."""
    upline = (ib("top", plan_id="gold"), ib("sub", parent="top"))
    low, high = cpa_plans("cpa", "cpa-master")
    accepted = (Accepted(trap="cpa_names", because="agreed"),)
    assert traps(replace(low, accept=accepted), high, *upline) == []
    assert traps(low, replace(high, accept=accepted), *upline) == []
    assert len(traps(replace(low, accept=(Accepted(trap="overlap", because="no"),)), high, *upline)) == 1


def test_what_is_accepted_must_be_there() -> None:
    """A misspelt name is an error; a trap that is gone is a warning, or it would hide the next one."""
    for name, code, severity in (("ovrlap", "unknown_trap", "error"), ("overlap", "idle_accept", "warning")):
        found = check_terms((*SYMBOLS, plan(accept=(Accepted(trap=name, because="x"),))))
        assert [(p.code, p.severity) for p in found] == [(code, severity)]
        assert found[0].subject == ("plan", "p", "1", "accept", "0")


def test_every_trap_has_a_name_in_the_list() -> None:
    """What `accept` may name is what the checks find; each is found in a test above."""
    assert set(TRAPS) == {
        *(
            "above_spread",
            "band_edge",
            "both_sides",
            "cpa_names",
            "cpa_unconditional",
            "cpl_names",
            "overlap",
        ),
        *("percent_factor", "rebate_above_earnings", "tiers_below"),
    }


def cpa_plans(below: str, above: str) -> tuple[PlanDefined, PlanDefined]:
    """300 for a client by the plan `p`, 400 by the plan `gold` above it."""
    low, high = (
        plan(
            Cpa(name=name, amounts=(CpaAmount(amount=Decimal(amount), min_deposit=D(100)),)), plan_id=plan_id
        )
        for plan_id, name, amount in (("p", below, "300"), ("gold", above, "400"))
    )
    return low, high
