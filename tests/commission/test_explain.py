"""Explanations: what a partner is told of each kind of row, word for word, and that nothing goes unnamed."""

import ast
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from commission.events import Deal, ReratingApproved
from commission.explain import words
from commission.explain.explanation import explain
from commission.explain.reasons import REASONS
from commission.outputs import Rejection, Transfer
from commission.terms.components import Cpa, CpaAmount, Rebate, RevenueShare, Turnover
from commission.terms.partners import ParentLink, PlanAssignment
from commission.terms.plans import Budget, PlanDefined
from commission.terms.rates import Band, Caps, Override, RankRates, Tiers
from infra.plans.cases import load_cases
from infra.plans.records import case_records
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from tests.build import (
    ANNA,
    SYMBOLS,
    TERMS,
    D,
    at,
    chargeback,
    deal,
    deposit,
    ended,
    exchange,
    kyc,
    linked,
    partner,
    per_lot,
    period,
    plan,
    rates,
    registered,
    reopened,
    run,
    spread,
    symbol,
)
from tests.commission.explanations import of_row, why

ROOT = Path(__file__).parent.parent.parent
NOON = {"hour": 12}


def under(*components: object, **fields: object) -> tuple[Record, ...]:
    """Terms under which ib-north earns by one plan of its own."""
    one = replace(plan("own USD", *components), **fields)  # type: ignore[arg-type]
    return (*SYMBOLS, one, partner("ib-north USD own"))


# Lots, difference


def test_lots_of_a_cent_contract_become_the_difference_of_a_master() -> None:
    """2 cent lots are 0.02 standard lots: gold 0.14 USD, silver 0.10 USD, so the master keeps 0.04 USD."""
    close = deal("7 sell 2 EURUSDc out", price=D("1.1"), **NOON)
    told = run(*ANNA, close)
    found = why(told, "accrual", close, *TERMS, ib="ib-master")
    assert found.headline == "ib-master earned 0.04 USD"
    assert found.sentences == (
        (
            "Client anna sold 2 lots of EURUSDc at 1.1 (closing) on account live/1, deal 7, "
            "2026-09-03 12:00:00 UTC."
        ),
        "Rule lots of plan gold, version 1, pays 7 USD per lot for symbols of class forex.",
        "2 lots of 1,000 units each count as 0.02 lots of the standard 100,000 units.",
        "0.02 lots x 7 USD = 0.14 USD.",
        "It is an override: the IB is 1 level above the client's direct IB.",
        (
            "0.14 USD - 0.10 USD = 0.04 USD: "
            "the IB keeps what exceeds the 0.10 USD of ib-north, the IB below it."
        ),
        "It was booked as pending, for the statement of its period or, if that had closed, the next.",
    )
    assert [(step.ib_id, step.depth, step.is_this) for step in found.path] == [
        ("ib-north", 0, False),
        ("ib-master", 1, True),
    ]


def test_plain_text_has_everything_in_columns() -> None:
    """Headline, sentences, factors, path, gates and inputs follow each other, aligned."""
    close = deal("7 sell 1.5 EURUSD out", bid=D("1.1"), ask=D("1.1002"), **NOON)
    told = run(*ANNA, close)
    assert why(told, "accrual", close, *TERMS).to_text() == (
        "ib-north earned 7.50 USD\n"
        "\n"
        "Client anna sold 1.5 lots of EURUSD at 1.1 (closing) on account live/1, deal 7, "
        "2026-09-03 12:00:00 UTC.\n"
        "Rule lots of plan silver, version 1, pays 5 USD per lot for symbols of class forex.\n"
        "1.5 lots x 5 USD = 7.50 USD.\n"
        "It was booked as pending, for the statement of its period or, if that had closed, the next.\n"
        "\n"
        "How the amount came about:\n"
        "  Lots that count  1.5 lots\n"
        "  Rate             5 USD per lot\n"
        "\n"
        "Path: client anna > [ib-north] > ib-master\n"
        "\n"
        "What has to happen before payment:\n"
        "  KYC hold  none: it goes into a statement without waiting for the client's KYC\n"
        "\n"
        "Inputs:\n"
        "  Deal              live|7\n"
        "  Revision          a\n"
        "  Time              2026-09-03 12:00:00 UTC\n"
        "  Account           live/1\n"
        "  Symbol            EURUSD\n"
        "  Side              sell\n"
        "  Entry             out (closing)\n"
        "  Volume            1.5 lots\n"
        "  Position          of-7\n"
        "  Price             1.1\n"
        "  Bid               1.1\n"
        "  Ask               1.1002\n"
        "  Deposit currency  USD\n"
        "  Plan              silver\n"
        "  Plan version      1\n"
        "  Rule              lots/class:forex\n"
    )


def test_data_is_ready_for_json() -> None:
    """Numbers are plain strings, without trailing zeros; a row has no reason."""
    close = deal("7 sell 1.50 EURUSD out", **NOON)
    found = why(run(*ANNA, close), "accrual", close, *TERMS).to_data()
    assert found["amount"] == "7.50 USD"
    assert found["reason"] is None
    assert found["factors"] == [
        {"name": "lots", "label": "Lots that count", "value": "1.5", "shown": "1.5 lots", "note": ""},
        {"name": "rate", "label": "Rate", "value": "5", "shown": "5 USD per lot", "note": ""},
    ]
    assert found["path"][0] == {"ib_id": "ib-north", "name": "", "depth": 0, "is_this": True}
    assert {"name": "Plan version", "value": "1"} in found["inputs"]


def test_several_rules_are_told_one_by_one_and_together() -> None:
    """7.50 and 3.00 USD of one deal are one row of 10.50 USD."""
    terms = under(per_lot("*=5"), per_lot("EURUSD=2", name="extra"))
    close = deal("7 sell 1.5 EURUSD out", **NOON)
    assert why(run(*ANNA, close, terms=terms), "accrual", close, *terms).sentences[1:-1] == (
        "Rule lots of plan own, version 1, pays 5 USD per lot for every symbol.",
        "1.5 lots x 5 USD = 7.50 USD.",
        "Rule extra of plan own, version 1, pays 2 USD per lot for EURUSD.",
        "1.5 lots x 2 USD = 3.00 USD.",
        "Together the rules pay 10.50 USD.",
    )


