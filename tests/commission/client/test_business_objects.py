"""An effect belongs to a deposit, a chargeback or a person, not to the message that tells of it."""

from collections import Counter
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import (
    ChargebackReceived,
    ChargebackWon,
    ClientFlagged,
    WithdrawalPaid,
)
from commission.ids import digest
from commission.outputs import Milestone, Transfer, check_ids
from commission.terms.components import CommissionShare, CpaAmount, Cpl, DepositShare
from commission.terms.plans import Clawback
from commission.terms.rates import When
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from tests.build import (
    SYMBOLS,
    D,
    at,
    cpa,
    deal,
    deposit,
    exchange,
    kyc,
    linked,
    partner,
    per_lot,
    period,
    plan,
    rates,
    reassigned,
    registered,
)

ACTIVITY = Clawback(chargeback="activity", refund="activity")
LOTS = per_lot("*=10", entry="out")
CPA_300 = cpa("300")
SHARE = DepositShare(name="share", share=D("0.10"))
START = (registered("anna ib"), linked("1 anna"), kyc("anna approved", day=1))


def terms(*components: Any, **fields: Any) -> tuple[Record, ...]:
    """One IB on one plan."""
    return (*SYMBOLS, replace(plan("p USD", *components), **fields), partner("ib USD p"))


def fold(*records: Record) -> tuple[LocalPipeline, list[Record]]:
    """The pipeline after the records, and all it said."""
    pipeline = LocalPipeline()
    return pipeline, list(pipeline.feed(records))


def paid(*records: Record) -> Decimal:
    """What the IB is left with; every effect has an id of its own."""
    pipeline, said = fold(*records)
    assert pipeline.dead_letters == []
    ids = Counter(row.transfer_id for row in said if isinstance(row, Transfer))
    ids += Counter(row.milestone_id for row in said if isinstance(row, Milestone))
    assert set(ids.values()) <= {1}
    rows = [row for row in said if isinstance(row, Transfer)]
    return sum(
        (r.amount * ((r.credit == "ib:ib:pending") - (r.debit == "ib:ib:pending")) for r in rows), D(0)
    )


def refusals(*records: Record) -> list[tuple[str, str]]:
    """Codes and reasons of what was refused."""
    pipeline, _ = fold(*records)
    return [(letter.code, letter.reason) for letter in pipeline.dead_letters]


def taken(name: str, *, day: int, amount: str | None = None, chargeback_id: str = "") -> ChargebackReceived:
    """A chargeback of d1."""
    return ChargebackReceived(
        event_id=name,
        client_id="anna",
        deposit_id="d1",
        occurred_at=at(day),
        amount=None if amount is None else D(amount),
        chargeback_id=chargeback_id,
    )


def won(name: str, *, day: int, amount: str | None = None, chargeback_id: str = "") -> ChargebackWon:
    """A dispute about d1 that was won."""
    return ChargebackWon(
        event_id=name,
        client_id="anna",
        deposit_id="d1",
        occurred_at=at(day),
        amount=None if amount is None else D(amount),
        chargeback_id=chargeback_id,
    )


OPENED = deal("1 buy 10 EURUSD in", day=4)
CLOSED = deal("2 sell 10 EURUSD out", day=4, position_id="of-1")
D1 = deposit("anna d1 1000 USD", day=2)


def test_a_deposit_told_again_claws_once() -> None:
    """10 lots at 10 earn 100; 300 of 1,000 charged back takes 30; the deposit sent again takes nothing."""
    again = replace(D1, event_id="psp-3", source="redelivered")
    records = (*terms(LOTS, clawback=ACTIVITY), *START, D1, OPENED, CLOSED, taken("c1", day=9, amount="300"))
    assert paid(*records) == D(70)
    pipeline, said = fold(*records, again, replace(again, event_id="psp-4"))
    assert pipeline.dead_letters == []
    told = [row for row in said if isinstance(row, Milestone) and row.kind == "deposit"]
    assert len(told) == 1
    assert paid(*records, again) == D(70)


@pytest.mark.parametrize("change", [{"amount": D(900)}, {"currency": "EUR"}, {"occurred_at": at(3)}])
def test_a_deposit_told_otherwise_is_refused(change: dict[str, Any]) -> None:
    """A deposit is one fact: another amount, currency or time of it is a dead letter, and changes nothing."""
    other = replace(D1, event_id="psp-3", **change)
    [(code, reason)] = refusals(*terms(SHARE), *START, D1, other)
    assert code == "deposit_known"
    assert "1000 USD" in reason
    assert "psp-3" in reason


