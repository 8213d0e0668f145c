"""A wrong end taken back by two people, over a real ClickHouse: withdrawn, never paid, closed again, proved.

Five USD a lot. September is closed with one deal of 1.5 lots, 7.50; another of 1.5 lots comes after: 15.00.
"""

from collections.abc import Sequence

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace
from pydantic import ValidationError

from api.ledger import Ledger, Row
from api.operators import NotAllowed, Operator
from api.payouts import PayoutRefused
from api.proposals import ProposalRefused
from api.queries.statements import statements, withdrawn
from api.scope import EVERYTHING
from api.views.statement_file import statement_file
from commission.partner.statement_hash import check
from infra.payouts.desk import PayoutDesk
from infra.payouts.withholding import Withholding
from infra.proposals.desk import ProposalDesk
from infra.verify.invariants import verify
from schemas.errors import Unavailable
from schemas.payouts import BatchRequest
from schemas.proposals import ProposalRequest
from schemas.wire import Record
from tests.build import ANNA, SYMBOLS, deal, ended, partner, per_lot, period, plan
from tests.infra.proposals.live import Live, payouts_in_memory
from tests.payout_log import MemoryProposals

NORTH = replace(partner("ib-north USD own"), kyc_approved=True)
BROKER: tuple[Record, ...] = (
    *SYMBOLS, *(period(f"2026-{month}") for month in ("09", "10", "11")),
    plan("own USD", per_lot("*=5")), NORTH, *ANNA,
)  # fmt: skip
FIRST, LATE = deal("1 buy 1.5 EURUSD out", day=3), deal("2 buy 1.5 EURUSD out", day=4)
OLA, BEA = Operator("ola", is_person=True), Operator("bea", is_person=True)
WANTED = ProposalRequest(title="the bridge was late", reopen="2026-09")


@pytest.fixture
def live(connected: Client) -> Live:
    """September is closed with the first deal; then the second came."""
    live = Live(connected)
    live.feed(*BROKER, FIRST, ended("2026-09"), LATE)
    return live


@pytest.fixture
def both(live: Live) -> tuple[PayoutDesk, Withholding]:
    return payouts_in_memory(live)


@pytest.fixture
def payouts(both: tuple[PayoutDesk, Withholding]) -> PayoutDesk:
    return both[0]


@pytest.fixture
def desk(live: Live, both: tuple[PayoutDesk, Withholding]) -> ProposalDesk:
    return ProposalDesk(
        lambda: live.client, MemoryProposals(live.proposals), live.publish, both[1], live.tick
    )


def taken(payouts: PayoutDesk) -> tuple[str, ...]:
    """The statements of a new batch of September."""
    batch = payouts.create(BatchRequest(period="2026-09", currency="USD"), OLA, "")
    return tuple(name for line in batch.lines.values() for name in line.statement_ids)


def listed(live: Live) -> list[Row]:
    """The statements that are offered as current."""
    found: list[Row] = statements(Ledger(lambda: live.client), EVERYTHING, "", "", 100)["items"]
    return found


def broken(live: Live) -> list[str]:
    """What `ibflow verify` finds wrong."""
    live.store_proposals()
    return [f"{f.invariant}: {f.figures}" for f in verify(live.client).findings if not f.holds]


def test_two_people_take_it_back_and_it_closes_again(
    live: Live, desk: ProposalDesk, payouts: PayoutDesk
) -> None:
    """7.50 are withdrawn, and 15.00 are on the statement in their place, which proves itself."""
    (wrong,) = listed(live)
    made = desk.create(WANTED, OLA)
    assert [(line.ib_id, line.taken_back, line.given) for line in made.preview.lines] == [
        ("ib-north", 7.5, 7.5)
    ]
    with pytest.raises(ProposalRefused, match="a second person approves it"):
        desk.approve(made.proposal_id, OLA)
    assert desk.approve(made.proposal_id, BEA).state == "posted"
    assert listed(live) == []
    assert live.transfers("reopening") == ["7.50"]
    (gone,) = withdrawn(Ledger(lambda: live.client), EVERYTHING, "ib-north", "2026-09", 1)["items"]
    assert (gone["statement_id"], gone["payable"], gone["reason"]) == (
        wrong["statement_id"],
        7.5,
        "the bridge was late",
    )
    with pytest.raises(PayoutRefused, match="2026-09 has no line in USD that may be paid"):
        taken(payouts)
    assert broken(live) == []
    kept = live.client.query("SELECT statement_id, reason, proposal_id FROM statement_withdrawals FINAL")
    assert kept.result_rows == [(wrong["statement_id"], "the bridge was late", made.proposal_id)]
    live.feed(ended("2026-09"))
    (right,) = listed(live)
    assert (right["payable"], right["replaces"]) == (15, wrong["statement_id"])
    assert broken(live) == []
    ledger = Ledger(lambda: live.client)
    file = statement_file(ledger, EVERYTHING, right["statement_id"])
    assert file is not None
    assert [proof for proof in check(file.statement, file.transfers) if not proof.holds] == []
    assert statement_file(ledger, EVERYTHING, wrong["statement_id"]) is None
    assert taken(payouts) == (right["statement_id"],)