def test_without_deal_and_plan_the_row_tells_what_it_knows() -> None:
    """Lots, symbol, account, deal and time are in the row itself."""
    close = deal("7 sell 2 EURUSDc out", **NOON)
    found = why(run(*ANNA, close), "accrual")
    assert found.sentences[0] == (
        "Client anna traded 0.02 lots of EURUSD on account live/1, live|7, 2026-09-03 12:00:00 UTC."
    )
    assert ("Caused by", "live|7") in found.inputs
    assert ("Revision this amount arose from", "a") in found.inputs


def test_another_deal_or_plan_is_not_mistaken_for_the_rows() -> None:
    """Words of a wrong deal or plan version would be worse than none."""
    close = deal("7 sell 1.5 EURUSD out", **NOON)
    row = run(*ANNA, close).transfers[0]
    wrong = explain(row, deal=deal("8 buy 9 XAUUSD in"), plan=plan("silver USD", version=2))
    assert wrong == explain(row)


# Shares, conversion


def test_a_spread_share_in_yen_is_converted_with_its_rate_named() -> None:
    """0.02 yen of 100,000 dollars are 2,000 yen; half of it, 1,000 yen, is 8 dollars at 125."""
    terms = (*under(spread("*=0.5")), exchange("USD/JPY 125"))
    close = deal("7 sell 1 USDJPY out", price=D(125), bid=D("124.99"), ask=D("125.01"), **NOON)
    found = why(run(*ANNA, close, terms=terms), "accrual", close, *terms)
    assert found.headline == "ib-north earned 8.00 USD"
    assert found.sentences[1:-1] == (
        "Rule spread of plan own, version 1, pays 50 % of the spread for every symbol.",
        "The spread is 0.02: ask 125.01 - bid 124.99.",
        "1 lot x 100,000 units x a spread of 0.02 x 50 % = 1,000 JPY.",
        "1,000 JPY = 8.00 USD at USD/JPY 125 (2026-09-01), inverted.",
    )
    assert ("Bid", "124.99") in found.inputs
    assert ("gross", "Before conversion", "1000", "1,000 JPY", "") in found.factors


def test_an_equation_is_told_only_where_it_holds() -> None:
    """A future is worth its ticks, which the factors do not tell: the outcome is told without an equation."""
    future = symbol("ES futures 50 USD 1", tick_size=D("0.25"), tick_value=D("10"))
    terms = (*under(spread("*=0.5")), future)
    close = deal("7 sell 1 ES out", price=D(6500), bid=D("6499.5"), ask=D("6500"), **NOON)
    found = why(run(*ANNA, close, terms=terms), "accrual", close, *terms)
    assert found.sentences[2:4] == (
        "The spread is 0.5: ask 6500 - bid 6499.5.",
        "For this deal that is 10.00 USD.",
    )


def test_several_rules_are_multiplied_only_where_they_add_up() -> None:
    """Two shares of a future's spread come to 14 USD together, which no factor tells apart."""
    future = symbol("ES futures 50 USD 1", tick_size=D("0.25"), tick_value=D("10"))
    terms = (*under(spread("*=0.5"), spread("ES=0.2", name="extra")), future)
    close = deal("7 sell 1 ES out", price=D(6500), bid=D("6499.5"), ask=D("6500"), **NOON)
    said = why(run(*ANNA, close, terms=terms), "accrual", close, *terms).sentences
    assert [one for one in said if " x " in one] == []
    assert said[-2] == "Together the rules pay 14.00 USD."


def test_turnover_is_counted_in_basis_points() -> None:
    """One lot at 1.1 is 110,000 USD of turnover; 2 basis points are 22 USD."""
    terms = under(Turnover(name="turnover", rates=rates("*=2"), unit="bps"))
    close = deal("7 sell 1 EURUSD out", **NOON)
    assert why(run(*ANNA, close, terms=terms), "accrual", close, *terms).sentences[1:3] == (
        "Rule turnover of plan own, version 1, pays 2 basis points of turnover for every symbol.",
        "110,000.00 USD / 10,000 x 2 = 22.00 USD.",
    )


def test_converted_turnover_names_its_rate() -> None:
    """One lot at 150 is 15,000,000 yen, 100,000 USD at 150; 20 per million are 2 USD."""
    terms = (*under(Turnover(name="turnover", rates=rates("*=20"))), exchange("USD/JPY 150"))
    close = deal("7 sell 1 USDJPY out", price=D(150), **NOON)
    assert why(run(*ANNA, close, terms=terms), "accrual", close, *terms).sentences[1:-1] == (
        "Rule turnover of plan own, version 1, pays 20 USD per million of turnover for every symbol.",
        "The turnover was converted at USD/JPY 150 (2026-09-01), inverted.",
        "100,000.00 USD / 1,000,000 x 20 = 2.00 USD.",
    )


def test_several_rules_are_converted_one_by_one() -> None:
    """7.50 and 3.00 EUR at 1.25 are 9.375 and 3.75 USD, together 13.125."""
    euros = plan("euros EUR", per_lot("*=5"), per_lot("EUR*=2", name="extra"))
    terms = (*SYMBOLS, euros, partner("ib-north USD euros"), exchange("EUR/USD 1.25"))
    close = deal("7 sell 1.5 EURUSD out", **NOON)
    assert why(run(*ANNA, close, terms=terms), "accrual", close, *terms).sentences[1:-1] == (
        "Rule lots of plan euros, version 1, pays 5 EUR per lot for every symbol.",
        "1.5 lots x 5 EUR = 7.50 EUR.",
        "7.50 EUR was converted to USD at EUR/USD 1.25 (2026-09-01).",
        "Rule extra of plan euros, version 1, pays 2 EUR per lot for symbols EUR*.",
        "1.5 lots x 2 EUR = 3.00 EUR.",
        "3.00 EUR was converted to USD at EUR/USD 1.25 (2026-09-01).",
        "Together the rules pay 13.125 USD.",
    )


