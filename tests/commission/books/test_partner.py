"""The partner book: every transfer is on one statement, rounding loses nothing, debts are carried."""

import pytest
from msgspec.structs import replace

from commission.terms.partners import PartnerDefined
from commission.terms.rates import Band, Tiers
from tests.build import (
    ANNA,
    SYMBOLS,
    TERMS,
    D,
    at,
    deal,
    ended,
    kyc,
    partner,
    per_lot,
    plan,
    run,
)
from tests.commission.books.partner_rows import (
    MONTHS,
    SEPTEMBER,
    earned,
    lines,
    settle,
)


@pytest.mark.parametrize(
    ("amount", "currency", "line", "owed"),
    [
        # rounded down: 0.004 is left and goes to rounding
        ("12.344", "USD", "0 + 12.344 - 0 = 12.34 paid, 0.004 rounded, 0 carried",
         {"ib:ib-north:payable": "12.34 USD", "rounding": "0.004 USD"}),
        # rounded up: 0.004 is missing and comes from rounding
        ("12.346", "USD", "0 + 12.346 - 0 = 12.35 paid, -0.004 rounded, 0 carried",
         {"ib:ib-north:payable": "12.35 USD", "rounding": "-0.004 USD"}),
        ("12.34", "USD", "0 + 12.34 - 0 = 12.34 paid, 0 rounded, 0 carried",
         {"ib:ib-north:payable": "12.34 USD"}),
        # the yen has no minor unit; half to even
        ("1000.5", "JPY", "0 + 1000.5 - 0 = 1000 paid, 0.5 rounded, 0 carried",
         {"ib:ib-north:payable": "1000 JPY", "rounding": "0.5 JPY"}),
        # less than a cent is not paid, and not given to rounding either
        ("0.004", "USD", "0 + 0.004 - 0 = 0 paid, 0 rounded, 0.004 carried",
         {"ib:ib-north:pending": "0.004 USD"}),
        ("0.006", "USD", "0 + 0.006 - 0 = 0.01 paid, -0.004 rounded, 0 carried",
         {"ib:ib-north:payable": "0.01 USD", "rounding": "-0.004 USD"}),
    ],
)  # fmt: skip
def test_a_statement_rounds_once_and_posts_the_residue(
    amount: str, currency: str, line: str, owed: dict[str, str]
) -> None:
    """Payable has the currency's digits; pending is emptied exactly, in whichever direction."""
    said = settle(earned(amount, currency), ended("2026-09"))
    assert lines(said) == [f"2026-09 {line}"]
    expense = {account: text for account, text in said.balances.items() if account.startswith("broker")}
    assert said.owed == owed
    assert list(expense) == ["broker:expense:per_lot"]


def test_a_negative_sum_is_carried_over() -> None:
    """5 earned and 12 taken back: nothing is paid, 7 are owed to the broker until 10 more are earned."""
    said = settle(
        earned("5"), earned("-12"), ended("2026-09"), earned("10", day=33), ended("2026-10"), ended("2026-11")
    )
    assert lines(said) == [
        "2026-09 0 + 5 - 12 = 0 paid, 0 rounded, -7 carried",
        "2026-10 -7 + 10 - 0 = 3 paid, 0 rounded, 0 carried",
        "2026-11 0 + 0 - 0 = 0 paid, 0 rounded, 0 carried",
    ]
    assert said.owed == {"ib:ib-north:payable": "3.00 USD"}


def test_a_transfer_belongs_to_the_period_of_its_time() -> None:
    """What is of October does not enter September's statement, though it is known before its end."""
    said = settle(earned("5"), earned("7", day=31), ended("2026-09"), ended("2026-10"))
    assert [(s.period, s.accrued) for s in said.statements] == [("2026-09", 5), ("2026-10", 7)]


def test_a_late_transfer_goes_to_the_next_open_period() -> None:
    """A closed statement never changes: September's deal that comes in October is October's."""
    said = settle(earned("5"), ended("2026-09"), earned("7", day=4), earned("-5"), ended("2026-10"))
    assert lines(said) == [
        "2026-09 0 + 5 - 0 = 5 paid, 0 rounded, 0 carried",
        "2026-10 0 + 7 - 5 = 2 paid, 0 rounded, 0 carried",
    ]


def test_closing_twice_does_nothing() -> None:
    """Nor does closing an older period after a newer one, nor one that nobody defined."""
    said = settle(earned("5"), ended("2026-10"), ended("2026-10"), ended("2026-09"), ended("2027-01"))
    assert lines(said) == ["2026-10 0 + 5 - 0 = 5 paid, 0 rounded, 0 carried"]


def test_what_has_no_period_is_on_the_next_statement() -> None:
    """Without a period for its time a transfer is not forgotten."""
    said = settle(earned("5", day=-40), earned("6", day=-39), ended("2026-09"))
    assert lines(said) == ["2026-09 0 + 11 - 0 = 11 paid, 0 rounded, 0 carried"]


