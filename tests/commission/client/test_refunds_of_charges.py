"""A refund takes back what its charge still has: as if the client had never been charged."""

from collections import defaultdict
from decimal import Decimal
from itertools import combinations, permutations

import pytest
from msgspec.structs import replace

from commission.events import ChargebackWon, ClientFlagged, Deal
from commission.ledger import balances
from commission.terms.components import CommissionShare, Component, Rebate
from commission.terms.plans import Budget, Clawback, PlanDefined
from commission.terms.rates import Band, Caps, Tiers
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
    kyc,
    partner,
    per_lot,
    period,
    plan,
    rates,
    reassigned,
    run,
)
from tests.commission.client.rerated import again
from tests.commission.explanations import why

NORTH, HELD = "ib:ib-north:pending", "ib:ib-north:held"
HALF = CommissionShare(name="c", rates=rates("*=0.5"))
CHARGED = deal("1 buy 1 EURUSD in", day=3, commission=D(-10))
REFUNDED = deal("2 sell 1 EURUSD out", day=6, position_id="of-1", commission=D(10))
SOME = replace(REFUNDED, commission=D(4))
DEPOSIT = deposit("anna d1 1000 USD", day=2)
DISPUTE = chargeback("anna d1", day=5)
HALF_DISPUTED = replace(DISPUTE, amount=D(500))
WON = ChargebackWon(event_id="won", client_id="anna", deposit_id="d1", occurred_at=at(8))
MONTHS = (period("2026-09"), period("2026-10"))
DISPUTED = replace(plan("own USD", HALF), clawback=Clawback(chargeback="activity"))


def told(*records: object, own: PlanDefined, others: tuple[object, ...] = ()) -> Told:
    """All that is said where ib-north alone is paid, by one plan."""
    terms = (*SYMBOLS, *MONTHS, own, partner("ib-north USD own"), *others)
    said = run(*ANNA, *records, terms=terms)  # type: ignore[arg-type] # records of any kind
    assert [] == said.dead_letters
    return said


def owed(*records: object, own: PlanDefined) -> dict[str, str]:
    """What is owed."""
    return told(*records, own=own).owed


@pytest.mark.parametrize(
    ("facts", "due"),
    [
        ((REFUNDED, DISPUTE), None),  # all of 5 went with the deposit: the refund finds nothing
        ((REFUNDED, DISPUTE, WON), None),  # what comes back is of a charge that was refunded
        ((SOME, HALF_DISPUTED), "1.50 USD"),  # (10 - 4) / 2 = 3, half of it disputed
        ((SOME, HALF_DISPUTED, WON), "3.00 USD"),
        ((SOME, DISPUTE), None),
    ],
)
def test_a_dispute_and_a_refund_take_nothing_twice(facts: tuple[object, ...], due: str | None) -> None:
    """Half of 10 charged, in whatever order the rest becomes known."""
    for order in permutations((CHARGED, *facts)):
        assert owed(DEPOSIT, *order, own=DISPUTED) == ({NORTH: due} if due else {})


def test_a_second_dispute_takes_of_what_the_refund_left() -> None:
    """3 are left of the refund of 4: 30 % disputed is 0.90, and then 70 %, the rest."""
    first = replace(DISPUTE, event_id="first", amount=D(300))
    second = replace(DISPUTE, event_id="second", amount=D(700))
    for order in permutations((CHARGED, SOME, first)):
        assert {NORTH: "2.10 USD"} == owed(DEPOSIT, *order, own=DISPUTED)
    assert {} == owed(DEPOSIT, CHARGED, first, SOME, second, own=DISPUTED)


def test_what_a_cap_kept_back_is_not_taken() -> None:
    """5 of September are capped at 3; refunded in October, 0 of September are due, and 1.50 / 3 of parts.

    4 of 10 refunded: 3 of 5 are due, which the cap lets through; 8 of 10: 1.
    """
    own = plan("own USD", replace(HALF, caps=Caps(per_period=D(3))))
    late = replace(REFUNDED, occurred_at=at(35))
    for amount, due in (("10", None), ("4", "3.00 USD"), ("8", "1.00 USD")):
        for order in permutations((CHARGED, replace(late, commission=D(amount)))):
            assert owed(*order, own=own) == ({NORTH: due} if due else {})
    closed = {"ib:ib-north:payable": "3.00 USD", NORTH: "-3.00 USD"}
    assert closed == owed(CHARGED, ended("2026-09"), late, own=own)  # the next statement takes it off


