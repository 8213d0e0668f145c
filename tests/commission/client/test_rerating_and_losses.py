"""Disputes, refunds, KYC and edits around a rating again: what comes back is what holds by now."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.events import ChargebackReceived, ChargebackWon, Deal
from commission.terms.components import CommissionShare, Component, Rebate
from commission.terms.plans import Clawback, PlanDefined
from commission.terms.rates import Band, Tiers
from schemas.wire import Record
from tests.build import (
    ANNA,
    SYMBOLS,
    D,
    Told,
    at,
    deal,
    deposit,
    ended,
    kyc,
    partner,
    per_lot,
    period,
    plan,
    rates,
    run,
)
from tests.commission.client.rerated import again
from tests.commission.laws import LAW

NORTH, HELD = "ib:ib-north:pending", "ib:ib-north:held"
ACTIVITY = Clawback(chargeback="activity", refund="activity")
LOT = deal("7 buy 1 EURUSD in", day=3)
D1 = deposit("anna d1 1000 USD", day=2)
TWO_LOTS = replace(LOT, revision="b", volume_e8=2 * LOT.volume_e8)
START = (*ANNA, D1, LOT)


def by(*components: Component, version: int = 1, clawback: Clawback = ACTIVITY, **fields: Any) -> PlanDefined:
    """A version of ib-north's plan."""
    return replace(plan("p USD", *components, version=version), clawback=clawback, **fields)


TEN, TWENTY = by(per_lot("*=10", entry="in")), by(per_lot("*=20", entry="in"), version=2)


def taken(name: str, *, day: int, amount: str | None = None, **fields: Any) -> ChargebackReceived:
    """So much of d1 charged back; without an amount all of it."""
    money = None if amount is None else D(amount)
    values: dict[str, Any] = {"amount": money, "chargeback_id": name} | fields
    return ChargebackReceived(event_id=name, client_id="anna", deposit_id="d1", occurred_at=at(day), **values)


def won(name: str, *, day: int, amount: str | None = None, of: str = "") -> ChargebackWon:
    """A dispute about d1 won, or so much of it."""
    money = None if amount is None else D(amount)
    return ChargebackWon(
        event_id=name, client_id="anna", deposit_id="d1", occurred_at=at(day), amount=money, chargeback_id=of
    )


def said(*records: Record, old: PlanDefined = TEN) -> Told:
    """All that comes of it under the plan."""
    found = run(*records, terms=(*SYMBOLS, period("2026-09"), old, partner("ib-north USD p")))
    assert found.dead_letters == []
    ids = [row.transfer_id for row in found.transfers]
    assert len(set(ids)) == len(ids)
    return found


CORRECTED = (TWENTY, again(LOT))
ALL, HALF, FIFTH = taken("A", day=5), taken("B", day=6, amount="500"), taken("C", day=7, amount="200")


@pytest.mark.parametrize(
    ("records", "due"),
    [
        ((ALL, *CORRECTED), None),
        ((ALL, *CORRECTED, won("w", day=9)), "20.00 USD"),
        ((ALL, *CORRECTED, won("w", day=9, amount="250")), "5.00 USD"),  # a quarter of 20
        ((HALF, *CORRECTED), "10.00 USD"),
        ((HALF, *CORRECTED, won("w", day=9)), "20.00 USD"),
        ((HALF, won("w", day=9), *CORRECTED), "20.00 USD"),
        ((HALF, won("w", day=9, amount="300"), *CORRECTED), "16.00 USD"),  # 200 of 1,000 are lost
        ((HALF, won("w", day=9, amount="300"), *CORRECTED, won("v", day=10)), "20.00 USD"),
        ((HALF, FIFTH, *CORRECTED), "6.00 USD"),  # 20 - 10 - 4
        ((HALF, *CORRECTED, FIFTH, won("w", day=9, of="B")), "16.00 USD"),
        ((ALL, *CORRECTED, won("w", day=9), taken("D", day=11, amount="500")), "10.00 USD"),
        ((ALL, *CORRECTED, TWO_LOTS, won("w", day=9)), "40.00 USD"),
        ((ALL, *CORRECTED, again(LOT, proposal="p-2"), won("w", day=9)), "20.00 USD"),
    ],
)  # fmt: skip
def test_what_comes_back_is_what_holds_by_now(records: tuple[Record, ...], due: str | None) -> None:
    """10 a lot became 20: of one lot, the part of the deposit's 1,000 that is not lost."""
    assert said(*START, *records).owed == ({} if due is None else {NORTH: due})


