"""One partition: each message has its effect once, in order, through any crash between two steps."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.events import ClientFlagged, RoutedDeal, WithdrawalPaid
from commission.outputs import Announcement, Claim, Milestone, Tally
from commission.partner.claims import KEPT_CLAIMS
from commission.postbacks.records import DayEnded, Endpoint, EndpointSaved, EndpointStateSet
from commission.terms.components import CommissionShare, Pips
from commission.terms.events_wanted import EventsWanted
from commission.terms.rates import Band, Tiers, When
from schemas import topics
from schemas.dead_letters import DEAD_LETTER
from schemas.wire import MAX_BATCH_RECORDS, Record, decode_batch, encode
from streams.in_memory import EPOCH
from streams.partition import Message, OffsetGapError, Partition
from streams.stages import ACCOUNTS, CLIENTS, ENDPOINTS, PARTNERS, POSTBACKS, STAGES, TERMS, Stage
from streams.store import MemoryStore
from tests.build import (
    PARTNERS as IBS,
)
from tests.build import (
    PLANS,
    SYMBOLS,
    D,
    at,
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
    rates,
    registered,
    spread,
)
from tests.commission.partner.payout_commands import hold, hold_client, unlock
from tests.effort import tries

COUNTS = {topic.name: topic.partitions or 3 for topic in topics.TOPICS}


def lines(*records: Record) -> bytes:
    """A message of these records."""
    return b"\n".join(encode(records))


def new(stage: Stage, store: dict[bytes, bytes] | None = None, number: int = 0) -> Partition:
    """A partition of `stage` as it starts on what is stored."""
    return Partition.recover(stage, number, COUNTS, MemoryStore(store))


def apply(partition: Partition, offset: int, value: bytes, source: str = "") -> tuple[Message, ...]:
    """Step and commit; the messages sent."""
    step = partition.step(offset, value, source, EPOCH)
    assert step is not None
    partition.commit(step)
    return step.messages


def by_topic(messages: Iterable[Message]) -> dict[str, list[str]]:
    """Topic → types of the records sent there."""
    found: dict[str, list[str]] = {}
    for message in messages:
        if message.topic != topics.DEAD_LETTERS:
            found.setdefault(message.topic, []).extend(r.type for r in decode_batch(message.value))
    return found


def routed(text: str, client: str = "anna", **fields: Any) -> RoutedDeal:
    """A client's deal as the account book sends it."""
    return RoutedDeal(client_id=client, deal=deal(text, **fields))


# Ends of periods


def test_which_periods_have_ended_is_known_after_a_restart() -> None:
    """September has ended; after a restart November is out of turn, and only October reaches the books."""
    store: dict[bytes, bytes] = {}
    calendar = [period(name) for name in ("2026-09", "2026-10", "2026-11")]
    apply(new(TERMS, store), 0, lines(*calendar, replace(ended("2026-09"), at=at(31))))
    october, november = (replace(ended(name), at=at(100)) for name in ("2026-10", "2026-11"))
    messages = apply(new(TERMS, store), 1, lines(november, october))
    (letters,) = [message for message in messages if message.topic == topics.DEAD_LETTERS]
    assert "2026-11 is out of turn" in DEAD_LETTER.validate_json(letters.value).reason
    passed = {message.value for message in messages if message.topic != topics.DEAD_LETTERS}
    assert passed == {lines(october)}


# Offsets and sources


def test_an_applied_offset_is_skipped() -> None:
    """A message delivered again, also after a restart, has no second effect."""
    store: dict[bytes, bytes] = {}
    partition = new(ACCOUNTS, store)
    value = lines(linked("1 anna"), deal("1 buy 1 EURUSD out"))
    assert len(apply(partition, 0, value)) == 1
    before = dict(store)
    assert partition.step(0, value, "", EPOCH) is None
    assert new(ACCOUNTS, store).step(0, value, "", EPOCH) is None
    assert store == before