def test_a_chargeback_with_an_id_of_its_own_takes_once() -> None:
    """The same refund under two event ids takes 300 of 1,000: 700 x 10 % is left; with another amount, no."""
    first = taken("c1", day=9, amount="300", chargeback_id="cb-7")
    again = replace(first, event_id="c2", occurred_at=at(10))
    assert paid(*terms(SHARE), *START, D1, first, again) == D(70)
    [(code, _)] = refusals(*terms(SHARE), *START, D1, first, replace(again, amount=D(301)))
    assert code == "chargeback_known"


def test_a_withdrawal_with_an_id_of_its_own_counts_once() -> None:
    """Told again it is a repeat, with another amount a dead letter."""
    first = WithdrawalPaid(
        event_id="w1", client_id="anna", amount=D(5), currency="USD", occurred_at=at(5), withdrawal_id="w-7"
    )
    again = replace(first, event_id="w2")
    assert refusals(*terms(SHARE), *START, first, again) == []
    [(code, _)] = refusals(*terms(SHARE), *START, first, replace(again, amount=D(6)))
    assert code == "withdrawal_known"


def test_an_event_id_with_another_content_is_refused() -> None:
    """Registration 1 and deposit 1 come from two tables of a CRM: the second is a dead letter naming both."""
    first, second = replace(START[0], event_id="1"), replace(D1, event_id="1")
    [(code, reason)] = refusals(*terms(CPA_300), first, second)
    assert code == "event_id_taken"
    assert "client_registered" in reason
    assert "deposit_cleared" in reason
    [(code, reason)] = refusals(*terms(CPA_300), *START, D1, replace(D1, amount=D(7)))
    assert (code, "with another content" in reason) == ("event_id_taken", True)
    assert refusals(*terms(CPA_300), first, replace(first, source="elsewhere")) == []


def test_who_registers_again_as_somebody_else_is_refused() -> None:
    """The first registration counts; the same once more is a repeat."""
    again = replace(START[0], event_id="r2")
    assert refusals(*terms(LOTS), *START, again) == []
    [(code, _)] = refusals(*terms(LOTS), *START, replace(again, country="DE"))
    assert code == "registered_before"


def test_an_account_link_is_compared() -> None:
    """Under one id the same link is a repeat, another client's is refused."""
    link = linked("1 anna")
    assert refusals(link, link) == []
    [(code, reason)] = refusals(link, replace(link, client_id="boris"))
    assert code == "event_id_taken"
    assert "boris" in reason


def test_ids_of_one_message_are_distinct() -> None:
    """Two effects under one id are a fault of ours, and stop the fold."""
    [row] = [r for r in fold(*terms(SHARE), *START, D1)[1] if isinstance(r, Transfer)]
    check_ids([row, replace(row, transfer_id="another")])
    with pytest.raises(AssertionError, match=row.transfer_id):
        check_ids([row, row])


def test_a_cpa_taken_back_names_what_it_takes_back() -> None:
    """So that a tracker hears of the conversion it knows."""
    _, said = fold(*terms(CPA_300), *START, D1, OPENED, CLOSED, taken("c1", day=9))
    by_kind = {row.kind: row for row in said if isinstance(row, Milestone)}
    assert by_kind["cpa.clawback"].takes_back == by_kind["cpa.qualified"].milestone_id


# Disputes that are won

BOTH = (LOTS, cpa("300"))
DISPUTED = (D1, OPENED, CLOSED, taken("c1", day=9))


@pytest.mark.parametrize("chargeback_id", ["", "c1"])
def test_a_dispute_won_brings_back_what_was_taken(chargeback_id: str) -> None:
    """100 by the trade and a CPA of 300, all taken; the dispute is won: 400 again, in any order."""
    plans = terms(*BOTH, clawback=ACTIVITY)
    assert paid(*plans, *START, *DISPUTED) == D(0)
    win = won("w1", day=20, chargeback_id=chargeback_id)
    assert paid(*plans, *START, *DISPUTED, win) == D(400)
    assert paid(*plans, win, *START, *DISPUTED) == D(400)
    assert paid(*plans, *START, *DISPUTED, win, replace(win, source="again")) == D(400)


