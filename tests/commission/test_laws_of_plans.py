"""Laws of the plan language: what must hold whatever a plan is made of, on generated little brokers.

`IBFLOW_FUZZ=random IBFLOW_EFFORT=100` tries hundreds of them (with pytest's `--timeout=0`).
"""

from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.events import Deal
from commission.money import EXACT, minor_digits
from commission.outputs import Rejection, Statement, Transfer
from commission.rating.fast_path import fast_path_of, rate_fast
from commission.rating.overrides import cascade, cascade_amounts, split, steps_taken
from commission.rating.rate import rate_generally
from commission.rating.values import Part
from commission.terms.catalog import Terms
from commission.terms.components import (
    CommissionShare,
    Component,
    PerLot,
    Pips,
    ProfitShare,
    RevenueShare,
    SpreadShare,
    SwapShare,
    Turnover,
)
from commission.terms.partners import ParentLink, PlanAssignment
from commission.terms.plans import Budget, PlanDefined
from commission.terms.rate_matching import Trait
from commission.terms.rates import Caps, Override, RankRates
from schemas.wire import Record
from streams.in_memory import LocalPipeline, entry_topic
from tests.build import (
    SYMBOLS,
    D,
    at,
    chargeback,
    deal,
    ended,
    exchange,
    linked,
    partner,
    per_lot,
    period,
    plan,
    rates,
    registered,
    spread,
    told,
)
from tests.commission.plan_facts import (
    BY_NAME,
    LAW,
    facts,
    in_order,
    terms_of,
)

LANES = settings(LAW, max_examples=LAW.max_examples * 20)
"""Rating one deal takes no time."""


def shuffled(threads: list[list[Record]], data: st.DataObject) -> list[Record]:
    """One order of everything that keeps every thread's own, some records twice."""
    turns = [number for number, thread in enumerate(threads) for _ in thread]
    waiting = [iter(thread) for thread in threads]
    records = [next(waiting[turn]) for turn in data.draw(st.permutations(turns))]
    for place in data.draw(st.lists(st.integers(0, len(records) - 1), max_size=4)):
        records.insert(data.draw(st.integers(place + 1, len(records))), records[place])
    return records


def balances_of(
    terms: list[Record], records: list[Record], data: st.DataObject | None = None
) -> dict[str, str]:
    """The ledger's balances; with `data` the records come in batches of any size."""
    pipeline = LocalPipeline()
    outputs = list(pipeline.feed(terms))
    if data is None:
        outputs += pipeline.feed(records)
    while data is not None and records:
        size = data.draw(st.integers(1, 9))
        batch, records = records[:size], records[size:]
        for topic in sorted({entry_topic(record) for record in batch}):
            outputs += pipeline.feed_batch(topic, [r for r in batch if entry_topic(r) == topic])
    assert [] == pipeline.dead_letters
    return told(outputs).balances


# Input in another order, other batches, twice


@BY_NAME
@LAW
@given(threads=facts(), data=st.data(), gated=st.booleans())
def test_order_repetition_and_batches_change_no_balance(
    name: str,
    threads: list[list[Record]],
    data: st.DataObject,
    gated: bool,  # noqa: FBT001 # drawn
) -> None:
    """Terms first; then facts in any order, some of them twice, in batches of any size: one result."""
    terms = terms_of(name, gated=gated)
    expected = balances_of(terms, in_order(threads))
    assert expected == balances_of(terms, shuffled(threads, data))
    assert expected == balances_of(terms, shuffled(threads, data), data)


# Nothing left, nothing forgotten