def test_a_row_without_factors_is_told_without_an_equation() -> None:
    """Its rule, plan and place are what the row itself knows."""
    row = replace(run(*ANNA, deal("7 sell 1.5 EURUSD out", **NOON)).transfers[0], factors={})
    assert explain(row).sentences == (
        "Client anna traded 1.5 lots of EURUSD on account live/1, live|7, 2026-09-03 12:00:00 UTC.",
        "Rule lots of plan silver, version 1, pays money per lot for symbols of class forex.",
        "It was booked as pending, for the statement of its period or, if that had closed, the next.",
    )


def test_two_levels_up_the_best_ib_below_counts() -> None:
    """5, 6 and 8 USD a lot: the top keeps 8 - 6, whoever has the 6."""
    plans = (
        plan("low USD", per_lot("*=5")),
        plan("mid USD", per_lot("*=6")),
        plan("top USD", per_lot("*=8")),
    )
    ibs = ("ib-north USD low ib-mid", "ib-mid USD mid ib-top", "ib-top USD top")
    terms = (*SYMBOLS, *plans, *(partner(text) for text in ibs))
    close = deal("7 sell 1 EURUSD out", **NOON)
    found = why(run(*ANNA, close, terms=terms), "accrual", close, *terms, ib="ib-top")
    assert found.sentences[3:5] == (
        "It is an override: the IB is 2 levels above the client's direct IB.",
        "8.00 USD - 6.00 USD = 2.00 USD: the IB keeps what exceeds the 6.00 USD of the best IB below.",
    )


def test_cents_are_converted_without_a_rate() -> None:
    """7 USD a lot are 700 US cents; into euros a rate comes on top."""
    close = deal("7 sell 1 EURUSD out", **NOON)
    cents = (*SYMBOLS, plan("cents USC", per_lot("*=700")), partner("ib-north USD cents"))
    assert why(run(*ANNA, close, terms=cents), "accrual", close, *cents).sentences[2:4] == (
        "1 lot x 700 USC = 700.00 USC.",
        "700.00 USC = 7.00 USD at 100 USC to 1 USD.",
    )
    euros = (*cents[:-1], partner("ib-north EUR cents"), exchange("EUR/USD 1.25"))
    assert why(run(*ANNA, close, terms=euros), "accrual", close, *euros).sentences[3] == (
        "700.00 USC = 5.60 EUR at EUR/USD 1.25 (2026-09-01), inverted, 100 USC to 1 USD."
    )


def test_an_absolute_override_says_that_the_level_has_a_rate() -> None:
    """The master's plan pays 1 USD a lot for clients one level down."""
    absolute = Override(mode="absolute", levels=(rates("*=1"),))
    terms = (
        *SYMBOLS,
        plan("flat USD", per_lot("*=5", override=absolute)),
        partner("ib-north USD flat ib-master"),
        partner("ib-master USD flat"),
    )
    close = deal("7 sell 1 EURUSD out", **NOON)
    found = why(run(*ANNA, close, terms=terms), "accrual", close, *terms, ib="ib-master")
    assert found.sentences[2:4] == (
        "1 lot x 1 USD = 1.00 USD.",
        (
            "It is an override: the IB is 1 level above the client's direct IB, "
            "and its plan has a rate of its own for that."
        ),
    )


def test_the_credit_coefficient_is_told_with_equity_and_credit() -> None:
    """Of 1,000 equity 200 is credit: 0.8 of 10 USD."""
    terms = under(per_lot("*=10", credit_coefficient=True))
    close = deal("7 sell 1 EURUSD out", equity=D(1000), credit=D(200), **NOON)
    assert why(run(*ANNA, close, terms=terms), "accrual", close, *terms).sentences[2:4] == (
        (
            "The account had an equity of 1,000, 200 of it credit: "
            "(equity - credit) / equity = 0.8 of the amount counts."
        ),
        "1 lot x 10 USD x 0.8 (credit coefficient) = 8.00 USD.",
    )


# Caps, budget, the tree


def test_a_coefficient_without_end_says_so() -> None:
    """Of 300 equity 100 is credit: two thirds of 5 USD."""
    terms = under(per_lot("*=5", credit_coefficient=True))
    close = deal("7 sell 1 EURUSD out", equity=D(300), credit=D(100), **NOON)
    found = why(run(*ANNA, close, terms=terms), "accrual", close, *terms)
    assert found.headline == "ib-north earned 3.33333333 USD"
    (said,) = (one for one in found.sentences if one.startswith("The account"))
    assert said == (
        "The account had an equity of 300, 100 of it credit: "
        "(equity - credit) / equity = about 0.66666667 of the amount counts."
    )


def test_a_cap_of_one_deal_says_what_it_left() -> None:
    """10 lots at 8 USD are 80 USD; the cap is 50."""
    terms = under(per_lot("*=8", caps=Caps(per_deal=D(50))))
    close = deal("7 sell 10 EURUSD out", **NOON)
    assert why(run(*ANNA, close, terms=terms), "accrual", close, *terms).sentences[2:4] == (
        "10 lots x 8 USD = 80.00 USD.",
        "The cap of one deal leaves 50.00 USD of 80.00 USD.",
    )


