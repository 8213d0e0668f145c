"""Rating again by approval: what later terms and links change is corrected to the cent, and only once."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.events import Deal, ReratingApproved
from commission.outputs import Tally, Transfer
from commission.terms.components import CommissionShare, CpaAmount, Cpl
from commission.terms.partners import ParentLink
from commission.terms.plans import Clawback, PlanDefined
from commission.terms.rates import When
from schemas import topics
from schemas.wire import Record, decode_batch
from streams.in_memory import LocalPipeline
from streams.partition import Message
from tests.build import (
    ANNA,
    SYMBOLS,
    D,
    Told,
    at,
    chargeback,
    cpa,
    deal,
    deposit,
    ended,
    exchange,
    kyc,
    partner,
    per_lot,
    period,
    plan,
    rates,
    reassigned,
    spread,
    symbol,
    told,
)
from tests.commission.client.rerated import APPROVED, again
from tests.commission.plan_facts import BY_NAME, LAW, PLANS, facts, in_order, terms_of


def weighed(client_id: str = "anna", proposal: str = "p-1") -> ReratingApproved:
    """Weigh the client's CPAs and deposits again."""
    return ReratingApproved(client_id=client_id, proposal_id=proposal, occurred_at=APPROVED)


class Broker:
    """A pipeline that is fed step by step; it keeps what each step said."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.pipeline = LocalPipeline(on_message=lambda message, _: self.sent.append(message))
        self.rows: list[Record] = []

    def feed(self, *records: Record) -> Told:
        """What the records caused."""
        self.sent.clear()
        said = list(self.pipeline.feed(records))
        assert [] == self.pipeline.dead_letters
        self.rows += said
        return told(said)

    @property
    def all(self) -> Told:
        """Everything said so far."""
        return told(self.rows)

    @property
    def said_anything(self) -> bool:
        """Whether the last step sent anything on, tallies included."""
        return any(
            isinstance(record, Transfer | Tally)
            for message in self.sent
            if message.topic == topics.PARTNER_BOOK
            for record in decode_batch(message.value)
        )


def signed(rows: Iterable[Transfer]) -> list[str]:
    """`+9.00` for what an IB gains, `-7.50` for what it loses."""
    return [f"{'+' if row.code == 'accrual' else '-'}{row.amount:.2f}" for row in rows]


# By hand: 5 USD a lot become 6 from the 1st on, for two deals of 1.5 lots that were paid

FIVE = plan("own USD", per_lot("*=5"))
SIX = replace(plan("own USD", per_lot("*=6"), version=2), since=at(1))
ALONE = (*SYMBOLS, period("2026-09"), period("2026-10"), period("2026-11"), partner("ib-north USD own"))
FIRST, SECOND = deal("1 buy 1.5 EURUSD out", day=3), deal("2 buy 1.5 EURUSD out", day=4)


def paid_at_five() -> Broker:
    """September is closed and paid: 7.50 + 7.50 = 15.00."""
    broker = Broker()
    said = broker.feed(*ALONE, FIVE, *ANNA, FIRST, SECOND, ended("2026-09"))
    assert [(s.period, s.payable) for s in said.statements] == [("2026-09", D(15))]
    return broker


def test_a_back_dated_plan_changes_nothing_until_somebody_approves_it() -> None:
    """A new deal of the same days is paid 6 a lot, the two before stay as they are."""
    broker = paid_at_five()
    assert broker.feed(SIX).transfers == []
    late = deal("3 buy 1 EURUSD out", day=5)
    assert signed(broker.feed(late).transfers) == ["+6.00"]


def test_the_difference_lands_in_the_open_statement() -> None:
    """-7.50 and +9.00 for each deal: October opens at 0.00, accrues 18.00, takes back 15.00, pays 3.00."""
    broker = paid_at_five()
    before = broker.all.transfers
    broker.feed(SIX)
    said = broker.feed(again(FIRST), again(SECOND))
    assert signed(said.transfers) == ["-7.50", "+9.00", "-7.50", "+9.00"]
    accruals = [row for row in before if row.code == "accrual"]
    assert [row.reverses for row in said.transfers[::2]] == [row.transfer_id for row in accruals]
    assert {row.factors["proposal"] for row in said.transfers} == {"p-1"}
    assert {(row.caused_by, row.occurred_at) for row in said.transfers} == {
        ("live|1", at(3)), ("live|2", at(4))
    }  # fmt: skip
    closed = broker.feed(ended("2026-10")).statements
    assert [(s.period, s.opening, s.accrued, s.reversed, s.payable) for s in closed] == [
        ("2026-10", D(0), D(18), D(15), D(3))
    ]


def test_approving_twice_posts_nothing() -> None:
    """The same record again, another proposal, and the deal itself once more: silence."""
    broker = paid_at_five()
    broker.feed(SIX)
    broker.feed(again(FIRST), again(SECOND))
    for record in (again(FIRST), again(SECOND, proposal="p-2"), weighed(), FIRST):
        assert broker.feed(record).transfers == []
        assert not broker.said_anything


def test_without_a_change_nothing_is_said() -> None:
    """Plans as they were: neither row nor tally."""
    broker = paid_at_five()
    assert broker.feed(again(FIRST)).transfers == []
    assert not broker.said_anything


def test_what_was_corrected_is_cancelled_at_the_corrected_amount_once() -> None:
    """After -7.50 +9.00, a cancellation takes the 9.00 back; of all that happened, 0 is left of deal 1."""
    broker = paid_at_five()
    broker.feed(SIX, again(FIRST))
    said = broker.feed(replace(FIRST, revision="b", kind="cancelled"), again(FIRST))
    assert signed(said.transfers) == ["-9.00"]
    of_first = [row for row in broker.all.transfers if row.caused_by == "live|1"]
    assert sum((row.amount if row.code == "accrual" else -row.amount for row in of_first), D(0)) == 0
    assert len({row.transfer_id for row in broker.all.transfers}) == len(broker.all.transfers)


def test_twice_corrected_and_back() -> None:
    """5 to 6 and back to 5: rows of their own each time, and in the end what it was."""
    broker = paid_at_five()
    broker.feed(SIX, again(FIRST))
    back = replace(plan("own USD", per_lot("*=5"), version=3), since=at(1))
    assert signed(broker.feed(back, again(FIRST, proposal="p-2")).transfers) == ["-9.00", "+7.50"]
    ids = [row.transfer_id for row in broker.all.transfers]
    assert len(set(ids)) == len(ids)


def test_a_deal_of_an_open_period_is_corrected_there() -> None:
    """September is open: one statement with 9.00 + 9.00 accrued and nothing lost on the way."""
    broker = Broker()
    broker.feed(*ALONE, FIVE, *ANNA, FIRST, SECOND, SIX, again(FIRST), again(SECOND))
    (statement,) = broker.feed(ended("2026-09")).statements
    assert (statement.accrued, statement.reversed, statement.payable) == (D(33), D(15), D(18))


# Links and parents

GOLD, SILVER = plan("gold USD", per_lot("*=7")), plan("silver USD", per_lot("*=5"))
TREE = (*SYMBOLS, GOLD, SILVER, partner("ib-master USD gold"), partner("ib-north USD silver ib-master"))
ONE_LOT = deal("1 buy 1 EURUSD out", day=3)


def test_an_equal_amount_stays_when_another_changes() -> None:
    """ib-north moves from ib-master to ib-other, back-dated: its own 5 stays; 2 is taken, 4 given."""
    broker = Broker()
    broker.feed(*TREE, *ANNA, ONE_LOT)
    other = (plan("high USD", per_lot("*=9")), partner("ib-other USD high"))
    moved = partner("ib-north USD silver", parents=(ParentLink(ib_id="ib-other"),))
    said = broker.feed(*other, moved, again(ONE_LOT))
    assert [(row.ib_id, text) for row, text in zip(said.transfers, signed(said.transfers), strict=True)] == [
        ("ib-master", "-2.00"), ("ib-other", "+4.00")
    ]  # fmt: skip
    assert broker.all.owed == {"ib:ib-north:pending": "5.00 USD", "ib:ib-other:pending": "4.00 USD"}


def test_a_back_dated_reassignment() -> None:
    """The client was ib-master's from day 2 on: the 5 and the 2 go back, the master's own 7 comes."""
    broker = Broker()
    broker.feed(*TREE, *ANNA, ONE_LOT, reassigned("anna ib-master", day=2))
    said = broker.feed(again(ONE_LOT))
    assert signed(said.transfers) == ["-5.00", "-2.00", "+7.00"]
    assert broker.all.owed == {"ib:ib-master:pending": "7.00 USD"}


def test_paid_becomes_rejected_and_paid_again() -> None:
    """Nobody's client pays nobody, and the deal says why; somebody's again, it pays as before."""
    broker = Broker()
    broker.feed(*TREE, *ANNA, ONE_LOT, reassigned("anna", day=2))
    said = broker.feed(again(ONE_LOT))
    assert signed(said.transfers) == ["-5.00", "-2.00"]
    assert said.reasons == {"1": "rejected no_ib"}
    broker.feed(replace(reassigned("anna ib-north", day=2), event_id="again"))
    assert signed(broker.feed(again(ONE_LOT)).transfers) == ["+5.00", "+2.00"]


def test_what_cannot_be_told_stays() -> None:
    """An IB above that the terms lack: the deal is not taken back for what is not known."""
    broker = Broker()
    broker.feed(*TREE, *ANNA, ONE_LOT)
    moved = partner("ib-north USD silver", parents=(ParentLink(ib_id="ib-unknown"),))
    assert broker.feed(moved, again(ONE_LOT)).transfers == []
    assert not broker.said_anything


def test_another_revision_is_not_rated_by_an_old_proposal() -> None:
    """Between preview and approval the platform changed the deal: it was rated by the terms of then."""
    broker = Broker()
    broker.feed(*TREE, *ANNA, ONE_LOT, replace(ONE_LOT, revision="b", volume_e8=2 * ONE_LOT.volume_e8))
    broker.feed(replace(SILVER, components=(per_lot("*=6"),)))
    assert broker.feed(again(ONE_LOT)).transfers == []


def test_a_gate_that_falls_moves_what_was_held() -> None:
    """Version 1 holds for KYC, version 2 does not: the same 5 leaves hold and becomes pending."""
    broker = Broker()
    held = plan("own USD", per_lot("*=5"), kyc_gate=True)
    broker.feed(*ALONE, held, *ANNA, ONE_LOT)
    assert broker.all.owed == {"ib:ib-north:held": "5.00 USD"}
    broker.feed(replace(plan("own USD", per_lot("*=5"), version=2), since=at(1)), again(ONE_LOT))
    assert broker.all.owed == {"ib:ib-north:pending": "5.00 USD"}
    assert broker.feed(kyc("anna approved", day=9)).transfers == []


def test_what_was_clawed_back_stays_clawed_back() -> None:
    """All was taken for fraud from day 1 on: a better plan brings none of it back."""
    from commission.events import ClientFlagged  # noqa: PLC0415
    from tests.build import at as day  # noqa: PLC0415 # named for the reader

    broker = paid_at_five()
    flag = ClientFlagged(event_id="fraud", client_id="anna", verdict="fraud", occurred_at=day(2))
    broker.feed(flag, SIX)
    assert broker.feed(again(FIRST), again(SECOND)).transfers == []
    assert broker.all.owed == {"ib:ib-north:payable": "15.00 USD", "ib:ib-north:pending": "-15.00 USD"}


def test_an_in_out_is_split_as_it_was() -> None:
    """Buy 1, sell 3 in/out: 1 closed, 2 opened. The plan pays closings: 5, then 6, though 3 were traded."""
    one = deal("1 buy 1 EURUSD in", day=2, position_id="p")
    turn = deal("2 sell 3 EURUSD inout", day=3, position_id="p")
    end = deal("3 buy 2 EURUSD out", day=4, position_id="p")
    broker = Broker()
    broker.feed(*ALONE, FIVE, *ANNA, one, turn, end, SIX)
    assert signed(broker.feed(again(turn)).transfers) == ["-5.00", "+6.00"]
    assert signed(broker.feed(again(end)).transfers) == ["-10.00", "+12.00"]
    assert broker.feed(again(one)).transfers == []


# CPA and deposit shares

QUALIFIES = (kyc("anna approved", day=2), deposit("anna d1 500 USD", day=2))


def test_a_cpa_is_granted_by_the_conditions_of_now() -> None:
    """300 became 400 from the 1st on: -300 and +400, as of the day the client qualified, once."""
    old = plan("own USD", cpa("300", min_lots=D(0)))
    new = replace(plan("own USD", cpa("400", min_lots=D(0)), version=2), since=None)
    broker = Broker()
    broker.feed(*ALONE, old, *ANNA, *QUALIFIES, ended("2026-09"))
    said = broker.feed(new, weighed())
    assert signed(said.transfers) == ["-300.00", "+400.00"]
    assert {row.occurred_at for row in said.transfers} == {at(2)}
    assert {row.factors["proposal"] for row in said.transfers} == {"p-1"}
    for record in (weighed(), weighed(proposal="p-2")):
        assert broker.feed(record).transfers == []
    (october,) = broker.feed(ended("2026-10")).statements
    assert (october.opening, october.payable) == (D(0), D(100))
    assert signed(broker.feed(chargeback("anna d1", day=20)).transfers) == ["-400.00"]


def test_a_cpa_no_plan_has_any_more_is_taken_back() -> None:
    """Version 2 has no CPA."""
    old = plan("own USD", cpa("300", min_lots=D(0)))
    broker = Broker()
    broker.feed(*ALONE, old, *ANNA, *QUALIFIES)
    said = broker.feed(replace(FIVE, version=2), weighed())
    assert signed(said.transfers) == ["-300.00"]
    assert broker.feed(weighed(proposal="p-2")).transfers == []


def test_deals_rated_again_count_towards_a_new_cpa() -> None:
    """Nobody counted trades before version 2 asked for 3 lots: 1.5 + 1.5 reach them on day 4."""
    new = replace(plan("own USD", per_lot("*=5"), cpa("400"), version=2), since=None)
    broker = Broker()
    broker.feed(*ALONE, FIVE, *ANNA, *QUALIFIES, FIRST, SECOND, new)
    assert broker.feed(again(FIRST)).transfers == []
    (row,) = broker.feed(again(SECOND), weighed()).transfers
    assert (row.amount, row.occurred_at, row.component) == (D(400), at(4), "cpa")


def test_a_deal_of_nobodys_client_counts_for_the_cpa_of_the_first_ib() -> None:
    """3 lots reach the CPA of ib-north, which referred anna; told late that she was nobody's client since day
    3, as told first: the 15 go back, the 400 stay."""
    own = plan("own USD", per_lot("*=5"), cpa("400"))
    left, deals = reassigned("anna", day=3), (FIRST, SECOND)
    for records in ((*deals, left, again(FIRST), again(SECOND)), (left, *deals)):
        broker = Broker()
        broker.feed(*ALONE, own, *ANNA, *QUALIFIES, *records)
        assert broker.all.owed == {"ib:ib-north:pending": "400.00 USD"}


def test_a_cpa_that_asks_for_more_now_is_taken_back() -> None:
    """500 were enough for 300; version 2 asks for 1,000."""
    old = plan("own USD", cpa("300", min_lots=D(0)))
    new = plan("own USD", cpa("300", min_lots=D(0), min_deposit=D(1000)), version=2)
    broker = Broker()
    broker.feed(*ALONE, old, *ANNA, *QUALIFIES)
    assert signed(broker.feed(new, weighed()).transfers) == ["-300.00"]
    assert broker.feed(weighed(proposal="p-2")).transfers == []


@pytest.mark.parametrize("day", [None, 1])
def test_a_cpa_stays_while_a_rate_is_unknown(day: int | None) -> None:
    """Version 2 is in yen: no rate for the deposit of day 2; or for the approval of day 40 an old one alone.

    Once it is known, 60,000 yen at 150 are 400.
    """
    facts = (deposit("anna d1 500 USD", day=2), kyc("anna approved", day=40))
    old = plan("own USD", cpa("300", min_lots=D(0)))
    new = plan("own JPY", cpa("60000", min_lots=D(0), min_deposit=D(75_000)), version=2)
    broker = Broker()
    broker.feed(*ALONE, old, *ANNA, *facts, new)
    if day is not None:
        broker.feed(exchange("USD/JPY 150", day=day))
    assert broker.feed(weighed()).transfers == []
    assert broker.all.owed == {"ib:ib-north:pending": "300.00 USD"}
    broker.feed(exchange("USD/JPY 150", day=1), exchange("USD/JPY 150", day=40))
    assert signed(broker.feed(weighed()).transfers) == ["-300.00", "+400.00"]


def test_a_registration_comes_behind_a_rate_of_deposits() -> None:
    """10 were paid at once; version 2 asks for a deposit of every second: anna's 10 are the period's now."""
    lead = Cpl(name="cpl", amounts=(CpaAmount(amount=D(10)),), kyc=False)
    behind = replace(lead, min_ftd_rate=D("0.5"))
    broker = Broker()
    broker.feed(*ALONE, plan("own USD", lead), *ANNA)
    said = broker.feed(plan("own USD", behind, version=2), weighed())
    assert [(row.code, row.amount) for row in said.transfers] == [("reversal", D(10))]
    said = broker.feed(deposit("anna d1 10 USD", day=2))
    assert [(row.code, row.amount) for row in said.transfers] == [("true_up", D(10))]
    assert broker.all.owed == {"ib:ib-north:pending": "10.00 USD"}


# What cannot be told, and what is no trade


def test_an_unregistered_client_is_rated_when_it_registers() -> None:
    """A proposal before that finds nothing to correct."""
    broker = Broker()
    broker.feed(*TREE, ANNA[0], ONE_LOT)
    assert broker.feed(again(ONE_LOT), weighed()).transfers == []
    assert signed(broker.feed(ANNA[1]).transfers) == ["+5.00", "+2.00"]


def test_a_symbol_that_has_become_ambiguous_stays_as_it_was_paid() -> None:
    """`eurusd` meant EURUSD until the server had a EurUsd as well: nobody can tell which it was."""
    broker = Broker()
    lower = deal("1 buy 1 eurusd out")
    broker.feed(*ALONE, FIVE, *ANNA, lower, SIX, symbol("EurUsd forex 100000 USD 0.0001"))
    assert broker.feed(again(lower)).transfers == []
    assert broker.all.owed == {"ib:ib-north:pending": "5.00 USD"}


def test_a_plan_that_waits_for_a_spread_leaves_what_stands() -> None:
    """Version 2 shares the spread, and the deal has none yet."""
    broker = Broker()
    broker.feed(*ALONE, FIVE, *ANNA, FIRST)
    said = broker.feed(replace(plan("own USD", spread("*=0.5"), version=2), since=at(1)), again(FIRST))
    assert said.transfers == []
    assert not broker.said_anything


def test_a_new_condition_is_weighed_by_the_opening() -> None:
    """Version 2 pays 6 for what was held a day: one lot was, for 26 hours, the other for 2 hours."""
    opened = deal("1 buy 2 EURUSD in", day=2, position_id="p")
    closed = deal("2 sell 1 EURUSD out", day=2, hour=2, position_id="p")
    later = deal("3 sell 1 EURUSD out", day=3, hour=2, position_id="p")
    old = plan("own USD", per_lot("*=5", when=When(min_holding_s=60)))
    new = plan("own USD", per_lot("*=6", when=When(min_holding_s=86_400)), version=2)
    broker = Broker()
    broker.feed(*ALONE, old, *ANNA, opened, closed, later, replace(new, since=at(1)))
    said = broker.feed(again(closed))
    assert signed(said.transfers) == ["-5.00"]
    assert said.reasons == {"2": "rejected held_too_short"}
    assert signed(broker.feed(again(later)).transfers) == ["-5.00", "+6.00"]


ACTIVITY = Clawback(chargeback="activity")


def test_what_a_chargeback_took_whole_is_not_paid_anew() -> None:
    """All of the deposit went back, and the deals since with it; of half of it, half of the 9 is due."""
    five, six = (replace(one, clawback=ACTIVITY) for one in (FIVE, SIX))
    facts = (deposit("anna d1 100 USD", day=1), FIRST)
    broker = Broker()
    broker.feed(*ALONE, five, *ANNA, *facts, chargeback("anna d1", day=9), six)
    assert signed(broker.feed(again(FIRST)).transfers) == ["+9.00", "-9.00"]
    assert broker.all.owed == {}
    assert broker.feed(again(FIRST, proposal="p-2")).transfers == []
    broker = Broker()
    half = replace(chargeback("anna d1", day=9), amount=D(50))
    broker.feed(*ALONE, five, *ANNA, *facts, half, six)
    broker.feed(again(FIRST))
    assert broker.all.owed == {"ib:ib-north:pending": "4.50 USD"}


SHARED = CommissionShare(name="charges", rates=rates("*=0.5"), charges=True)
CHARGE = deal("9 buy 0 EURUSD out", day=5, kind="commission", profit=D(-9))
"""9 USD for the day's volume: 1.5 lots of one symbol."""


