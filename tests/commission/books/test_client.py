"""The client book: waiting and parked deals, revisions, positions, KYC, uplines as of the deal."""

from typing import Any

import pytest
from msgspec.structs import replace

from commission.books import client as client_book
from commission.draft import Draft
from commission.events import Deal, RoutedDeal
from commission.terms.catalog import Terms
from commission.terms.partners import ParentLink, PlanAssignment
from commission.terms.rates import When
from tests.build import (
    ANNA,
    DAY_1,
    PARTNERS,
    PLANS,
    SYMBOLS,
    TERMS,
    at,
    deal,
    kyc,
    linked,
    partner,
    per_lot,
    plan,
    reassigned,
    registered,
    run,
    symbol,
)

ONE_LOT = {"ib:ib-master:pending": "2.00 USD", "ib:ib-north:pending": "5.00 USD"}
TWO_LOTS = {"ib:ib-master:pending": "4.00 USD", "ib:ib-north:pending": "10.00 USD"}
ONE = deal("1 buy 1 EURUSD out")
TWICE = replace(ONE, revision="b", volume_e8=2 * 10**8)
GONE = replace(ONE, revision="c", kind="cancelled")
GATED = (
    *SYMBOLS,
    plan("gold USD", per_lot("*=7")),
    plan("silver USD", per_lot("*=5"), kyc_gate=True),
    *PARTNERS,
)
"""Silver waits for KYC, gold does not."""


# Waiting for the CRM


def test_a_deal_of_an_unregistered_client_waits() -> None:
    """The registration releases what waited in the order of its time, the newest revision of each."""
    early, late = deal("2 buy 1 EURUSD out", day=2), deal("3 buy 1 EURUSD out", day=9)
    told = run(linked("1 anna"), late, ONE, TWICE, early, registered("anna ib-north"))
    assert told.reasons == dict.fromkeys(("1", "2", "3"), "waiting unregistered_client")
    rows = [(row.caused_by, row.lots) for row in told.transfers if row.depth == 0]
    assert rows == [("live|2", 1), ("live|1", 2), ("live|3", 1)]


def test_a_repeated_waiting_deal_waits_once() -> None:
    """Sent again before the registration and after it, a deal is paid once."""
    told = run(linked("1 anna"), ONE, ONE, registered("anna ib-north"), ONE)
    assert told.owed == ONE_LOT
    assert len(told.rejections) == 1


def test_the_first_registration_stands() -> None:
    """A second one, of another IB, changes nothing."""
    assert run(*ANNA, registered("anna ib-master", day=2), ONE).owed == ONE_LOT


# Waiting for terms


def test_an_unknown_symbol_parks_the_deal_until_it_is_known() -> None:
    """The later record pays it, once, and by the deal's own time."""
    bought = deal("1 buy 1 GBPUSD out")
    told = run(*ANNA, bought)
    assert told.reasons == {"1": "waiting unknown_symbol"}
    news = symbol("GBPUSD forex 100000 USD 0.0001")
    assert run(*ANNA, bought, news, news).owed == ONE_LOT


def test_an_unknown_ib_or_plan_parks_the_deal() -> None:
    """An upline is paid whole or not yet: neither IB is paid until both are known."""
    north, master = PARTNERS[1], PARTNERS[0]
    for missing in ((*PLANS, north), (*PARTNERS, PLANS[0]), ()):
        told = run(*ANNA, ONE, terms=(*SYMBOLS, *missing))
        assert told.reasons == {"1": "waiting unknown_ib"}
        assert run(*ANNA, ONE, *PLANS, north, master, terms=(*SYMBOLS, *missing)).owed == ONE_LOT


def test_a_parked_deal_can_be_revised_and_cancelled() -> None:
    """What is paid when the terms come is the newest revision, or nothing."""
    bare = SYMBOLS[1:]
    late = (SYMBOLS[0], *PLANS, *PARTNERS)
    assert run(*ANNA, ONE, TWICE, *late, terms=bare).owed == TWO_LOTS
    cancelled = run(*ANNA, ONE, GONE, *late, terms=bare)
    assert cancelled.owed == {}
    assert cancelled.reasons == {"1": "rejected cancelled"}


# Revisions


