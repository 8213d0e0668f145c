"""Later charges of an account: before their deals, refunded, made again, told late, edited, cancelled."""

from itertools import permutations
from typing import Any

from msgspec.structs import replace

from commission.events import ClientFlagged, Deal
from commission.terms.components import CommissionShare
from commission.terms.partners import PartnerDefined
from commission.terms.plans import Budget, Clawback
from commission.terms.rates import Band, Caps, Tiers, When
from tests.build import (
    ANNA,
    SYMBOLS,
    D,
    Told,
    at,
    chargeback,
    deal,
    deposit,
    ended,
    exchange,
    linked,
    partner,
    period,
    plan,
    rates,
    registered,
    run,
)
from tests.commission.client.rerated import again

NORTH = "ib:ib-north:pending"
SHARE = CommissionShare(name="c", rates=rates("EURUSD=0.5 XAUUSD=0.1"), charges=True)
OWN = replace(plan("own USD", SHARE), clawback=Clawback(chargeback="activity", fraud="all"))
TERMS = (*SYMBOLS, OWN, partner("ib-north USD own"))
GOLD = deal("1 buy 1 XAUUSD out", day=3)
EUROS = deal("2 sell 3 EURUSD out", day=4)


def charge(deal_id: str, amount: str, day: int) -> Deal:
    """A commission deal of the account; above 0 a refund."""
    values: dict[str, Any] = {"kind": "commission", "side": None, "entry": None, "symbol": ""}
    return deal(f"{deal_id} buy 0 X out", day=day, profit=D(amount), **values)


CHARGE = charge("8", "-20", 5)
"""15 for 3 lots of euros and 5 for 1 of gold: 7.50 + 0.50 = 8."""
REFUND = charge("9", "20", 6)


def told(*records: object) -> Told:
    """All that is said."""
    said = run(*ANNA, *records, terms=TERMS)  # type: ignore[arg-type] # records of any kind
    assert [] == said.dead_letters
    return said


def owed(*records: object) -> dict[str, str]:
    """What is owed."""
    return told(*records).owed


def test_a_charge_may_come_before_its_deals() -> None:
    """Whichever of the three is told first; the deal of the day after is for the next charge."""
    for order in permutations((GOLD, EUROS, CHARGE)):
        assert {NORTH: "8.00 USD"} == owed(*order)
    later, second = deal("3 sell 1 EURUSD out", day=6), charge("10", "-4", 7)
    for order in permutations((GOLD, EUROS, CHARGE)):
        assert {NORTH: "10.00 USD"} == owed(*order, later, second)  # and half of 4


def test_a_deal_of_the_last_charge_may_be_cancelled() -> None:
    """Without the euros all 20 are for gold: 2. The charge after it is not touched: half of 4."""
    gone = replace(EUROS, kind="cancelled", revision="z")
    assert {NORTH: "2.00 USD"} == owed(GOLD, EUROS, CHARGE, gone)
    assert {} == owed(EUROS, CHARGE, gone)
    later = deal("3 sell 1 EURUSD out", day=6)
    assert {NORTH: "4.00 USD"} == owed(GOLD, EUROS, CHARGE, gone, later, charge("10", "-4", 7))


def test_a_charge_made_again_after_its_refund_is_for_the_same() -> None:
    """20 refunded and charged again: 8; of new volumes alone, where there are some: half of 20."""
    anew = charge("10", "-20", 7)
    assert {} == owed(GOLD, EUROS, CHARGE, REFUND)
    assert {NORTH: "8.00 USD"} == owed(GOLD, EUROS, CHARGE, REFUND, anew)
    assert {NORTH: "10.00 USD"} == owed(GOLD, EUROS, CHARGE, REFUND, deal("3 sell 1 EURUSD out", day=6), anew)
    assert {NORTH: "8.00 USD"} == owed(GOLD, EUROS, CHARGE, anew)  # not refunded: 20 more for nothing


def test_a_refund_takes_what_a_dispute_left_of_the_charge() -> None:
    """Half of the deposit disputed takes 4 of 8, a refund of 5 a quarter of the rest: 3; all of it, all."""
    dispute = replace(chargeback("anna d1", day=6), amount=D(500))
    part = charge("9", "5", 7)
    for order in permutations((CHARGE, dispute)):
        assert {NORTH: "3.00 USD"} == owed(deposit("anna d1 1000 USD", day=2), GOLD, EUROS, *order, part)
    for order in permutations((dispute, REFUND)):
        assert {} == owed(deposit("anna d1 1000 USD", day=2), GOLD, EUROS, CHARGE, *order)


def test_refunds_of_more_than_the_charge() -> None:
    """15 and 10 of 20, 25 of 20, 20 and 20 of 20: what is more than the charge is of none, and says so."""
    for refunds in (("15", "10"), ("25",), ("20", "20")):
        records = [charge(str(9 + n), amount, 6 + n) for n, amount in enumerate(refunds)]
        for order in permutations((CHARGE, *records)):
            said = told(GOLD, EUROS, *order)
            assert ({}, "rejected refund_unknown") == (said.owed, said.reasons[records[-1].deal_id])


