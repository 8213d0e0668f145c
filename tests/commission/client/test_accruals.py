"""What is posted, held, released and taken back: accruals and tallies behind the gates of a plan.

5 a lot of EURUSD to ib-north unless a test says otherwise; anna is its client.
"""

import re
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from commission.client.reversals import reverse
from commission.client.state import Cause, ClientState, KycMark, Posted
from commission.client.tallies import HeldTallies, negated, release_tallies, send, send_back, withdraw
from commission.draft import Draft
from commission.events import ChargebackReceived, WithdrawalPaid
from commission.outputs import Tally
from commission.terms.components import CohortBonus, CpaAmount, Cpl, DepositShare, Rebate
from commission.terms.plans import Clawback
from schemas import topics
from schemas.wire import Record, decode_batch
from streams.in_memory import LocalPipeline
from streams.partition import Message
from tests.build import (
    ANNA,
    SYMBOLS,
    D,
    at,
    chargeback,
    deal,
    deposit,
    kyc,
    partner,
    per_lot,
    period,
    plan,
    rates,
    registered,
    run,
)
from tests.commission.worlds import NORTH, OUT, TOP, tiers, world

APPROVED = kyc("anna approved", day=5)
DOUBLED = per_lot("*=5", tiers=tiers(("3", "2")))
"""Twice as much from 3 lots of the period on."""
TWO, THREE = deal("1 buy 2 EURUSD out"), deal("2 buy 3 EURUSD out")


def gone(record: Any) -> Any:
    """The deal cancelled."""
    return replace(record, revision="gone", kind="cancelled")


def tallied(*records: Record, terms: tuple[Record, ...]) -> list[Any]:
    """Deal and lots of each tally that went into the partner book."""
    heard: list[Message] = []
    pipeline = LocalPipeline(lambda message, _: heard.append(message))
    list(pipeline.feed([*terms, *records]))
    batches = [decode_batch(message.value) for message in heard if message.topic == topics.PARTNER_BOOK]
    return [record for records in batches for record in records if record.type == "tally"]


# Tallies behind the KYC gate


@pytest.mark.parametrize("day", [3, 4])  # the second deal at the time of the first, and later
def test_tallies_wait_for_the_approval(day: int) -> None:
    """2 and 3 lots are held at 5: 25. Approved, the 5 lots are worth 50."""
    terms = world(DOUBLED, kyc_gate=True)
    three = replace(THREE, occurred_at=at(day))
    assert {"ib:ib-north:held": "25.00 USD"} == run(*ANNA, TWO, three, terms=terms).owed
    assert {NORTH: "50.00 USD"} == run(*ANNA, TWO, three, APPROVED, terms=terms).owed
    assert {NORTH: "50.00 USD"} == run(
        *ANNA, TWO, three, APPROVED, kyc("anna approved", day=6), terms=terms
    ).owed


@pytest.mark.parametrize("day", [3, 4])
def test_a_tally_is_taken_out_of_those_that_wait(day: int) -> None:
    """Without the 3 lots there are 2, at 5; without the 2 there are 3, at 10; without both nothing."""
    terms = world(DOUBLED, kyc_gate=True)
    three = replace(THREE, occurred_at=at(day))
    both = (*ANNA, TWO, three)
    assert {NORTH: "10.00 USD"} == run(*both, gone(three), APPROVED, terms=terms).owed
    assert {NORTH: "30.00 USD"} == run(*both, gone(TWO), APPROVED, terms=terms).owed
    assert {} == run(*both, gone(TWO), gone(three), APPROVED, terms=terms).owed
    assert [] == tallied(*both, gone(TWO), gone(three), APPROVED, terms=terms)


# Forfeits


LATE = kyc("anna approved", day=9)
"""More than 5 days after day 3."""


@pytest.mark.parametrize("component", [per_lot("*=5"), DOUBLED])
@pytest.mark.parametrize("records", [(TWO, LATE), (LATE, TWO)])
def test_without_a_gate_nothing_is_forfeited(component: Any, records: tuple[Record, ...]) -> None:
    """2 lots at 5, whichever is learned first."""
    terms = world(component, kyc_gate=False, kyc_forfeit_days=5)
    assert {NORTH: "10.00 USD"} == run(*ANNA, *records, terms=terms).owed


