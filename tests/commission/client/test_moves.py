"""A deal of an account that changed hands is paid for one client: the owner as of its newest record's time.

Anna owns account 1 from day 1, Ben from day 10. Of a lot Anna's IB earns 5 USD, Ben's 3.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from copy import deepcopy
from decimal import localcontext
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.books import account as account_book
from commission.books import client as client_book
from commission.draft import Draft
from commission.events import AccountEvent, Deal, DealMoved, ReratingApproved, RoutedDeal
from commission.money import EXACT
from commission.outputs import Rejection, Transfer
from commission.terms.catalog import Terms
from commission.terms.components import CommissionShare
from commission.terms.rates import Band, Tiers, When
from tests.build import (
    SYMBOLS,
    D,
    Told,
    at,
    cpa,
    deal,
    deposit,
    kyc,
    linked,
    partner,
    per_lot,
    period,
    plan,
    rates,
    registered,
    run,
    told_at,
)
from tests.effort import tries

TERMS = (
    SYMBOLS[0],
    plan("five USD", per_lot("*=5")),
    plan("three USD", per_lot("*=3")),
    partner("ib-anna USD five"),
    partner("ib-ben USD three"),
    period("2026-09"),
)
CLIENTS = (registered("anna ib-anna"), registered("ben ib-ben"), registered("cleo ib-ben"))
LINKS = (linked("1 anna"), linked("1 ben", day=10))
BEGIN = (*CLIENTS, *LINKS)

BOUGHT = deal("7 buy 1 EURUSD out", day=5)
ANNAS, BENS, NOBODYS = {"ib:ib-anna:pending": "5.00 USD"}, {"ib:ib-ben:pending": "3.00 USD"}, {}


def edited(of: Deal, revision: str, day: int, **fields: Any) -> Deal:
    """Another record of the deal, at another time."""
    return replace(of, revision=revision, occurred_at=at(day), **fields)


TO_BEN, TO_ANNA = edited(BOUGHT, "b", 12), edited(BOUGHT, "c", 6)
CANCELLED = edited(BOUGHT, "x", 12, kind="cancelled")


def paid(*records: Any) -> dict[str, str]:
    """What the IBs are owed."""
    return run(*records, terms=TERMS).owed


def test_an_edit_moves_a_deal_to_the_owner_of_its_new_time() -> None:
    """One lot on Anna's day 5: 5 USD. On Ben's day 12: those 5 go back, and Ben's IB has 3."""
    assert paid(*BEGIN, BOUGHT) == ANNAS
    said = run(*BEGIN, BOUGHT, TO_BEN, terms=TERMS)
    rows = [(row.code, row.client_id, row.amount, row.revision) for row in said.transfers]
    assert rows == [
        ("accrual", "anna", 5, "a"),
        ("accrual", "ben", 3, "b"),
        ("reversal", "anna", 5, "b"),
    ]
    assert (said.owed, said.rejections, said.dead_letters) == (BENS, [], [])


def test_and_back() -> None:
    """Also to the owner that had it first, under rows of their own; and once more."""
    assert paid(*BEGIN, BOUGHT, TO_BEN, TO_ANNA) == ANNAS
    assert paid(*BEGIN, BOUGHT, TO_BEN, TO_ANNA, edited(BOUGHT, "d", 20)) == BENS


def test_a_cancelled_deal_pays_nobody_whosever_day_it_is_cancelled_on() -> None:
    """Told with a time of Ben's, it takes back Anna's; an older record that comes late changes nothing."""
    said = run(*BEGIN, BOUGHT, CANCELLED, TO_ANNA, BOUGHT, terms=TERMS)
    assert (said.owed, said.reasons) == (NOBODYS, {"7": "rejected cancelled"})
    assert paid(*BEGIN, BOUGHT, replace(CANCELLED, occurred_at=at(5)), TO_BEN) == NOBODYS
    assert paid(*BEGIN, BOUGHT, TO_BEN, replace(CANCELLED, occurred_at=at(5)), TO_BEN) == NOBODYS