def test_a_hole_stops_the_partition() -> None:
    """A missing offset is an error that names both ends, and changes nothing."""
    partition = new(ACCOUNTS)
    apply(partition, 0, lines(linked("1 anna")))
    with pytest.raises(OffsetGapError, match="account-book/0: offset 2 follows 0"):
        partition.step(2, lines(linked("2 ben")), "", EPOCH)
    assert partition.applied.offset == 0


def test_a_batch_sent_again_by_its_source_is_skipped() -> None:
    """New offset, old source position: acknowledged without effect; every source has its own mark."""
    partition = new(ACCOUNTS)
    value = lines(linked("1 anna"), deal("1 buy 1 EURUSD out"))
    assert len(apply(partition, 0, value, "csv/0/7/0")) == 1
    assert apply(partition, 1, value, "csv/0/7/0") == ()
    assert apply(partition, 2, value, "csv/0/6/3") == ()
    assert partition.applied.offset == 2
    assert len(apply(partition, 3, value, "csv/1/7/0")) == 1
    assert partition.applied.sources == {"csv/0": (7, 0), "csv/1": (7, 0)}


def test_parts_of_a_batch_are_told_apart() -> None:
    """Parts 0 and 1 of one offset are both new; sent again after a crash both are old."""
    partition = new(ACCOUNTS)
    one, two = lines(linked("1 anna")), lines(linked("2 ben"))
    for offset, (part, value) in enumerate(((0, one), (1, two), (0, one), (1, two))):
        apply(partition, offset, value, f"a-topic/0/5/{part}")
    assert partition.applied.sources == {"a-topic/0": (5, 1)}
    assert partition.applied.offset == 3


def test_of_a_message_grouped_anew_only_what_is_new_counts() -> None:
    """What travels with a repeat takes effect, and the repeat does not; bad lines keep their numbers."""
    partition = new(ACCOUNTS)
    one, two = lines(linked("1 anna")), lines(deal("1 buy 1 EURUSD out"))
    assert apply(partition, 0, one + b"\n" + two, "a-topic/0/5/0|4/0:1,5/0:1")
    sent = apply(partition, 1, b"\n".join([one, two, b"bad"]), "a-topic/0/6/0|4/0:1,5/0:1,6/0:1")
    assert partition.applied.sources == {"a-topic/0": (6, 0)}
    (letter,) = (DEAD_LETTER.validate_json(message.value) for message in sent)
    assert letter.position == "0/1 line 3"


def test_a_step_changes_nothing_until_it_is_committed() -> None:
    """Computed twice, a step is the same; the store sees it only by `commit`."""
    store: dict[bytes, bytes] = {}
    partition = new(CLIENTS, store)
    value = lines(*SYMBOLS, *PLANS, *IBS, registered("anna ib-north"), routed("1 buy 1 EURUSD out"))
    first, second = (partition.step(0, value, "", EPOCH) for _ in range(2))
    assert store == {}
    assert first is not None
    assert second is not None
    assert (first.messages, first.state) == (second.messages, second.state)


# Dead letters


def test_a_bad_line_is_buried_and_the_rest_is_folded() -> None:
    """Garbage, a record of another topic, a naive time: letters with their lines; the deal goes on."""
    partition = new(ACCOUNTS)
    good = encode([linked("1 anna"), deal("1 buy 1 EURUSD out")])
    naive = encode([deal("2 buy 1 EURUSD out")])[0].replace(b"00:00Z", b"00:00")
    bad = [b"{not json", encode([registered("anna")])[0], naive, b'{"type":"deal"}']
    sent = apply(partition, 0, b"\n".join([good[0], bad[0], bad[1], b"", good[1], bad[2], bad[3], b""]))
    assert by_topic(sent) == {topics.CLIENT_BOOK: ["routed_deal"]}
    buried = next(message for message in sent if message.topic == topics.DEAD_LETTERS)
    letters = [DEAD_LETTER.validate_json(line) for line in buried.value.split(b"\n")]
    assert [letter.payload for letter in letters] == bad
    assert [letter.position.split()[-1] for letter in letters] == ["2", "3", "6", "7"]
    assert "no record of type client_registered belongs here" in letters[1].reason


