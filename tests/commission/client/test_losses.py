"""What chargebacks, refunds and withdrawals take of deposits, and what that leaves of what was earned."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import ChargebackReceived, ChargebackWon, WithdrawalPaid
from commission.terms.components import CohortBonus, DepositShare, RevenueShare
from commission.terms.partners import PlanAssignment
from commission.terms.plans import Clawback
from schemas.wire import Record
from tests.build import (
    SYMBOLS,
    D,
    at,
    chargeback,
    cpa,
    deal,
    deposit,
    kyc,
    linked,
    partner,
    per_lot,
    period,
    plan,
    rates,
    registered,
    run,
)

START = (registered("anna ib"), linked("1 anna"), kyc("anna approved", day=1))
LOTS = per_lot("*=10", entry="out")
ACTIVITY = Clawback(chargeback="activity")
CPA_300 = cpa("300", min_lots=D(0))


def terms(*components: Any, factor: str = "1", **fields: Any) -> tuple[Record, ...]:
    """One IB on one plan."""
    schedule = (PlanAssignment(plan_id="p", factor=D(factor)),)
    known = replace(plan("p USD", *components), **fields)
    return (*SYMBOLS, known, partner("ib USD", schedule=schedule), period("2026-09"))


def paid(*records: Record) -> Decimal:
    """On the IB's account in the end."""
    return D(run(*records, terms=()).owed.get("ib:ib:pending", "0").split()[0])


def taken(name: str, *, day: int, amount: str | None = None) -> ChargebackReceived:
    """A chargeback of d1."""
    part = None if amount is None else D(amount)
    return replace(chargeback("anna d1", day=day), event_id=name, chargeback_id=name, amount=part)


def out(amount: int, *, day: int) -> WithdrawalPaid:
    """Money that goes out again."""
    return WithdrawalPaid(
        event_id=f"out {day}", client_id="anna", amount=D(amount), currency="USD", occurred_at=at(day)
    )


D1 = deposit("anna d1 400 USD", day=2)
BETWEEN = deal("2 buy 1 EURUSD out", day=6)
FIRST = taken("c1", day=5, amount="100")


@pytest.mark.parametrize("amount", [None, "300", "400"])
def test_all_of_a_deposit_is_what_is_there_of_it(amount: str | None) -> None:
    """100 of 400 go on day 5, the rest on day 8, in any words: of the 10 of day 6 three quarters go."""
    rest = taken("c2", day=8, amount=amount)
    records = (*terms(LOTS, clawback=ACTIVITY), *START, D1, FIRST, BETWEEN, rest)
    assert paid(*records) == D("2.5")
    assert paid(*records[:-3], rest, BETWEEN, FIRST) == D("2.5")
    before = deal("1 buy 1 EURUSD out", day=4)  # a quarter of its 10, and then three
    assert paid(*records, before) == D("2.5")


@pytest.mark.parametrize("name", ["c1", ""])
def test_what_was_taken_later_is_no_more_once_an_earlier_dispute_is_won(name: str) -> None:
    """Of 400 went 100, then the other 300; the 100 come back: a quarter of each deal's 10 is due."""
    win = ChargebackWon(
        event_id="w", client_id="anna", deposit_id="d1", occurred_at=at(12), amount=D(100), chargeback_id=name
    )
    before, rest = deal("1 buy 1 EURUSD out", day=4), taken("c2", day=8)
    records = (*terms(LOTS, clawback=ACTIVITY), *START, D1, before, FIRST, BETWEEN, rest)
    assert paid(*records, win) == D(5)  # 2.5 of either
    assert paid(*records[:-1], win, rest) == D(5)


def test_a_deposit_that_is_gone_loses_nothing_more() -> None:
    """All of it is charged back twice: the deal after the first time was not made with it."""
    both = (taken("c1", day=5), taken("c2", day=8))
    assert paid(*terms(LOTS, clawback=ACTIVITY), *START, D1, *both, BETWEEN) == D(10)


def test_a_cpa_earned_again_can_be_taken_back_again() -> None:
    """500 of day 2 go on day 15, 500 of day 40 earn it again and go on day 70: within 60 days of day 40."""
    again = (deposit("anna d2 500 USD", day=40), chargeback("anna d2", day=70))
    first = (deposit("anna d1 500 USD", day=2), chargeback("anna d1", day=15))
    records = (*terms(CPA_300), *START, *first, *again)
    assert [paid(*records[: len(records) - n]) for n in (3, 2, 1, 0)] == [D(300), D(0), D(300), D(0)]
    late = chargeback("anna d2", day=101)  # 61 days after day 40
    assert paid(*records[:-1], late) == D(300)


