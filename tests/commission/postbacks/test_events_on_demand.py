"""Events on demand through every stage: said once an endpoint names them, each once, about one thing."""

from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from commission.money import plain
from commission.outputs import Announcement
from commission.postbacks.records import DayEnded, Delivery, Endpoint, EndpointSaved, EndpointStateSet
from commission.terms.events_wanted import EventsWanted
from commission.terms.partners import PartnerChanged
from schemas import topics
from schemas.wire import Record, decode_batch
from streams.in_memory import LocalPipeline
from streams.partition import Message
from tests.build import (
    SYMBOLS,
    TERMS,
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
    plan,
    registered,
)
from tests.commission.books.partner_rows import MONTHS, NORTH, earned, settle
from tests.commission.partner.payout_commands import lock, paid
from tests.commission.worlds import tiers
from tests.commission.worlds import world as earning

CLICK = {"click_id": "k-7"}
CLICKED = (linked("1 anna"), registered("anna ib-north", click=CLICK, country="CY"))


class World:
    """The pipeline in memory, and what it hands to the dispatcher."""

    def __init__(self, *terms: Record) -> None:
        self.sent: list[Delivery] = []
        self.wanted: list[tuple[str, ...]] = []
        self._pipeline = LocalPipeline(self._look)
        self.feed(*(terms or TERMS))

    def _look(self, message: Message, _offset: int) -> None:
        if message.topic in (topics.DELIVERIES, topics.TERMS):
            for record in decode_batch(message.value):
                if isinstance(record, Delivery):
                    self.sent.append(record)
                elif isinstance(record, EventsWanted):
                    self.wanted.append(record.kinds)

    def feed(self, *records: Record) -> None:
        """From outside."""
        list(self._pipeline.feed(records))
        assert self._pipeline.dead_letters == []

    def write(self, topic: str, *records: Record) -> None:
        """Straight to a topic."""
        self._pipeline.feed_batch(topic, list(records))
        assert self._pipeline.dead_letters == []

    def endpoint(self, name: str, *events: str, version: int = 1, **fields: Any) -> None:
        """Somebody saves one."""
        endpoint = Endpoint(endpoint_id=name, events=events, **fields)
        saved = EndpointSaved(endpoint=endpoint, version=version, sealed="s", by="ann", at=at(1))
        self.write(topics.ENDPOINTS, saved)

    def end_day(self, day: str) -> None:
        """A server's clock says so."""
        self.write(topics.ENDPOINTS, DayEnded(day=day, at=at(9)))

    def told(self) -> list[str]:
        """What was sent since the last time, as `kind ib amount`."""
        told = [
            f"{d.event.kind} {d.event.ib_id} {plain(d.event.amount) if d.event.amount else '-'}"
            for d in self.sent
        ]
        self.sent.clear()
        return told


def world(*events: str, **fields: Any) -> World:
    """One endpoint that names the events."""
    found = World()
    found.endpoint("t", *events, **fields)
    return found


def of(event: object) -> Announcement:
    """The event as one on demand."""
    assert isinstance(event, Announcement)
    return event


CLOSED = deal("2 sell 1 EURUSD out", day=4, position_id="p")
TRADES = (deal("1 buy 1 EURUSD in", position_id="p"), CLOSED)


def test_the_books_say_what_some_endpoint_names() -> None:
    """Nothing new for an endpoint of all events; the union of the rest, told where it changes."""
    found = World()
    found.endpoint("all")
    found.endpoint("a", "trade.closed", "ftd")
    found.endpoint("b", "trade.closed", "payout.paid")
    found.endpoint("a", "ftd", version=2)
    gone = EndpointStateSet(endpoint_id="b", version=1, state="removed", reason="", by="ann", at=at(1))
    found.write(topics.ENDPOINTS, gone, DayEnded(day="2026-09-01", at=at(2)))
    assert found.wanted == [("trade.closed",), ("payout.paid", "trade.closed"), ()]


def test_nothing_is_said_on_demand_where_nobody_asks() -> None:
    """An endpoint of all events hears the old ones: it never asked for one with every deal."""
    found = World()
    found.endpoint("all")
    found.feed(*CLICKED, *TRADES)
    assert found.told() == ["registration ib-north -", "first_trade ib-north -"]