def test_what_came_back_is_disputed_as_one() -> None:
    """5.00000003: a quarter disputed and won, then half of all is 2.50000002; of each piece, one less."""
    own = plan("own USD", replace(HALF, rates=rates("*=0.500000003")))
    own = replace(own, clawback=Clawback(chargeback="activity"))
    part = replace(DISPUTE, event_id="part", amount=D(250), chargeback_id="part")
    won = ChargebackWon(
        event_id="won", client_id="anna", deposit_id="d1", occurred_at=at(6), chargeback_id="part"
    )
    half = replace(HALF_DISPUTED, event_id="half", occurred_at=at(7))
    said = told(DEPOSIT, CHARGED, part, won, half, own=own)
    (left,) = (amount for (account, _), amount in balances(said.transfers).items() if account == NORTH)
    assert D("2.50000001") == left  # 5.00000003 - 2.50000002, to the even digit


def test_held_money_stays_where_it_is() -> None:
    """5 were released by an approval; the revocation after it holds none of the refund."""
    own = plan("own USD", HALF, kyc_gate=True)
    approved, revoked = kyc("anna approved", day=2), kyc("anna revoked", day=4)
    assert {} == owed(approved, CHARGED, revoked, REFUNDED, own=own)
    assert {NORTH: "3.00 USD"} == owed(approved, CHARGED, revoked, SOME, own=own)
    assert {HELD: "3.00 USD"} == owed(CHARGED, SOME, own=own)


def test_what_was_forfeited_is_not_taken() -> None:
    """Approved after the three days of the gate: the 5 went back to the broker by themselves."""
    own = replace(plan("own USD", HALF, kyc_gate=True), kyc_forfeit_days=3)
    approved = kyc("anna approved", day=9)
    for order in permutations((CHARGED, REFUNDED, approved)):
        assert {} == owed(*order, own=own)
    late = replace(REFUNDED, occurred_at=at(10))
    assert {} == owed(CHARGED, approved, late, own=own)


def test_the_ib_of_the_charge_gives_it_back() -> None:
    """The client went to another IB, or was found fraudulent, before the refund: only the 5 go."""
    south = partner("ib-south USD lots"), plan("lots USD", per_lot("*=7", entry="in"))
    moved = reassigned("anna ib-south", day=5)
    fraud = ClientFlagged(event_id="f", client_id="anna", verdict="fraud", occurred_at=at(5))
    own = replace(plan("own USD", HALF), clawback=Clawback(fraud="none"))
    for gone in (moved, reassigned("anna", day=5), fraud):
        said = told(CHARGED, gone, REFUNDED, own=own, others=south)
        assert {} == said.owed
        assert [("accrual", D(5)), ("reversal", D(5))] == [(t.code, t.amount) for t in said.transfers]


def test_a_refund_that_is_changed_gives_back() -> None:
    """4 refunded leave 3; cancelled, 5 are due; edited to 8 and to 2 and to a charge, 1 and 4 and 5 + 1."""
    cancelled = replace(SOME, kind="cancelled", revision="z")
    more, less = (replace(SOME, revision=name, commission=D(amount)) for name, amount in (("b", 8), ("c", 2)))
    own = plan("own USD", HALF)
    assert {NORTH: "5.00 USD"} == owed(CHARGED, SOME, cancelled, own=own)
    assert {NORTH: "1.00 USD"} == owed(CHARGED, SOME, more, own=own)
    assert {NORTH: "4.00 USD"} == owed(CHARGED, SOME, more, less, own=own)
    charge = replace(SOME, revision="d", commission=D(-2))
    assert {NORTH: "6.00 USD"} == owed(CHARGED, SOME, more, less, charge, own=own)
    said = told(CHARGED, SOME, more, less, cancelled, own=own)
    assert {NORTH: "5.00 USD"} == said.owed
    assert len(said.transfers) == len({one.transfer_id for one in said.transfers})


