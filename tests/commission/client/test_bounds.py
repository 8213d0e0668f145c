"""Each bound of a client's facts, past its limit: later answers stay right, or a reason is given."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from commission.books import account
from commission.books.account import MAX_OWNERS
from commission.client.clawback import MAX_CLAWED
from commission.client.cpa_conditions import MAX_SPARE_TRADES
from commission.client.deposits import MAX_COPIES
from commission.client.repeats import MAX_KYC_MARKS, MAX_LINKS, MAX_TAKEN_BACK
from commission.client.state import ClientState
from commission.draft import Draft
from commission.events import ChargebackReceived, ChargebackWon, ClientReassigned, DepositCleared, KycChanged
from commission.outputs import Rejection, Transfer
from commission.terms.components import DepositShare
from commission.terms.plans import Clawback
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from streams.state_codec import decode_state
from tests.build import SYMBOLS, D, at, cpa, deal, kyc, linked, partner, per_lot, plan, registered

START = (registered("anna ib"), linked("1 anna"), kyc("anna approved", day=1))
SHARE = DepositShare(name="share", share=D("0.10"))


def terms(*components: Any, **fields: Any) -> tuple[Record, ...]:
    """One IB on one plan."""
    return (*SYMBOLS, replace(plan("p USD", *components), **fields), partner("ib USD p"))


class Book:
    """The pipeline, and what the IB is left with by it."""

    def __init__(self, *records: Record) -> None:
        self.pipeline, self.said = LocalPipeline(), list[Record]()
        self.tell(*records)

    def tell(self, *records: Record) -> "Book":
        """Fold some more."""
        self.said += self.pipeline.feed(records)
        return self

    @property
    def paid(self) -> Decimal:
        """On the IB's account."""
        rows = [row for row in self.said if isinstance(row, Transfer)]
        signs = ((row.credit == "ib:ib:pending") - (row.debit == "ib:ib:pending") for row in rows)
        return sum((row.amount * sign for row, sign in zip(rows, signs, strict=True)), D(0))

    @property
    def refused(self) -> list[str]:
        """Codes of dead letters."""
        return [letter.code for letter in self.pipeline.dead_letters]


def paid_in(number: int, *, minutes: int = 60, amount: int = 100) -> DepositCleared:
    """Deposit number n, so many minutes after the one before it."""
    return DepositCleared(
        event_id=f"e{number}",
        client_id="anna",
        deposit_id=f"d{number}",
        amount=D(amount),
        currency="USD",
        occurred_at=at(2) + timedelta(minutes=minutes * number),
    )


def taken(deposit: int, number: int = 0, *, amount: int | None = None, day: int = 40) -> ChargebackReceived:
    """A refund of a deposit, or of some of it."""
    return ChargebackReceived(
        event_id=f"r{deposit}-{number}",
        client_id="anna",
        deposit_id=f"d{deposit}",
        occurred_at=at(day) + timedelta(minutes=number),
        amount=None if amount is None else D(amount),
        reason="refund",
    )


def test_every_deposit_pays_its_share() -> None:
    """200 deposits of 100 at 10 % earn 2,000; the last one taken back leaves 1,990."""
    book = Book(*terms(SHARE), *START, *map(paid_in, range(200)))
    assert book.paid == D(2000)
    assert book.tell(taken(199)).paid == D(1990)


def test_a_deposit_beyond_the_copies_makes_a_cpa_once_those_before_it_are_gone() -> None:
    """A CPA asks for 100 in a day. The first 70 deposits are taken back, and the 71st earns it again."""
    plans = terms(cpa("300", min_deposit=D(100), min_lots=D(0)))
    book = Book(*plans, *START, *map(paid_in, range(MAX_COPIES + 7)))
    assert book.paid == D(300)
    book.tell(*(taken(number, day=9) for number in range(MAX_COPIES + 6)))
    assert book.paid == D(300)
    assert book.tell(taken(MAX_COPIES + 6, day=9)).paid == D(0)


def test_more_deposits_than_copies_within_the_window_all_count() -> None:
    """Every minute one of 100: 90 of them reach 9,000 within a day, of which 64 have copies."""
    plans = terms(cpa("300", min_deposit=D(9000), min_lots=D(0)))
    book = Book(*plans, *START, *(paid_in(number, minutes=1) for number in range(89)))
    assert book.paid == D(0)
    assert book.tell(paid_in(89, minutes=1)).paid == D(300)


def test_a_deposit_is_refunded_in_more_parts_than_sixteen() -> None:
    """20 refunds of 50 take 1,000 back: nothing is left of the share, nor of 100 by the trade since."""
    refunds = [taken(0, number, amount=50, day=9) for number in range(20)]
    assert Book(*terms(SHARE), *START, paid_in(0, amount=1000), *refunds).paid == D(0)
    traded = deal("1 buy 10 EURUSD out", day=4)
    lots = terms(per_lot("*=10", entry="out"), clawback=Clawback(refund="activity"))
    assert Book(*lots, *START, paid_in(0, amount=1000), traded, *refunds[:19]).paid == D(5)
    assert Book(*lots, *START, paid_in(0, amount=1000), traded, *refunds).paid == D(0)