def test_what_a_deal_earns_each_ib_is_said_with_the_click() -> None:
    """Silver pays ib-north 5 for the lot that closes, gold ib-master 7 - 5 = 2 above it."""
    found = world("commission.accrued")
    found.feed(*CLICKED, *TRADES)
    (north, master) = (of(one.event) for one in found.sent)
    assert found.told() == ["commission.accrued ib-north 5", "commission.accrued ib-master 2"]
    assert (north.click, north.country, north.symbol, north.lots) == (CLICK, "CY", "EURUSD", D(1))
    assert (north.upline, master.upline, north.currency) == (("ib-master",), (), "USD")


def test_a_correction_reverses_what_was_said_and_says_the_rest() -> None:
    """1 lot becomes 2: 5 and 2 are taken back, each naming its accrual, then 10 and 4 accrue."""
    found = world("commission.accrued", "commission.reversed")
    found.feed(*CLICKED, *TRADES)
    first = [one.event.milestone_id for one in found.sent]
    found.told()
    found.feed(replace(CLOSED, revision="b", volume_e8=2 * CLOSED.volume_e8))
    reversed_ = [one.event.takes_back for one in found.sent if one.event.kind == "commission.reversed"]
    assert reversed_ == first
    assert sorted(found.told()) == [
        "commission.accrued ib-master 4",
        "commission.accrued ib-north 10",
        "commission.reversed ib-master 2",
        "commission.reversed ib-north 5",
    ]


def test_a_network_that_takes_no_reversals_hears_of_none() -> None:
    """`reversal: none` is of commissions too."""
    found = world("commission.accrued", "commission.reversed", reversal="none", ibs=("ib-north",))
    found.feed(*CLICKED, *TRADES, replace(CLOSED, revision="b", kind="cancelled"))
    assert found.told() == ["commission.accrued ib-north 5"]


def test_a_deal_that_waited_for_terms_is_said_when_they_come() -> None:
    """The plan is in yen, and nobody has told a rate: 5 USD at 150 once there is one."""
    terms = (*SYMBOLS, plan("yen USD", per_lot("*=5")), partner("ib-north JPY yen"))
    found = World(*terms)
    found.endpoint("t", "commission.accrued")
    found.feed(*CLICKED, *TRADES)
    assert found.told() == []
    found.feed(exchange("USD/JPY 150"))
    assert found.told() == ["commission.accrued ib-north 750"]


def test_a_trade_is_said_when_it_closes_and_once() -> None:
    """Not the opening, nor a correction of what was said, nor the deal told again."""
    found = world("trade.closed")
    found.feed(*CLICKED, *TRADES, CLOSED, replace(CLOSED, revision="b", volume_e8=2 * CLOSED.volume_e8))
    (one,) = found.sent
    event = of(one.event)
    assert (event.symbol, event.lots, event.trades, event.amount) == ("EURUSD", D(1), 1, None)
    assert (event.occurred_at, event.click, event.upline) == (at(4), CLICK, ("ib-master",))


def test_trades_from_before_the_registration_are_said_with_it() -> None:
    """They waited; the client's IB is known only now. A symbol that nobody defines has the server's name."""
    found = world("trade.closed")
    odd = deal("3 buy 1 ODDITY out", day=5)
    found.feed(linked("1 anna"), *TRADES, odd)
    assert found.told() == []
    found.feed(registered("anna"))
    assert [of(one.event).symbol for one in found.sent] == ["EURUSD", "ODDITY"]
    assert [one.event.ib_id for one in found.sent] == ["", ""]


def days(world_: World) -> list[str]:
    """Batches as `day trades lots symbol`, in their order."""
    batches = [of(one.event) for one in world_.sent]
    world_.sent.clear()
    return [
        f"{one.occurred_at:%d} {one.trades} {plain(one.lots or D(0))} {one.symbol or '-'}" for one in batches
    ]


def closing(number: int, *, day: int, lots: str = "1", symbol: str = "EURUSD", hour: int = 0) -> Record:
    """A deal that closes a position of its own."""
    return deal(f"{number} sell {lots} {symbol} out", day=day, hour=hour)