def test_a_refund_is_of_a_charge_that_has_as_much_left() -> None:
    """25 are not of the 20 of day 5, but of the 40 of day 4, 20 + 0 for 3 lots of euros: 5 eighths of 20 go.

    With 20 and 4 alone 22 are of both, the newest first: 4 and 18 of 20, so 2 tenths of 8 are left.
    """
    euros, gold = replace(EUROS, occurred_at=at(3)), replace(GOLD, occurred_at=at(5))
    early, late = charge("8", "-40", 4), charge("9", "-20", 5)
    for order in permutations((euros, gold, early, late, charge("10", "25", 6))):
        assert {NORTH: "9.50 USD"} == owed(*order)  # 20 x 15/40 + 2
    second = charge("10", "-4", 6)
    for order in permutations((CHARGE, second, deal("3 sell 1 EURUSD out", day=6), charge("11", "22", 7))):
        assert {NORTH: "0.80 USD"} == owed(GOLD, EUROS, *order)


def test_a_refund_that_is_changed() -> None:
    """5 are a quarter of 8: 6; edited to 10, 4; cancelled, 8. Nor does a proposal change anything."""
    part = charge("9", "5", 6)
    more, gone = replace(part, profit=D(10), revision="b"), replace(part, kind="cancelled", revision="z")
    assert {NORTH: "6.00 USD"} == owed(GOLD, EUROS, CHARGE, part)
    assert {NORTH: "4.00 USD"} == owed(GOLD, EUROS, CHARGE, part, more)
    assert {NORTH: "8.00 USD"} == owed(GOLD, EUROS, CHARGE, part, more, gone)
    said = told(GOLD, EUROS, CHARGE, part, again(part), again(CHARGE))
    assert ({NORTH: "6.00 USD"}, "rejected refund") == (said.owed, said.reasons["9"])
    assert 4 == len(said.transfers)  # of euros and gold, and back


def test_a_charge_that_is_changed() -> None:
    """40 for the same volumes: 16, also once another came, half of 4. Cancelled, the next is for them:

    4 for 4 lots of euros and 1 of gold are 3.20 and 0.80, so 1.60 + 0.08.
    """
    more = replace(CHARGE, profit=D(-40), revision="b")
    later, second = deal("3 sell 1 EURUSD out", day=6), charge("10", "-4", 7)
    assert {NORTH: "16.00 USD"} == owed(GOLD, EUROS, CHARGE, more)
    assert {NORTH: "18.00 USD"} == owed(GOLD, EUROS, CHARGE, later, second, more)
    gone = replace(CHARGE, kind="cancelled", revision="z")
    assert {} == owed(GOLD, EUROS, CHARGE, gone)
    assert {NORTH: "8.00 USD"} == owed(GOLD, EUROS, CHARGE, gone, charge("10", "-20", 7))
    assert {NORTH: "1.68 USD"} == owed(GOLD, EUROS, CHARGE, later, second, gone)


def test_each_charge_is_for_what_was_traded_before_it_in_any_order() -> None:
    """20 of day 3 are for gold, 2; 12 of day 4 for the euros, 6; 20 of day 5 for nothing; 4 of day 7: 2."""
    later = deal("3 sell 1 EURUSD out", day=6)
    first, second, last = charge("7", "-20", 3), charge("6", "-12", 4), charge("10", "-4", 7)
    gold, euros = replace(GOLD, occurred_at=at(3)), replace(EUROS, occurred_at=at(4))
    for order in permutations((gold, euros, later, first, second, last)):
        assert {NORTH: "10.00 USD"} == owed(*order, CHARGE)
        assert {NORTH: "10.00 USD"} == owed(CHARGE, *order)


def test_a_deal_of_a_later_day_is_not_of_an_earlier_charge() -> None:
    """The euros of day 4 are told before the charge of day 3, which is for gold alone: 2; then half of 6."""
    first, second = charge("7", "-20", 3), charge("8", "-6", 5)
    gold = replace(GOLD, occurred_at=at(2))
    assert {NORTH: "2.00 USD"} == owed(gold, EUROS, first)
    assert {NORTH: "5.00 USD"} == owed(gold, EUROS, first, second)
    moved = replace(first, occurred_at=at(6), revision="b")  # for nothing; the other for both, 2.25 + 0.15
    assert {NORTH: "2.40 USD"} == owed(gold, EUROS, first, second, moved)


def test_a_refund_comes_before_its_charge() -> None:
    """20 refunded on day 6 are of the charge of day 5, whenever that is told; not of one of day 7."""
    assert {} == owed(GOLD, EUROS, REFUND, CHARGE)
    said = told(GOLD, EUROS, REFUND, replace(CHARGE, occurred_at=at(7)))
    assert ({NORTH: "8.00 USD"}, "rejected refund_unknown") == (said.owed, said.reasons["9"])
    assert "rejected refund" == told(GOLD, EUROS, REFUND, CHARGE).reasons["9"]