def test_a_repeated_deal_has_no_effect() -> None:
    """The business key and the revision are the same, so it is the same deal."""
    told = run(*ANNA, ONE, ONE, replace(ONE, source="another file"))
    assert len(told.transfers) == 2
    assert told.owed == ONE_LOT


def test_a_revised_deal_is_reversed_and_accrued_again() -> None:
    """Out with the frozen amounts of 1 lot, in with those of 2; each reversal names its original."""
    told = run(*ANNA, ONE, TWICE)
    assert told.owed == TWO_LOTS
    accrued = [row.transfer_id for row in told.transfers[:2]]
    assert [row.code for row in told.transfers] == ["accrual"] * 2 + ["reversal"] * 2 + ["accrual"] * 2
    assert [row.reverses for row in told.transfers[2:4]] == accrued
    assert len({row.transfer_id for row in told.transfers}) == 6


def test_an_old_export_read_again_changes_nothing() -> None:
    """a, b, and a again: a was replaced, and stays so."""
    told = run(*ANNA, ONE, TWICE, ONE, TWICE)
    assert told.owed == TWO_LOTS
    assert len(told.transfers) == 6


def test_a_cancelled_deal_leaves_nothing() -> None:
    """Every account is back at zero; no record of the deal as a trade brings it back."""
    told = run(*ANNA, ONE, GONE)
    assert told.balances == {}
    assert told.reasons == {"1": "rejected cancelled"}
    assert run(*ANNA, ONE, GONE, ONE, TWICE).transfers == told.transfers


def test_a_reversal_uses_the_frozen_amount() -> None:
    """The plans paid 7 and 5 when the deal was rated; new versions of both do not touch that."""
    dearer = plan("gold USD", per_lot("*=70"), version=2), plan("silver USD", per_lot("*=50"), version=2)
    told = run(*ANNA, ONE, *dearer, GONE)
    assert told.balances == {}
    assert [str(row.amount) for row in told.transfers] == ["5.00000000", "2.00000000"] * 2


def test_a_revision_is_rated_by_the_terms_of_its_place_in_the_log() -> None:
    """New versions count for what is revised after them: 2 lots at 50, and 70 - 50 above."""
    dearer = plan("gold USD", per_lot("*=70"), version=2), plan("silver USD", per_lot("*=50"), version=2)
    owed = run(*ANNA, ONE, *dearer, TWICE).owed
    assert owed == {"ib:ib-master:pending": "40.00 USD", "ib:ib-north:pending": "100.00 USD"}


# Positions and in/out deals

IN_AND_OUT = (
    *SYMBOLS,
    plan("own USD", per_lot("*=10", entry="in", name="in"), per_lot("*=1", name="out")),
    partner("ib-north USD own"),
)
"""10 a lot opened, 1 a lot closed: the amount shows how a deal was split."""


@pytest.mark.parametrize(
    ("before", "turn", "owed"),
    [
        # the source says that 1 of 3 lots closes: 2 x 10 + 1 x 1
        ([], {"volume_closed_e8": 10**8}, "21.00 USD"),
        # long 1, then sell 3: closes 1, opens 2; with the 10 of the first deal 31
        (["1 buy 1 EURUSD in"], {}, "31.00 USD"),
        # long 1 + 1 - 0.5, then sell 3: closes 1.5, opens 1.5 = 16.5; before it 10 + 10 + 0.5
        (["1 buy 1 EURUSD in", "2 buy 1 EURUSD in", "3 sell 0.5 EURUSD out"], {}, "37.00 USD"),
        # what the source says stands against the running position
        (["1 buy 1 EURUSD in"], {"volume_closed_e8": 2 * 10**8}, "22.00 USD"),
    ],
)
def test_an_in_out_is_split(before: list[str], turn: dict[str, int], owed: str) -> None:
    """Closed volume comes from the source, else from the running position."""
    records = [deal(text, position_id="p") for text in before]
    turned = deal("9 sell 3 EURUSD inout", position_id="p", day=4, **turn)
    assert run(*ANNA, *records, turned, terms=IN_AND_OUT).owed == {"ib:ib-north:pending": owed}