def test_a_dispute_won_in_part_brings_back_its_part() -> None:
    """600 of 1,000 come back: 400 stay lost, so 40 of 100 by the trade do."""
    plans = terms(LOTS, clawback=ACTIVITY)
    half = won("w1", day=20, amount="600")
    assert paid(*plans, *START, *DISPUTED, half) == D(60)
    assert paid(*plans, *START, *DISPUTED, half, won("w2", day=21)) == D(100)
    assert paid(*plans, half, *START, *DISPUTED) == D(60)


def test_what_came_back_can_be_taken_again() -> None:
    """c1 takes 300 of 1,000 (30), which is won again; c2 takes 500 (50): half of all that is left."""
    plans = terms(LOTS, clawback=ACTIVITY)
    first, second = taken("c1", day=9, amount="300"), taken("c2", day=12, amount="500")
    told = (*plans, *START, D1, OPENED, CLOSED)
    assert paid(*told, first, second) == D(20)
    assert paid(*told, first, won("w1", day=11, chargeback_id="c1"), second) == D(50)
    assert paid(*told, first, second, won("w1", day=20, chargeback_id="c1")) == D(50)
    fraud = ClientFlagged(event_id="f", client_id="anna", verdict="fraud", occurred_at=at(25))
    assert paid(*told, first, second, won("w1", day=20, chargeback_id="c1"), fraud) == D(0)


def test_what_comes_back_waits_for_kyc_like_the_rest() -> None:
    """Held when it was taken and when it came back, released by the approval: 100."""
    plans, late = terms(LOTS, clawback=ACTIVITY, kyc_gate=True), kyc("anna approved", day=25)
    assert paid(*plans, *START[:2], *DISPUTED, won("w1", day=20)) == D(0)
    assert paid(*plans, *START[:2], *DISPUTED, won("w1", day=20), late) == D(100)
    assert paid(*plans, *START[:2], *DISPUTED, late, won("w1", day=26)) == D(100)


def test_a_refund_that_was_taken_comes_back_as_one() -> None:
    """Half of 20 charged, less half of 6 refunded: 7. Charged back: 0. 400 of 1,000 won: 40 % of 7."""
    share = CommissionShare(name="c", rates=rates("*=0.5"))
    charged, refunded = replace(OPENED, commission=D(-20)), replace(CLOSED, commission=D(6))
    told = (*terms(share, clawback=ACTIVITY), *START, D1, charged, refunded)
    assert paid(*told) == D(7)
    assert paid(*told, taken("c1", day=9)) == D(0)
    assert paid(*told, taken("c1", day=9), won("w1", day=20, amount="400")) == D("2.8")
    assert paid(*told, taken("c1", day=9), won("w1", day=20)) == D(7)


def test_what_another_event_takes_does_not_come_back() -> None:
    """c1 takes 30 of 100, a verdict of fraud the other 70: won again, c1 leaves all to the verdict."""
    fraud = ClientFlagged(event_id="f", client_id="anna", verdict="fraud", occurred_at=at(15))
    told = (*terms(LOTS, clawback=ACTIVITY), *START, D1, OPENED, CLOSED, taken("c1", day=9, amount="300"))
    assert paid(*told, fraud, won("w1", day=20)) == D(0)


def test_a_win_larger_than_the_first_chargeback_goes_on_to_the_next() -> None:
    """200 and 300 of 1,000 are taken, 400 won: of the second 100 stay lost, 10 of the 100 by the trade."""
    backs = (taken("c1", day=9, amount="200"), taken("c2", day=10, amount="300"))
    told = (*terms(LOTS, clawback=ACTIVITY), *START, D1, OPENED, CLOSED, *backs)
    assert paid(*told) == D(50)
    assert paid(*told, won("w1", day=20, amount="400")) == D(90)


def test_what_was_all_taken_comes_back_to_where_a_late_approval_put_the_rest() -> None:
    """100 held, all taken. Day 10 approves, told after the revocation of day 15: it comes back free."""
    gated = (*terms(LOTS, clawback=ACTIVITY, kyc_gate=True), *START[:2], *DISPUTED)
    late = (kyc("anna revoked", day=15), kyc("anna approved", day=10))
    assert paid(*gated, late[0], won("w1", day=20)) == D(0)
    assert paid(*gated, *late, won("w1", day=20)) == D(100)
    assert paid(*gated, *late[::-1], won("w1", day=20)) == D(100)