def test_a_charge_is_of_the_clients_channel() -> None:
    """A plan that pays for one channel pays the later charges of its clients too: 8."""
    own = replace(OWN, when=When(channels=("search",)))
    for channel, due in (("search", {NORTH: "8.00 USD"}), ("email", {})):
        anna = registered("anna ib-north", click={"channel": channel})
        terms = (*SYMBOLS, own, partner("ib-north USD own"))
        assert due == run(anna, linked("1 anna"), GOLD, EUROS, CHARGE, terms=terms).owed


def test_what_a_period_settles_counts_a_charge_as_money() -> None:
    """Half of 20 is 10: capped at 3 a month, 3; of 10 on twice, 20. Lots and deals are those of the trades.

    20 for 3 lots of euros and 1 of gold: 4 lots, 2 deals. From 5 lots or 3 deals on twice: none is reached.
    10 of 20 refunded: 5 are due, of which the cap lets 3 through, and the band is not reached.
    """
    months = (period("2026-09"), period("2026-10"))
    share = replace(SHARE, rates=rates("*=0.5"))

    def twice(by: Any, start: int) -> CommissionShare:
        return replace(share, tiers=Tiers(by=by, mode="slab", bands=(Band(start=D(start), factor=D(2)),)))

    for own, due, refunded in (
        (replace(share, caps=Caps(per_period=D(3))), "3.00", "3.00"),
        (twice("amount", 10), "20.00", "5.00"),
        (twice("lots", 5), "10.00", "5.00"),
        (twice("count", 3), "10.00", "5.00"),
    ):
        terms = (*SYMBOLS, *months, plan("own USD", own), partner("ib-north USD own"))
        for order in permutations((GOLD, EUROS, CHARGE)):
            said = run(*ANNA, *order, ended("2026-09"), terms=terms)
            assert {"ib:ib-north:payable": f"{due} USD"} == said.owed
        for order in permutations((GOLD, CHARGE, charge("9", "10", 6))):
            said = run(*ANNA, EUROS, *order, ended("2026-09"), terms=terms)
            assert {"ib:ib-north:payable": f"{refunded} USD"} == said.owed


def test_a_charge_is_commission_to_a_budget() -> None:
    """A quarter of the 20 charged are 5 of 10; of the client's result a charge is nothing."""
    own = plan("own USD", replace(SHARE, rates=rates("*=0.5")))
    for revenue, due in ((("commission",), {NORTH: "5.00 USD"}), (("client_result",), {})):
        budget = Budget(share=D("0.25"), revenue=revenue)
        terms = (*SYMBOLS, replace(own, budget=budget), partner("ib-north USD own"))
        assert due == run(*ANNA, GOLD, EUROS, CHARGE, terms=terms).owed


def test_a_charge_stands_where_what_it_would_be_is_unknown() -> None:
    """By the new version at most 3 EUR a symbol: the rate is missing, so the 8 stand until it is told."""
    capped = replace(SHARE, caps=Caps(per_deal=D(3)))
    second = replace(OWN, version=2, currency="EUR", components=(capped,))
    assert {NORTH: "8.00 USD"} == owed(GOLD, EUROS, CHARGE, second, again(CHARGE))
    rate = exchange("EUR/USD 2", day=1)  # 7.50 are at most 6
    assert {NORTH: "6.50 USD"} == owed(GOLD, EUROS, CHARGE, second, rate, again(CHARGE))


def test_a_charge_waits_for_its_terms() -> None:
    """8 USD at 0.5 are 4 EUR: not paid in part, nor forgotten, while a rate or the IB above is unknown."""
    north = partner("ib-north EUR own ib-master")
    master = PartnerDefined(ib_id="ib-master", name="Master", currency="EUR")
    rate, terms = exchange("USD/EUR 0.5", day=1), (*SYMBOLS, OWN, north, master)
    waiting = run(*ANNA, GOLD, EUROS, CHARGE, again(CHARGE), terms=terms)
    assert ({}, "waiting no_rate") == (waiting.owed, waiting.reasons["8"])
    for order in permutations((GOLD, EUROS, CHARGE, rate)):
        assert {NORTH: "4.00 EUR"} == run(*ANNA, *order, terms=terms).owed
    gone = replace(CHARGE, kind="cancelled", revision="z")
    assert {} == run(*ANNA, GOLD, EUROS, CHARGE, gone, rate, terms=terms).owed
    late = run(*ANNA, GOLD, EUROS, CHARGE, rate, master, terms=(*SYMBOLS, OWN, north))
    assert {NORTH: "4.00 EUR"} == late.owed


def test_a_refund_after_fraud() -> None:
    """The 8 went with the verdict; the refund finds nothing, and is no deal of an IB's any more."""
    fraud = ClientFlagged(event_id="f", client_id="anna", verdict="fraud", occurred_at=at(5, 5))
    assert {} == owed(GOLD, EUROS, CHARGE, fraud, REFUND)
    assert {} == owed(GOLD, EUROS, CHARGE, REFUND, again(REFUND), fraud, again(REFUND))
