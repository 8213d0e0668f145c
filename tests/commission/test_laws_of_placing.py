"""Laws of untold positions: whoever tells a deal's position, when, and how often, changes no balance."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.events import LOT_E8, Deal
from commission.ledger import ledger_hash
from commission.outputs import Transfer
from commission.terms.components import Component, Cpa, CpaAmount
from commission.terms.rates import When
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from tests.build import (
    ANNA,
    SYMBOLS,
    D,
    deal,
    deposit,
    ended,
    kyc,
    partner,
    per_lot,
    period,
    plan,
    told,
    told_at,
)
from tests.commission.laws import LAW

HELD = When(min_holding_s=7200)
PLANS: dict[str, tuple[Component, ...]] = {
    "lots": (per_lot("*=5", entry="both"),),
    "held": (per_lot("*=5", when=HELD),),
    "hedged": (per_lot("*=4", entry="in", hedged=True),),
    "first leg": (per_lot("*=4", close_by="first_leg"),),
    "qualified": (
        per_lot("*=1"),
        Cpa(name="cpa", amounts=(CpaAmount(amount=D(100)),), min_lots=D(2), min_holding_s=7200),
    ),
}
READY = (kyc("anna approved", day=1), deposit("anna d1 500 USD", day=2))


@st.composite
def traded(draw: st.DrawFn) -> list[Deal]:
    """Deals of two positions, as a source tells them that knows the position."""
    made = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        entry = draw(st.sampled_from(("in", "in", "out", "out_by", "inout")))
        lots = draw(st.integers(1, 3))
        more: dict[str, Any] = {"volume_closed_e8": LOT_E8 // 2} if entry == "inout" else {}
        side = "buy" if (entry == "in") == draw(st.booleans()) else "sell"
        one = deal(
            f"{number} {side} {lots} EURUSD {entry}",
            day=3,
            hour=draw(st.integers(0, 9)),
            **more,
        )
        made.append(told_at(one, draw(st.sampled_from(("p", "q")))))
    return made


@st.composite
def records_of(draw: st.DrawFn, known: Deal) -> list[Deal]:
    """What sources say of a deal, told or not, perhaps of before an edit too; in the end it is told."""
    before = told_at(replace(known, volume_e8=known.volume_e8 + LOT_E8), known.position_id)
    said = [told_at(before, None), before] if draw(st.booleans()) else []
    said = draw(st.permutations(said)) if draw(st.booleans()) else said[:1]
    newest = [told_at(known, None)] * draw(st.integers(0, 2)) + [known]
    return [*said, *draw(st.permutations(newest)), *draw(st.sampled_from(([], said)))]


def fold(records: list[Record], components: tuple[Component, ...]) -> list[Record]:
    """All outputs of one broker's September."""
    terms = (period("2026-09"), *SYMBOLS, plan("own USD", *components), partner("ib-north USD own"))
    pipeline = LocalPipeline()
    outputs = list(pipeline.feed([*terms, *ANNA, *READY, *records, ended("2026-09")]))
    assert [] == pipeline.dead_letters
    return outputs


@LAW
@given(st.sampled_from(sorted(PLANS)), traded(), st.data())
def test_who_tells_the_position_and_when_does_not_matter(
    name: str, known: list[Deal], data: st.DataObject
) -> None:
    """Records with and without positions, of before and after edits, in any order: one ledger."""
    threads = [data.draw(records_of(one)) for one in known]
    turns = data.draw(st.permutations([n for n, thread in enumerate(threads) for _ in thread]))
    waiting = [iter(thread) for thread in threads]
    mixed: list[Record] = [next(waiting[turn]) for turn in turns]
    found, wanted = fold(mixed, PLANS[name]), fold([*known], PLANS[name])
    assert told(found).balances == told(wanted).balances


@LAW
@given(st.sampled_from(sorted(PLANS)), traded())
def test_telling_the_position_moves_no_money_that_needs_no_opening(name: str, known: list[Deal]) -> None:
    """Under plans that ask for no opening, the better source's whole file adds not one row."""
    if name in ("held", "qualified"):
        name = "lots"
    untold: list[Record] = [told_at(one, None) for one in known]
    before, after = fold(untold, PLANS[name]), fold([*untold, *known], PLANS[name])
    rows = [[row for row in outputs if isinstance(row, Transfer)] for outputs in (before, after)]
    assert ledger_hash(rows[0]) == ledger_hash(rows[1])
    assert len(rows[0]) == len(rows[1])