def test_a_late_approval_lets_go_of_the_deposits_before_it() -> None:
    """Shares of 100 of day 2 and 50 of day 20. Day 10 approves and day 15 revokes, told in either order."""
    later = replace(D1, event_id="later", deposit_id="d2", amount=D(500), occurred_at=at(20))
    gated = (*terms(SHARE, kyc_gate=True), *START[:2], D1, later)
    marks = (kyc("anna revoked", day=15), kyc("anna approved", day=10))
    assert paid(*gated, *marks) == paid(*gated[:-2], *marks[::-1], D1, later) == D(100)


def test_a_status_or_reassignment_told_again_is_a_repeat() -> None:
    """Under another event id the same change of the same time: 100 once, to the IB that the client has."""
    approved, moved = kyc("anna approved", day=1), reassigned("anna ib", day=2)
    again = (replace(approved, event_id="k2"), replace(moved, event_id="m2"))
    assert paid(*terms(LOTS), *START, moved, *again, D1, OPENED, CLOSED) == D(100)


def test_a_win_told_under_two_event_ids_counts_once() -> None:
    """600 of 1,000 are taken and 200 won: 400 stay lost, 60 of the 100 by the trade, however often told."""
    told = (*terms(LOTS, clawback=ACTIVITY), *START, D1, OPENED, CLOSED, taken("c1", day=9, amount="600"))
    assert paid(*told, won("w1", day=20, amount="200"), won("psp", day=20, amount="200")) == D(60)
    assert paid(*told, won("w1", day=20, amount="200"), won("w2", day=21, amount="200")) == D(80)


def test_one_win_brings_back_of_several_chargebacks() -> None:
    """c1 and c2 take 300 of 1,000 each; a win of 450 is all of c1 and half of c2: 150 of 1,000 stay lost."""
    plans = terms(LOTS, clawback=ACTIVITY)
    lost = (taken("c1", day=9, amount="300"), taken("c2", day=10, amount="300"))
    told = (*plans, *START, D1, OPENED, CLOSED, *lost)
    assert paid(*told, won("w1", day=20, amount="450")) == D(85)
    assert paid(*told, won("w1", day=20, amount="600")) == D(100)


@pytest.mark.parametrize(("earlier", "left"), [("300", "70"), ("50", "75")])
def test_an_unnamed_win_is_of_the_earliest_in_any_order(earlier: str, left: str) -> None:
    """c1 takes 300 on day 9, c2 some on day 7, and as much is won: c2 is gone, c1 takes 300 (less the rest).

    Of 100: 300 won of c2's 300 leave 300 of 1,000 lost, 70. 100 won, 50 of it c2's, leave 250 lost, 75.
    """
    plans = terms(LOTS, clawback=ACTIVITY)
    win = won("w1", day=20, amount="300" if earlier == "300" else "100")
    lost = (taken("c1", day=9, amount="300"), taken("c2", day=7, amount=earlier))
    facts: tuple[Record, ...] = (D1, OPENED, *lost, win)
    for order in permutations(facts):
        assert paid(*plans, *START, *order, CLOSED) == D(left)


def test_what_a_refund_took_of_a_charge_is_taken_again_once_the_dispute_is_won() -> None:
    """Half of 20 charged is 10, of 8 refunded -4: 6. All is taken back, then won again."""
    plans = terms(CommissionShare(name="fees", rates=rates("*=0.5")), clawback=ACTIVITY)
    charged, refunded = replace(OPENED, commission=D(-20)), replace(CLOSED, commission=D(8))
    told = (*plans, *START, D1, charged, refunded)
    assert paid(*told) == D(6)
    assert paid(*told, taken("c1", day=9)) == D(0)
    assert paid(*told, taken("c1", day=9), won("w1", day=20)) == D(6)
    assert paid(*told, taken("c1", day=9), won("w1", day=20, amount="500")) == D(3)


def test_deals_that_no_loss_reaches_stay_as_they_are() -> None:
    """Of 50 by a trade before the deposit and 100 by one after it, 300 of 1,000 stay lost: 50 and 70."""
    before = deal("3 sell 5 EURUSD out", day=1)
    unpaid = deal("4 buy 1 EURUSD in", day=5)
    win = won("w1", day=20, amount="300")
    told = (*terms(LOTS, clawback=ACTIVITY), *START, before, D1, OPENED, CLOSED, unpaid)
    assert paid(*told, taken("c1", day=9, amount="600"), win) == D(50 + 70)
    assert paid(*told, win, taken("c1", day=9, amount="300"), taken("c2", day=8, amount="300")) == D(50 + 70)


# What counts for a CPA