def test_a_deal_that_ended_before_it_had_a_second_owner_stays_ended() -> None:
    """Cancelled while Anna owned the account alone. A record of a time of Ben's comes late: it pays none."""
    first = (*CLIENTS, LINKS[0], BOUGHT, replace(CANCELLED, occurred_at=at(5)), LINKS[1])
    assert paid(*first, TO_BEN) == NOBODYS
    assert paid(*first, TO_BEN, edited(BOUGHT, "d", 13), TO_BEN) == NOBODYS


def test_records_that_come_again_change_nothing() -> None:
    """Each of them, after all of them, and all of them together."""
    told = (BOUGHT, TO_BEN, TO_ANNA)
    for again in (*told, *permutations(told)):
        repeats = again if isinstance(again, tuple) else (again,)
        assert paid(*BEGIN, *told, *repeats) == ANNAS
        assert paid(*BEGIN, *told[:2], *(one for one in repeats if one is not TO_ANNA)) == BENS


@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_records_and_the_change_of_owner_in_any_order(order: tuple[int, ...]) -> None:
    """The record that comes last counts; Ben's time begins after what was routed before he was known.

    With him told before the record of day 12 that one is his. Otherwise it is Anna's, who has the account
    until then: a change of owner does not reach back.
    """
    told = [(BOUGHT, TO_BEN, TO_ANNA, LINKS[1])[number] for number in order]
    records = [one for one in told if one is not LINKS[1]]
    is_known = told.index(LINKS[1]) < told.index(TO_BEN)
    due = BENS if records[-1] is TO_BEN and is_known else ANNAS
    assert paid(*CLIENTS, LINKS[0], *told) == due


def test_of_three_owners_one_has_the_deal() -> None:
    """Anna, Ben from day 10, Anna's again from day 15, Cleo's, of Ben's IB, from day 20."""
    begin = (*BEGIN, linked("1 anna", day=15), linked("1 cleo", day=20))
    days = {"b": 12, "c": 16, "d": 21, "e": 11, "f": 25}
    told = [edited(BOUGHT, revision, day) for revision, day in days.items()]
    owners = [{"anna"}, {"ben"}, {"anna"}, {"cleo"}, {"ben"}, {"cleo"}]
    for count, due in enumerate(owners):
        said = run(*begin, BOUGHT, *told[:count], terms=TERMS)
        assert clients_paid(said) == due


def clients_paid(said: Told) -> set[str]:
    """For whom an accrual stands."""
    back = {row.reverses for row in said.transfers}
    return {row.client_id for row in said.transfers if row.code == "accrual" and row.transfer_id not in back}


def test_a_deal_that_waits_for_its_client_moves_as_well() -> None:
    """Anna is not registered when the deal moves to Ben: nothing of it is left to wait for her."""
    anna, *others = CLIENTS
    late = (*others, *LINKS, BOUGHT, TO_BEN)
    assert paid(*late, anna) == BENS
    assert paid(*late, TO_ANNA, anna) == ANNAS
    assert paid(*late, anna, TO_ANNA) == ANNAS


def test_a_deal_that_waits_for_terms_moves_as_well() -> None:
    """Its symbol is told after it moved: it pays Ben's IB alone."""
    gold = SYMBOLS[3]
    bought = deal("7 buy 1 XAUUSD out", day=5)
    assert paid(*BEGIN, bought, edited(bought, "b", 12), gold) == BENS


def test_a_deal_that_moved_is_rated_again_for_its_owner_alone() -> None:
    """A proposal that names it under Anna, by the record she had, changes nothing."""
    fields = {"proposal_id": "p", "occurred_at": at(25)}
    for client, record in (("anna", BOUGHT), ("ben", TO_BEN)):
        again = ReratingApproved(client_id=client, deal=record, **fields)
        said = run(*BEGIN, BOUGHT, TO_BEN, again, terms=TERMS)
        assert (said.owed, len(said.transfers)) == (BENS, 3)


