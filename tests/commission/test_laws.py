"""Laws of the ledger, on generated little brokers: the order, splitting and repetition of input change
nothing; undoing everything leaves nothing; no deal and no residue is forgotten.

`IBFLOW_FUZZ=random IBFLOW_EFFORT=100` tries thousands of random brokers (pytest's `--timeout=0`).
"""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.events import Deal
from commission.ledger import balances, ledger_hash
from commission.money import Money, minor_digits, round_payable
from commission.outputs import Rejection, Transfer
from commission.rating.overrides import differences
from commission.terms.catalog import Terms
from schemas.wire import Record, encode
from streams.in_memory import LocalPipeline, entry_topic
from tests.build import (
    DAY_1,
    SYMBOLS,
    D,
    chargeback,
    cpa,
    deal,
    deposit,
    ended,
    exchange,
    kyc,
    linked,
    partner,
    per_lot,
    period,
    plan,
    registered,
    run,
    spread,
    told,
)
from tests.commission.laws import LAW

CLIENTS = ("anna", "ben", "carl")
"""Each with the login of its place in this list, from 1."""
UNKNOWN_LOGIN = 9

Story = list[list[Record]]
"""What happens, in threads: the order inside a thread is fixed, between threads it is free."""


def tree(min_lots: str) -> Story:
    """Four IBs, one of them in yen and one behind a KYC gate; every plan its own mixture."""
    conditions: dict[str, Any] = {"min_deposit": D(200), "min_lots": D(min_lots)}
    records: list[Record] = [
        *SYMBOLS,
        plan("gold USD", per_lot("class:forex=7 *=2.5"), spread("*=0.3", cap="20"), cpa("400", **conditions)),
        plan("silver USD", per_lot("*=6", entry="both"), cpa("300", **conditions)),
        plan("bronze USD", per_lot("EURUSD=5.25"), spread("*=0.2", average="EURUSD=1.2"), kyc_gate=True),
        partner("ib-top USD gold"),
        partner("ib-mid JPY silver ib-top"),
        partner("ib-north USD bronze ib-mid"),
        partner("ib-south USD silver ib-top"),
        exchange("USD/JPY 150", day=0),
    ]  # fmt: skip
    return [[record] for record in records]


@st.composite
def deals(draw: st.DrawFn, *, number: int) -> list[Record]:
    """A deal and the revisions of it, each perhaps repeated before the next one."""
    entry = draw(st.sampled_from(("in", "out", "out", "out_by", "inout")))
    lots = draw(st.integers(1, 500))
    name = draw(st.sampled_from(("EURUSD", "EURUSD", "EURUSDc", "USDJPY", "XAUUSD", "GBPUSD")))
    fields: dict[str, Any] = {"kind": draw(st.sampled_from(("trade",) * 9 + ("balance",)))}
    if entry == "inout":
        fields["volume_closed_e8"] = draw(st.integers(0, lots)) * 10**6
    if draw(st.booleans()):
        fields |= {"bid": D("1.10000"), "ask": D("1.10000") + D(draw(st.integers(0, 60))) / 100_000}
    first = deal(
        f"{number} {draw(st.sampled_from(('buy', 'sell')))} {D(lots) / 100} {name} {entry}",
        day=draw(st.integers(1, 28)),
        hour=draw(st.integers(0, 23)),
        login=draw(st.sampled_from((1, 2, 3, UNKNOWN_LOGIN))),
        **fields,
    )
    thread = [first]
    for revision in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            newer = replace(first, revision=f"gone {revision}", kind="cancelled")
        else:
            volume_e8 = lots * 10**6 + draw(st.integers(0, 5)) * 10**7
            newer = replace(first, revision=f"{revision}", volume_e8=volume_e8)
        thread.append(newer)
    return [record for record in thread for _ in range(draw(st.sampled_from((1, 1, 2))))]


@st.composite
def brokers(draw: st.DrawFn) -> Story:
    """Terms, clients with or without IB, KYC, deposits, chargebacks; deals, some of unknown accounts."""
    story = tree(draw(st.sampled_from(("0", "2"))))
    for login, client in enumerate(CLIENTS, 1):
        ib_id = draw(st.sampled_from((" ib-north", " ib-mid", " ib-south", " ib-top", "")))
        story += [
            [linked(f"{login} {client}")],
            [registered(f"{client}{ib_id}", day=draw(st.integers(1, 5)))],
        ]
        if draw(st.booleans()):
            story.append([kyc(f"{client} approved", day=draw(st.integers(1, 28)))])
        for number in range(draw(st.integers(0, 3))):
            name, amount = f"{client} {client}-{number}", draw(st.sampled_from((50, 100, 150, 200, 900)))
            money = f"{amount} {draw(st.sampled_from(('USD', 'USD', 'USC', 'JPY')))}"
            story.append(
                [deposit(f"{name} {money}", day=draw(st.integers(1, 9)), hour=draw(st.integers(0, 23)))]
            )
            if draw(st.integers(0, 3)) == 0:
                story.append([chargeback(name, day=draw(st.integers(10, 99)))])
    count = draw(st.integers(1, 8))
    return story + [draw(deals(number=n)) for n in range(1, count + 1)]