def test_what_a_batch_has_is_not_taken_back(live: Live, desk: ProposalDesk, payouts: PayoutDesk) -> None:
    """Neither proposed, nor approved if a batch came in between, until that is cancelled."""
    made = desk.create(WANTED, OLA)
    batch = payouts.create(BatchRequest(period="2026-09", currency="USD"), OLA, "").batch_id
    why = f"statements of 2026-09 are in {batch}: the end of 2026-09 stays while they are to be paid"
    with pytest.raises(ProposalRefused, match=why):
        desk.approve(made.proposal_id, BEA)
    with pytest.raises(ProposalRefused, match=why):
        desk.create(WANTED, OLA)
    assert [row["payable"] for row in listed(live)] == [7.5]
    assert desk.get(made.proposal_id).state == "created"
    payouts.cancel(batch, "the month is wrong", OLA)
    assert desk.approve(made.proposal_id, BEA).state == "posted"
    assert broken(live) == []


def test_what_a_crash_left_locked_is_not_taken_back(
    live: Live, desk: ProposalDesk, payouts: PayoutDesk
) -> None:
    """A batch was cancelled and its unlocking not written: the books have it out until that is resumed."""
    batch = payouts.create(BatchRequest(period="2026-09", currency="USD"), OLA, "").batch_id
    payouts.submit(batch, OLA)
    payouts.approve(batch, BEA)
    live.fails = True
    with pytest.raises(Unavailable):
        payouts.cancel(batch, "the month is wrong", OLA)
    live.fails = False
    with pytest.raises(ProposalRefused, match=f"1 commands of {batch} have no answer of the books"):
        desk.create(WANTED, OLA)
    assert payouts.resume(batch, OLA) == 1
    made = desk.create(WANTED, OLA)
    assert desk.approve(made.proposal_id, BEA).state == "posted"
    assert live.transfers("reopening") == ["7.50"]
    assert live.pipeline.dead_letters == []


def test_what_cannot_be_taken_back_is_not_proposed(live: Live, desk: ProposalDesk) -> None:
    """Unknown, not ended, not the newest, without a reason, or by nobody in particular."""
    for name, why in (("2026-9", "no period is called 2026-9"), ("2026-10", "2026-10 has not ended")):
        with pytest.raises(ProposalRefused, match=why):
            desk.create(ProposalRequest(title="wrong", reopen=name), OLA)
    with pytest.raises(ProposalRefused, match="by two people, with a reason"):
        desk.create(ProposalRequest(title=" ", reopen="2026-09"), OLA)
    with pytest.raises(NotAllowed):
        desk.create(WANTED, Operator("shared token"))
    with pytest.raises(ValidationError, match="nothing else is asked for"):
        ProposalRequest(title="wrong", reopen="2026-09", ib="ib-north")
    live.feed(ended("2026-10"))
    with pytest.raises(ProposalRefused, match="only the newest end can be taken back"):
        desk.create(WANTED, OLA)


def test_a_crash_before_the_record_pays_nothing_and_goes_on(
    live: Live, desk: ProposalDesk, payouts: PayoutDesk
) -> None:
    """Approved and not written: no batch has the statement meanwhile, and posting it goes on, once."""
    made = desk.create(WANTED, OLA)
    live.fails = True
    with pytest.raises(Unavailable):
        desk.approve(made.proposal_id, BEA)
    with pytest.raises(PayoutRefused, match=f"statements that {made.proposal_id} withdraws are in no batch"):
        taken(payouts)
    live.fails = False
    assert desk.post(made.proposal_id, OLA).state == "posted"
    assert (listed(live), live.transfers("reopening")) == ([], ["7.50"])


def test_a_crash_after_the_record_takes_back_nothing_more(
    live: Live, desk: ProposalDesk, both: tuple[PayoutDesk, Withholding]
) -> None:
    """It was written and not noted, and the period has closed again: posting notes it, and no more."""

    def publish_and_die(records: Sequence[object]) -> None:
        live.publish(records)  # type: ignore[arg-type] # what the desk publishes
        raise Unavailable("the process ended")

    dying = ProposalDesk(
        lambda: live.client, MemoryProposals(live.proposals), publish_and_die, both[1], live.tick
    )
    made = desk.create(WANTED, OLA)
    with pytest.raises(Unavailable):
        dying.approve(made.proposal_id, BEA)
    live.feed(ended("2026-09"))
    assert desk.post(made.proposal_id, OLA).state == "posted"
    assert [row["payable"] for row in listed(live)] == [15]
    assert live.pipeline.dead_letters == []


def test_a_reopening_that_came_too_late_keeps_nobody_from_being_paid(
    live: Live, desk: ProposalDesk, payouts: PayoutDesk
) -> None:
    """October ended before it was written: September's statement counts for good, and is paid."""
    made = desk.create(WANTED, OLA)
    live.fails = True
    with pytest.raises(Unavailable):
        desk.approve(made.proposal_id, BEA)
    live.feed(ended("2026-10"))
    with pytest.raises(ProposalRefused, match="only the newest end"):
        desk.post(made.proposal_id, OLA)
    (september, _) = listed(live)
    assert taken(payouts) == (september["statement_id"],)