def charged(*components: Any) -> PlanDefined:
    """Version 2 of the plan, from the first day on."""
    return replace(plan("own USD", *components, version=2), since=at(1))


@pytest.mark.parametrize(
    ("news", "said"),
    [
        ((charged(replace(SHARED, rates=rates("*=0.4"))),), ["-4.50", "+3.60"]),
        ((charged(SHARED),), []),
        ((charged(per_lot("*=5")),), ["-4.50"]),  # no plan shares charges any more
        ((reassigned("anna", day=2),), ["-4.50"]),  # nobody's client
        ((reassigned("anna ib-unknown", day=2),), []),  # cannot be told
    ],
)
def test_a_charge_is_shared_again(news: tuple[Record, ...], said: list[str]) -> None:
    """Half of 9; by the volumes that it was for when it came."""
    broker = Broker()
    broker.feed(*ALONE, plan("own USD", SHARED), *ANNA, FIRST, CHARGE)
    assert broker.all.owed == {"ib:ib-north:pending": "4.50 USD"}
    broker.feed(*news)
    assert signed(broker.feed(again(CHARGE)).transfers) == said
    assert broker.feed(again(CHARGE)).transfers == []


def test_a_charge_nobody_shared_is_corrected_by_hand() -> None:
    """Whose volumes it was for was not kept, so it cannot be shared now; nor is a balance operation."""
    broker = Broker()
    balance = deal("8 buy 0 EURUSD out", day=5, kind="balance", profit=D(100))
    broker.feed(*ALONE, FIVE, *ANNA, FIRST, CHARGE, balance, charged(SHARED))
    assert broker.feed(again(CHARGE), again(balance)).transfers == []
    assert broker.all.owed == {"ib:ib-north:pending": "7.50 USD"}