def test_a_message_of_nothing_has_no_effect() -> None:
    """Empty, blank or all bad: the offset moves on."""
    partition = new(CLIENTS)
    for offset, value in enumerate((b"", b"\n\n", b"{")):
        sent = apply(partition, offset, value)
        assert by_topic(sent) == {}
    assert partition.applied.offset == 2


# Outputs


def test_outputs_go_to_the_partition_of_their_key() -> None:
    """One batch for each target partition, each with its source position."""
    partition = new(ACCOUNTS, number=2)
    links = [linked(f"{login} client-{login}") for login in range(1, 40)]
    deals = [deal(f"{login} buy 1 EURUSD out", login=login) for login in range(1, 40)]
    sent = apply(partition, 0, lines(*links, *deals))
    assert [message.partition for message in sent] == [*dict.fromkeys(m.partition for m in sent)]
    assert {message.source for message in sent} == {"account-book/2/0/0"}
    for message in sent:
        for record in decode_batch(message.value):
            assert isinstance(record, RoutedDeal)
            assert message.partition == topics.partition_of(record.client_id, 3)


def test_large_outputs_are_numbered_parts() -> None:
    """Above the limit of a batch the rest follows as part 1, in order."""
    partition = new(ACCOUNTS)
    count = MAX_BATCH_RECORDS + 1
    deals = [deal(f"{number} buy 1 EURUSD out") for number in range(count)]
    for offset, record in enumerate(deals[:1]):
        apply(partition, offset, lines(record))
    half = count // 2
    apply(partition, 1, lines(*deals[1:half]))
    apply(partition, 2, lines(*deals[half:]))
    sent = apply(partition, 3, lines(linked("1 anna")))
    assert [message.source for message in sent] == ["account-book/0/3/0", "account-book/0/3/1"]
    found = [r.deal.deal_id for m in sent for r in decode_batch(m.value)]  # type: ignore[union-attr] # routed
    assert sorted(found, key=int) == [str(number) for number in range(count)]
    assert len(decode_batch(sent[1].value)) == 1


def test_terms_are_broadcast_to_every_partition_of_both_books() -> None:
    """The same bytes in the same order; of a batch with a bad line, the good ones."""
    router = new(TERMS)
    value = lines(*SYMBOLS, period("2026-09"), ended("2026-09"))
    for offset, sent_in in enumerate((value, value + b"\n{")):
        sent = [m for m in apply(router, offset, sent_in) if m.topic != topics.DEAD_LETTERS]
        targets = [(message.topic, message.partition) for message in sent]
        assert targets == [(t, n) for t in (topics.CLIENT_BOOK, topics.PARTNER_BOOK) for n in range(3)]
        assert {message.source for message in sent} == {f"terms/0/{offset}/0"}
        for message in sent:
            assert decode_batch(message.value) == decode_batch(value)


# Recovery

