"""CPA: due from the first instant all conditions hold inside the window, taken back for cause."""

from collections.abc import Iterable
from itertools import permutations

import pytest
from msgspec.structs import replace

from commission.terms.components import Cpa, CpaAmount
from schemas.wire import Record
from tests.build import (
    ANNA,
    PARTNERS,
    SYMBOLS,
    D,
    at,
    chargeback,
    cpa,
    deal,
    deposit,
    exchange,
    kyc,
    partner,
    plan,
    reassigned,
    run,
)

APPROVED = kyc("anna approved", day=2)
FTD = deposit("anna d1 500 USD", day=3)
TRADED = deal("1 buy 3 EURUSD out", day=4)
DUE = {"ib:ib-master:pending": "100.00 USD", "ib:ib-north:pending": "300.00 USD"}
"""Gold pays 400 and silver 300: the master earns the difference."""


def terms_of(**fields: object) -> tuple[Record, ...]:
    """Gold 400 and silver 300 and nothing else, with these conditions."""
    gold, silver = cpa("400", **fields), cpa("300", **fields)  # type: ignore[arg-type]
    return (*SYMBOLS, plan("gold USD", gold), plan("silver USD", silver), *PARTNERS)


def owed(*records: Record, terms: Iterable[Record] | None = None) -> dict[str, str]:
    """What the IBs are owed for anna."""
    return run(*ANNA, *records, terms=terms_of() if terms is None else terms).owed


def test_a_qualified_client_pays_once() -> None:
    """500 deposited, KYC approved, 3 lots closed: 300, and 400 - 300 above; more of it pays no more."""
    more = deposit("anna d2 900 USD", day=6), deal("2 buy 9 EURUSD out", day=6)
    told = run(*ANNA, APPROVED, FTD, TRADED, *more, terms=terms_of())
    assert told.owed == DUE
    assert told.transfers[0].occurred_at == at(4)
    assert told.happened.count("cpa.qualified") == 2


def test_facts_qualify_in_any_order() -> None:
    """Deposit, KYC, trade: whatever is known last completes the qualification, at the same instant."""
    for order in permutations((APPROVED, FTD, TRADED)):
        told = run(*ANNA, *order, terms=terms_of())
        assert told.owed == DUE
        assert {row.occurred_at for row in told.transfers} == {at(4)}
        for short in (order[:2], order[1:]):
            assert owed(*short) == {}


@pytest.mark.parametrize(
    ("deposits", "is_due"),
    [
        (["d1 500 3 0"], True),
        (["d1 499.99 3 0"], False),
        (["d1 300 3 0", "d2 200 4 0"], True),  # exactly 24 hours later
        (["d1 300 3 0", "d2 200 4 1"], False),  # an hour too late
        (["d1 300 3 0", "d2 100 3 5", "d3 100 3 9"], True),
        (["d1 300 3 0", "d2 900 9 0"], False),  # large, but not within a day of the first
        (["d1 250 3 0", "d2 250 3 0"], True),  # at the same instant
    ],
)
def test_deposits_of_the_first_day_add_up(deposits: list[str], is_due: bool) -> None:  # noqa: FBT001 # a table
    """The first deposit and those within 24 hours reach the minimum together or not at all."""
    cleared = []
    for text in deposits:
        name, amount, day, hour = text.split()
        cleared.append(deposit(f"anna {name} {amount} USD", day=int(day), hour=int(hour)))
    for order in (cleared, cleared[::-1]):
        assert owed(APPROVED, TRADED, *order) == (DUE if is_due else {})


def test_a_deposit_counts_in_the_currency_of_the_conditions() -> None:
    """400 EUR at 1.25 are the 500 USD asked for; until the rate is known the CPA waits."""
    rate, euros = exchange("EUR/USD 1.25"), deposit("anna d1 400 EUR", day=3)
    assert owed(APPROVED, TRADED, euros) == {}
    assert owed(rate, APPROVED, TRADED, euros) == DUE
    assert owed(APPROVED, TRADED, euros, rate) == DUE


def test_lots_count_when_they_are_closed_and_standardised() -> None:
    """2.99 lots are too few, opened lots do not count, 300 cent lots are 3."""
    few = deal("1 buy 2.99 EURUSD out"), deal("2 buy 9 EURUSD in")
    assert owed(APPROVED, FTD, *few) == {}
    assert owed(APPROVED, FTD, *few, deal("3 buy 0.01 EURUSD out")) == DUE
    assert owed(APPROVED, FTD, deal("1 buy 300 EURUSDc out")) == DUE