def test_tallies_without_a_gate_are_not_forfeited() -> None:
    """5 lots at 5, doubled, though the approval came late."""
    terms = world(DOUBLED, kyc_gate=False, kyc_forfeit_days=5)
    assert {NORTH: "50.00 USD"} == run(*ANNA, LATE, TWO, THREE, terms=terms).owed


def test_a_forfeit_is_one_ibs_alone() -> None:
    """The 5 of ib-north came too late; the IB above has no gate and keeps its 7 - 5."""
    own, top = plan("own USD", per_lot("*=5")), plan("top USD", per_lot("*=7"))
    gated = replace(own, kyc_gate=True, kyc_forfeit_days=5)
    terms = (*SYMBOLS, gated, top, partner("ib-north USD own ib-top"), partner("ib-top USD top"))
    assert {TOP: "2.00 USD"} == run(*ANNA, LATE, OUT, terms=terms).owed
    assert {TOP: "2.00 USD"} == run(*ANNA, OUT, LATE, terms=terms).owed
    assert {} == run(*ANNA, OUT, LATE, gone(OUT), terms=terms).owed


def test_forfeited_tallies_are_one_ibs_alone() -> None:
    """5 lots at 7 above 5, the 7 doubled: 70 - 25. What ib-north would have had came too late."""
    own, top = plan("own USD", DOUBLED), plan("top USD", replace(DOUBLED, rates=rates("*=7")))
    gated = replace(own, kyc_gate=True, kyc_forfeit_days=5)
    ibs = (partner("ib-north USD own ib-top"), partner("ib-top USD top"))
    terms = (*SYMBOLS, period("2026-09"), gated, top, *ibs)
    for records in ((LATE, TWO, THREE), (TWO, THREE, LATE), (TWO, LATE, THREE)):
        assert {TOP: "45.00 USD"} == run(*ANNA, *records, terms=terms).owed
        assert {} == run(*ANNA, *records, gone(TWO), gone(THREE), terms=terms).owed


@pytest.mark.parametrize(
    ("after", "owed"),
    [(timedelta(microseconds=-1), {NORTH: "5.00 USD"}), (timedelta(), {})],
)
@pytest.mark.parametrize("deal_first", [True, False])
def test_a_hold_ends_with_its_last_day(after: timedelta, owed: dict[str, str], deal_first: bool) -> None:  # noqa: FBT001 # a case
    """Day 3 and 5 days: the last instant of day 8 counts, the first of day 9 does not."""
    terms = world(per_lot("*=5"), kyc_gate=True, kyc_forfeit_days=5)
    approved = replace(LATE, occurred_at=at(9) + after)
    records = (OUT, approved) if deal_first else (approved, OUT)
    assert owed == run(*ANNA, *records, terms=terms).owed
    assert {} == run(*ANNA, *records, gone(OUT), terms=terms).owed


NET = DepositShare(name="net", share=D("0.03"), of="net")
PAID_IN = deposit("anna d 100 USD", day=3)


@pytest.mark.parametrize(
    ("component", "fact", "paid"),
    [
        (NET, PAID_IN, {NORTH: "3.00 USD"}),
        (CohortBonus(name="c", amount=D(50), clients=1, min_lots=D(1)), OUT, {NORTH: "50.00 USD"}),
    ],
)
def test_every_kind_of_tally_is_forfeited(component: Any, fact: Record, paid: dict[str, str]) -> None:
    """3 % of the net 100, or 50 for a client with a lot: of day 3, so day 8 is in time and day 9 too late."""
    terms = world(component, kyc_gate=True, kyc_forfeit_days=5)
    in_time = kyc("anna approved", day=8)
    for approval, owed in ((in_time, paid), (LATE, {})):
        for records in ((fact, approval), (approval, fact)):
            assert owed == run(*ANNA, *records, terms=terms).owed
    assert {} == run(*ANNA, fact, terms=terms).owed
    for days in ({"kyc_gate": True}, {"kyc_forfeit_days": 5}):  # held for ever, or not at all
        assert paid == run(*ANNA, fact, LATE, terms=world(component, **days)).owed