def test_currencies_have_statements_of_their_own() -> None:
    """Nothing is converted and nothing mixed."""
    said = settle(earned("5"), earned("700.4", "JPY"), ended("2026-09"))
    assert [(s.currency, str(s.payable)) for s in said.statements] == [("JPY", "700"), ("USD", "5.00")]
    assert len({s.statement_id for s in said.statements}) == 2


def test_held_money_is_on_no_statement_until_it_is_released() -> None:
    """Held in September, released in October: accrued in October."""
    gated = (*TERMS, *MONTHS, plan("silver USD", per_lot("*=5"), kyc_gate=True))
    records = (ended("2026-09"), kyc("anna approved", day=33), ended("2026-10"))
    said = run(*ANNA, deal("1 buy 1 EURUSD out"), *records, terms=gated)
    north = [(s.period, s.accrued, s.payable, s.held) for s in said.statements if s.ib_id == "ib-north"]
    assert north == [("2026-09", 0, 0, 5), ("2026-10", 5, 5, 0)]


def test_a_statement_accounts_for_every_cent() -> None:
    """opening + accrued - reversed - payable - rounding = closing, over three months of odd amounts."""
    odd = [earned(f"{n}.3333", day=3 * n) for n in range(1, 20)] + [earned("-50.7777", day=33)]
    said = settle(*odd, ended("2026-09"), ended("2026-10"), ended("2026-11"))
    assert len(said.statements) == 3
    for s in said.statements:
        assert s.opening + s.accrued - s.reversed - s.payable - s.rounding == s.closing
    # Σ n.3333 for 1..19 is 190 + 19 x 0.3333 = 196.3327; less 50.7777 is 145.555
    assert sum(s.payable + s.rounding for s in said.statements) == D("145.555")


def test_an_ib_that_earned_nothing_has_no_statement() -> None:
    """Statements are of IBs with a balance."""
    other = PartnerDefined(ib_id="ib-idle", name="idle", currency="USD")
    assert [s.ib_id for s in settle(other, earned("5"), ended("2026-09")).statements] == ["ib-north"]


def test_a_new_version_of_a_plan_leaves_the_months_before_it_as_they_are() -> None:
    """From 1 lot three times the rate, since October: September's lot stays at 4, October's brings 4 + 8.

    The first version pays half more from 3 lots, which no month reaches.
    """
    before = (Band(start=D(3), factor=D("1.5")),)
    after = (Band(start=D(1), factor=D(3)),)
    lots = per_lot("*=4", tiers=Tiers(by="lots", mode="slab", bands=before))
    old = plan("silver USD", lots)
    new = replace(
        old,
        version=2,
        since=at(31),
        components=(replace(lots, tiers=Tiers(by="lots", mode="slab", bands=after)),),
    )
    terms = (*SYMBOLS, *MONTHS, old, partner("ib-north USD silver"))
    facts = (deal("1 buy 1 EURUSD out", day=3), new, deal("2 buy 1 EURUSD out", day=33))
    told = run(*ANNA, *facts, terms=terms)
    assert [(row.code, row.amount) for row in told.transfers] == [
        ("accrual", D(4)),
        ("accrual", D(4)),
        ("true_up", D(8)),
    ]
    late = run(*ANNA, *facts, deal("3 buy 1 EURUSD out", day=4), terms=terms)
    assert late.owed == {"ib:ib-north:pending": "20.00 USD"}


def test_a_period_told_late_settles_what_waited_for_it() -> None:
    """Four deals of a lot at 5, half more from 2 lots: 4 x 7.50, whenever the terms tell of September."""
    tiers = Tiers(by="lots", mode="slab", bands=(Band(start=D(2), factor=D("1.5")),))
    terms = (*SYMBOLS, plan("silver USD", per_lot("*=5", tiers=tiers)), partner("ib-north USD silver"))
    deals = [deal(f"{number} buy 1 EURUSD out", day=3 + number) for number in range(1, 5)]
    for place in range(5):
        facts = [*deals[:place], SEPTEMBER, *deals[place:]]
        assert run(*ANNA, *facts, terms=terms).owed == {"ib:ib-north:pending": "30.00 USD"}


def test_hedged_volume_waits_for_its_period() -> None:
    """1 lot bought and 1 sold pay for one lot of 5, also if September is told after the first."""
    hedged = plan("silver USD", per_lot("*=5", entry="in", hedged=True))
    terms = (*SYMBOLS, hedged, partner("ib-north USD silver"))
    buy, sell = deal("1 buy 1 EURUSD in", day=3), deal("2 sell 1 EURUSD in", day=4)
    assert run(*ANNA, buy, terms=terms).reasons == {"1": "waiting unknown_period"}
    for facts in ((SEPTEMBER, buy, sell), (buy, SEPTEMBER, sell), (buy, sell, SEPTEMBER)):
        assert run(*ANNA, *facts, terms=terms).owed == {"ib:ib-north:pending": "5.00 USD"}