def test_the_window_ends_after_its_days() -> None:
    """Registered on day 1 with 30 days: day 31, 00:00 is inside, an hour later is not."""
    terms = terms_of(qualification_days=30)
    for hour, expected in ((0, DUE), (1, {})):
        late = deal("1 buy 3 EURUSD out", day=31, hour=hour)
        assert owed(APPROVED, FTD, late, terms=terms) == expected
    assert owed(FTD, TRADED, kyc("anna approved", day=32), terms=terms) == {}


def test_the_upline_is_that_of_the_registration() -> None:
    """A client that moves to another IB still qualifies for the one that brought it."""
    assert owed(reassigned("anna ib-master", day=2), APPROVED, FTD, TRADED) == DUE


def test_a_cpa_waits_for_its_terms() -> None:
    """Facts that come before the IB is known are weighed when it is."""
    north, *rest = reversed(terms_of())
    assert owed(APPROVED, FTD, TRADED, terms=rest) == {}
    assert owed(APPROVED, FTD, TRADED, north, terms=rest) == DUE


def test_an_upline_with_less_earns_no_cpa() -> None:
    """200 above 300 is nothing; the lowest IB's conditions count."""
    easy = cpa("200", min_deposit=D(0), min_lots=D(0))
    terms = (*SYMBOLS, plan("gold USD", easy), plan("silver USD", cpa("300")), *PARTNERS)
    assert owed(APPROVED, FTD, terms=terms) == {}
    assert owed(APPROVED, FTD, TRADED, terms=terms) == {"ib:ib-north:pending": "300.00 USD"}


def test_a_cpa_is_paid_in_the_currency_of_the_ib() -> None:
    """300 USD at 150 are 45,000 JPY, by the rate of the qualification."""
    terms = (*SYMBOLS, plan("silver USD", cpa("300")), partner("ib-north JPY silver"))
    assert owed(APPROVED, FTD, TRADED, terms=terms) == {}
    found = owed(APPROVED, FTD, TRADED, exchange("USD/JPY 150"), terms=terms)
    assert found == {"ib:ib-north:pending": "45000 JPY"}


# Chargebacks


def test_a_chargeback_inside_the_window_takes_it_back() -> None:
    """Qualified on day 4 with 60 days: day 64 is inside. The reversal has the day of the chargeback."""
    told = run(*ANNA, APPROVED, FTD, TRADED, chargeback("anna d1", day=64), terms=terms_of())
    assert told.balances == {}
    assert [row.occurred_at for row in told.transfers if row.code == "reversal"] == [at(64)] * 2
    assert told.happened.count("cpa.clawback") == 2


def test_a_chargeback_after_the_window_changes_nothing() -> None:
    """Day 65 is outside, whatever order the facts come in."""
    late = chargeback("anna d1", day=65)
    assert owed(APPROVED, FTD, TRADED, late) == DUE
    assert owed(late, APPROVED, FTD, TRADED) == DUE


def test_a_chargeback_may_come_before_its_deposit() -> None:
    """The deposit is known as charged back from the start."""
    assert owed(chargeback("anna d1", day=9), APPROVED, TRADED, FTD) == {}


def test_a_chargeback_of_what_is_not_needed_changes_nothing() -> None:
    """500 remain of 500 and 200."""
    extra = deposit("anna d2 200 USD", day=3, hour=1)
    assert owed(APPROVED, FTD, extra, TRADED, chargeback("anna d2", day=9)) == DUE


@pytest.mark.parametrize(("day", "due"), [(30, {}), (31, DUE)])
def test_a_cpa_earned_again_has_a_window_of_its_own(day: int, due: dict[str, str]) -> None:
    """Taken back on day 9, earned again on day 20 with 10 days: day 30 is inside, whatever the order."""
    terms = terms_of(clawback_days=10)
    again = deposit("anna d2 500 USD", day=20)
    facts = (APPROVED, FTD, TRADED, chargeback("anna d1", day=9), again, chargeback("anna d2", day=day))
    assert owed(*facts, terms=terms) == due
    assert owed(*reversed(facts), terms=terms) == due