def test_a_day_of_trades_is_one_event() -> None:
    """2.5 lots in two deals of the third, one gold on the fourth; nothing before the day's end is told."""
    found = world("trade.closed", trades="daily")
    found.feed(
        *CLICKED,
        closing(3, day=3, hour=9),
        closing(4, day=3, lots="1.5", hour=8),
        closing(5, day=4, symbol="XAUUSD"),
        closing(6, day=4),
    )
    assert found.sent == []
    found.end_day("2026-09-03")
    assert days(found) == ["03 2 2.5 EURUSD"]
    found.end_day("2026-09-04")
    assert days(found) == ["04 2 2 -"]
    found.end_day("2026-09-04")
    assert days(found) == []


def test_a_late_trade_comes_with_the_next_day_under_an_id_of_its_own() -> None:
    """The third was sent; what is told of it later is not lost, and adds to nothing that was sent."""
    found = world("trade.closed", trades="daily")
    found.feed(*CLICKED, closing(3, day=3))
    found.end_day("2026-09-03")
    (first,) = [*found.sent]
    found.sent.clear()
    found.feed(closing(4, day=3, lots="2"), closing(5, day=4))
    found.end_day("2026-09-04")
    ids = {one.event.milestone_id for one in found.sent} | {first.event.milestone_id}
    # Each has the next number of the client: 1 registration, 2 first trade, then each trade and each batch.
    assert (len(ids), [one.sequence for one in found.sent], first.sequence) == (3, [7, 8], 4)
    assert days(found) == ["03 1 2 EURUSD", "04 1 1 EURUSD"]


def test_a_day_of_an_endpoint_that_is_gone_is_sent_to_nobody() -> None:
    """Others get theirs, each under its own id."""
    found = world("trade.closed", trades="daily")
    found.endpoint("u", "trade.closed", trades="daily")
    found.endpoint("each", "trade.closed")
    found.feed(*CLICKED, closing(3, day=3))
    gone = EndpointStateSet(endpoint_id="t", version=1, state="disabled", reason="", by="ann", at=at(1))
    found.write(topics.ENDPOINTS, gone)
    found.end_day("2026-09-05")
    assert [one.endpoint_id for one in found.sent] == ["each", "u"]
    assert len({one.event.milestone_id for one in found.sent}) == 2


def test_a_sample_is_of_the_deals_and_the_same_at_every_endpoint() -> None:
    """Of 200 trades about one in ten, by the id of each; on another run the same ones."""
    runs: list[list[str]] = []
    for _ in range(2):
        found = world("trade.closed", trades="sampled", sample=10)
        found.endpoint("u", "trade.closed", trades="sampled", sample=10)
        found.feed(*CLICKED, *(closing(number, day=3) for number in range(200)))
        by = [[one.event.milestone_id for one in found.sent if one.endpoint_id == name] for name in "tu"]
        assert by[0] == by[1]
        runs.append(by[0])
    assert runs[0] == runs[1]
    # Binomial of 200 and 0.1: 20 with a deviation of 4.2; the digest is fixed, so is the number.
    assert 8 < len(runs[0]) < 33


def test_a_deposit_is_qualified_when_it_reaches_what_a_cpa_asks() -> None:
    """500 within a day: 200, then 300 reach it; 50 more do not again. Once taken back, another may."""
    found = world("deposit.qualified")
    found.feed(*CLICKED, deposit("anna d1 200 USD", day=3))
    assert found.told() == []
    found.feed(deposit("anna d2 300 USD", day=3, hour=5))
    assert found.told() == ["deposit.qualified ib-north 300"]
    found.feed(deposit("anna d3 50 USD", day=3, hour=6), deposit("anna d2 300 USD", day=3, hour=5))
    assert found.told() == []


@pytest.mark.parametrize(
    ("joined", "country"), [(None, ""), ("anna", ""), ("anna ib-north", "CY"), ("anna ib-lost", "")]
)
def test_no_deposit_is_qualified_where_no_cpa_asks(joined: str | None, country: str) -> None:
    """Not registered yet, of no IB, in a country that no CPA pays for, of an IB nobody knows."""
    amounts = (replace(cpa("300").amounts[0], country="DE"),)
    terms = (
        *SYMBOLS,
        plan("silver USD", replace(cpa("300"), amounts=amounts)),
        partner("ib-north USD silver"),
    )
    found = World(*terms)
    found.endpoint("t", "deposit.qualified")
    who: Iterable[Record] = () if joined is None else (registered(joined, country=country),)
    found.feed(*who, deposit("anna d1 500 USD", day=3))
    assert found.told() == []