def test_an_account_may_change_from_hedging_to_netting() -> None:
    """Positions say what belongs together: 10 in, 1 out; 10 in, then selling 3 closes 1 (1), opens 2 (20)."""
    hedging = [
        deal("1 buy 1 EURUSD in", position_id="p"),
        deal("2 sell 1 EURUSD out", position_id="p", hour=1),
    ]
    netting = [
        deal("3 buy 1 EURUSD in", position_id="q", hour=2),
        deal("4 sell 3 EURUSD inout", position_id="q", hour=3),
    ]
    told = run(*ANNA, *hedging, *netting, terms=IN_AND_OUT)
    assert told.owed == {"ib:ib-north:pending": "42.00 USD"}


@pytest.mark.parametrize("text", ["1 buy 3 EURUSD in", "1 buy 4 EURUSD in", "1 sell 1 EURUSD in"])
def test_an_in_out_that_turns_nothing_is_rejected(text: str) -> None:
    """Selling 3 against a position of 3, of 4 or of the same side is no in/out."""
    turned = deal("9 sell 3 EURUSD inout", position_id="p", day=4)
    told = run(*ANNA, deal(text, position_id="p"), turned)
    assert told.reasons["9"] == "rejected position_unknown"


def test_an_in_out_without_its_position_can_be_replayed() -> None:
    """As its reason says: import what is missing, then send the same deal again."""
    turned = deal("9 sell 3 EURUSD inout", position_id="p", day=4)
    told = run(*ANNA, turned, deal("1 buy 1 EURUSD in", position_id="p"), turned, turned, terms=IN_AND_OUT)
    assert told.reasons == {"9": "rejected position_unknown"}
    assert told.owed == {"ib:ib-north:pending": "31.00 USD"}


def test_a_cancelled_deal_leaves_its_position() -> None:
    """Long 1 and 1, the second cancelled: selling 3 closes 1 and opens 2."""
    first, second = (deal(f"{number} buy 1 EURUSD in", position_id="p") for number in (1, 2))
    gone = replace(second, revision="b", kind="cancelled")
    turned = deal("9 sell 3 EURUSD inout", position_id="p", day=4)
    told = run(*ANNA, first, second, gone, turned, terms=IN_AND_OUT)
    assert told.owed == {"ib:ib-north:pending": "31.00 USD"}


def test_a_partial_close_pays_its_slice() -> None:
    """Closing 1.5 lots in slices of 1, 0.3 and 0.2 pays what closing them at once pays."""
    slices = [deal(f"{lots} sell {lots} EURUSD out", position_id="p") for lots in ("1", "0.3", "0.2")]
    whole = run(*ANNA, deal("9 sell 1.5 EURUSD out"))
    assert run(*ANNA, *slices).owed == whole.owed
    assert whole.owed == {"ib:ib-master:pending": "3.00 USD", "ib:ib-north:pending": "7.50 USD"}


# The KYC gate

HELD = {"ib:ib-master:pending": "2.00 USD", "ib:ib-north:held": "5.00 USD"}


def test_what_a_client_earns_is_held_until_kyc() -> None:
    """Each plan has its own gate; approval releases what was held, and later deals are not held."""
    approved = kyc("anna approved", day=5)
    assert run(*ANNA, ONE, terms=GATED).owed == HELD
    assert run(*ANNA, ONE, kyc("anna pending", day=2), terms=GATED).owed == HELD
    assert run(*ANNA, ONE, approved, approved, terms=GATED).owed == ONE_LOT
    assert run(*ANNA, approved, ONE, terms=GATED).owed == ONE_LOT


def test_release_is_one_row_for_each_ib_and_component() -> None:
    """Two deals held, one row released, at the time of the approval."""
    told = run(*ANNA, ONE, deal("2 buy 1 EURUSD out"), kyc("anna approved", day=5), terms=GATED)
    released = [
        (row.ib_id, str(row.amount), row.occurred_at) for row in told.transfers if row.code == "release"
    ]
    assert released == [("ib-north", "10.00000000", at(5))]


def test_a_reversal_takes_the_money_from_where_it_is() -> None:
    """Before the release from held, after it from pending; both end at zero."""
    approved = kyc("anna approved", day=5)
    before = run(*ANNA, ONE, GONE, approved, terms=GATED)
    after = run(*ANNA, ONE, approved, GONE, terms=GATED)
    assert before.balances == after.balances == {}
    assert [row.debit for row in before.transfers[2:]] == ["ib:ib-north:held", "ib:ib-master:pending"]
    assert [row.debit for row in after.transfers[3:]] == ["ib:ib-north:pending", "ib:ib-master:pending"]