# Laws over plans of every shape


def newest(records: Iterable[Record]) -> list[Deal]:
    """Each deal's last revision, in the order of time."""
    found = {record.deal_key: record for record in records if isinstance(record, Deal)}
    return sorted(found.values(), key=lambda d: (d.occurred_at, d.deal_key))


OWNERS = {1: "anna", 2: "ben", 3: "carl"}


def everything(records: list[Record], proposal: str = "p-1") -> list[Record]:
    """Rate all deals again, then weigh all clients."""
    deals: list[Record] = [again(d, OWNERS[d.login], proposal) for d in newest(records)]
    return [*deals, *(weighed(client, proposal) for client in OWNERS.values())]


@BY_NAME
@LAW
@given(threads=facts(), gated=st.booleans())
def test_unchanged_terms_say_nothing(
    name: str,
    threads: list[list[Record]],
    gated: bool,  # noqa: FBT001 # drawn
) -> None:
    """Whatever the plan and what happened under it: rating all of it again sends neither row nor tally."""
    broker = Broker()
    records = in_order(threads)
    broker.feed(*terms_of(name, gated=gated), *records)
    said = broker.feed(*everything(records))
    assert said.transfers == []
    assert said.rejections == []
    assert not broker.said_anything


CHANGED: dict[str, Any] = {
    "factors": {"ib-north": "0.5", "ib-mid": "1.75", "ib-top": "1.75"},
    "terminated": {"ib-north": "1", "ib-mid": "0", "ib-top": "2"},
}


