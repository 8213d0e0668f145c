"""What an approved proposal does is done once: by processes killed at any effect, and by two at a time.

Three deals of 1.5, 1.5 and 1 lots are 4 lots. Each correction raises the rate of a lot by one, so the three
are taken back and given again, and what the IB has is 4 times the rate.
"""

from collections.abc import Callable

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace

from api.ledger import Ledger
from api.operators import Operator
from api.proposals import ProposalRefused
from infra.payouts.facts import LedgerFacts
from infra.payouts.withholding import Withholding
from infra.proposals.desk import ProposalDesk
from schemas.proposals import Proposal, ProposalRequest
from tests.build import ANNA, SYMBOLS, at, deal, ended, partner, per_lot, period, plan
from tests.infra.proposals.live import Killed, Live
from tests.payout_log import MemoryLog, MemoryProposals

OLA, BEA, CAT = (Operator(name, is_person=True) for name in ("ola", "bea", "cat"))
DEALS = [deal(f"{number} buy {lots} EURUSD out", day=3) for number, lots in ((1, 1.5), (2, 1.5), (3, 1))]
WANTED = ProposalRequest(title="the rate was wrong")
REOPEN = ProposalRequest(title="the bridge was late", reopen="2026-09")


class Process:
    """A desk of a process that has just started; all that outlives it is `live` and the two logs."""

    def __init__(self, live: Live, payouts: list[bytes]) -> None:
        log = MemoryLog(payouts, live.effect)
        held = Withholding(log, LedgerFacts(Ledger(lambda: live.client)), live.tick)
        proposals = MemoryProposals(live.proposals, live.effect)
        self.desk = ProposalDesk(lambda: live.client, proposals, live.publish, held, live.tick)

    def correct(self, wanted: ProposalRequest, key: str) -> Proposal:
        """Ola asks, bea approves."""
        return self.desk.approve(self.desk.create(wanted, OLA, key).proposal_id, BEA)


@pytest.fixture
def live(connected: Client) -> Live:
    """Five a lot."""
    live = Live(connected)
    periods = [period(f"2026-{month}") for month in ("09", "10")]
    own = plan("own USD", per_lot("*=5"))
    live.feed(*SYMBOLS, *periods, own, replace(partner("ib-north USD own"), kyc_approved=True), *ANNA, *DEALS)
    return live


def raise_rate(live: Live, rate: int) -> None:
    """Publish the plan with another rate, from the 1st on."""
    live.feed(replace(plan("own USD", per_lot(f"*={rate}"), version=rate), since=at(1)))


def balance(live: Live) -> float:
    """What the rows of the ledger leave the IB, wherever it stands."""
    sql = """
        SELECT sumIf(amount, startsWith(credit, 'ib:')) - sumIf(amount, startsWith(debit, 'ib:'))
        FROM transfers FINAL
    """
    return float(live.client.query(sql).result_rows[0][0])


def killed_at_each_effect(
    live: Live, before: Callable[[int], None], correct: Callable[[int], Proposal]
) -> int:
    """Correct once undisturbed, then once for each effect of it with a kill there; how many there are."""
    before(0)
    live.catch_up()
    live.effects.clear()
    assert correct(0).state == "posted"
    effects = [*live.effects]
    for number, name in enumerate(effects, 1):
        before(number)
        live.catch_up()
        live.effects.clear()
        live.kill_at = number - 1
        with pytest.raises(Killed, match=name):
            correct(number)
        live.kill_at = None
        steps = [(step.state, step.by) for step in correct(number).steps]
        assert steps == [("created", "ola"), ("approved", "bea"), ("posted", "bea")], name
    return len(effects)


@pytest.mark.parametrize("lags", [False, True])
def test_a_process_killed_at_any_effect_rates_again_once(live: Live, *, lags: bool) -> None:
    """After each correction 3 rows more are taken back, and 4 lots are at the newest rate.

    Whether or not the database has stored by then what the killed process wrote.
    """
    live.lags = lags

    def before(number: int) -> None:
        raise_rate(live, 6 + number)

    def correct(number: int) -> Proposal:
        posted = Process(live, []).correct(WANTED, f"key {number}")
        live.catch_up()
        assert (len(live.transfers("reversal")), balance(live)) == (3 * (number + 1), 4 * (6 + number))
        return posted

    # rows, created, approved and posted, before and after each, and three of publishing
    assert killed_at_each_effect(live, before, correct) == 11
    assert len(Process(live, []).desk.newest(100)) == 12
    assert live.pipeline.dead_letters == []