def test_revoked_kyc_holds_again() -> None:
    """What is earned after the revocation is held; what was released stays released."""
    marks = kyc("anna approved", day=4), kyc("anna revoked", day=6)
    second = deal("2 buy 1 EURUSD out", day=7)
    told = run(*ANNA, ONE, *marks, second, terms=GATED)
    assert told.owed == {"ib:ib-master:pending": "4.00 USD", "ib:ib-north:held": "5.00 USD",
                         "ib:ib-north:pending": "5.00 USD"}  # fmt: skip
    gone = replace(second, revision="b", kind="cancelled")
    again = run(*ANNA, ONE, *marks, second, kyc("anna approved", day=8), gone, terms=GATED)
    assert again.owed == ONE_LOT


def test_an_older_status_that_comes_late_changes_nothing() -> None:
    """The newest status by its own time counts, not by its arrival."""
    told = run(*ANNA, kyc("anna approved", day=5), kyc("anna pending", day=2), ONE, terms=GATED)
    assert told.owed == ONE_LOT


# Uplines


def test_the_upline_is_that_of_the_deals_time() -> None:
    """Parents and plans by their dates: alone until day 10, under the master from then on."""
    moved = partner(
        "ib-north USD",
        parents=(ParentLink(), ParentLink(since=at(10), ib_id="ib-master")),
        schedule=(PlanAssignment(plan_id="gold"), PlanAssignment(since=at(20), plan_id="silver")),
    )
    terms = (*TERMS, moved)
    owed = {day: run(*ANNA, deal("1 buy 1 EURUSD out", day=day), terms=terms).owed for day in (9, 10, 20)}
    # gold under gold leaves the master nothing; silver under gold leaves it 2
    alone = {"ib:ib-north:pending": "7.00 USD"}
    assert owed == {9: alone, 10: alone, 20: ONE_LOT}


def test_a_client_belongs_to_its_ib_of_the_time() -> None:
    """The first IB also before the registration; the new one from its day on; then nobody."""
    records = (*ANNA, reassigned("anna ib-master", day=10), reassigned("anna", day=20))
    days = {0: "ib-north", 9: "ib-north", 10: "ib-master", 19: "ib-master"}
    found = {day: run(*records, deal("1 buy 1 EURUSD out", day=day)).transfers[0].path[0] for day in days}
    assert found == days
    assert run(*records, deal("1 buy 1 EURUSD out", day=20)).reasons == {"1": "rejected no_ib"}


# Milestones


def test_milestones_are_told_once() -> None:
    """Registration, KYC and the first trade; a cancelled first trade is not told again."""
    told = run(*ANNA, kyc("anna approved", day=2), ONE, GONE, ONE, deal("2 buy 1 EURUSD in"))
    assert told.happened == ["registration", "kyc.approved", "first_trade"]
    assert {milestone.ib_id for milestone in told.milestones} == {"ib-north"}
    assert told.milestones[0].occurred_at == DAY_1


def test_a_repeated_event_has_no_effect() -> None:
    """An event is known by its id."""
    told = run(*ANNA, *ANNA, ONE)
    assert told.happened == ["registration", "first_trade"]
    assert told.owed == ONE_LOT


# Waiting for an opening


LONG = When(min_holding_s=3600)
BY_HOLDING = Terms().learn(
    [*SYMBOLS, plan("own USD", per_lot("*=5", when=LONG)), partner("ib-north USD own")]
)
OPENED = deal("1 buy 2 EURUSD in", day=2, position_id="p")
CLOSED = deal("2 sell 1 EURUSD out", day=3, position_id="p")
CLOSED_TOO = deal("3 sell 1 EURUSD out", day=4, position_id="p")