LOT = spread("*=0.5", average="*=1")
EASY = cpa("300", min_deposit=D(1), min_lots=D(2))
OLD_HANDS = plan(
    "old USD",
    per_lot("*=1", entry="in", hedged=True, tiers=Tiers(by="lots", bands=(Band(start=D(1), factor=D(2)),))),
    Pips(name="pips", rates=rates("*=1"), close_by="first_leg"),
    per_lot("*=1", name="held", when=When(min_holding_s=60)),
    CommissionShare(name="charges", rates=rates("*=0.5"), charges=True),
    kyc_gate=True,
)
"""Every kind of state: hedged volumes, first legs, closings, volumes to charge, tallies that wait, refunds of
more than was charged."""
GATED = plan("silver USD", per_lot("*=5"), LOT, EASY, kyc_gate=True)
ACCOUNT_LOG = [
    lines(deal("1 buy 1 EURUSD out", bid=D("1.1"), ask=D("1.2"), profit=D("0.00"))),
    lines(deal("2 buy 1 EURUSD out"), linked("1 anna")),
    lines(linked("1 ben", day=9), deal("3 buy 1 EURUSD out", day=10), deal("4 buy 1 EURUSD in", login=2)),
    lines(linked("2 ben"), deal("4 buy 2 EURUSD in", login=2, revision="b")),
]
CLIENT_LOG = [
    lines(routed("1 buy 1 EURUSD out"), routed("1 buy 2 EURUSD out", revision="b")),
    lines(registered("anna ib-north", click={"sub": "7"}, country="CY"), *SYMBOLS[1:]),
    lines(routed("2 buy 3 EURUSD in"), deposit("anna d1 9.00 EUR", day=2), chargeback("anna d9", day=3)),
    lines(period("2026-09"), *PLANS[:1], GATED, *IBS),
    lines(OLD_HANDS, partner("ib-old USD old"), registered("cleo ib-old")),
    lines(
        routed("51 buy 1 EURUSD in", client="cleo"),
        routed("52 sell 1 EURUSD out_by", client="cleo", position_id="of-51"),
        routed("53 buy 1 EURUSD out_by", client="cleo"),
        routed("54 buy 1 EURUSD in", client="cleo", kind="commission", profit=D(-3)),
        routed("55 buy 1 EURUSD in", client="cleo", kind="commission", profit=D(9)),
    ),
    lines(SYMBOLS[0], exchange("EUR/USD 1.1")),
    lines(kyc("cleo approved", day=9)),
    lines(routed("3 buy 2 EURUSD out"), routed("4 sell 4 EURUSD inout", position_id="of-2")),
    lines(kyc("anna approved", day=4), deposit("anna d2 800 USD", day=2), routed("9 buy 1 X out")),
    lines(routed("3 buy 2 EURUSD out", revision="c", kind="cancelled"), routed("5 buy 7 EURUSD out")),
    lines(chargeback("anna d1", day=8), chargeback("anna d2", day=8)),
    lines(
        WithdrawalPaid(event_id="w", client_id="anna", amount=D(5), currency="USD", occurred_at=at(9)),
        *(
            ClientFlagged(event_id=f"v{n}", client_id="anna", verdict="fraud", occurred_at=at(10))
            for n in range(66)  # more than fit one page
        ),
    ),
    lines(*(routed("6 buy 1 EURUSD out", revision=f"r{n}") for n in range(18))),  # more than its state has
    lines(hold_client("cleo")),
]


def partner_log() -> list[bytes]:
    """Held, released, odd and reversed transfers over three statements."""
    clients = new(CLIENTS)
    sent = [message for n, value in enumerate(CLIENT_LOG) for message in apply(clients, n, value)]
    log = [m.value for m in sent if m.topic == topics.PARTNER_BOOK and m.partition == 0]
    log += [m.value for m in sent if m.topic == topics.PARTNER_BOOK and m.partition != 0]
    months = [period(f"2026-{month}") for month in ("09", "10", "11")]
    september, october, november = (lines(ended(month.period)) for month in months)
    late_terms = lines(OLD_HANDS)
    far = lines(period("2028-01"), *(tally_of(day) for day in (3, 490, 4)))  # folds September, and opens it
    person = lines(PLANS[0], *(claim_of(number) for number in range(KEPT_CLAIMS + 1)))
    payouts = lines(hold(ib_id="ib-north"), unlock("l1"))
    later = (late_terms, far, person, october, october, payouts, november)
    return [lines(*months, *IBS), *log[:2], september, *log[2:], *later]


def claim_of(number: int) -> Tally:
    """A client's CPA of 400; all are clients of one person."""
    return Tally(
        ib_id="ib-old",
        plan_id="gold",
        plan_version=1,
        component="cpa",
        client_id=f"c{number}",
        caused_by=f"cpa|c{number}|cpa",
        occurred_at=at(3),
        currency="USD",
        amounts=(D(400),),
        count=1,
        claim=Claim(person="p", accrual=f"a{number}", click={"sub": "7"}),
    )


def tally_of(day: int) -> Tally:
    """A lot of a day for the hedged component of the IB `ib-old`."""
    return Tally(
        ib_id="ib-old",
        plan_id="old",
        plan_version=1,
        component="lots",
        client_id="cleo",
        caused_by=f"live|{day}",
        occurred_at=at(day),
        currency="USD",
        amounts=(D(1), D(2)),
        lots=D(1),
        count=1,
    )