@BY_NAME
@LAW
@given(threads=facts(), gated=st.booleans())
def test_undoing_everything_leaves_every_account_at_zero(
    name: str,
    threads: list[list[Record]],
    gated: bool,  # noqa: FBT001 # drawn
) -> None:
    """Every deal cancelled and every deposit taken back: no true-up, rebate or held money is left."""
    records = in_order(threads)
    newest = {record.deal_key: record for record in records if isinstance(record, Deal)}
    undone: list[Record] = [replace(d, revision="undone", kind="cancelled") for d in newest.values()]
    undone += [
        replace(chargeback(f"{record.client_id} {record.deposit_id}", day=30), event_id=f"undo {number}")
        for number, record in enumerate(records)
        if record.type == "deposit_cleared"
    ]
    assert {} == balances_of(terms_of(name, gated=gated), [*records, *undone])


@BY_NAME
@LAW
@given(threads=facts())
def test_every_deal_is_paid_or_has_a_reason(name: str, threads: list[list[Record]]) -> None:
    """The last word on each deal is an accrual or a rejection, and nothing waits once all is known."""
    records = in_order(threads)
    said = list(LocalPipeline().feed([*terms_of(name), *records]))
    last: dict[str, str] = {}
    for output in said:
        if isinstance(output, Rejection):
            last[output.deal_key] = output.status
        elif isinstance(output, Transfer) and output.code == "accrual" and output.account_key:
            last[output.caused_by] = "rated"
    keys = {record.deal_key for record in records if isinstance(record, Deal)}
    assert keys == set(last)
    assert set(last.values()) <= {"rated", "rejected"}


@BY_NAME
@LAW
@given(threads=facts(), gated=st.booleans())
def test_a_statement_rounds_to_half_a_minor_unit_and_posts_it(
    name: str,
    threads: list[list[Record]],
    gated: bool,  # noqa: FBT001 # drawn
) -> None:
    """Each statement adds up; what rounding leaves is at most half a minor unit, in `rounding`."""
    ends: list[Record] = [ended("2026-09"), ended("2026-10")]
    said = told(LocalPipeline().feed([*terms_of(name, gated=gated), *in_order(threads), *ends]))
    for s in said.statements:
        assert s.opening + s.accrued - s.reversed - s.payable - s.rounding == s.closing
        assert s.payable == s.payable.quantize(D(1).scaleb(-minor_digits(s.currency)))
        assert abs(s.rounding) * 2 <= D(1).scaleb(-minor_digits(s.currency))
        assert s.payable >= 0
        assert s.rounding == posted_to_rounding(said.transfers, s)


def posted_to_rounding(rows: list[Transfer], s: Statement) -> Decimal:
    """What the statement's rows moved to `rounding`."""
    mine = [r for r in rows if (r.ib_id, r.period, r.currency) == (s.ib_id, s.period, s.currency)]
    return sum((r.amount * ((r.credit == "rounding") - (r.debit == "rounding")) for r in mine), D(0))


# Arithmetic of the components


LINEAR: dict[str, Component] = {
    "per_lot": per_lot("*=3.7", entry="both"),
    "turnover": Turnover(name="turnover", rates=rates("*=12.5"), entry="both"),
    "basis points": Turnover(name="turnover", rates=rates("*=0.25"), unit="bps", entry="both"),
    "pips": Pips(name="pips", rates=rates("*=0.3"), entry="both"),
    "spread_share": spread("*=0.35", entry="both"),
}
ADDITIVE: dict[str, Component] = LINEAR | {
    "commission_share": CommissionShare(name="commission", rates=rates("*=0.4")),
    "swap_share": SwapShare(name="swap", rates=rates("*=0.4")),
    "profit_share": ProfitShare(name="loss", rates=rates("*=0.1")),
    "revenue_share": RevenueShare(name="net", rates=rates("*=0.3"), terms=("spread", "commission", "swap")),
}
QUOTE: dict[str, Any] = {"bid": D("1.10000"), "ask": D("1.10017"), "price": D("1.10000")}
ANNA: list[Record] = [linked("1 anna"), registered("anna ib-north")]