def test_a_cpa_earned_a_third_time_stands() -> None:
    """Twice taken back, and the deposit of day 80 stays: 300."""
    first = (deposit("anna d1 500 USD", day=2), chargeback("anna d1", day=15))
    again = (deposit("anna d2 500 USD", day=40), chargeback("anna d2", day=70))
    third = deposit("anna d3 500 USD", day=80)
    assert paid(*terms(CPA_300), *START, *first, *again, third) == D(300)
    once = replace(CPA_300, requalify=False)
    assert paid(*terms(once), *START, *first, *again, third) == D(0)


@pytest.mark.parametrize(("refund", "due"), [("none", 0), ("cpa", 0)])
def test_what_is_withdrawn_is_gone_whatever_a_plan_says_of_refunds(refund: Any, due: int) -> None:
    """500 are withdrawn, and refunded as well: nothing is left, whether refunds count or not."""
    component = replace(CPA_300, net_deposits=True)
    records = (deposit("anna d1 500 USD", day=2), out(500, day=10))
    late = replace(chargeback("anna d1", day=12), reason="refund")
    assert paid(*terms(component, clawback=Clawback(refund=refund)), *START, *records, late) == D(due)


def test_the_share_of_net_deposits_goes_by_the_factor_of_the_ib() -> None:
    """1 % of 1,000 less 200 is 8, and the IB gets one and a half times what its plan pays: 12."""
    share = DepositShare(name="net", share=D("0.01"), of="net")
    moved = (deposit("anna d1 1000 USD", day=2), out(200, day=3))
    assert paid(*terms(share, factor="1.5"), *START, *moved) == D(12)


def test_a_cpa_stands_on_what_was_there_when_its_deposit_went() -> None:
    """Of 600 go 100 on day 8 and 500 on day 30; 500 more of day 20 carry it then: it is never taken back."""
    once = replace(CPA_300, requalify=False)
    moved = (deposit("anna d1 600 USD", day=2), taken("c1", day=8, amount="100"))
    later = (deposit("anna d2 500 USD", day=20), taken("c2", day=30, amount="500"))
    assert paid(*terms(once), *START, *moved, *later) == D(300)
    assert paid(*terms(once), *START, *later, *moved) == D(300)
    assert paid(*terms(once), *START, *moved, later[1]) == D(0)


def test_what_a_won_dispute_brings_back_waits_for_kyc_where_it_waited() -> None:
    """Half of 10 charged, taken whole while the client's KYC is open, and won: 5 once it is approved."""
    revenue = RevenueShare(name="revenue", rates=rates("*=0.5"), terms=("commission",))
    charged = deal("1 buy 1 EURUSD in", day=4, commission=D(-10))
    win = ChargebackWon(event_id="w", client_id="anna", deposit_id="d1", occurred_at=at(12))
    known = terms(revenue, clawback=ACTIVITY, kyc_gate=True)
    records = (*known, *START[:2], D1, charged, taken("c1", day=8), win)
    assert paid(*records) == D(0)
    assert paid(*records, kyc("anna approved", day=20)) == D(5)
    assert paid(*records[:-1], kyc("anna approved", day=10), win) == D(5)


def test_a_cohort_does_not_count_what_several_disputes_took() -> None:
    """60 % of one deposit and 40 % of another are all of the deal: 0 of 50; with 30 % some stays: 50."""
    bonus = CohortBonus(name="c", amount=D(50), clients=1, min_lots=D(1))
    deposits = deposit("anna d1 1000 USD", day=2), deposit("anna d2 1000 USD", day=2)
    traded, first = deal("7 sell 1 EURUSD out", day=3), replace(chargeback("anna d1", day=5), amount=D(600))
    for amount, due in ((400, {}), (300, {"ib:ib:pending": "50.00 USD"})):
        second = replace(chargeback("anna d2", day=6), amount=D(amount))
        for order in permutations((traded, first, second)):
            found = run(*START, *deposits, *order, terms=terms(bonus, clawback=ACTIVITY)).owed
            assert found == due
