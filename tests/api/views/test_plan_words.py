"""Plans in plain words: what they pay, for what, on which conditions; for every kind of component."""

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest

from api.views.plan_rates import number
from api.views.plan_words import PlanWords, plan_words
from commission.terms.components import Component, Cpa, CpaAmount, PerLot, Rebate, SpreadShare, Turnover
from commission.terms.plans import Clawback, PlanDefined
from commission.terms.rates import Band, Caps, Override, Rate, Tiers, When
from ingest.terms.plan_file import load_plan_file
from tests.build import D

EXAMPLES = Path(__file__).parents[3] / "examples" / "plans"


TAKEN_BACK = (
    "A chargeback or a deposit that is reversed takes back everything the client earned you, "
    "90 days back at most."
)


def words(*components: Component, **fields: object) -> PlanWords:
    return plan_words(PlanDefined(plan_id="p", version=1, currency="USD", components=components, **fields))


def test_rates_have_their_units() -> None:
    """7 a lot, 35 %, 25 a million, basis points: as the plan means them."""
    gold = Rate(value=D("7"), match="class:forex", country="DE")
    found = words(
        PerLot(name="lots", rates=(gold, Rate(value=D("2")))),
        SpreadShare(name="spread", rates=(Rate(value=D("0.35")),)),
        Turnover(name="turnover", rates=(Rate(value=D("25")),)),
        Turnover(name="points", unit="bps", rates=(Rate(value=D("0.5"), match="XAU*"),)),
        Rebate(name="back", rates=(Rate(value=D("1.5")),), funded_by="ib"),
    )
    assert [[tuple(one) for one in part.prices] for part in found.parts] == [
        [("all forex, clients of DE", "7 USD a lot"), ("everything else", "2 USD a lot")],
        [("everything", "35 %")],
        [("everything", "25 USD a million")],
        [("XAU*", "0.5 bps")],
        [("everything", "1.5 USD a lot")],
    ]
    assert found.parts[0].lead == "Money for each standard lot your clients close."
    assert "taken out of your money" in found.parts[4].lead


def test_conditions_tiers_caps_and_the_tree_are_said() -> None:
    band = Band(start=D("10000000"), rates=(Rate(value=D("5")),), name="gold")
    lots = PerLot(
        name="lots",
        entry="in",
        rates=(Rate(value=D("4")),),
        when=When(min_holding_s=180, charged=True, countries_not=("US",)),
        tiers=Tiers(by="notional", bands=(band,)),
        caps=Caps(per_day=D("100")),
        override=Override(mode="absolute", levels=((Rate(value=D("1")),), (Rate(value=D("0.5")),))),
    )  # fmt: skip
    (part,) = words(lots).parts
    assert part.notes == (
        "No clients of US.",
        "Only deals on which the client pays a commission.",
        "Only what was held 3 minutes or longer.",
        "From 10,000,000 USD of turnover (gold): 5 USD a lot for everything.",
        "The level a period reaches counts for the whole period.",
        "At most 100 USD a day.",
        "Of clients 1 level below your own: 1 USD a lot for everything.",
        "Of clients 2 levels below your own: 0.5 USD a lot for everything.",
        "Of clients further below: nothing.",
    )


def test_a_cpa_says_all_of_its_conditions() -> None:
    cpa = Cpa(
        name="cpa",
        amounts=(CpaAmount(amount=D("400"), country="DE", min_deposit=D("500")),),
        min_lots=D("3"), min_trades=5, qualification_days=30, business_days=True, countries=("DE", "AT"),
        clawback_days=60, net_deposits=True,
    )  # fmt: skip
    (part,) = words(cpa).parts
    assert [tuple(one) for one in part.prices] == [
        ("clients of DE, first deposits of 500 USD or more", "400 USD")
    ]
    assert part.notes == (
        "All within 30 business days of the registration; the client is verified (KYC).",
        "Deposits of the 24 hours from the first one on are added up.",
        "The client closes 3 lots or more.",
        "The client closes 5 deals or more.",
        "A deposit taken back, or a withdrawal, within 60 days takes the amount back.",
        "Only clients of DE, AT.",
    )


def test_when_money_is_due_and_what_takes_it_back() -> None:
    found = words(
        hold_days=14,
        min_payout=D("50"),
        kyc_gate=False,
        clawback=Clawback(window_days=90, chargeback="all", refund="none", deposit_reversal="all"),
    )
    assert found.when == (
        "An amount is due 14 days after its deal, on the statement of that day.",
        "When a period ends, all that is due is stated once, rounded, and is payable.",
        "Less than 50 in your currency is not paid: it is carried to the next.",
        TAKEN_BACK,
        "Fraud takes back everything of that client, and ends what it earns you.",
        "Your own trading earns you nothing.",
    )


def example_plans() -> Iterator[PlanDefined]:
    for path in sorted(EXAMPLES.glob("*.yaml")):
        yield from load_plan_file(path, UTC)[0]


def test_every_example_has_words_that_are_sentences() -> None:
    """No value of a plan shows as Python writes it, and no sentence is without its stop."""
    found = [plan_words(plan) for plan in example_plans()]
    assert len(found) > 30
    kinds = {part.kind for one in found for part in one.parts}
    assert len(kinds) >= 11
    for one in found:
        lines = [*one.when, *(note for part in one.parts for note in (part.lead, *part.notes))]
        assert [line for line in lines if not line.endswith(".") or "Decimal" in line or "None" in line] == []


@pytest.mark.parametrize(
    ("value", "shown"), [("1234567.50", "1,234,567.5"), ("0.35", "0.35"), ("-0.5", "-0.5")]
)
def test_numbers_have_separators(value: str, shown: str) -> None:
    assert number(D(value)) == shown