def test_a_charge_that_is_changed_keeps_its_refund() -> None:
    """20 charged after all: 10 - 2; in another group, as before: 5 - 2; cancelled, nothing is to take."""
    own = plan("own USD", HALF)
    edited = replace(CHARGED, revision="b", commission=D(-20))
    assert {NORTH: "8.00 USD"} == owed(CHARGED, SOME, edited, own=own)
    grouped = replace(CHARGED, revision="c", group="vip")
    assert {NORTH: "3.00 USD"} == owed(CHARGED, SOME, grouped, own=own)
    gone = replace(CHARGED, revision="d", kind="cancelled")
    said = told(CHARGED, SOME, gone, own=own)
    assert ({}, "rejected refund_unknown") == (said.owed, said.reasons["2"])


def test_the_oldest_opening_is_refunded_first() -> None:
    """10 and 6 charged on one position, closed at once with 12 refunded: of the second, 4 of 6 stay."""
    second = replace(CHARGED, deal_id="3", occurred_at=at(4), commission=D(-6))
    both = replace(REFUNDED, volume_e8=2 * CHARGED.volume_e8, commission=D(12))
    for order in permutations((CHARGED, second, both)):
        said = told(*order, own=plan("own USD", HALF))
        assert {NORTH: "2.00 USD"} == said.owed
    assert "rejected refund" == said.reasons["2"]


def test_an_opening_without_a_charge_has_nothing_to_refund() -> None:
    """0 and 10 charged, closed at once with 10 refunded: all of the second; 4 more are of no charge."""
    free = replace(CHARGED, deal_id="0", occurred_at=at(2), commission=D(0))
    both = replace(REFUNDED, volume_e8=2 * CHARGED.volume_e8)
    for order in permutations((free, CHARGED, both)):
        assert {} == owed(*order, own=plan("own USD", HALF))
    more = replace(both, commission=D(14))
    said = told(free, CHARGED, more, own=plan("own USD", HALF))
    assert ({}, "rejected refund_unknown") == (said.owed, said.reasons["2"])


def test_rated_again_it_is_a_refund_of_what_is_due_by_now() -> None:
    """3 of 10 by the corrected plan, less 4 tenths of it: 1.80, whichever of the two is approved first."""
    less = replace(plan("own USD", replace(HALF, rates=rates("*=0.3"))), version=2)
    terms = (*SYMBOLS, *MONTHS, plan("own USD", HALF), partner("ib-north USD own"))
    for order in permutations((again(CHARGED), again(SOME))):
        assert {NORTH: "1.80 USD"} == run(*ANNA, CHARGED, SOME, less, *order, terms=terms).owed
    said = run(*ANNA, CHARGED, SOME, again(SOME), again(CHARGED), terms=terms)
    assert 2 == len(said.transfers)  # nothing differs


@pytest.mark.parametrize("funded_by", ["ib", "broker"])
def test_a_rebate_of_several_kinds_gives_back_the_charges_part(funded_by: str) -> None:
    """A fifth of 5 + 7 is 2.40 for the client; with 10 refunded a fifth of 7, 1.40, and with 4, of 10: 2."""
    rebate = Rebate(name="b", unit="share", rates=rates("*=0.2"), entry="in")
    own = plan("own USD", HALF, per_lot("*=7", entry="in"), replace(rebate, funded_by=funded_by))
    for refund, ib, client in ((REFUNDED, "7", "1.40"), (SOME, "10", "2.00")):
        ib_due = D(ib) - D(client) * (funded_by == "ib")
        for order in permutations((CHARGED, refund)):
            assert owed(*order, own=own) == {
                NORTH: f"{ib_due:.2f} USD",
                "client:anna:rebate": f"{client} USD",
            }