def test_a_countrys_own_minimum_has_no_lower_one_behind_it() -> None:
    """DE asks for 1,500; 1,000 is enough elsewhere: nothing for a German, 50 for others."""
    amounts = (CpaAmount(amount=D(250), country="DE", min_deposit=D(1500)), CpaAmount(amount=D(50)))
    plans = terms(replace(CPA_300, amounts=amounts))
    german = registered("anna ib", country="DE")
    trades = (D1, OPENED, CLOSED)
    assert paid(*plans, german, *START[1:], *trades) == D(0)
    assert paid(*plans, *START, *trades) == D(50)


@pytest.mark.parametrize(
    ("component", "plan_when", "due"),
    [
        (CPA_300, When(groups=("real*",)), 0),
        (CPA_300, When(groups=("demo*",)), 300),
        (replace(CPA_300, when=When(groups=("real*",))), When(), 0),
        (replace(CPA_300, symbols=("XAU*",)), When(), 0),
        (replace(CPA_300, symbols=("XAU*", "class:forex")), When(), 300),
    ],
)
def test_a_cpa_counts_the_lots_its_conditions_let_count(component: Any, plan_when: When, due: int) -> None:
    """10 lots of EURUSD on demo\\usd: for real accounts only, or gold only, they are none."""
    trades = [replace(one, group="demo\\usd") for one in (OPENED, CLOSED)]
    assert paid(*terms(component, when=plan_when), *START, D1, *trades) == D(due)


def test_two_cpas_count_their_own_lots() -> None:
    """Gold asks for XAU and gets nothing of EURUSD; any is paid 300."""
    gold = replace(CPA_300, name="gold", symbols=("XAU*",))
    assert paid(*terms(CPA_300, gold), *START, D1, OPENED, CLOSED) == D(300)


@pytest.mark.parametrize(
    ("day", "net", "due"), [(3, True, 0), (3, False, 300), (20, True, 0), (90, True, 300)]
)
def test_net_deposits_count_what_was_withdrawn(day: int, net: bool, due: int) -> None:  # noqa: FBT001
    """990 of 1,000 withdrawn before it traded, or within 60 days after, leaves less than the 250 asked."""
    amounts = (CpaAmount(amount=D(300), min_deposit=D(250)),)
    component = replace(CPA_300, amounts=amounts, net_deposits=net)
    left = WithdrawalPaid(event_id="w", client_id="anna", amount=D(990), currency="USD", occurred_at=at(day))
    assert paid(*terms(component), *START, D1, OPENED, CLOSED, left) == D(due)
    assert paid(*terms(component), *START, D1, left, OPENED, CLOSED) == D(due)


@pytest.mark.parametrize(("out", "due"), [(500, 300), (501, 0), (1500, 0)])
def test_a_withdrawal_is_taken_of_the_deposits_before_it(out: int, due: int) -> None:
    """1,000 on day 2 and an hour later, 1,000 after the withdrawal: 300 from 2,500 on, of 3,000 less it."""
    second = replace(D1, event_id="e2", deposit_id="d2", occurred_at=at(2, 1))
    third = replace(D1, event_id="e3", deposit_id="d3", occurred_at=at(2, 3))
    left = WithdrawalPaid(event_id="w", client_id="anna", amount=D(out), currency="USD", occurred_at=at(2, 2))
    component = replace(cpa("300", min_deposit=D(2500)), net_deposits=True)
    assert paid(*terms(component), *START, D1, second, third, left, OPENED, CLOSED) == D(due)


@pytest.mark.parametrize("others", [(), (cpa("300", qualification_days=30),)])
def test_a_gate_counts_who_deposits_after_the_window_of_a_cpa(others: tuple[Any, ...]) -> None:
    """Two register in September and one deposits on day 50, too late for a CPA: half did, so 7 for each."""
    gated = Cpl(name="cpl", amounts=(CpaAmount(amount=D(7)),), kyc=False, min_ftd_rate=D("0.5"))
    people = (registered("anna ib"), registered("ben ib"))
    plans = (*terms(gated, *others), period("2026-09"))
    assert paid(*plans, *people) == D(0)
    assert paid(*plans, *people, replace(D1, occurred_at=at(50))) == D(14)