def merged(story: Story, data: st.DataObject) -> list[Record]:
    """One order of everything that keeps every thread's own."""
    turns = [number for number, thread in enumerate(story) for _ in thread]
    waiting = [iter(thread) for thread in story]
    return [next(waiting[turn]) for turn in data.draw(st.permutations(turns))]


def in_order(story: Story) -> list[Record]:
    """Terms first, then the rest as it was generated."""
    return [record for thread in story for record in thread]


def fold(records: list[Record]) -> list[Record]:
    """All outputs, with September closed at the end."""
    return list(LocalPipeline().feed([period("2026-09"), *records, ended("2026-09")]))


def hash_of(outputs: list[Record]) -> str:
    return ledger_hash(output for output in outputs if isinstance(output, Transfer))


# Input in another order, other batches, twice


@LAW
@given(brokers(), st.data())
def test_the_order_of_input_does_not_matter(story: Story, data: st.DataObject) -> None:
    """Deals, CRM events and terms in any order that keeps a deal's revisions give one ledger."""
    assert hash_of(fold(merged(story, data))) == hash_of(fold(in_order(story)))


@LAW
@given(brokers(), st.data())
def test_repeated_input_does_not_matter(story: Story, data: st.DataObject) -> None:
    """Everything that is not a deal twice, anywhere: the same ledger, and not one row more."""
    records = merged(story, data)
    deals_only = [record for record in records if record.type == "deal"]
    others = [record for record in records if record.type != "deal"]
    again = merged([deals_only, others, others], data)
    assert hash_of(fold(again)) == hash_of(fold(records))
    newest = {record.deal_key: record for record in deals_only}  # type: ignore[union-attr] # deals only
    once, twice = told(fold(records)), told(fold([*records, *newest.values(), *others]))
    assert twice.transfers == once.transfers


@LAW
@given(brokers(), st.data())
def test_batches_do_not_matter(story: Story, data: st.DataObject) -> None:
    """Cut into micro-batches of any size, the same input gives the same ledger."""
    records = merged(story, data)
    pipeline, outputs, start = LocalPipeline(), list[Record](), 0
    outputs += pipeline.feed([period("2026-09")])
    while start < len(records):
        batch = records[start : start + data.draw(st.integers(1, 12))]
        for topic in sorted({entry_topic(record) for record in batch}):
            outputs += pipeline.feed_batch(topic, [r for r in batch if entry_topic(r) == topic])
        start += len(batch)
    outputs += pipeline.feed([ended("2026-09")])
    assert hash_of(outputs) == hash_of(fold(records))


@LAW
@given(brokers(), st.data())
def test_a_replay_gives_the_same_bytes(story: Story, data: st.DataObject) -> None:
    """The same log gives the same rows, ids, reasons and milestones, byte for byte."""
    records = merged(story, data)
    assert encode(fold(records)) == encode(fold(records))


# Nothing forgotten, nothing left


@LAW
@given(brokers(), st.data())
def test_undoing_everything_leaves_nothing(story: Story, data: st.DataObject) -> None:
    """Every deal cancelled and every deposit charged back: each account is at zero."""
    records = merged(story, data)
    known = {record.deal_key: record for record in records if record.type == "deal"}  # type: ignore[union-attr]
    undone: list[Record] = [
        replace(record, revision="undone", kind="cancelled")  # type: ignore[arg-type, type-var]
        for record in known.values()
    ]
    deposits = {record.deposit_id: record.client_id for record in records if record.type == "deposit_cleared"}  # type: ignore[union-attr]
    undone += [
        replace(chargeback(f"{client} {name}", day=10), event_id=f"undo {name}")
        for name, client in deposits.items()
    ]
    assert run(*records, *undone, terms=()).balances == {}