def test_a_withdrawal_is_forfeited_by_its_own_time() -> None:
    """100 in on day 3 and 40 out on day 4: approved on day 9 the 100 are lost and the 40 are not in yet.

    So of 200 more on day 5 the IB has 3 % of 160.
    """
    out = WithdrawalPaid(event_id="w", client_id="anna", amount=D(40), currency="USD", occurred_at=at(4))
    more = deposit("anna d2 200 USD", day=5)
    terms = world(NET, kyc_gate=True, kyc_forfeit_days=5)
    for records in ((PAID_IN, out, more, LATE), (LATE, more, out, PAID_IN), (more, LATE, PAID_IN, out)):
        assert {NORTH: "4.80 USD"} == run(*ANNA, *records, terms=terms).owed


# Approvals that are told after what took them back


REVOKED = kyc("anna revoked", day=8)
AFTER = deal("3 buy 1 EURUSD out", day=9)
"""Earned after the revocation, so it is held whatever came before."""


@pytest.mark.parametrize("records", [(TWO, APPROVED, REVOKED), (TWO, REVOKED, APPROVED)])
def test_an_approval_told_late_releases_what_it_would_have(records: tuple[Record, ...]) -> None:
    """2 lots of day 3 at 5 were approved on day 5; the lot of day 9 came after the revocation of day 8.

    The IB pays 1 a lot of rebate out of it, which moves with the money.
    """
    back = Rebate(name="back", rates=rates("*=1"), funded_by="ib")
    terms = world(per_lot("*=5"), back, kyc_gate=True)
    assert {NORTH: "8.00 USD", "client:anna:rebate": "2.00 USD"} == run(*ANNA, *records, terms=terms).owed
    held = run(*ANNA, *records, AFTER, terms=terms)
    assert held.owed == {
        NORTH: "8.00 USD", "client:anna:rebate": "2.00 USD",
        "ib:ib-north:held": "4.00 USD", "client:anna:held": "1.00 USD",
    }  # fmt: skip
    assert {} == run(*ANNA, *records, AFTER, gone(TWO), gone(AFTER), terms=terms).owed
    again = kyc("anna approved", day=12)
    assert {NORTH: "12.00 USD", "client:anna:rebate": "3.00 USD"} == run(
        *ANNA, *records, AFTER, again, terms=terms
    ).owed


def test_the_order_of_statuses_and_facts_is_no_matter() -> None:
    """2 lots at 5 and 3 % of 100 are released by day 5 whatever is told first; the lot of day 9 is held."""
    terms = world(per_lot("*=5"), DepositShare(name="share", share=D("0.03")), kyc_gate=True)
    for order in permutations((TWO, PAID_IN, APPROVED, REVOKED)):
        said = run(*ANNA, *order, AFTER, terms=terms)
        assert said.owed == {NORTH: "13.00 USD", "ib:ib-north:held": "5.00 USD"}


def test_what_was_held_before_and_after_is_told_apart() -> None:
    """Both deals are known before the approval: that of day 3 is released by it, that of day 9 is not."""
    terms = world(per_lot("*=5"), kyc_gate=True)
    said = run(*ANNA, TWO, AFTER, REVOKED, APPROVED, terms=terms)
    assert said.owed == {NORTH: "10.00 USD", "ib:ib-north:held": "5.00 USD"}
    released = [(row.code, row.amount, row.occurred_at) for row in said.transfers if row.code != "accrual"]
    assert released == [("release", D(10), at(5))]
    same = run(*ANNA, TWO, AFTER, REVOKED, APPROVED, kyc("anna approved", day=6), terms=terms)
    assert same.owed == said.owed