EVENTS = ("cpa.clawback", "cpa.qualified", "trade.closed")
TRACKER = EndpointSaved(
    endpoint=Endpoint(endpoint_id="t", events=EVENTS, trades="daily"),
    version=1,
    sealed="s",
    by="anna",
    at=EPOCH,
)
PAUSED = EndpointStateSet(endpoint_id="t", version=1, state="paused", reason="", by="anna", at=EPOCH)
QUALIFIED = Milestone(
    milestone_id="q", kind="cpa.qualified", client_id="anna", ib_id="ib-north", occurred_at=EPOCH
)
TRADE = Announcement(
    milestone_id="t", kind="trade.closed", client_id="anna", ib_id="ib-north", occurred_at=EPOCH, trades=1
)
DAY = DayEnded(day="1970-01-01", at=EPOCH)
WANTED = EventsWanted(kinds=("ib.onboarded", "trade.closed"))
CLAWED = replace(QUALIFIED, milestone_id="w", kind="cpa.clawback", takes_back="q")


LOGS: dict[str, list[bytes]] = {
    "accounts": ACCOUNT_LOG,
    "clients": CLIENT_LOG,
    "partners": partner_log(),
    "terms": [
        lines(*SYMBOLS),
        lines(*PLANS, *IBS),
        lines(period("2026-09"), ended("2026-09")),
        lines(WANTED),
        lines(*IBS, partner("ib-west USD silver")),
    ],
    "endpoints": [lines(TRACKER), lines(PAUSED, DAY)],
    "postbacks": [lines(TRACKER), lines(QUALIFIED, TRADE), lines(PAUSED, CLAWED), lines(DAY)],
}


def story(
    stage: Stage, log: list[bytes], crashes: dict[int, int]
) -> tuple[list[Message], dict[bytes, bytes]]:
    """Messages and store of a log; crash `crashes[offset]` times before its commit, once after it."""
    store: dict[bytes, bytes] = {}
    partition, sent = new(stage, store), list[Message]()
    for offset, value in enumerate(log):
        for _ in range(crashes.get(offset, 0)):
            lost = partition.step(offset, value, "", EPOCH)
            partition = new(stage, store)
            again = partition.step(offset, value, "", EPOCH)
            assert lost is not None
            assert again is not None
            assert again.messages == lost.messages
        sent += apply(partition, offset, value)
        if offset in crashes:
            partition = new(stage, store)
            assert partition.step(offset, value, "", EPOCH) is None
    return sent, store


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_crash_anywhere_changes_nothing(stage: Stage) -> None:
    """Before or after the commit of any one message, or of all: the same bytes sent and stored."""
    log = LOGS[stage.name]
    expected = story(stage, log, {})
    for offset in range(len(log)):
        assert story(stage, log, {offset: 1}) == expected
    assert story(stage, log, dict.fromkeys(range(len(log)), 2)) == expected
    assert len(expected[0]) > 0


def test_every_type_of_state_is_in_the_logs_above() -> None:
    """The round trip of each through the store is what the crashes test."""
    for stage in (ACCOUNTS, CLIENTS, PARTNERS, ENDPOINTS, POSTBACKS):
        seen: set[str] = set()
        partition = new(stage)
        for offset, value in enumerate(LOGS[stage.name]):
            step = partition.step(offset, value, "", EPOCH)
            assert step is not None
            seen |= {key[0] for key, value_ in step.decoded.items() if value_ is not None}
            partition.commit(step)
        assert seen == set(stage.keys)


def test_terms_are_recovered_block_by_block() -> None:
    """After a restart the partition knows what it knew, in the order it became known."""
    store: dict[bytes, bytes] = {}
    partition = new(CLIENTS, store)
    news = [
        [*SYMBOLS, *PLANS],
        [*IBS, ended("2026-09")],
        [ended("2026-09")],
        [GATED, exchange("USD/JPY 150")],
    ]
    for offset, records in enumerate(news):
        apply(partition, offset, lines(*records))
    assert new(CLIENTS, store).terms == partition.terms
    assert partition.applied.terms == 3  # a period's end is time, not terms
    assert partition.terms.plans["silver"] == (GATED,)
    del store[partition.key("@terms/1")]
    with pytest.raises(AssertionError, match="lacks terms 1"):
        new(CLIENTS, store)