def test_what_a_deal_did_beside_its_accrual_moves_with_it() -> None:
    """A CPA of 100 for 2 lots closed: Anna closes 1 and 1, and one of them is moved to Ben's days.

    Ben's IB has a CPA of 40 for 1 lot, which that one earns.
    """
    terms = (
        SYMBOLS[0],
        plan("five USD", cpa("100", min_deposit=D(50), min_lots=D(2))),
        plan("three USD", cpa("40", min_deposit=D(50), min_lots=D(1))),
        *TERMS[3:],
    )
    known = (kyc("anna approved", day=2), kyc("ben approved", day=2))
    money = (*known, deposit("anna d1 50 USD", day=2), deposit("ben d2 50 USD", day=11))
    two = (BOUGHT, deal("8 sell 1 EURUSD out", day=6))
    assert run(*BEGIN, *money, *two, terms=terms).owed == {"ib:ib-anna:pending": "100.00 USD"}
    moved = run(*BEGIN, *money, *two, TO_BEN, terms=terms)
    assert moved.owed == {"ib:ib-ben:pending": "40.00 USD"}
    back = run(*BEGIN, *money, *two, TO_BEN, TO_ANNA, terms=terms)
    assert back.owed == {"ib:ib-anna:pending": "100.00 USD"}


def test_a_closing_is_rated_again_when_its_opening_moves_away() -> None:
    """Held 2 days where 1 is asked for: 5 USD. With the opening Ben's the closing waits for its own."""
    held = per_lot("*=5", when=When(min_holding_s=86_400))
    terms = (SYMBOLS[0], plan("five USD", held), *TERMS[2:])
    opened = deal("7 buy 1 EURUSD in", day=5, position_id="p")
    closed = deal("8 sell 1 EURUSD out", day=7, position_id="p")
    assert run(*BEGIN, opened, closed, terms=terms).owed == ANNAS
    away = edited(opened, "b", 12)
    said = run(*BEGIN, opened, closed, away, terms=terms)
    assert (said.owed, said.reasons["8"]) == (NOBODYS, "waiting opening_unknown")
    assert run(*BEGIN, opened, closed, away, edited(opened, "c", 5), terms=terms).owed == ANNAS


SHARED = (
    SYMBOLS[0],
    plan("five USD", CommissionShare(name="share", rates=rates("*=0.5"), charges=True)),
    plan("three USD", CommissionShare(name="share", rates=rates("*=0.3"), charges=True)),
    *TERMS[3:],
)


def test_a_later_charge_that_moves_is_shared_by_its_new_owner() -> None:
    """Of 10 USD charged for a lot Anna's IB has half, 5; moved to Ben's days, Ben's has 3 tenths, 3."""
    both = (BOUGHT, deal("8 sell 1 EURUSD out", day=11))
    fields = {"kind": "commission", "commission": D(-10), "volume_e8": 0, "position_id": ""}
    charge = replace(deal("9 buy 1 EURUSD out", day=6, **fields), side=None, entry=None, symbol="")
    assert run(*BEGIN, *both, charge, terms=SHARED).owed == ANNAS
    assert run(*BEGIN, *both, charge, edited(charge, "b", 12), terms=SHARED).owed == BENS