def test_a_cascade_says_what_is_passed_up_and_what_stays() -> None:
    """Of 5 USD a fifth goes up: 4 stay with the lowest IB, 1 with its master."""
    terms = (
        *SYMBOLS,
        plan("pass USD", per_lot("*=5", override=Override(mode="cascade", pass_up=(D("0.2"),)))),
        partner("ib-north USD pass ib-master"),
        partner("ib-master USD pass"),
    )
    close = deal("7 sell 1 EURUSD out", **NOON)
    told = run(*ANNA, close, terms=terms)
    passed = "5.00 USD is passed up the tree (each level passes on 20 % of what reaches it)"
    assert why(told, "accrual", close, *terms).sentences[2:4] == (
        "1 lot x 5 USD = 5.00 USD.",
        f"{passed}: 4.00 USD stays with this IB.",
    )
    assert (
        f"{passed}: 1.00 USD stays with this IB."
        in why(told, "accrual", close, *terms, ib="ib-master").sentences
    )


def test_a_split_names_the_shares() -> None:
    """Of 5 USD 30 % belong to the master."""
    terms = (
        *SYMBOLS,
        plan("parts USD", per_lot("*=5", override=Override(mode="split", shares=(D("0.7"), D("0.3"))))),
        partner("ib-north USD parts ib-master"),
        partner("ib-master USD parts"),
    )
    close = deal("7 sell 1 EURUSD out", **NOON)
    found = why(run(*ANNA, close, terms=terms), "accrual", close, *terms, ib="ib-master")
    assert found.sentences[4] == (
        "5.00 USD is split 70 % / 30 % from the lowest IB up: 1.50 USD belongs to this IB."
    )


def test_ranks_are_named_in_order() -> None:
    """Bronze takes 1 of 3 USD, the gold master the other 2."""
    ranks = (RankRates(rank="bronze", rates=rates("*=1")), RankRates(rank="gold", rates=rates("*=2")))
    terms = (
        *SYMBOLS,
        plan("ranks USD", per_lot("", override=Override(mode="rank", ranks=ranks))),
        partner("ib-north USD", schedule=(PlanAssignment(plan_id="ranks", rank="bronze"),),
                parents=(ParentLink(ib_id="ib-master"),)),
        partner("ib-master USD", schedule=(PlanAssignment(plan_id="ranks", rank="gold"),)),
    )  # fmt: skip
    close = deal("7 sell 1 EURUSD out", **NOON)
    assert why(run(*ANNA, close, terms=terms), "accrual", close, *terms, ib="ib-master").sentences[1:4] == (
        "Rule lots of plan ranks, version 1, pays money per lot by rank for every symbol.",
        (
            "It is an override: the IB is 1 level above the client's direct IB, "
            "and the plan of the lowest IB counts."
        ),
        (
            "All ranks (bronze, gold) together pay 3.00 USD; "
            "as gold the IB takes what no lower rank took: 2.00 USD."
        ),
    )


def test_a_budget_says_how_everybody_was_cut() -> None:
    """The deal brought 10 USD of spread; IBs may have 40 %, 4 USD of the 5 they would get."""
    terms = under(per_lot("*=5"), budget=Budget(share=D("0.4"), revenue=("spread",)))
    close = deal("7 sell 1 EURUSD out", bid=D("1.1"), ask=D("1.1001"), **NOON)
    found = why(run(*ANNA, close, terms=terms), "accrual", close, *terms)
    assert found.sentences[2:4] == (
        "1 lot x 5 USD = 5.00 USD.",
        (
            "All IBs together would get 5, and the broker's budget for the deal is 4 "
            "(in the currency of the lowest IB's plan), so each is cut in proportion: "
            "5.00 USD x 4 / 5 = 4.00 USD."
        ),
    )


# Clients


def test_a_cpa_says_when_its_conditions_were_met() -> None:
    """The master's 400 exceed the 300 of the IB below by 100."""
    open_, close = deal("6 buy 3 EURUSD in"), deal("7 sell 3 EURUSD out", position_id="of-6", day=4)
    told = run(*ANNA, kyc("anna approved", day=2), deposit("anna d1 500 USD", day=2), open_, close)
    rows = [row for row in told.transfers if row.component == "cpa" and row.ib_id == "ib-master"]
    found = of_row(rows[0], told.transfers, TERMS)
    assert found.headline == "ib-master earned 100.00 USD"
    assert found.sentences == (
        "The CPA conditions for client anna were met at 2026-09-04 00:00:00 UTC.",
        "Rule cpa of plan gold, version 1, pays a CPA for a client that qualifies.",
        "The plan's amount for this client is 400.00 USD.",
        "It is an override: the IB is 1 level above the client's direct IB.",
        (
            "400.00 USD - 300.00 USD = 100.00 USD: "
            "the IB keeps what exceeds the 300.00 USD of ib-north, the IB below it."
        ),
        "It was booked as pending, for the statement of its period or, if that had closed, the next.",
    )


def test_held_money_names_its_gates() -> None:
    """KYC, maturity and the gates of the IB are listed; a release and a forfeit say what ended the hold."""
    terms = under(
        per_lot("*=5"),
        kyc_gate=True,
        kyc_forfeit_days=30,
        hold_days=10,
        ib_kyc_gate=True,
        agreement_gate=True,
        min_payout=D(50),
    )
    close = deal("7 sell 1 EURUSD out", **NOON)
    told = run(*ANNA, close, kyc("anna approved", day=9), terms=terms)
    found = why(told, "accrual", close, *terms)
    assert found.sentences[-2:] == (
        "It was booked as held: it waits for the client's KYC.",
        "It matures at 2026-09-13 12:00:00 UTC and belongs to the statement of that time.",
    )
    assert found.gates == (
        (
            "KYC hold",
            (
                "held until the client's KYC is approved; "
                "forfeited if that comes more than 30 days after the deal"
            ),
        ),
        ("Maturity", "it belongs to the statement of 2026-09-13 12:00:00 UTC"),
        ("IB's KYC", "nothing becomes payable before the IB's own KYC is approved"),
        ("Agreement", "nothing becomes payable before the IB has accepted its agreement"),
        ("Least payout", "a statement below 50.00 USD is carried over"),
    )
    released = why(told, "release")
    assert released.headline == "5.00 USD of ib-north was released from hold"
    assert released.sentences[0].startswith("Client anna passed KYC (kyc anna approved 9) at 2026-09-09")
    late = run(*ANNA, close, kyc("anna approved", day=60), terms=terms)
    assert "later than the plan allows" in why(late, "forfeit").sentences[0]