def test_what_a_dispute_took_is_explained_by_the_corrected_plan() -> None:
    """10 - 10 of the dispute; the proposal's 20, and the dispute's -20; then 20 for the dispute won."""
    rows = said(*START, ALL, *CORRECTED, won("w", day=9)).transfers
    assert [(row.code, row.amount, row.caused_by) for row in rows] == [
        ("accrual", D(10), "live|7"),
        ("reversal", D(10), "A"),
        ("accrual", D(20), "live|7"),
        ("reversal", D(20), "A"),
        ("accrual", D(20), "w"),
    ]
    assert [row.factors.get("proposal") for row in rows] == [None, None, "p-1", "p-1", None]


def test_equal_amounts_are_taken_by_the_version_that_holds() -> None:
    """Version 1 let no dispute reach deals, version 2 does, and pays the same: a dispute takes the 10."""
    spared = by(per_lot("*=10", entry="in"), clawback=Clawback(chargeback="none"))
    reached = replace(TEN, version=2)
    rated = (reached, again(LOT))
    for order in permutations((rated, (HALF,))):
        assert said(*START, *(r for part in order for r in part), old=spared).owed == {NORTH: "5.00 USD"}
    back = replace(spared, version=2)
    for order in permutations(((back, again(LOT)), (HALF,))):
        assert said(*START, *(r for part in order for r in part)).owed == {NORTH: "10.00 USD"}


def test_what_came_back_is_taken_like_the_rest() -> None:
    """5 of 10 were taken and won again; rated again by the same plan nothing is said; then a fifth goes."""
    before = said(*START, HALF, won("w", day=9))
    after = said(*START, HALF, won("w", day=9), replace(TEN, version=2), again(LOT))
    assert len(before.transfers) == len(after.transfers)
    found = said(
        *START, HALF, won("w", day=9), replace(TEN, version=2), again(LOT), taken("E", day=10, amount="200")
    )
    assert found.owed == {NORTH: "8.00 USD"}


def test_a_better_plan_may_reach_further_than_the_one_of_the_dispute() -> None:
    """The dispute came when no plan let one reach deals: approved, version 2 takes half of its 20."""
    spared = by(per_lot("*=10", entry="in"), clawback=Clawback(chargeback="none"))
    assert said(*START, HALF, old=spared).owed == {NORTH: "10.00 USD"}
    assert said(*START, HALF, *CORRECTED, old=spared).owed == {NORTH: "10.00 USD"}
    assert said(*START, HALF, won("w", day=9), *CORRECTED, old=spared).owed == {NORTH: "20.00 USD"}


def test_what_was_forfeited_does_not_come_back() -> None:
    """Behind a gate of 10 days: 5 of 10 are taken, the rest is forfeited on day 20; the dispute is won."""
    gated = replace(TEN, kyc_gate=True, kyc_forfeit_days=10)
    late = kyc("anna approved", day=20)
    for records in permutations((HALF, late, won("w", day=9))):
        assert said(*START, *records, old=gated).owed == {}
    for records in permutations((ALL, late, won("w", day=9))):
        assert said(*START, *records, old=gated).owed == {}
    in_time = kyc("anna approved", day=12)
    for records in permutations((ALL, in_time, won("w", day=9))):
        assert said(*START, *records, old=gated).owed == {NORTH: "10.00 USD"}


def test_what_was_forfeited_by_an_approval_told_late_does_not_come_back() -> None:
    """Revoked on day 30 is told before approved on day 20, too late for what was earned on day 3."""
    gated = replace(TEN, kyc_gate=True, kyc_forfeit_days=10)
    marks = (kyc("anna revoked", day=30), kyc("anna approved", day=20))
    for loss in (ALL, HALF):
        assert said(*START, loss, *marks, won("w", day=9), old=gated).owed == {}


@pytest.mark.parametrize("loss", [ALL, HALF])
def test_a_longer_gate_brings_back_what_was_forfeited(loss: Record) -> None:
    """Forfeited by 10 days; version 2 gives 30, and twice as much: 20, or what the dispute leaves of it."""
    gated = replace(TEN, kyc_gate=True, kyc_forfeit_days=10)
    longer = replace(TWENTY, kyc_gate=True, kyc_forfeit_days=30)
    records = (loss, kyc("anna approved", day=20), longer, again(LOT))
    assert said(*START, *records, won("w", day=9), old=gated).owed == {NORTH: "20.00 USD"}
    left = said(*START, *records, old=gated).owed
    assert left == ({} if loss is ALL else {NORTH: "10.00 USD"})


def test_held_money_expires_by_the_corrected_gate() -> None:
    """Still held: 10 days become 30 at the same amount, and an approval on day 20 is in time."""
    gated = replace(TEN, kyc_gate=True, kyc_forfeit_days=10)
    longer = replace(gated, version=2, kyc_forfeit_days=30)
    assert said(*START, longer, again(LOT), old=gated).owed == {HELD: "10.00 USD"}
    assert said(*START, longer, again(LOT), kyc("anna approved", day=20), old=gated).owed == {
        NORTH: "10.00 USD"
    }