def test_a_gate_waits_for_a_rate_of_exchange() -> None:
    """7 EUR at 1.2 for each of two who register, one of whom deposits: 16.80, also if the rate comes last."""
    gated = Cpl(name="cpl", amounts=(CpaAmount(amount=D(7)),), kyc=False, min_ftd_rate=D("0.5"))
    told = (plan("p EUR", gated), partner("ib USD p"), period("2026-09"))
    people, rate = (registered("anna ib"), registered("ben ib"), D1), exchange("EUR/USD 1.2", day=1)
    for order in ((rate, *told, *people), (*told, *people, rate), (*told, *people[:1], rate, *people[1:])):
        assert paid(*order) == D("16.80")


@pytest.mark.parametrize("rate", ["0", "0.5"])
@pytest.mark.parametrize(("wanted", "due"), [("kyc", 7), ("", 0)])
def test_a_lead_that_wants_kyc_is_earned_by_it(rate: str, wanted: str, due: int) -> None:
    """Registered on day 1, KYC approved on day 20, holds of 3 days, behind a rate of deposits or not.

    A lead that wants KYC is earned on day 20, and was never held: 7. Another is earned on day 1 and held
    until day 4: 0.
    """
    lead = Cpl(name="cpl", amounts=(CpaAmount(amount=D(7)),), kyc=bool(wanted), min_ftd_rate=D(rate))
    told = (*terms(lead, kyc_gate=True, kyc_forfeit_days=3), period("2026-09"), registered("anna ib"), D1)
    assert paid(*told, kyc("anna approved", day=20)) == D(due)


def test_a_loss_that_no_plan_lets_reach_deals_leaves_them() -> None:
    """The plan takes back CPAs only: 100 by the trade stay, whatever is lost and won of the deposit."""
    told = (*terms(LOTS, clawback=Clawback(chargeback="cpa")), *START, D1, OPENED, CLOSED)
    lost = (taken("c1", day=9, amount="300"), taken("c2", day=7, amount="300"))
    assert paid(*told, won("w1", day=20, amount="400"), *lost) == D(100)


def test_what_was_forfeited_is_not_taken_again() -> None:
    """100 held for KYC within 10 days, approved on day 25: forfeited, whatever is lost and won afterwards."""
    gated = terms(LOTS, clawback=ACTIVITY, kyc_gate=True, kyc_forfeit_days=10)
    told = (*gated, *START[:2], D1, OPENED, CLOSED, taken("c1", day=9, amount="500"))
    late = (kyc("anna approved", day=25), won("w1", day=26, amount="200"), taken("c2", day=8, amount="300"))
    assert paid(*told, *late) == D(0)
    assert paid(*told, *late[:1], *late[:0:-1]) == D(0)


def test_an_earlier_loss_may_take_all_that_a_win_had_left() -> None:
    """200 of 300 are won: 90 left. Then c2, earlier, of 900: the win is of it, 700 + 300 are lost."""
    told = (*terms(LOTS, clawback=ACTIVITY), *START, D1, OPENED, CLOSED)
    won_first = (*told, taken("c1", day=9, amount="300"), won("w1", day=20, amount="200"))
    assert paid(*won_first) == D(90)
    assert paid(*won_first, taken("c2", day=7, amount="900")) == D(0)


def test_a_win_changes_only_what_its_plan_lets_be_taken() -> None:
    """The IB above keeps 5 a lot by a plan that takes nothing back: 300 of 1,000 lost, 200 won leave 90."""
    above = plan("q USD", per_lot("*=15", entry="out"))
    own = replace(plan("p USD", LOTS), clawback=ACTIVITY)
    tree = (*SYMBOLS, above, own, partner("top USD q"), partner("ib USD p top"))
    told = (*tree, *START, D1, OPENED, CLOSED, taken("c1", day=9, amount="300"))
    assert paid(*told, won("w1", day=20, amount="200")) == D(90)


def test_parts_of_one_accrual_have_ids_of_their_own() -> None:
    """The digests of both ids begin with 1e9c1bc7: 100 - 10 - 20; won again, 100 - 20, then 100."""
    losses = (taken("cb-409", day=9, amount="100"), taken("cb-13771", day=10, amount="200"))
    wins = (
        won("cb-409!", day=11, chargeback_id="cb-409"),
        won("cb-13771!", day=12, chargeback_id="cb-13771"),
    )
    lost = tuple(replace(one, chargeback_id=one.event_id) for one in losses)
    records = (*terms(LOTS, clawback=ACTIVITY), *START, D1, OPENED, CLOSED, *lost)
    assert digest("cb-409")[:8] == digest("cb-13771")[:8]
    assert [paid(*records), paid(*records, wins[0]), paid(*records, *wins)] == [D(70), D(80), D(100)]