# Periods


SEPTEMBER = (period("2026-09"), period("2026-10"))


def test_a_slab_says_the_band_and_the_difference() -> None:
    """12 lots at 5 are 60; from 10 lots on all count at 6: 72, so 12 more."""
    tiers = Tiers(by="lots", bands=(Band(start=D(10), rates=rates("*=6"), name="pro"),))
    terms = (*under(per_lot("*=5", tiers=tiers)), *SEPTEMBER)
    close = deal("7 sell 12 EURUSD out", **NOON)
    found = why(run(*ANNA, close, terms=terms), "true_up", close, *terms)
    assert found.headline == "12.00 USD was added for ib-north for 2026-09"
    assert found.sentences == (
        "Rule lots of plan own, version 1, pays money per lot.",
        "What plan own, version 1, makes of 2026-09 was worked out again, all of it, after live|7.",
        "The period reached 12 lots: band 1 (pro, from 10 lots) counts for all of it.",
        (
            "Due 72.00 USD - accrued 60.00 USD - posted by earlier true-ups 0.00 USD = 12.00 USD: "
            "12.00 USD is added."
        ),
    )
    assert ("measure", "Reached in the period", "12", "12 lots", "") in found.factors


def test_a_count_is_of_deals_or_of_clients() -> None:
    """Two deals of a lot at 5, doubled by the second; two clients of 100, doubled by the second."""
    twice = Tiers(by="count", bands=(Band(start=D(2), factor=D(2)),))
    terms = (*under(per_lot("*=5", tiers=twice)), *SEPTEMBER)
    deals = (deal("7 sell 1 EURUSD out"), deal("8 sell 1 EURUSD out"))
    found = why(run(*ANNA, *deals, terms=terms), "true_up", *terms)
    assert found.headline == "10.00 USD was added for ib-north for 2026-09"
    assert found.sentences[2] == ("The period reached 2 deals: band 1 (from 2 deals) counts for all of it.")
    one = Cpa(name="cpa", amounts=(CpaAmount(amount=D(100)),), tiers=twice)
    terms = (*under(one), *SEPTEMBER)
    people = (*ANNA, registered("ben ib-north"))
    facts = [
        fact
        for client in ("anna", "ben")
        for fact in (kyc(f"{client} approved", day=2), deposit(f"{client} {client} 10 USD", day=3))
    ]
    found = why(run(*people, *facts, terms=terms), "true_up", *terms)
    assert found.headline == "200.00 USD was added for ib-north for 2026-09"
    assert found.sentences[2] == (
        "The period reached 2 clients: band 1 (from 2 clients) counts for all of it."
    )


def test_what_was_earned_under_an_earlier_version_is_told() -> None:
    """2 lots at 5 under version 1, then 2 at 4: 18 of which all are doubled by 3 lots: 18 more."""
    tiers = Tiers(by="lots", bands=(Band(start=D(3), factor=D(2)),))
    first, second = under(per_lot("*=5", tiers=tiers)), plan("own USD", per_lot("*=4", tiers=tiers))
    terms = (*first, replace(second, version=2, since=at(15)), *SEPTEMBER)
    deals = (deal("7 sell 2 EURUSD out", day=10), deal("8 sell 2 EURUSD out", day=20))
    found = run(*ANNA, *deals, terms=terms)
    text = "Of it 20.00 USD was earned under earlier versions of the plan, by their rates."
    assert text in why(found, "true_up", *terms).sentences


def test_a_rebate_that_was_cut_says_what_was_asked() -> None:
    """2 lots at 8 ask for 16; the IB earned 10."""
    terms = under(per_lot("*=5"), Rebate(name="back", rates=rates("*=8"), funded_by="ib"))
    close = deal("7 sell 2 EURUSD out", **NOON)
    found = run(*ANNA, close, terms=terms)
    (row,) = [row for row in found.transfers if row.component == "rebate"]
    text = "Of 16.00 USD it pays 10.00 USD: no more than it has left of the deal's money."
    assert text in of_row(row, found.transfers, (close, *terms)).sentences


def test_graduated_bands_are_told_one_by_one() -> None:
    """10 of 12 lots count at the own rates, 2 at band 1."""
    tiers = Tiers(by="lots", mode="graduated", bands=(Band(start=D(10), rates=rates("*=6")),))
    terms = (*under(per_lot("*=5", tiers=tiers)), *SEPTEMBER)
    found = why(run(*ANNA, deal("7 sell 12 EURUSD out"), terms=terms), "true_up", *terms)
    assert found.sentences[2] == (
        "The period reached 12 lots: 10 at the component's own rates, 2 at band 1 (from 10 lots)."
    )


def test_caps_of_a_period_say_what_was_taken_back() -> None:
    """60 USD were accrued on one day; 40 a day may be."""
    terms = (*under(per_lot("*=5", caps=Caps(per_day=D(40)))), *SEPTEMBER)
    found = why(run(*ANNA, deal("7 sell 12 EURUSD out"), terms=terms), "true_up", *terms)
    assert found.headline == "20.00 USD was taken back from ib-north for 2026-09"
    assert found.sentences[2:] == (
        "The caps (40.00 USD a day) leave 40.00 USD of 60.00 USD.",
        (
            "Due 40.00 USD - accrued 60.00 USD - posted by earlier true-ups 0.00 USD = -20.00 USD: "
            "20.00 USD is taken back."
        ),
    )