def test_a_budget_without_the_charge_leaves_less_for_others() -> None:
    """A half of 10 charged is the budget: 5 of 5 + 5, 2.50 each. Without the charge there is none: 0."""
    own = replace(
        plan("own USD", HALF, per_lot("*=5", entry="in")),
        budget=Budget(share=D("0.5"), revenue=("commission",)),
    )
    assert {NORTH: "5.00 USD"} == owed(CHARGED, own=own)
    assert {} == owed(CHARGED, REFUNDED, own=own)


def test_a_refund_makes_room_in_a_budget() -> None:
    """A half of the 6 lost on swaps is 3 for 5 + 3 a lot: 1.125 a lot. Without the charge all 3 a lot fit."""
    own = replace(
        plan("own USD", HALF, per_lot("*=3", entry="in")), budget=Budget(share=D("0.5"), revenue=("swap",))
    )
    charged = replace(CHARGED, swap=D(-6))
    assert {NORTH: "3.00 USD"} == owed(charged, own=own)  # 1.875 + 1.125
    alone = replace(charged, commission=D(0))
    assert {NORTH: "3.00 USD"} == owed(alone, own=own)
    assert {NORTH: "3.00 USD"} == owed(charged, REFUNDED, own=own)


def test_what_others_count_of_the_deal_stays() -> None:
    """From two lots on 7 a lot become 14: both sides count, 28, whatever was charged on one of them."""
    double = Tiers(by="lots", mode="slab", bands=(Band(start=D(2), factor=D(2)),))
    own = plan("own USD", HALF, per_lot("*=7", entry="both", tiers=double))
    assert {"ib:ib-north:payable": "28.00 USD"} == owed(CHARGED, REFUNDED, ended("2026-09"), own=own)


def test_a_refund_is_explained() -> None:
    """The row names the original, and says that the client got the charge back."""
    said = told(CHARGED, SOME, own=plan("own USD", HALF))
    story = why(said, "reversal", *ANNA, CHARGED, SOME, plan("own USD", HALF))
    assert "2.00 USD was taken back from ib-north" == story.headline
    assert any("gave the client back what was charged" in sentence for sentence in story.sentences)


# The law

LAWFUL: Component = replace(HALF, caps=Caps(per_period=D(3)))
BESIDE = Rebate(name="b", unit="share", rates=rates("*=0.2"), entry="both", funded_by="ib")
OWN = replace(
    plan("own USD", LAWFUL, BESIDE, per_lot("*=2"), kyc_gate=True),
    clawback=Clawback(chargeback="activity"),
    kyc_forfeit_days=5,
)
OTHERS = (
    HALF_DISPUTED,
    WON,
    kyc("anna approved", day=4),
    kyc("anna approved", day=12),
    kyc("anna revoked", day=5),
    replace(plan("own USD", replace(HALF, rates=rates("*=0.9")), per_lot("*=3")), version=2),
    ended("2026-09"),
)


def sums(*records: object) -> dict[str, Decimal]:
    """What an IB or a client has: held, or not; a statement that closed before has some of it."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for (account, _), amount in balances(told(*records, own=OWN).transfers).items():
        whose = account.replace("payable", "pending").replace("rounding", "pending")
        if not account.startswith("broker:"):
            found[whose] += amount
    return {account: amount for account, amount in found.items() if amount}


@pytest.mark.parametrize("facts", list(combinations(OTHERS, 2)))
def test_a_refunded_charge_is_as_if_it_had_never_been(facts: tuple[object, ...]) -> None:
    """In any order beside disputes, wins, approvals, revocations, ends of periods, caps and corrections."""

    def without(record: object) -> object:
        return replace(record, commission=D(0)) if isinstance(record, Deal) else record

    late = replace(REFUNDED, occurred_at=at(35))
    for order in permutations((CHARGED, late, *facts)):
        records = (DEPOSIT, *order, again(CHARGED), again(late))
        never = (without(r) for r in (DEPOSIT, *order))
        corrected = (again(replace(CHARGED, commission=D(0))), again(replace(late, commission=D(0))))
        assert sums(*records) == sums(*never, *corrected)