def test_only_what_is_named_is_said_of_deposits_and_trades() -> None:
    """An endpoint for payouts makes nobody weigh deposits or tell trades."""
    found = world("payout.paid")
    found.feed(*CLICKED, *TRADES, deposit("anna d1 500 USD", day=3), kyc("anna approved", day=3))
    assert found.told() == []


def test_a_payout_is_said_when_it_is_paid() -> None:
    """12.34 USD of September: locked, then paid; the IB's own event, numbered among its own."""
    found = World(*MONTHS, NORTH)
    found.endpoint("t", "payout.paid", "commission.accrued")
    found.write(topics.PARTNER_BOOK, earned("12.34"))
    found.feed(ended("2026-09"))
    (september,) = settle(earned("12.34"), ended("2026-09")).statements
    found.write(topics.PARTNER_BOOK, lock("l1 12.34 USD", september.statement_id))
    assert found.told() == []
    found.write(topics.PARTNER_BOOK, paid("l1"), paid("l1"))
    (one,) = found.sent
    assert (one.sequence, one.event.client_id, one.event.currency) == (1, "", "USD")
    assert found.told() == ["payout.paid ib-north 12.34"]


def test_a_tier_that_is_reached_says_what_it_adds_and_takes_back() -> None:
    """From 2 lots on twice as much for what is above: of 4 lots 2 x 5 = 10 more, of 1 lot nothing more."""
    terms = earning(per_lot("*=5", tiers=tiers(("2", "2"), mode="graduated")))
    found = World(*terms)
    found.endpoint("t", "commission.accrued", "commission.reversed")
    closes = deal("1 buy 4 EURUSD out")
    found.feed(linked("1 anna"), registered("anna ib-north"), closes)
    assert found.told() == ["commission.accrued ib-north 20", "commission.accrued ib-north 10"]
    found.feed(replace(closes, revision="b", volume_e8=closes.volume_e8 // 4))
    assert sorted(found.told()) == [
        "commission.accrued ib-north 5",
        "commission.reversed ib-north 10",
        "commission.reversed ib-north 20",
    ]


def test_an_ib_is_said_when_it_comes_to_be_known() -> None:
    """Published after the endpoint, or approved by a CRM; not those known before, nor anyone twice."""
    found = world("ib.onboarded")
    found.feed(*TERMS, partner("ib-west USD silver ib-north"))
    found.feed(*TERMS, partner("ib-west USD silver ib-north"))
    (one,) = found.sent
    assert (one.event.upline, one.event.client_id, one.sequence) == (("ib-north", "ib-master"), "", 1)
    assert found.told() == ["ib.onboarded ib-west -"]
    applied = PartnerChanged(event_id="a1", ib_id="ib-east", occurred_at=at(5), application="received")
    approved = replace(applied, event_id="a2", application="approved", currency="USD", occurred_at=at(6))
    found.feed(applied)
    assert found.told() == []
    found.feed(approved, replace(approved, event_id="a3", name="East"))
    assert [one.event.occurred_at for one in found.sent] == [at(6)]
    assert found.told() == ["ib.onboarded ib-east -"]


def test_a_conversion_is_taken_back_as_before_beside_its_commission() -> None:
    """The CPA of 300 is a conversion and a commission: each network hears what it names, and of its end."""
    events = ("cpa.qualified", "cpa.clawback", "commission.accrued", "commission.reversed")
    found = world(*events, ibs=("ib-north",))
    found.feed(*CLICKED, kyc("anna approved", day=2), deposit("anna d1 500 USD", day=3))
    found.feed(deal("1 buy 3 EURUSD in", day=4, position_id="p"))
    found.feed(deal("2 sell 3 EURUSD out", day=5, position_id="p"))
    found.feed(chargeback("anna d1", day=9))
    assert found.told() == [
        "cpa.qualified ib-north 300",
        "commission.accrued ib-north 15",
        "commission.accrued ib-north 300",
        "cpa.clawback ib-north 300",
        "commission.reversed ib-north 300",
    ]