# Tallies: what a period settles


def test_tallies_come_back_by_the_corrected_plan() -> None:
    """From the first lot at twice 10, then at twice 20 a lot: all is taken, corrected, won: 40."""
    double = Tiers(by="lots", mode="slab", bands=(Band(start=D(0), factor=D(2)),))
    old, new = (
        by(per_lot(f"*={rate}", entry="in", tiers=double), version=v) for v, rate in ((1, 10), (2, 20))
    )
    end = (ended("2026-09"),)
    for records in ((ALL, new, again(LOT), won("w", day=9)), (ALL, won("w", day=9), new, again(LOT))):
        assert said(*START, *records, *end, old=old).owed == {"ib:ib-north:payable": "40.00 USD"}
    assert said(*START, ALL, new, again(LOT), *end, old=old).owed == {}


# Any order

SHARE = CommissionShare(name="c", rates=rates("*=0.5"))
REFUND = deal("8 sell 1 EURUSD out", day=4, position_id="of-7", commission=D(12))
EDIT = replace(LOT, revision="b", volume_e8=3 * LOT.volume_e8, commission=D(-30))
BACK = Rebate(name="r", rates=rates("*=0.4"), unit="share", funded_by="ib", entry="both")
TRIPLE = Tiers(by="lots", mode="slab", bands=(Band(start=D(2), factor=D(3)),))
TIERED = per_lot("*=10", name="t", entry="both", tiers=TRIPLE)
SHAPES: dict[str, tuple[Component, ...]] = {
    "lots": (per_lot("*=7", entry="both"),),
    "more lots": (per_lot("*=11.3", entry="both"),),
    "share": (SHARE,),
    "share and rebate": (replace(SHARE, rates=rates("*=0.7")), BACK),
    "tiers": (TIERED,),
    "better tiers": (replace(TIERED, rates=rates("*=13")),),
    "none": (per_lot("GBPUSD=1"),),
}
CLAWBACKS = (
    ACTIVITY,
    Clawback(chargeback="all", refund="none", kyc_revoked="all"),
    Clawback(chargeback="none", refund="activity"),
)
CHARGED = replace(LOT, commission=D(-20))
LOSSES: tuple[Record, ...] = (
    taken("A", day=6, amount="300"),
    taken("B", day=7, reason="refund", amount="100"),
    taken("C", day=8),
    won("v", day=9, amount="100", of="A"),
    won("w", day=9, of="C"),
)
GATE = (kyc("anna approved", day=5), kyc("anna revoked", day=8), kyc("anna approved", day=12))


APPROVALS = GATE[::2]
"""In the order of their time: what the later one forfeited, the earlier one does not bring back."""


@LAW
@given(
    shapes=st.tuples(st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(SHAPES))),
    clawbacks=st.tuples(st.sampled_from(CLAWBACKS), st.sampled_from(CLAWBACKS)),
    gates=st.tuples(st.sampled_from((None, 0, 1, 20)), st.sampled_from((None, 0, 1, 20))),
    events=st.lists(st.sampled_from((*LOSSES, *GATE, CHARGED, REFUND, EDIT)), unique=True, min_size=3),
    place=st.integers(0, 12),
)
def test_corrected_in_any_order_is_as_if_known_from_the_beginning(
    shapes: tuple[str, str],
    clawbacks: tuple[Clawback, Clawback],
    gates: tuple[int | None, int | None],
    events: list[Record],
    place: int,
) -> None:
    """Losses, wins, KYC, refunds and an edit, before and after a rating again: every balance is the same."""
    old, new = (
        by(
            *SHAPES[shape],
            version=v,
            clawback=clawback,
            kyc_gate=days is not None,
            kyc_forfeit_days=days or 0,
        )
        for v, shape, clawback, days in zip((1, 2), shapes, clawbacks, gates, strict=True)
    )
    approvals = iter(sorted((e for e in events if e in APPROVALS), key=APPROVALS.index))
    events = [next(approvals) if e in APPROVALS else e for e in events]
    records = [e for n, e in enumerate(events) if not (e is CHARGED and EDIT in events[:n])]
    records = [*START[:-1], *records]
    place = min(len(START) - 1 + place, len(records))
    known = {r.deal_key: r for r in records[:place] if isinstance(r, Deal)}
    corrected = (new, *(again(known[key]) for key in sorted(known)))
    end = ended("2026-09")
    learned = said(*records[:place], *corrected, *records[place:], end, old=old)
    knew = said(new, *records, end, old=old)
    assert knew.balances == learned.balances