def test_a_refund_stays_with_the_client_who_had_it() -> None:
    """10 charged are shared by halves, and refunded later by a deal of Anna's: nothing is left.

    The charged deal moves to Ben's days: his IB has 3 tenths, and the refund is of nothing that is Anna's.
    Back on her day it is of that charge again.
    """
    charged = replace(BOUGHT, commission=D(-10))
    fields = {"kind": "commission", "profit": D(10), "side": None, "entry": None, "symbol": ""}
    back = deal("9 buy 0 X out", day=8, **fields)
    assert run(*BEGIN, charged, terms=SHARED).owed == ANNAS
    assert run(*BEGIN, charged, back, terms=SHARED).owed == NOBODYS
    away = edited(charged, "b", 12)
    said = run(*BEGIN, charged, back, away, terms=SHARED)
    assert (said.owed, said.reasons) == (BENS, {"9": "rejected refund_unknown"})
    assert run(*BEGIN, charged, back, away, edited(charged, "c", 6), terms=SHARED).owed == NOBODYS


def test_what_a_deal_adds_to_a_period_moves_with_it() -> None:
    """From 2 lots on Anna's IB has twice 5 a lot: 20 for two. With one of them Ben's it has 5, and his 3."""
    tiers = Tiers(by="lots", bands=(Band(start=D(2), factor=D(2)),))
    terms = (SYMBOLS[0], plan("five USD", per_lot("*=5", tiers=tiers)), *TERMS[2:])
    two = (BOUGHT, deal("8 sell 1 EURUSD out", day=6))
    assert run(*BEGIN, *two, terms=terms).owed == {"ib:ib-anna:pending": "20.00 USD"}
    assert run(*BEGIN, *two, TO_BEN, terms=terms).owed == ANNAS | BENS


UNTOLD, TOLD = told_at(BOUGHT, None), told_at(BOUGHT, "p")
UNTOLD_BENS = told_at(edited(BOUGHT, "", 12), None)


def test_a_record_that_only_tells_the_position_moves_nothing() -> None:
    """It is of the record that moved away since; what it tells of the newest one is taken up."""
    assert paid(*BEGIN, UNTOLD, TOLD) == ANNAS
    assert paid(*BEGIN, UNTOLD, UNTOLD_BENS, TOLD) == BENS
    assert paid(*BEGIN, UNTOLD, UNTOLD_BENS, TOLD, told_at(UNTOLD_BENS, "p")) == BENS
    assert paid(*BEGIN, UNTOLD, UNTOLD_BENS, told_at(edited(BOUGHT, "", 6), "p")) == ANNAS


# Messages that overtake each other


class Books:
    """The account book and one client book for each client, with what is on its way between them."""

    def __init__(self, records: Sequence[AccountEvent]) -> None:
        self.state: dict[str, dict[str, Any]] = defaultdict(dict)
        self.ways: dict[tuple[str, str], deque[Any]] = defaultdict(deque)
        """Sender and receiver → what is between them, in order."""
        self.rows: list[Transfer] = []
        self.rejections: list[Rejection] = []
        for client in CLIENTS:
            self.fold(client.client_id, client)
        self.ways["", "accounts"].extend(records)

    def deliver(self, way: tuple[str, str]) -> None:
        """Let the receiver fold the next message of a sender."""
        self.fold(way[1], self.ways[way].popleft())

    def fold(self, book: str, record: Any) -> None:
        """What one book makes of a record."""
        draft = Draft.over(self.state[book])
        apply = account_book.apply if book == "accounts" else client_book.apply
        with localcontext(EXACT):
            apply(draft, record, KNOWN)
        for key, value in draft.writes.items():
            self.state[book][key] = value
        for output in draft.outputs:
            if isinstance(output, RoutedDeal | DealMoved):
                self.ways[book, output.client_id].append(output)
            elif isinstance(output, Transfer):
                self.rows.append(output)
            elif isinstance(output, Rejection):
                self.rejections.append(output)

    @property
    def open(self) -> list[tuple[str, str]]:
        """Ways with something on them."""
        return sorted(way for way, messages in self.ways.items() if messages)

    @property
    def earned(self) -> dict[str, int]:
        """By client, what stands."""
        sums: dict[str, int] = defaultdict(int)
        for row in self.rows:
            sums[row.client_id] += int(row.amount) * (1 if row.code == "accrual" else -1)
        return {client: amount for client, amount in sums.items() if amount}