class Book:
    """Anna's client book with its state at hand; `told` is what it said."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.told: list[Any] = []
        self.hear(registered("anna ib-north"))

    def hear(self, record: Any) -> None:
        """Fold a deal of anna, or an event."""
        draft = Draft.over(self.state)
        heard = RoutedDeal(client_id="anna", deal=record) if isinstance(record, Deal) else record
        client_book.apply(draft, heard, BY_HOLDING)
        self._keep(draft)

    def learn(self) -> None:
        """A batch of terms arrives that changes nothing here."""
        draft = Draft.over(self.state)
        client_book.retry_parked(draft, BY_HOLDING)
        self._keep(draft)

    def _keep(self, draft: Draft) -> None:
        written = {**self.state, **draft.writes}
        self.state = {key: value for key, value in written.items() if value is not None}
        self.told += draft.outputs

    @property
    def parked(self) -> list[str]:
        """What waits for terms."""
        return [key for key in self.state if key.startswith("p:")]

    @property
    def paid(self) -> list[tuple[str, str]]:
        """Deal and amount of each accrual."""
        return [(row.caused_by, f"{row.amount:.2f}") for row in self.told if row.type == "transfer"]


def test_a_closing_that_waits_for_its_opening_has_one_slot() -> None:
    """However many terms arrive, the state does not grow; then the lot pays 5, once, and nothing waits."""
    book = Book()
    book.hear(CLOSED)
    size = {key: len(str(value)) for key, value in book.state.items() if key[0] in "cdok"}
    for _ in range(5):
        book.learn()
        assert len(book.parked) == 1
        assert {key: len(str(value)) for key, value in book.state.items() if key[0] in "cdok"} == size
    book.hear(OPENED)
    assert book.parked == []
    assert book.paid == [("live|2", "5.00")]
    book.learn()
    assert book.paid == [("live|2", "5.00")]


def test_each_closing_that_waits_has_a_slot_of_its_own() -> None:
    """Two of a lot; cancelled, one waits no longer, and the opening of both pays the other."""
    book = Book()
    book.hear(CLOSED)
    book.hear(CLOSED_TOO)
    book.learn()
    assert len(book.parked) == 2
    book.hear(replace(CLOSED, revision="b", kind="cancelled"))
    assert len(book.parked) == 1
    book.learn()
    assert len(book.parked) == 1
    book.hear(OPENED)
    assert book.parked == []
    assert book.paid == [("live|3", "5.00")]


def test_a_closing_may_wait_for_another_opening() -> None:
    """One lot is opened and two are closed: the first closing pays, the second waits on in its one slot."""
    book = Book()
    book.hear(CLOSED)
    book.hear(CLOSED_TOO)
    book.hear(replace(OPENED, volume_e8=10**8))
    assert len(book.parked) == 1
    assert book.paid == [("live|2", "5.00")]
    book.learn()
    assert len(book.parked) == 1


def test_a_plan_that_asks_for_no_opening_pays_beside_one_that_does() -> None:
    """Ib-south's plan looks at holding, ib-north's pays 5 whatever the opening was."""
    south = (plan("careful USD", per_lot("*=9", when=LONG)), partner("ib-south USD careful"))
    terms = (*SYMBOLS, plan("own USD", per_lot("*=5")), partner("ib-north USD own"), *south)
    assert run(*ANNA, CLOSED, terms=terms).owed == {"ib:ib-north:pending": "5.00 USD"}
    told = run(ANNA[0], registered("anna ib-south"), CLOSED, terms=terms)
    assert told.reasons == {"2": "waiting opening_unknown"}


def test_legs_that_waited_for_their_opening_are_paid_once() -> None:
    """Both legs of a close-by wait, the first from before anna was ib-south's, so no leg was looked for.

    Their opening makes 9 the first leg, at 2 x 1, and thereby 10 the second; each closed lot is 5: 12.
    """
    careful = per_lot("*=5", when=LONG)
    legs = per_lot("*=1", name="legs", close_by="first_leg")
    plans = (plan("own USD", careful), plan("both USD", careful, legs))
    terms = (*SYMBOLS, *plans, partner("ib-north USD own"), partner("ib-south USD both"))
    first, second = (deal(f"{number} sell 1 EURUSD out_by", position_id="p") for number in (9, 10))
    told = run(*ANNA, first, reassigned("anna ib-south", day=2), second, OPENED, terms=terms)
    assert told.owed == {"ib:ib-south:pending": "12.00 USD"}
    codes = [row.code for row in told.transfers]
    assert codes.count("accrual") - codes.count("reversal") == 2