def plain_terms(component: Component, top: Component | None = None, **fields: Any) -> list[Record]:
    """North on one component; above it, if there is another, an IB on that."""
    plans = [PlanDefined(plan_id="own", version=1, currency="USD", components=(component,), kyc_gate=False)]
    if top is not None:
        plans.append(replace(plans[0], plan_id="top", components=(top,)))
    plans[0] = replace(plans[0], **fields)
    above = [partner("ib-top USD top")] if top is not None else []
    return [*SYMBOLS, period("2026-09"), *plans, partner(f"ib-north USD own{' ib-top' * len(above)}"), *above]


def owed(terms: list[Record], deals: list[Deal]) -> dict[str, Decimal]:
    """By IB, what is owed for some deals of anna."""
    found: dict[str, Decimal] = {}
    for row in told(LocalPipeline().feed([*terms, *ANNA, *deals])).transfers:
        sign = 1 if row.credit == f"ib:{row.ib_id}:pending" else -1
        found[row.ib_id] = found.get(row.ib_id, D(0)) + sign * row.amount
    return found


@pytest.mark.parametrize("name", LINEAR)
@LAW
@given(
    lots=st.integers(1, 10**6),
    times=st.integers(1, 500),
    factor=st.decimals("0.5", 3, places=2),
    entry=st.sampled_from(("in", "out")),
)
def test_a_measure_of_volume_is_linear_in_lots(
    name: str, lots: int, times: int, factor: Decimal, entry: str
) -> None:
    """k times the lots is k times the money, for the IB and for the one that earns the override."""
    base: Any = LINEAR[name]
    top = replace(base, rates=tuple(replace(r, value=r.value * factor) for r in base.rates))
    terms = plain_terms(base, top)
    one = owed(terms, [deal(f"1 buy {D(lots) / 100} EURUSD {entry}", **QUOTE)])
    many = owed(terms, [deal(f"1 buy {D(lots * times) / 100} EURUSD {entry}", **QUOTE)])
    assert {ib_id: amount * times for ib_id, amount in one.items()} == many