@LAW
@given(brokers(), st.data())
def test_every_deal_is_rated_rejected_or_waiting(story: Story, data: st.DataObject) -> None:
    """The last word on a deal is a reason and no money, or money and no reason."""
    records = merged(story, data)
    outputs = list(LocalPipeline().feed(records))
    rows = told(outputs).transfers
    original = {row.transfer_id: row for row in rows}
    # Several topics, each in order, carry what one message causes: the newer revision has the last word.
    turns = {(r.deal_key, r.revision): turn for turn, r in enumerate(records) if isinstance(r, Deal)}
    words: dict[str, tuple[int, str]] = {}
    for output in outputs:
        if isinstance(output, Rejection):
            key, word = output.deal_key, output.status
        elif isinstance(output, Transfer) and output.code == "accrual" and output.account_key:
            key, word = output.caused_by, "rated"
        else:
            continue
        turn = turns[key, output.revision]
        if turn >= words.get(key, (-1, ""))[0]:
            words[key] = turn, word
    last = {key: word for key, (_, word) in words.items()}
    for key in {record.deal_key for record in records if record.type == "deal"}:  # type: ignore[union-attr]
        mine = [
            original[row.reverses or row.transfer_id].caused_by == key
            for row in rows
            if row.code != "release"
        ]
        sums = [-row.amount if row.reverses else row.amount for row in rows if row.code != "release"]
        paid = sum((amount for amount, is_mine in zip(sums, mine, strict=True) if is_mine), D(0))
        assert last[key] in {"rated", "rejected", "waiting"}
        assert (paid > 0) == (last[key] == "rated")


@LAW
@given(brokers(), st.data())
def test_the_ledger_and_its_statements_balance(story: Story, data: st.DataObject) -> None:
    """The trial balance is zero; a statement's lines add up; after it pending holds what it carries."""
    said = told(fold(merged(story, data)))
    found = balances(said.transfers)
    for currency in {row.currency for row in said.transfers}:
        assert sum(amount for (_, of), amount in found.items() if of == currency) == 0
    for s in said.statements:
        assert s.opening + s.accrued - s.reversed - s.payable - s.rounding == s.closing
        account = f"ib:{s.ib_id}"
        assert found.get((f"{account}:pending", s.currency), 0) == s.closing
        assert found.get((f"{account}:held", s.currency), 0) == s.held
        assert found.get((f"{account}:payable", s.currency), 0) == s.payable
        posted = [row for row in said.transfers if row.code == "rounding" and row.ib_id == s.ib_id]
        residue = sum(row.amount if row.credit == "rounding" else -row.amount for row in posted)
        assert residue == sum(o.rounding for o in said.statements if o.ib_id == s.ib_id)


# Arithmetic

amounts = st.decimals(0, 10**6, places=8)


@LAW
@given(st.integers(1, 10**6), st.integers(1, 1000), st.integers(0, 10**4), st.integers(0, 10**4))
def test_pay_is_linear_in_lots(lots_e2: int, factor: int, low_e2: int, high_e2: int) -> None:
    """k times the lots is k times the money, for every IB, whichever earns the override."""
    plans = (plan("p USD", per_lot(f"*={D(low_e2) / 100}")), plan("q USD", per_lot(f"*={D(high_e2) / 100}")))
    terms = (*SYMBOLS, *plans, partner("ib-north USD p ib-top"), partner("ib-top USD q"))
    anna = (linked("1 anna"), registered("anna ib-north"))

    def earned(e2: int) -> dict[str, Decimal]:
        rows = run(*anna, deal(f"1 buy {D(e2) / 100} EURUSD out"), terms=terms).transfers
        return {row.ib_id: row.amount for row in rows}

    once = earned(lots_e2)
    assert earned(lots_e2 * factor) == {ib_id: amount * factor for ib_id, amount in once.items()}
    assert sum(once.values()) == D(max(low_e2, high_e2)) * lots_e2 / 10**4


@LAW
@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=8), st.sampled_from(("EURUSD", "EURUSDc", "XAUUSD"))
)
def test_partial_closes_add_up(slices: list[int], name: str) -> None:
    """Closing in slices pays what closing at once pays."""
    terms = in_order(tree("0"))
    people = (linked("1 anna"), registered("anna ib-north"), kyc("anna approved", day=1))
    parts = [deal(f"{n} sell {D(e2) / 100} {name} out", position_id="p") for n, e2 in enumerate(slices)]
    whole = deal(f"9 sell {D(sum(slices)) / 100} {name} out", position_id="p")
    assert run(*people, *parts, terms=terms).owed == run(*people, whole, terms=terms).owed


@LAW
@given(st.lists(amounts, min_size=1, max_size=32))
def test_what_is_kept_by_difference_is_the_largest_gross(grosses: list[Decimal]) -> None:
    """However the rates are ordered up the tree, the broker pays the largest of them and no more."""
    kept = differences(grosses, ["USD"] * len(grosses), DAY_1, Terms())
    assert isinstance(kept, list)
    assert sum(kept) == max(grosses)
    assert min(kept) >= 0


@LAW
@given(st.decimals(-(10**9), 10**9, places=8), st.sampled_from(("USD", "JPY", "KWD", "BTC")))
def test_rounding_leaves_at_most_half_a_unit(amount: Decimal, currency: str) -> None:
    """Payable and residue are the amount, and the residue is at most half a minor unit."""
    payable, residue = round_payable(Money(amount, currency))
    assert (payable + residue).amount == amount
    assert abs(residue.amount) * 2 <= Decimal(1).scaleb(-minor_digits(currency))