@pytest.mark.parametrize("facts", [(LATE, kyc("anna revoked", day=10)), (kyc("anna revoked", day=10), LATE)])
def test_an_approval_told_late_forfeits_what_it_would_have(facts: tuple[Record, ...]) -> None:
    """2 lots of day 3 had 5 days, and the approval is of day 9: lost; cancelled, nothing has to come back.

    The lot of day 8 at 5 is in time.
    """
    terms = world(per_lot("*=5"), kyc_gate=True, kyc_forfeit_days=5)
    lot = deal("3 buy 1 EURUSD out", day=8)
    said = run(*ANNA, TWO, lot, *facts, terms=terms)
    assert said.owed == {NORTH: "5.00 USD"}
    assert sorted(row.code for row in said.transfers) == ["accrual", "accrual", "forfeit", "release"]
    assert {NORTH: "5.00 USD"} == run(*ANNA, TWO, lot, *facts, gone(TWO), terms=terms).owed
    assert {} == run(*ANNA, TWO, lot, *facts, gone(TWO), gone(lot), terms=terms).owed


@pytest.mark.parametrize("facts", [(APPROVED, REVOKED), (REVOKED, APPROVED)])
def test_clients_amounts_and_tallies_are_released_late_as_well(facts: tuple[Record, ...]) -> None:
    """A registration's 10, 3 % of 100 in, and 5 lots at 5 that the tier doubles: 10 + 3 + 50."""
    lead = Cpl(name="cpl", amounts=(CpaAmount(amount=D(10)),), kyc=False)
    share = DepositShare(name="share", share=D("0.03"))
    terms = world(DOUBLED, lead, share, kyc_gate=True)
    paid_in = deposit("anna d 100 USD", day=2)
    held = run(*ANNA, paid_in, TWO, THREE, REVOKED, terms=terms)
    assert held.owed == {"ib:ib-north:held": "38.00 USD"}
    said = run(*ANNA, paid_in, TWO, THREE, *facts, terms=terms)
    assert said.owed == {NORTH: "63.00 USD"}
    taken = run(*ANNA, paid_in, TWO, THREE, *facts, chargeback("anna d", day=9), terms=terms)
    assert taken.owed == {NORTH: "60.00 USD"}  # the deposit's own share goes back, once


def test_a_status_between_is_no_approval() -> None:
    """Earned on day 3, pending on day 4, approved on day 5, revoked on day 8: told last, it is released."""
    terms = world(per_lot("*=5"), kyc_gate=True)
    facts = (kyc("anna pending", day=4), APPROVED, REVOKED)
    assert {NORTH: "10.00 USD"} == run(*ANNA, *facts, TWO, terms=terms).owed
    assert {NORTH: "10.00 USD"} == run(*ANNA, TWO, *facts[::-1], terms=terms).owed


# Taking back


def half(number: int, *, day: int) -> ChargebackReceived:
    """Half of the deposit taken back."""
    return replace(chargeback("anna d", day=day), event_id=f"half {number}", amount=D(50))


DEPOSIT = deposit("anna d 100 USD", day=1)
ACTIVITY = Clawback(chargeback="activity")


@pytest.mark.parametrize(
    ("events", "owed"),
    [
        ((half(1, day=5),), {NORTH: "2.50 USD"}),
        ((half(1, day=5), half(2, day=6)), {}),
        ((half(1, day=5), half(2, day=6), half(3, day=7)), {}),  # never more than there was
        ((half(1, day=5), gone(OUT)), {}),
        ((half(1, day=5), half(2, day=6), gone(OUT)), {}),
    ],
)
def test_what_was_taken_back_is_not_taken_again(events: tuple[Record, ...], owed: dict[str, str]) -> None:
    """5 of the deal; half of the deposit takes half of it."""
    said = run(*ANNA, DEPOSIT, OUT, *events, terms=world(per_lot("*=5"), clawback=ACTIVITY))
    assert said.owed == owed
    assert len({row.transfer_id for row in said.transfers}) == len(said.transfers)


def test_the_id_of_a_reversal_is_that_of_its_original() -> None:
    """The whole has the same id whatever took it back; a part that of its cause as well."""
    terms = world(per_lot("*=5"), clawback=ACTIVITY)
    first, whole = run(*ANNA, OUT, gone(OUT), terms=terms).transfers
    assert whole.transfer_id == f"{first.transfer_id}r"
    _, part = run(*ANNA, DEPOSIT, OUT, half(1, day=5), terms=terms).transfers
    assert re.fullmatch(f"{first.transfer_id}p[0-9a-f]{{32}}", part.transfer_id)
    assert part.factors == {"share": "0.5"}
    assert whole.factors == {}