@pytest.mark.parametrize("name", ADDITIVE)
@LAW
@given(slices=st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_partial_closes_add_up(name: str, slices: list[int]) -> None:
    """Closing in slices, each with its part of the money, pays what closing at once pays."""
    terms = plain_terms(ADDITIVE[name])

    def closing(number: int, hundredths: int) -> Deal:
        money = {"commission": D("-0.07"), "swap": D("-0.11"), "profit": D("-1.3"), "fee": D("-0.02")}
        costs: dict[str, Any] = {name: each * hundredths for name, each in money.items()}
        return deal(f"{number} sell {D(hundredths) / 100} EURUSD out", position_id="p", **QUOTE, **costs)

    parts = [closing(number, hundredths) for number, hundredths in enumerate(slices)]
    assert owed(terms, parts) == owed(terms, [closing(99, sum(slices))])


@LAW
@given(
    lots=st.integers(1, 5000),
    rate=st.integers(1, 2000),
    points=st.integers(0, 40),
    share=st.decimals(0, 1, places=2),
    above=st.integers(1, 3000),
)
def test_all_ibs_together_stay_within_the_budget(
    lots: int, rate: int, points: int, share: Decimal, above: int
) -> None:
    """At most the plan's share of the spread, and all that was earned where that is less."""
    own, top = per_lot(f"*={D(rate) / 100}"), per_lot(f"*={D(above) / 100}")
    terms = plain_terms(own, top, budget=Budget(share=share, revenue=("spread",)))
    quote: dict[str, Any] = {"bid": D("1.1"), "ask": D("1.1") + D(points) / 100_000}
    paid = sum(owed(terms, [deal(f"1 buy {D(lots) / 100} EURUSD out", **quote)]).values(), D(0))
    budget = share * points * lots / 100  # a point of a lot is 1 USD
    wanted = D(max(rate, above)) * lots / 10_000
    assert paid <= min(budget, wanted)
    assert paid >= min(budget, wanted) - D("0.00000002")  # two IBs, each rounded down


# Conservation: what the overrides give away is what there is

MONEY = st.decimals(0, 10**6, places=8)
SHARES = st.lists(st.decimals(0, 1, places=4), min_size=1, max_size=6)


@LAW
@given(base=MONEY, shares=SHARES, holders=st.integers(1, 32))
def test_a_cascade_gives_away_its_base(base: Decimal, shares: list[Decimal], holders: int) -> None:
    """By share or by amount, every IB keeps something from 0 up, and together they have the base."""
    for kept in (cascade(base, shares, holders), cascade_amounts(base, [s * 9 for s in shares], holders)):
        assert holders == len(kept)
        assert base == sum(kept)
        assert min(kept) >= 0


@LAW
@given(base=MONEY, weights=st.lists(st.integers(0, 100), min_size=1, max_size=8), holders=st.integers(1, 12))
def test_a_split_gives_away_its_base(base: Decimal, weights: list[int], holders: int) -> None:
    """Shares that add up to one: the base is given away, whoever of them is there."""
    whole = sum(weights) or 1
    kept = split(base, [D(weight) / whole for weight in weights], holders)
    assert holders == len(kept)
    assert base == sum(kept)
    assert all(amount == 0 for amount in kept[len(weights) :])


@LAW
@given(held=st.lists(st.sampled_from(("", "one", "two", "three", "four")), min_size=1, max_size=8))
def test_ranks_are_taken_once_up_to_the_highest(held: list[str]) -> None:
    """The steps follow each other without a gap or an overlap, from nothing to the highest rank present."""
    names = ("one", "two", "three", "four")
    steps = steps_taken([RankRates(rank=name, rates=()) for name in names], held)
    assert steps[0][0] == 0
    assert all(before[1] == after[0] for before, after in pairwise(steps))
    assert steps[-1][1] == max((names.index(name) + 1 for name in held if name), default=0)


RANKS = (("one", "2"), ("two", "1.5"), ("three", "0.7"))
OVERRIDES: dict[str, Override] = {
    "difference": Override(),
    "absolute": Override(mode="absolute", levels=(rates("*=1.1"), rates("*=0.3"))),
    "cascade": Override(mode="cascade", pass_up=(D("0.31"), D("0.07"))),
    "cascade of amounts": Override(mode="cascade", pass_up=(D("1.3"), D("0.4")), pass_unit="rate"),  # noqa: S106 # no password
    "split": Override(mode="split", shares=(D("0.6"), D("0.25"), D("0.15"))),
    "rank": Override(mode="rank", ranks=tuple(RankRates(rank=r, rates=rates(f"*={v}")) for r, v in RANKS)),
}


@pytest.mark.parametrize("mode", OVERRIDES)
@LAW
@given(
    lots=st.integers(1, 10**6),
    own=st.lists(st.integers(1, 900), min_size=3, max_size=3),
    held=st.lists(st.sampled_from(("", "one", "two", "three")), min_size=3, max_size=3),
    depth=st.integers(1, 3),
)
def test_an_override_conserves_money(
    mode: str, lots: int, own: list[int], held: list[str], depth: int
) -> None:
    """What all IBs of a deal get together is what the mode says, whoever they are."""
    volume, values = D(lots) / 100, [D(value) / 100 for value in own]
    plans = [
        plan(f"p{n} USD", per_lot(f"*={value}", override=OVERRIDES[mode])) for n, value in enumerate(values)
    ]
    ibs = [f"ib-{n}" for n in range(depth)]
    partners = [
        partner(
            f"{ib_id} USD",
            schedule=(PlanAssignment(plan_id=f"p{n}", rank=held[n]),),
            parents=tuple(ParentLink(ib_id=above) for above in ibs[n + 1 : n + 2]),
        )
        for n, ib_id in enumerate(ibs)
    ]
    people: list[Record] = [linked("1 anna"), registered("anna ib-0")]
    terms: list[Record] = [*SYMBOLS, *plans, *partners]
    rows = told(LocalPipeline().feed([*terms, *people, deal(f"1 buy {volume} EURUSD out")])).transfers
    highest = max(("", "one", "two", "three").index(rank) for rank in held[:depth])
    per_lot_of_all = {
        "difference": max(values[:depth]),
        "absolute": values[0] + sum((D("1.1"), D("0.3"))[: depth - 1], D(0)),
        "rank": sum((D(value) for _, value in RANKS[:highest]), D(0)),
    }.get(mode, values[0])
    assert volume * per_lot_of_all == sum(row.amount for row in rows)
    assert all(row.amount > 0 for row in rows)


# The fast lane


@st.composite
def straight(draw: st.DrawFn) -> Component:
    """A component that is a rate times a measure, perhaps with a cap of one deal."""
    matches = st.sampled_from(("*", "EURUSD", "EUR*", "class:forex", "GBPUSD"))
    table = draw(st.dictionaries(matches, st.integers(-3, 12), min_size=1, max_size=3))
    shared: dict[str, Any] = {
        "rates": rates(" ".join(f"{match}={D(value) / 2}" for match, value in table.items())),
        "entry": draw(st.sampled_from(("in", "out", "both"))),
        "caps": draw(st.sampled_from((None, None, Caps(per_deal=D(20))))),
    }
    kind: Any = draw(st.sampled_from((per_lot, PerLot, Turnover, Pips, SpreadShare)))
    name = {"per_lot": "lots"}.get(kind.__name__, kind.__name__)
    return kind("*=1", **shared) if kind is per_lot else kind(name=name, **shared)


@LANES
@given(data=st.data())
def test_the_fast_lane_gives_what_the_general_path_gives(data: st.DataObject) -> None:
    """Whatever the rates, entries, volumes, contract sizes and places: the same rows or the same reason."""
    draw = data.draw
    plans, partners = [], []
    depth, currency = draw(st.integers(1, 5)), draw(st.sampled_from(("USD", "USD", "JPY")))
    kind = draw(straight())
    for n in range(depth):
        own = draw(straight())
        alike = isinstance(own, type(kind))
        plan_currency = draw(st.sampled_from((currency, "USD")))
        plans.append(plan(f"p{n} {plan_currency}", *((own,) if alike else (kind,) if n == 0 else ())))
        above = f" ib-{n + 1}" if n + 1 < depth else ""
        partners.append(partner(f"ib-{n} {currency} p{n}{above}"))
    quoted = draw(st.sampled_from(([], [exchange("USD/JPY 150")])))
    terms = Terms().learn([*SYMBOLS, *plans, *partners, *quoted])
    upline = terms.upline("ib-0", at(3))
    assert upline is not None
    size = draw(st.sampled_from((None, D(1000), D(100_000), D(3))))
    entry = draw(st.sampled_from(("in", "out", "inout", "out_by")))
    quote: dict[str, Any] = draw(st.sampled_from(({}, {"bid": D("1.1"), "ask": D("1.10013")})))
    record = deal(f"1 buy 1 EURUSD {entry}", contract_size=size, **quote)
    opened, closed = draw(st.integers(0, 10**10)), draw(st.integers(0, 10**10))
    found = terms.symbol("live", "EURUSD", at(3))
    assert found is not None
    part = Part(
        record,
        found,
        size or found.contract_size,
        D(0) if entry in ("out", "out_by") else D(opened).scaleb(-8),
        D(0) if entry == "in" else D(closed).scaleb(-8),
        Trait("anna", "live/1"),
    )
    (sharing,) = upline.sharings
    with localcontext(EXACT):
        lane = fast_path_of(sharing, upline, part, terms)
        if lane is not None:  # not where a cap is in another currency
            fast = rate_fast(lane, sharing.kind, part._replace(measures={}), terms)
            assert fast == rate_generally(sharing, part._replace(measures={}), upline, terms)