def test_a_revenue_share_says_what_was_carried() -> None:
    """Half of a client's win of 100 is carried as -50; half of October's loss of 160 leaves 30 due."""
    terms = (*under(RevenueShare(name="revenue", rates=rates("*=0.5"), terms=("client_result",))), *SEPTEMBER)
    won = deal("7 sell 1 EURUSD out", profit=D(100))
    lost = deal("8 sell 1 EURUSD out", profit=D(-160), day=33)
    found = why(run(*ANNA, won, lost, terms=terms), "true_up", *terms)
    assert found.headline == "30.00 USD was added for ib-north for 2026-10"
    assert found.sentences[0] == (
        "Rule revenue of plan own, version 1, pays a share of the broker's net revenue."
    )
    assert found.sentences[2:4] == (
        "The IB's share of the period's result is 80.00 USD; -50.00 USD was carried from before.",
        "80.00 USD - 50.00 USD = 30.00 USD.",
    )


def test_the_residue_of_rounding_is_explained() -> None:
    """0.333 lots at 5 are 1.665 USD: 1.66 is payable, half a cent goes to `rounding`."""
    terms = (*under(per_lot("*=5")), *SEPTEMBER)
    told = run(*ANNA, deal("7 sell 0.333 EURUSD out"), ended("2026-09"), terms=terms)
    paid, rest = why(told, "statement"), why(told, "rounding")
    assert paid.headline == "1.66 USD became payable to ib-north for 2026-09"
    assert paid.sentences == (
        "The statement of 2026-09 closed at 2026-10-01 00:00:00 UTC.",
        (
            "What was pending was rounded once, to 0.01 USD; 1.66 USD became payable. "
            "What rounding left, the residue, is a row of its own."
        ),
    )
    assert rest.headline == "0.005 USD is the rounding residue of ib-north for 2026-09"
    assert rest.sentences[1] == (
        "A payment has the currency's smallest unit, 0.01 USD; the residue of 0.005 USD was moved to "
        "the account `rounding`, so nothing is lost."
    )


def test_a_statement_that_was_taken_back_is_explained() -> None:
    """0.333 lots at 5 were closed as 1.66 USD, and the end of September was wrong."""
    terms = (*under(per_lot("*=5")), *SEPTEMBER)
    facts = (deal("7 sell 0.333 EURUSD out"), ended("2026-09"), reopened("2026-09"))
    told = run(*ANNA, *facts, terms=terms)
    found, paid = why(told, "reopening"), next(row for row in told.transfers if row.code == "statement")
    assert found.headline == "1.66 USD of the statement of ib-north for 2026-09 was taken back"
    assert found.sentences == (
        (
            "The end of 2026-09 was wrong, and two people took it back before any of it was paid: this turns "
            f"transfer {paid.transfer_id} round. What it stated is on the next statement of 2026-09."
        ),
    )


# Taking back


def test_a_reversal_tells_that_its_deal_moved() -> None:
    """An edit moved it to the days of the account's next owner, who is not named to the IB of the first."""
    close = deal("7 sell 1.5 EURUSD out", **NOON)
    moved = replace(close, revision="b", occurred_at=at(12))
    told = run(*ANNA, registered("ben ib-master"), linked("1 ben", day=10), close, moved)
    found = why(told, "reversal", close, *TERMS)
    assert found.headline == "7.50 USD was taken back from ib-north"
    assert found.sentences[0] == (
        "The platform changed the time of deal live|7 to 2026-09-12 00:00:00 UTC, when its account was "
        "another client's, so what it had earned here was taken back."
    )
    assert "ben" not in found.to_text()
    assert (
        why(told, "accrual", moved, *TERMS, ib="ib-master", number=1).headline == "ib-master earned 10.50 USD"
    )


def test_a_reversal_tells_its_original() -> None:
    """A cancelled deal's own frozen amount goes back, and how that had come about is told."""
    close = deal("7 sell 1.5 EURUSD out", **NOON)
    gone = deal("7 sell 1.5 EURUSD out", kind="cancelled", revision="b", **NOON)
    told = run(*ANNA, close, gone)
    original = next(row for row in told.transfers if row.ib_id == "ib-north")
    found = why(told, "reversal", *TERMS)
    assert found.headline == "7.50 USD was taken back from ib-north"
    assert found.sentences[:5] == (
        "The platform changed or cancelled deal live|7, so what it had earned was taken back.",
        (
            f"The original is transfer {original.transfer_id} of 2026-09-03 12:00:00 UTC; "
            "its own amount of 7.50 USD goes back, nothing is rated again."
        ),
        "How the original had come about:",
        "Client anna traded 1.5 lots of EURUSD on account live/1, live|7, 2026-09-03 12:00:00 UTC.",
        "Rule lots of plan silver, version 1, pays 5 USD per lot for symbols of class forex.",
    )
    assert [factor.name for factor in found.factors] == ["lots", "rate"]


def test_a_clawback_names_its_event() -> None:
    """A chargeback undoes the CPA; without the original at hand its id is told."""
    open_, close = deal("6 buy 3 EURUSD in"), deal("7 sell 3 EURUSD out", position_id="of-6", day=4)
    told = run(
        *ANNA, kyc("anna approved", day=2), deposit("anna d1 500 USD", day=2), open_, close,
        chargeback("anna d1", day=9),
    )  # fmt: skip
    row = next(row for row in told.transfers if row.code == "reversal")
    assert of_row(row, told.transfers, TERMS).sentences[0] == (
        "chargeback d1 undid an earlier accrual at 2026-09-09 00:00:00 UTC."
    )
    assert explain(row).sentences[1] == f"The row it takes back, {row.reverses}, is not at hand here."


def test_a_revision_since_is_said_to_be_one() -> None:
    """The row's factors are those of the revision it arose from."""
    close = deal("7 sell 1.5 EURUSD out", **NOON)
    newer = replace(close, revision="b", volume_e8=close.volume_e8 * 2)
    found = why(run(*ANNA, close), "accrual", newer, *TERMS)
    assert "The platform has revised the deal since" in found.sentences[1]
    assert ("Revision this amount arose from", "a") in found.inputs