@st.composite
def client_logs(draw: st.DrawFn) -> list[bytes]:
    """Random batches of a client's life, terms among them."""
    records: list[Record] = [*SYMBOLS, *PLANS[:1], GATED, *IBS, registered("anna ib-north")]
    for number in range(draw(st.integers(1, 6))):
        text = f"{number} buy {draw(st.integers(1, 4))} EURUSD {draw(st.sampled_from(('in', 'out')))}"
        first = routed(text, day=draw(st.integers(1, 20)))
        records.append(first)
        if draw(st.booleans()):
            records.append(replace(first, deal=replace(first.deal, revision="b", kind="cancelled")))
    records += [kyc("anna approved", day=5), deposit("anna d1 5.00 USD", day=2), chargeback("anna d1", day=9)]
    shuffled, log = draw(st.permutations(records)), list[bytes]()
    while shuffled:
        size = draw(st.integers(1, 5))
        log.append(lines(*shuffled[:size]))
        shuffled = shuffled[size:]
    return log


@settings(derandomize=True, deadline=None, max_examples=tries(25))
@given(client_logs(), st.data())
def test_crashes_of_any_log_change_nothing(log: list[bytes], data: st.DataObject) -> None:
    """Whatever the log and wherever the crashes: the same bytes sent and stored."""
    crashes = data.draw(st.dictionaries(st.integers(0, len(log) - 1), st.integers(0, 2)))
    assert story(CLIENTS, log, crashes) == story(CLIENTS, log, {})


def test_a_cache_that_is_cleared_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded states are only kept for speed."""
    expected = story(CLIENTS, CLIENT_LOG, {})
    monkeypatch.setattr("streams.partition.MAX_CACHED_STATES", 0)
    assert story(CLIENTS, CLIENT_LOG, {}) == expected


def test_the_time_of_receipt_is_in_dead_letters_only() -> None:
    """No fold sees a clock: the same message received a day later has the same effect."""
    early, late = (new(ACCOUNTS).step(0, ACCOUNT_LOG[0], "", at(day)) for day in (1, 2))
    assert early is not None
    assert late is not None
    assert (early.messages, early.state) == (late.messages, late.state)


def test_a_skipped_message_takes_effect_as_an_empty_one() -> None:
    """Its lines are dead letters with the reason; its offset and source are applied, and nothing else."""
    source = "account-book/2/40/0"
    value = lines(routed("1 buy 1 EURUSD in"), registered("anna ib-north")) + b"\n\nnonsense"
    partition = new(CLIENTS)
    partition.skips = {0: "skipped by ann: agreed"}
    step = partition.step(0, value, source, EPOCH)
    assert step is not None
    (sent,) = step.messages
    letters = [DEAD_LETTER.validate_json(line) for line in sent.value.split(b"\n")]
    told = [(letter.position, letter.code, letter.reason, letter.payload) for letter in letters]
    bytes_of = value.split(b"\n")
    assert told == [
        (f"0/0 line {n}", "skipped", "skipped by ann: agreed", bytes_of[n - 1]) for n in (1, 2, 4)
    ]
    assert (topics.DEAD_LETTERS, 0, "client-book/0/0/0") == (sent.topic, sent.partition, sent.source)
    partition.commit(step)
    assert [b"0/@"] == [*partition.store.keys(b"")]
    assert (0, {"account-book/2": (40, 0)}) == (partition.applied.offset, partition.applied.sources)


def test_a_skip_of_terms_is_not_broadcast() -> None:
    """What the router leaves out reaches no book."""
    router = new(TERMS)
    router.skips = {0: "skipped by ann: agreed"}
    assert [topics.DEAD_LETTERS] == [message.topic for message in apply(router, 0, lines(*SYMBOLS[:1]))]