def changed(name: str, how: str, terms: list[Record]) -> list[Record]:
    """The same broker with something decided otherwise, from the beginning."""
    if how == "plan":
        other = {
            "caps": "graduated", "graduated": "slab", "slab": "level", "level": "caps",
            "rebates": "slab", "revenue share": "rebates", "cpa in stages": "deposit shares",
            "deposit shares": "cpa in stages", "cohort": "hedged", "hedged": "cohort",
            "first leg": "graduated", "revenue share by client": "revenue share",
            "active clients": "revenue share by client", "cpl behind a rate": "rebates",
            "level of the next period": "caps",
        }.get(name, "slab")  # fmt: skip
        (own,) = (record for record in terms if isinstance(record, PlanDefined))
        return [replace(own, version=2, components=PLANS[other])]
    partners = [record for record in terms if record.type == "partner_defined"]
    if how == "parent":
        return [replace(p, parents=()) for p in partners if p.ib_id == "ib-mid"]
    factors = CHANGED[how]
    return [replace(p, schedule=(replace(p.schedule[0], factor=D(factors[p.ib_id])),)) for p in partners]


@BY_NAME
@LAW
@given(
    threads=facts(),
    gated=st.booleans(),
    how=st.sampled_from(("plan", "plan", "parent", "factors", "terminated")),
)
def test_rated_again_is_as_if_known_from_the_beginning(
    name: str,
    threads: list[list[Record]],
    gated: bool,  # noqa: FBT001 # drawn
    how: str,
) -> None:
    """Late terms, approved, give every balance of a fold that knew them first; once more gives nothing."""
    terms, records = terms_of(name, gated=gated), in_order(threads)
    news = changed(name, how, terms)
    knew = Broker()
    knew.feed(*terms, *news, *records)
    learned = Broker()
    learned.feed(*terms, *records, *news, *everything(records))
    assert knew.all.balances == learned.all.balances
    assert learned.feed(*everything(records, "p-2")).transfers == []
    assert not learned.said_anything