def test_what_was_rated_again_names_its_proposal() -> None:
    """7.50 goes back and 9 comes: both rows say that a proposal changed what the deal earns."""
    close = deal("7 sell 1.5 EURUSD out", **NOON)
    terms = under(per_lot("*=5"))
    six = replace(plan("own USD", per_lot("*=6"), version=2), since=at(1))
    approved = ReratingApproved(client_id="anna", proposal_id="p-1", occurred_at=at(20), deal=close)
    told = run(*ANNA, close, six, approved, terms=terms)
    original = told.transfers[0]
    back = why(told, "reversal", *terms)
    assert back.sentences[:3] == (
        (
            "Terms or links that became known later pay something else for it; proposal p-1, "
            "approved by a second person, took back what had been paid."
        ),
        (
            f"The original is transfer {original.transfer_id} of 2026-09-03 12:00:00 UTC; "
            "its own amount of 7.50 USD goes back, and what it earns now is a row of its own."
        ),
        "How the original had come about:",
    )
    now = why(told, "accrual", six, number=1)
    assert now.headline == "ib-north earned 9.00 USD"
    assert now.sentences[1:3] == (
        "It was rated again by terms and links that became known later: proposal p-1.",
        "Rule lots of plan own, version 2, pays 6 USD per lot for every symbol.",
    )


# No pay


def test_a_deal_without_pay_has_its_reason() -> None:
    """Code, what it means, and what the engine said of the deal."""
    open_ = deal("6 buy 3 EURUSD in", **NOON)
    found = explain(run(*ANNA, open_).rejections[0], deal=open_)
    assert found.headline == "Deal live|6 pays nothing"
    assert found.sentences == (
        (
            "Client anna bought 3 lots of EURUSD at 1.1 (opening) on account live/1, deal 6, "
            "2026-09-03 12:00:00 UTC."
        ),
        "The plan pays for the other side of a position: opening or closing.",
        "In detail: silver/lots pays on `out` (entry_not_paid).",
    )
    assert found.reason is not None
    assert (found.reason.code, found.reason.status) == ("entry_not_paid", "rejected")
    assert found.amount == ""


def test_a_waiting_deal_says_so() -> None:
    """An account nobody owns keeps its deals waiting; without the deal its key is told."""
    found = explain(run(deal("6 buy 3 EURUSD in", **NOON)).rejections[0])
    assert found.headline == "Deal live|6 waits: nothing is paid yet"
    assert found.sentences[:2] == (
        "Deal live|6 on account live/1, 2026-09-03 12:00:00 UTC.",
        "The trading account is not linked to a client yet; the deal is rated once it is.",
    )


# Hostile text


def test_html_escapes_everything_it_shows() -> None:
    """A comment, a symbol, a plan's name, an IB's name and a factor cannot bring markup."""
    evil = "<script>alert('x')</script>\"&"
    close = deal("7 sell 1 EURUSD out", comment=evil, position_id=evil)
    (row,) = [row for row in run(*ANNA, close).transfers if row.ib_id == "ib-north"]
    row = replace(row, factors={**row.factors, evil: evil, "spread_basis": evil}, client_id=evil)
    named = replace(plan("silver USD", per_lot("*=5")), name=evil)
    html = explain(row, deal=replace(close, symbol=evil), plan=named, names={"ib-north": evil}).to_html()
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&amp;") >= 8
    assert re.findall(r"\sstyle=|\son\w+=|<style", html) == []
    known = "section h2 p table tbody tfoot tr th td span ol li dl div dt dd"
    assert set(re.findall(r"<(\w+)", html)) <= set(known.split())
    refused = explain(replace(run(close).rejections[0], text=evil, deal_key=evil)).to_html()
    assert "<script" not in refused


def test_text_keeps_its_lines_whatever_a_comment_holds() -> None:
    """Line breaks and escape sequences of a comment become spaces."""
    close = deal("7 sell 1 EURUSD out", comment="a\nTransfer 1: broker\x1b[31m")
    text = why(run(*ANNA, close), "accrual", close, *TERMS).to_text()
    assert "  Comment           a Transfer 1: broker [31m\n" in text


# Numbers


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("1.50000000", "USD", "1.50 USD"),
        ("1234567.125", "USD", "1,234,567.125 USD"),
        ("3", "JPY", "3 JPY"),
        ("0.00000001", "USD", "0.00000001 USD"),
        ("-50", "USD", "-50.00 USD"),
        ("1E+3", "KWD", "1,000.000 KWD"),
        ("0.3333333333333333", "USD", "about 0.33333333 USD"),
        ("7", "", "7"),
    ],
)
def test_money_has_at_least_the_currencys_digits(amount: str, currency: str, text: str) -> None:
    """Never rounded, except what has no end, which says so."""
    assert words.money(Decimal(amount), currency) == text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("USD/JPY 155.20 (2026-09-01, ECB)", "USD/JPY 155.20 (2026-09-01, ECB)"),
        ("1 / USD/JPY 155.20 (2026-09-01)", "USD/JPY 155.20 (2026-09-01), inverted"),
        ("EUR/USD 1.1 (2026-09-01) x 1 / GBP/USD 1.3 (2026-09-02)",
         "EUR/USD 1.1 (2026-09-01) and then GBP/USD 1.3 (2026-09-02), inverted"),
        ("", "none: cents of the same currency"),
    ],
)  # fmt: skip
def test_rates_of_exchange_keep_source_and_date(path: str, text: str) -> None:
    """Each leg of a conversion is named; a cent currency needs no rate."""
    assert words.exchange(path) == text


# Nothing goes unnamed


def outcomes() -> Iterator[tuple[str, dict[str, Deal], dict[tuple[str, int], PlanDefined], list[Record]]]:
    """Every golden case of the example plans, folded."""
    for path in sorted((ROOT / "examples" / "plans").glob("*.yaml")):
        file = load_cases(path)
        plans = {(p.plan_id, p.version): p for p in file.terms if isinstance(p, PlanDefined)}
        for case in file.cases:
            known, records = case_records(case, file.terms)
            deals = {r.deal_key: r for r in records if isinstance(r, Deal)}
            pipeline = LocalPipeline()
            outputs = [*pipeline.feed(known), *pipeline.feed(records)]
            yield f"{path.name}: {case.case}", deals, plans, outputs