KNOWN = Terms().learn(TERMS)  # type: ignore[arg-type] # builders give terms


def endings(books: Books) -> Iterator[Books]:
    """Every way in which what is under way may arrive."""
    if not books.open:
        yield books
    for way in books.open:
        after = deepcopy(books)
        after.deliver(way)
        yield from endings(after)


@pytest.mark.parametrize(
    ("records", "due"),
    [
        ((*LINKS, BOUGHT, TO_BEN), {"ben": 3}),
        ((*LINKS, BOUGHT, TO_BEN, TO_ANNA), {"anna": 5}),
        ((*LINKS, TO_BEN, BOUGHT, TO_BEN), {"anna": 5}),
        ((*LINKS, BOUGHT, CANCELLED, TO_ANNA), {}),
        ((*LINKS, UNTOLD, UNTOLD_BENS, TOLD), {"ben": 3}),
        ((LINKS[0], BOUGHT, LINKS[1], TO_BEN, BOUGHT), {"ben": 3}),
        ((LINKS[0], replace(CANCELLED, occurred_at=at(5)), LINKS[1], TO_BEN), {}),
        (
            (LINKS[0], BOUGHT, LINKS[1], TO_BEN, linked("1 cleo", day=20), edited(BOUGHT, "d", 21)),
            {"cleo": 3},
        ),
    ],
)
def test_whatever_overtakes_what_one_client_is_paid(
    records: tuple[AccountEvent, ...], due: dict[str, int]
) -> None:
    """All orders in which the books may hear of it, each sender's own order kept."""
    ends = list(endings(Books(records)))
    assert len(ends) > 1
    for books in ends:
        assert books.earned == due
        assert all(one.code == "cancelled" for one in books.rejections)
        ids = [row.transfer_id for row in books.rows]
        assert len(set(ids)) == len(ids)


RECORDS = st.sampled_from(
    [
        edited(BOUGHT, f"{kind[0]}{day}{n}", day, kind=kind)
        for day in (5, 6, 12, 13, 21, 22)
        for n in "ab"
        for kind in ("trade", "trade", "trade", "cancelled")
        if n == "a" or kind == "trade"
    ]
)
OWNERS = st.lists(st.sampled_from(["ben 10", "cleo 20", "anna 20", "ben 11"]), max_size=3)


@settings(max_examples=tries(50), deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=7), OWNERS, st.data())
def test_exactly_one_client_is_paid(records: list[Deal], owners: list[str], data: st.DataObject) -> None:
    """Any records in any order, some again, owners told anywhere between: the newest new record counts.

    Whose it is has been decided by the account book; that and nothing else is asked here.
    """
    told: list[Any] = list(records)
    for owner in owners:
        client, day = owner.split()
        link = linked(f"1 {client}", day=int(day))
        told.insert(data.draw(st.integers(0, len(told))), link)
    books = Books([LINKS[0], *told])
    while books.open:
        books.deliver(data.draw(st.sampled_from(books.open)))
    newest: Deal | None = None
    seen: set[str] = set()
    for record in records:
        is_over = newest is not None and newest.kind == "cancelled" and record.kind != "cancelled"
        if record.revision not in seen and not is_over:
            newest = record
        seen.add(record.revision)
    assert newest is not None
    assert books.earned == ({} if newest.kind == "cancelled" else due(told, newest))


def due(told: list[Any], record: Deal) -> dict[str, int]:
    """What the record earns the IB of the client that the account book gives it to."""
    state: dict[str, Any] = {}
    client = ""
    for one in (LINKS[0], *told):
        draft = Draft.over(state)
        account_book.apply(draft, one, KNOWN)
        state |= draft.writes
        for output in draft.outputs:
            if isinstance(output, RoutedDeal) and one is record:
                client = output.client_id
    return {client: 5 if client == "anna" else 3}