def test_a_second_deposit_qualifies_again() -> None:
    """After a chargeback a deposit on its own is a new first one; ids of the second CPA are new."""
    again = deposit("anna d2 500 USD", day=20)
    told = run(*ANNA, APPROVED, FTD, TRADED, chargeback("anna d1", day=9), again, terms=terms_of())
    assert told.owed == DUE
    assert [row.code for row in told.transfers] == ["accrual"] * 2 + ["reversal"] * 2 + ["accrual"] * 2
    assert len({row.transfer_id for row in told.transfers}) == 6
    assert owed(APPROVED, FTD, TRADED, chargeback("anna d1", day=9), replace(again, amount=D(499))) == {}


def test_what_was_taken_back_before_the_approval_does_not_count() -> None:
    """The deposit of day 3 is gone on day 5, KYC comes on day 6: not due until a new deposit of day 7."""
    gone, approved = chargeback("anna d1", day=5), kyc("anna approved", day=6)
    assert owed(FTD, TRADED, gone, approved) == {}
    told = run(*ANNA, FTD, TRADED, gone, approved, deposit("anna d2 500 USD", day=7), terms=terms_of())
    assert told.owed == DUE
    assert {row.occurred_at for row in told.transfers} == {at(7)}


BY_DEPOSIT = Cpa(
    name="cpa",
    amounts=(CpaAmount(amount=D(100), min_deposit=D(500)), CpaAmount(amount=D(300), min_deposit=D(1000))),
    min_turnover=D(200),
)
"""100 for a deposit of 500, 300 for one of 1,000, once 200 times the deposit has been turned over."""


@pytest.mark.parametrize("others", [(), (8,), (8, 9)])
def test_half_a_deposit_taken_back_before_the_turnover_pays_for_the_other_half(
    others: tuple[int, ...],
) -> None:
    """1,000 ask for 200,000 of turnover: a lot of 110,000 on day 5 is too little, a second on day 20 enough.

    On day 10 half is taken back. The 500 that are left ask for 100,000, which day 5 has brought: they pay
    100, on day 10, when that became so, whatever small deposits came after the first day.
    """
    terms = (*SYMBOLS, plan("silver USD", BY_DEPOSIT), partner("ib-north USD silver"))
    half = replace(chargeback("anna d1", day=10), amount=D(500))
    facts = (deposit("anna d1 1000 USD", day=3), deal("1 buy 1 EURUSD out", day=5), half, APPROVED)
    small = [deposit(f"anna small{day} 1 USD", day=day) for day in others]
    told = run(*ANNA, *facts, *small, deal("2 buy 1 EURUSD out", day=20), terms=terms)
    assert told.owed == {"ib:ib-north:pending": "100.00 USD"}
    assert {row.occurred_at for row in told.transfers if row.code == "accrual"} == {at(10)}


def test_later_terms_do_not_undo_a_cpa_nor_its_clawback() -> None:
    """A version that asks for more leaves what was granted; its chargeback still takes it back."""
    stricter = plan("silver USD", cpa("300", min_deposit=D(5000)), version=2)
    granted = (APPROVED, FTD, TRADED, stricter, deposit("anna d2 1 USD", day=9))
    assert owed(*granted) == DUE
    assert owed(*granted, chargeback("anna d1", day=10)) == {}


# Facts learned late


def test_an_earlier_deposit_learned_late_counts_in_any_order() -> None:
    """100 on day 2 make the 500 of day 5 no first deposit, also if they are known only later."""
    small, large = deposit("anna d1 100 USD", day=2), deposit("anna d2 500 USD", day=5)
    assert owed(APPROVED, TRADED, small, large) == {}
    assert owed(APPROVED, TRADED, large, small) == {}


def test_a_cancelled_trade_qualifies_nobody_in_any_order() -> None:
    """The lots were never traded: before the deposit or after it, the CPA is not due."""
    gone = replace(TRADED, revision="b", kind="cancelled")
    for order in ((FTD, TRADED, gone), (TRADED, FTD, gone), (TRADED, gone, FTD)):
        assert owed(APPROVED, *order) == {}


def test_trades_after_the_lots_were_reached_still_count() -> None:
    """2, 1 and 1 lots; the 1 of day 5 is cancelled: the other three are enough."""
    trades = [deal(f"{n} buy {lots} EURUSD out", day=3 + n) for n, lots in ((1, 2), (2, 1), (3, 1))]
    gone = replace(trades[1], revision="b", kind="cancelled")
    assert owed(APPROVED, *trades, gone, FTD) == DUE
    assert owed(APPROVED, FTD, *trades, gone) == DUE