def test_every_row_of_the_example_plans_is_explained() -> None:
    """All factors and reasons of all golden cases have words, and text, HTML and data can be made."""
    unnamed, factors = set(), 0
    for where, deals, plans, outputs in outcomes():
        rows = {row.transfer_id: row for row in outputs if isinstance(row, Transfer)}
        for row in rows.values():
            unnamed |= {f"{where}: {name}" for name in row.factors if not words.is_known(name)}
            factors += len(row.factors)
            original = rows.get(row.reverses or "")
            basis = original or row
            told = explain(
                row,
                deal=deals.get(basis.caused_by),
                plan=plans.get((basis.plan_id, basis.plan_version)),
                original=original,
            )
            assert told.to_text()
            assert told.to_html()
            assert told.to_data()["headline"] == told.headline
        for rejection in (r for r in outputs if isinstance(r, Rejection)):
            unnamed |= {rejection.code} - REASONS.keys()
            assert explain(rejection, deal=deals.get(rejection.deal_key)).to_html()
    assert unnamed == set()
    assert factors > 100


TERM = re.compile(
    r"(?:a \w+ of )?(?P<about>about )?(?P<number>[\d,.]+)(?P<percent> %)?(?: / (?P<by>[\d,.]+))?(?: .*)?"
)
EQUATION = re.compile(r"(?P<left>[^:=]+ x [^:=]+) = (?P<right>[\d,.]+) [A-Z]+\.")


def as_number(text: str) -> Decimal:
    return Decimal(text.strip(",.").replace(",", ""))


def worked_out(left: str) -> Decimal:
    """What a reader with a calculator gets."""
    total = Decimal(1)
    for said in left.split(" x "):
        term = TERM.fullmatch(
            said.replace(" USD", "").replace(" EUR", "").replace(" JPY", "").replace(" USC", "")
        )
        assert term is not None, said
        total *= as_number(term["number"]) / (100 if term["percent"] else 1)
        total /= as_number(term["by"]) if term["by"] else 1
    return total


def test_every_equation_of_the_example_plans_holds_as_it_is_written() -> None:
    """Multiplying what is printed gives what is printed."""
    told, wrong = 0, []
    for where, deals, plans, outputs in outcomes():
        for row in (row for row in outputs if isinstance(row, Transfer)):
            plan_ = plans.get((row.plan_id, row.plan_version))
            for said in explain(row, deal=deals.get(row.caused_by), plan=plan_).sentences:
                found = EQUATION.fullmatch(said)
                if found is not None:
                    told += 1
                    if abs(worked_out(found["left"]) - as_number(found["right"])) > Decimal("0.00000001"):
                        wrong.append(f"{where}: {said}")
    assert wrong == []
    assert told > 50


def test_a_factor_that_is_missing_or_unreadable_breaks_nothing() -> None:
    """Rows of older or newer engines are told as far as they can be read."""
    shapes: dict[tuple[str, ...], Transfer] = {}
    for _, _, _, outputs in outcomes():
        for row in (row for row in outputs if isinstance(row, Transfer)):
            shapes.setdefault((row.code, row.component, *row.factors), row)
    for row in shapes.values():
        for name in row.factors:
            less = {key: value for key, value in row.factors.items() if key != name}
            for factors in (less, less | {name: "?"}, less | {name: "NaN"}):
                assert explain(replace(row, factors=factors)).to_html()


def trees(pattern: str = "*.py") -> Iterator[ast.AST]:
    for path in sorted((ROOT / "commission").rglob(pattern)):
        if "explain" not in path.parts:
            yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def is_factors(node: ast.AST) -> bool:
    return getattr(node, "id", getattr(node, "attr", "")) == "factors"


def written_keys() -> set[str]:
    """What the source puts under a constant name into something called `factors`."""
    keys: set[str] = set()
    for node in trees():
        if isinstance(node, ast.Subscript) and is_factors(node.value):
            keys |= {node.slice.value} if isinstance(node.slice, ast.Constant) else set()
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
        told = getattr(node, "value", None)
        if any(is_factors(target) for target in targets) and isinstance(told, ast.Dict):
            keys |= {key.value for key in told.keys if isinstance(key, ast.Constant)}
        if isinstance(node, ast.keyword) and node.arg == "factors" and isinstance(node.value, ast.Dict):
            keys |= {key.value for key in node.value.keys if isinstance(key, ast.Constant)}
    return keys


def test_every_factor_in_the_source_has_a_label() -> None:
    """Also those no example reaches."""
    keys = written_keys()
    assert {name for name in keys if not words.is_known(name)} == set()
    assert {"lots", "rate", "below", "before_budget", "due", "exchange", "qualified_at"} <= keys
    for term in ("spread", "commission", "swap", "client_result"):
        assert words.is_known(f"revenue_{term}")
    assert words.is_known("lots/*: rate")
    assert words.is_known("band_12")
    assert not words.is_known("something new")


def given_codes() -> set[str]:
    """What the source gives as a reason's code: `Reason("…")`, and the middle of a condition's triple."""
    found: list[ast.AST] = []
    for node in trees():
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Reason":
            found += node.args[:1]
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Rejection":
            found += [keyword.value for keyword in node.keywords if keyword.arg == "code"]
    for node in trees("eligibility.py"):
        if isinstance(node, ast.Tuple) and len(node.elts) == 3:
            found.append(node.elts[1])
    return {str(node.value) for node in found if isinstance(node, ast.Constant)}


def test_every_reason_in_the_source_has_words() -> None:
    """Also those no example reaches; what a platform did to a deal, and to an IB, are codes as well."""
    codes = given_codes()
    assert codes - REASONS.keys() == set()
    assert {"side_not_paid", "no_rate", "unknown_account", "symbol_not_covered"} <= codes
    assert {"cancelled", "deleted", "suspended", "self_referral"} <= REASONS.keys()