def test_a_row_matures_under_a_hold_alone() -> None:
    """10 days after the deal of day 3; without a hold it has no such day."""
    for days, matures_at in ((10, at(13)), (0, None)):
        rows = run(*ANNA, OUT, gone(OUT), terms=world(per_lot("*=5"), hold_days=days)).transfers
        assert [row.matures_at for row in rows] == [matures_at, matures_at]


def test_nothing_is_left_of_what_was_taken_back_whole() -> None:
    """Of a half half is left; of two halves nothing is kept, not even an entry of nothing."""
    entry = Posted("a", "ib-north", "per_lot", D(5), "USD", "own", 1)
    client, cause = ClientState(client_id="anna"), Cause("back", at(5))
    nothing: dict[str, Any] = {}
    _, left = reverse(Draft(nothing.get), client, [entry], cause, D("0.5"))
    assert left == (entry._replace(taken=D("2.5"), share_taken=D("0.5")),)
    assert reverse(Draft(nothing.get), client, left, cause, D("0.5")) == (client, ())
    assert reverse(Draft(nothing.get), client, [entry._replace(amount=D("0.5"))], cause) == (client, ())
    # half of the least amount there is would be rounded to nothing; the other entry gives its half
    least = entry._replace(transfer_id="b", amount=D("0.00000001"))
    _, left = reverse(Draft(nothing.get), client, [least, entry], cause, D("0.5"))
    half = {"share_taken": D("0.5")}
    assert left == (least._replace(**half), entry._replace(taken=D("2.5"), **half))


@pytest.mark.parametrize("component", [per_lot("*=5"), DOUBLED])
def test_a_deal_learned_late_is_judged_by_the_status_of_its_time(component: Any) -> None:
    """2 lots of day 3 at 5: approved then, whatever came later; or pending, and approved too late."""
    terms = world(component, kyc_gate=True, kyc_forfeit_days=5)
    approved = (kyc("anna approved", day=2), kyc("anna revoked", day=4), LATE)
    assert {NORTH: "10.00 USD"} == run(*ANNA, *approved, TWO, terms=terms).owed
    at_once = (kyc("anna approved", day=3), *approved[1:])  # in the instant of the deal
    assert {NORTH: "10.00 USD"} == run(*ANNA, *at_once, TWO, terms=terms).owed
    assert {} == run(*ANNA, kyc("anna pending", day=2), LATE, TWO, terms=terms).owed
    for day in (2, 3):  # before the deal, and in its instant
        revoked = (kyc("anna approved", day=day), kyc("anna revoked", day=day))
        assert {} == run(*ANNA, *revoked, LATE, TWO, terms=terms).owed


def test_too_small_a_share_takes_nothing() -> None:
    """A cent of a thousand million is 0.00000000005 of the 5: no row; cancelled, all 5 go back."""
    deposited = deposit("anna d 1000000000 USD", day=1)
    cent = replace(chargeback("anna d", day=5), amount=D("0.01"))
    terms = world(per_lot("*=5"), clawback=ACTIVITY)
    said = run(*ANNA, deposited, OUT, cent, terms=terms)
    assert said.owed == {NORTH: "5.00 USD"}
    assert len(said.transfers) == 1
    assert {} == run(*ANNA, deposited, OUT, cent, gone(OUT), terms=terms).owed


def test_the_name_of_an_ib_may_have_a_bar() -> None:
    """Held as `ib|currency` and more, and released to the same IB."""
    own = replace(plan("own USD", per_lot("*=5")), kyc_gate=True)
    people = (ANNA[0], registered("anna ib|north"))
    said = run(*people, OUT, APPROVED, terms=(*SYMBOLS, own, partner("ib|north USD own")))
    assert said.owed == {"ib:ib|north:pending": "5.00 USD"}