def test_a_part_too_many_is_refused() -> None:
    """The 1,001st refund of one deposit is a dead letter that says so."""
    refunds = [taken(0, number, amount=1, day=9) for number in range(MAX_TAKEN_BACK + 1)]
    book = Book(*terms(SHARE), *START, paid_in(0, amount=2000), *refunds)
    assert book.refused == ["too_many"]
    assert "1,000 chargebacks and refunds" in book.pipeline.dead_letters[0].reason
    assert book.paid == D(100)  # 10 % of 2,000 - 1,000


def test_a_late_deal_is_clawed_by_events_of_older_pages() -> None:
    """Deposit 0 is refunded, then 129 others later on: a deal of day 4 that comes last is taken back."""
    lots = terms(per_lot("*=10", entry="out"), clawback=Clawback(refund="activity"))
    count = 2 * MAX_CLAWED + 2
    deposits = [replace(paid_in(0), occurred_at=at(3)), *(paid_in(n, minutes=1) for n in range(1, count))]
    deposits[1:] = [replace(one, occurred_at=at(10)) for one in deposits[1:]]
    refunds = [taken(0, day=9), *(taken(number, day=12) for number in range(1, count))]
    book = Book(*lots, *START, *deposits, *refunds, deal("1 buy 1 EURUSD out", day=4))
    assert book.paid == D(0)
    assert book.tell(deal("2 buy 1 EURUSD out", day=13)).paid == D(10)


@pytest.mark.parametrize(
    ("kind", "limit"), [(KycChanged, MAX_KYC_MARKS), (ClientReassigned, MAX_LINKS)], ids=["kyc", "links"]
)
def test_statuses_and_ibs_too_many_are_refused(kind: type, limit: int) -> None:
    """The limit is reached one event before the last, which is a dead letter."""
    told: dict[str, Any] = {"status": "pending"} if kind is KycChanged else {"ib_id": None}
    start = START[:1] if kind is ClientReassigned else START[:2]
    count = limit - (kind is ClientReassigned)
    events = [
        kind(event_id=f"k{n}", client_id="anna", occurred_at=at(2) + timedelta(minutes=n), **told)
        for n in range(count + 1)
    ]
    book = Book(*terms(), *start, *events[:-1])
    assert book.refused == []
    assert book.tell(events[-1]).refused == ["too_many"]


def test_owners_too_many_are_refused() -> None:
    """An account has at most 1,000 owners, one after another."""
    state: dict[str, Any] = {}
    for number in range(MAX_OWNERS + 1):
        draft = Draft.over(state)
        account.apply(draft, linked(f"1 c{number}", event_id=f"l{number}"), None)  # type: ignore[arg-type] # unused
        state.update(draft.writes)
        assert len(draft.refused) == (number == MAX_OWNERS)


def test_spare_trades_that_run_out_are_told() -> None:
    """A CPA of 1 lot keeps 65 trades of 70; after 65 are cancelled somebody is told that it may lack some."""
    plans = terms(cpa("300", min_deposit=D(100), min_lots=D(1)))
    deals = [deal(f"{n} buy 1 EURUSD out", day=3, hour=n // 30) for n in range(100, 106 + MAX_SPARE_TRADES)]
    cancelled = [replace(one, revision="b", kind="cancelled") for one in deals]
    book = Book(*plans, *START, paid_in(0), *deals, *cancelled[:MAX_SPARE_TRADES])
    assert book.paid == D(300)
    assert "cpa_trades_forgotten" not in {r.code for r in book.said if isinstance(r, Rejection)}
    book.tell(cancelled[MAX_SPARE_TRADES])
    assert "cpa_trades_forgotten" in {r.code for r in book.said if isinstance(r, Rejection)}


def test_a_client_stays_small_however_much_it_deposits() -> None:
    """With 720 deposits what is written again with each event is as with 400: of 144 refunds two pages of 64
    moved out and 16 are left, as of 80 one page."""

    def size(count: int) -> int:
        book = Book(
            *terms(SHARE), *START, *map(paid_in, range(count)), *(taken(n) for n in range(count // 5))
        )
        [partition] = [p for p in book.pipeline._stages.values() if p.stage.name == "clients"]
        client = partition.store.get(partition.key("c:anna"))
        assert client is not None
        assert decode_state(ClientState, "c:anna", client).client_id == "anna"
        return len(client)

    assert size(720) < 1.01 * size(400)


def test_a_chargeback_older_than_those_in_the_client_is_won() -> None:
    """140 refunds of 5 take 70 of 100; one in each of two pages is won again: 30 and two halves are left."""
    traded = deal("1 buy 10 EURUSD out", day=4)
    lots = terms(per_lot("*=10", entry="out"), clawback=Clawback(refund="activity"))
    refunds = [taken(0, number, amount=5, day=9) for number in range(2 * MAX_CLAWED + 12)]
    book = Book(*lots, *START, paid_in(0, amount=1000), traded, *refunds)
    assert book.paid == D(30)
    wins = (
        ChargebackWon(
            event_id=f"w{n}", client_id="anna", deposit_id="d0", chargeback_id=f"r0-{n}", occurred_at=at(50)
        )
        for n in (0, MAX_CLAWED)
    )
    assert book.tell(*wins).paid == D(31)