@pytest.mark.parametrize("lags", [False, True])
def test_a_process_killed_at_any_effect_takes_an_end_back_once(live: Live, *, lags: bool) -> None:
    """September's 20.00 are stated, withdrawn once by each proposal, and stated again by the next end.

    Where the database lags, a reopening is written again after a kill behind it, and refused by the books.
    """
    payouts: list[bytes] = []
    live.lags = lags

    def before(_number: int) -> None:
        live.feed(replace(ended("2026-09"), at=live.tick(), early="for the test"))

    def correct(number: int) -> Proposal:
        posted = Process(live, payouts).correct(REOPEN, f"key {number}")
        live.catch_up()
        assert live.transfers("reopening") == ["20.00"] * (number + 1)
        return posted

    # two more: the statements are withheld from batches
    assert killed_at_each_effect(live, before, correct) == 13
    # killed after publishing, or before the record that it is posted: either way it is published again
    assert len(live.pipeline.dead_letters) == (2 if lags else 0)
    assert balance(live) == 20


def test_of_two_servers_that_decide_at_once_one_decides(live: Live) -> None:
    """Cat rejects, or approves, while bea's approval is under way: it does not count, and posts nothing."""
    for rate, decide in enumerate(("reject", "approve"), 6):
        raise_rate(live, rate)
        first, second = Process(live, []).desk, Process(live, []).desk
        name = first.create(WANTED, OLA).proposal_id

        def cat(what: str, name: str = name, decide: str = decide, desk: ProposalDesk = second) -> None:
            if what == "before proposal_approved" and desk.get(name).state == "created":
                getattr(desk, decide)(name, CAT)

        racing = MemoryProposals(live.proposals, cat)
        held = Withholding(MemoryLog([]), LedgerFacts(Ledger(lambda: live.client)), live.tick)
        desk = ProposalDesk(lambda: live.client, racing, live.publish, held, live.tick)
        happened = {"reject": "rejected", "approve": "posted"}[decide]
        with pytest.raises(ProposalRefused, match=f"was {happened} by cat already"):
            desk.approve(name, BEA)
        assert first.get(name).state == happened
    assert len(live.transfers("reversal")) == 3


def test_a_key_is_of_one_proposal(live: Live) -> None:
    """Sent twice, and by two servers at once, it is the same; with other content it is refused."""
    raise_rate(live, 6)
    made = Process(live, []).desk.create(WANTED, OLA, "key")
    assert Process(live, []).desk.create(WANTED, OLA, "key") == made
    with pytest.raises(ProposalRefused, match=f"made {made.proposal_id} of other content before"):
        Process(live, []).desk.create(ProposalRequest(title="another"), OLA, "key")
    other = Process(live, []).desk
    racing = MemoryProposals(
        live.proposals,
        lambda what: other.create(WANTED, OLA, "2nd") if what == "before proposal_created" else None,
    )
    held = Withholding(MemoryLog([]), LedgerFacts(Ledger(lambda: live.client)), live.tick)
    desk = ProposalDesk(lambda: live.client, racing, live.publish, held, live.tick)
    assert desk.create(WANTED, OLA, "2nd") == other.create(WANTED, OLA, "2nd")
    assert Process(live, []).desk.create(WANTED, BEA, "key").created_by == "bea", "a key is one person's"
    assert len(desk.newest(10)) == 3


def test_ends_of_one_period_are_taken_back_one_at_a_time(live: Live) -> None:
    """The first is approved and not written; the second, which was proposed before, waits for it."""
    live.feed(replace(ended("2026-09"), at=live.tick(), early="for the test"))
    payouts: list[bytes] = []
    desk = Process(live, payouts).desk
    one, other = (desk.create(REOPEN, OLA, key).proposal_id for key in ("1", "2"))
    live.kill_at = len(live.effects) + 4  # approved and withheld, before and after each
    with pytest.raises(Killed, match="before publishing"):
        desk.approve(one, BEA)
    desk = Process(live, payouts).desk
    with pytest.raises(ProposalRefused, match=f"{one} takes back the end of 2026-09, and is not posted yet"):
        desk.approve(other, CAT)
    assert desk.post(one, CAT).state == "posted"
    assert live.transfers("reopening") == ["20.00"]