def tally(*amounts: Decimal, **fields: Any) -> Tally:
    """One of ib-north and day 3."""
    values: dict[str, Any] = {
        "ib_id": "ib-north",
        "plan_id": "own",
        "plan_version": 1,
        "component": "net",
        "client_id": "anna",
        "caused_by": "live|1",
        "occurred_at": at(3),
        "currency": "USD",
    }
    return Tally(**(values | fields), amounts=amounts)


def test_tallies_of_one_time_are_added_up_while_they_wait() -> None:
    """Every measure of two of them; taken back one by one, the other is left, and then 0, never sent."""
    one = tally(D(0), D(5), lots=D(2), notional=D(300), count=1, deposited=1, is_gated=True)
    held: dict[str, Any] = {}
    draft, client, cause = Draft(held.get), ClientState(client_id="anna"), Cause("back", at(5))
    send(draft, client, [one, one])
    (both,) = waiting(draft)
    assert both == replace(one, amounts=(D(0), D(10)), lots=D(4), notional=D(600), count=2, deposited=2)
    send_back(draft, client, [negated(one, cause)])
    assert waiting(draft) == (one,)
    send_back(draft, client, [negated(one, cause)])
    assert [known.sums.is_zero for known in waiting(draft)] == [True]
    send(draft, client, [tally(D(5), is_gated=True)])  # of no band
    assert [known.amounts for known in waiting(draft)] == [(D(0), D(0)), (D(5),)]
    assert draft.outputs == []
    approved = replace(client, kyc=(KycMark(at=at(4), status="approved"),))
    release_tallies(draft, approved)
    assert [output.amounts for output in draft.outputs] == [(D(5),)]


def waiting(draft: Draft) -> tuple[Tally, ...]:
    """What waits for anna's approval."""
    found: HeldTallies | None = draft.get("t:anna")
    assert found is not None
    return found.tallies


def test_a_share_of_a_tally_is_at_most_what_is_left() -> None:
    """A quarter of each band, whatever its sign; then 80 % of which three quarters are left; then nothing."""
    amounts = [D(text) for text in ("10", "-10", "0.5", "-0.5", "0")]
    one = tally(*amounts, lots=D(1), count=1)
    other = replace(one, component="other")
    nothing: dict[str, Any] = {}
    draft, client = Draft(nothing.get), ClientState(client_id="anna")
    known: tuple[Tally, ...] = (one, other)
    for number, (share, taken) in enumerate((("0.25", "0.25"), ("0.8", "0.75"), ("0.8", "0"))):
        known = withdraw(draft, client, known, Cause(f"back {number}", at(5 + number)), D(share))
        for part in known[-2:]:
            assert part.amounts == tuple(-D(taken) * amount for amount in amounts)
            gone = -1 if taken == "0.75" else 0  # lots and clients go with the last of the amounts
            assert (part.lots, part.notional, part.count, part.deposited) == (gone, 0, gone, 0)
            assert part.caused_by == f"back {number}"
            assert part.booked_at == at(5 + number)
    assert [one.component for one in known] == ["net", "other"] * 4
    assert draft.outputs == list(known[2:])


@pytest.mark.parametrize(
    ("by", "start"), [("lots", "2"), ("count", "2"), ("amount", "10"), ("notional", "220000")]
)
def test_a_cancelled_deal_is_not_counted(by: Any, start: str) -> None:
    """Two lots at 1.1 reach the band that doubles; one of them alone does not, and pays 5."""
    terms = world(per_lot("*=5", tiers=tiers((start, "2"), by=by)))
    second = deal("2 sell 1 EURUSD out", day=5)
    assert {NORTH: "20.00 USD"} == run(*ANNA, OUT, second, terms=terms).owed
    assert {NORTH: "5.00 USD"} == run(*ANNA, OUT, second, gone(second), terms=terms).owed
    gated = world(per_lot("*=5", tiers=tiers((start, "2"), by=by)), kyc_gate=True)
    again = replace(second, deal_id="3")
    at_once = (OUT, second, again, gone(second), APPROVED)  # two of one time are added up while they wait
    assert {NORTH: "20.00 USD"} == run(*ANNA, *at_once, terms=gated).owed
    assert {NORTH: "5.00 USD"} == run(*ANNA, *at_once[:-1], gone(again), APPROVED, terms=gated).owed
