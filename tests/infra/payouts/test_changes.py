"""Balances changed by two people, and payouts held, through the desk: each once, with the books' answer.

September pays north 12.34 USD.
"""

from collections.abc import Callable

import pytest

from api.operators import NotAllowed, Operator
from api.payouts import PayoutRefused, UnknownBatch
from commission.payouts.commands import ChangeKind
from commission.payouts.records import PayoutsHeld
from infra.payouts.changes import ChangeDesk
from schemas.payouts import BatchRequest, ChangeRequest, HoldRequest
from tests.build import SYMBOLS, at, deal, ended, linked, partner, per_lot, plan, registered
from tests.commission.books.partner_rows import MONTHS, earned
from tests.payout_world import ANN, BEN, CAT, Killed, World

WANTED = ChangeRequest(kind="adjustment", ib="north", currency="USD", amount="-5", reason="paid by hand")
HELD = HoldRequest(ib="north", reason="fraud?")


@pytest.fixture
def world() -> World:
    """September is closed."""
    world = World(*MONTHS, partner("north USD"))
    world.feed([earned("12.34", ib_id="north", credit="ib:north:pending"), ended("2026-09")])
    return world


def test_two_people_change_a_balance(world: World) -> None:
    """Ann asks, ben approves: 5 are taken once, however often it is said."""
    desk = world.change_desk()
    asked = [desk.ask(WANTED, ANN, "k").change for _ in range(2)]
    assert asked[0] == asked[1]
    change_id = asked[0].asked.change_id
    with pytest.raises(PayoutRefused, match=f"ann asked for {change_id}; another person approves it"):
        desk.decide(change_id, ANN, "", is_approved=True)
    found = [desk.decide(change_id, BEN, "", is_approved=True) for _ in range(2)]
    assert [one.answer for one in found] == ["", ""]
    assert world.told.owed["ib:north:pending"] == "-5.00 USD"
    with pytest.raises(PayoutRefused, match="is approved: it is decided once"):
        desk.decide(change_id, CAT, "no", is_approved=False)
    with pytest.raises(PayoutRefused, match=r"made c-.* of other content before"):
        desk.ask(WANTED.model_copy(update={"amount": "5"}), ANN, "k")


def test_what_is_rejected_moves_nothing(world: World) -> None:
    """Whoever asked may reject it; nobody approves it afterwards."""
    desk = world.change_desk()
    change_id = desk.ask(WANTED, ANN, "").change.asked.change_id
    assert desk.decide(change_id, ANN, "a typo", is_approved=False).change.note == "a typo"
    with pytest.raises(PayoutRefused, match="is rejected: it is decided once"):
        desk.decide(change_id, BEN, "", is_approved=True)
    assert "ib:north:pending" not in world.told.owed


def test_the_books_may_refuse_what_two_people_want(world: World) -> None:
    """Nothing is below zero that could be written off; the answer is with the change."""
    desk = world.change_desk()
    wanted = ChangeRequest(kind="write_off", ib="north", currency="USD", amount="5", reason="gone")
    change_id = desk.ask(wanted, ANN, "").change.asked.change_id
    assert desk.get(change_id).answer is None
    desk.decide(change_id, BEN, "", is_approved=True)
    assert "is not below zero" in str(desk.get(change_id).answer)


@pytest.mark.parametrize(
    ("kind", "currency", "amount", "why"),
    [
        ("adjustment", "USD", "12.345", "12.345 has more digits than USD is paid with"),
        ("advance", "JPY", "10.5", "10.5 has more digits than JPY is paid with"),
        ("adjustment", "USD", "0", "an amount of 0 moves nothing"),
        ("write_off", "USD", "-5", "the amount is above zero"),
    ],
)
def test_what_moves_nothing_is_refused_before_anybody_approves(
    world: World, kind: ChangeKind, currency: str, amount: str, why: str
) -> None:
    """To whoever asks, rather than by the books once a second person has approved."""
    desk = world.change_desk()
    wanted = ChangeRequest(kind=kind, ib="north", currency=currency, amount=amount, reason="agreed")
    with pytest.raises(PayoutRefused, match=why):
        desk.ask(wanted, ANN, "")
    assert desk.newest(0, 5)[0] == []


def test_a_hold_is_released_by_another(world: World) -> None:
    """Ann holds, and cannot let go; ben can."""
    desk = world.change_desk()
    desk.hold(HELD, ANN, "", is_released=False)
    assert desk.hold(HELD, ANN, "", is_released=True).answer == "ann held it; another person releases it"
    assert desk.hold(HELD, BEN, "", is_released=True).answer == ""
    found, count = desk.newest(0, 2)
    assert ([one.change.asked.by for one in found], count) == (["ben", "ann"], 3)


def test_an_advance_is_in_the_next_batch(world: World) -> None:
    """50 beside September's 12.34: one line of 62.34, of both."""
    desk = world.change_desk()
    wanted = ChangeRequest(kind="advance", ib="north", currency="USD", amount="50", reason="agreed")
    change_id = desk.ask(wanted, ANN, "").change.asked.change_id
    desk.decide(change_id, BEN, "", is_approved=True)
    payouts = world.desk()
    batch = payouts.create(BatchRequest(period="2026-09", currency="USD"), ANN, "")
    payouts.submit(batch.batch_id, ANN)
    payouts.approve(batch.batch_id, BEN)
    _, file = payouts.export(batch.batch_id, "csv", "", CAT)
    assert b"TOTAL,1 line,,,,,62.34,USD" in file.body
    assert world.told.owed["ib:north:in_payout"] == "62.34 USD"


def test_only_named_operators_change_anything(world: World) -> None:
    """Neither the shared token nor a viewer; and nobody an unknown change, or without a reason."""
    desk = world.change_desk()
    for who in (Operator("shared token"), Operator("eve", is_person=True, may_write=False)):
        attempts: list[Callable[[], object]] = [
            lambda who=who: desk.ask(WANTED, who, ""),  # type: ignore[misc]
            lambda who=who: desk.hold(HELD, who, "", is_released=False),  # type: ignore[misc]
            lambda who=who: desk.decide("c-1", who, "", is_approved=True),  # type: ignore[misc]
        ]
        for attempt in attempts:
            with pytest.raises(NotAllowed):
                attempt()
    with pytest.raises(UnknownBatch):
        desk.get("c-none")
    with pytest.raises(UnknownBatch):
        desk.decide("c-none", ANN, "", is_approved=True)
    with pytest.raises(PayoutRefused, match="say why"):
        desk.ask(WANTED.model_copy(update={"reason": " "}), ANN, "")


def test_a_process_killed_before_any_effect_changes_once(world: World) -> None:
    """Killed at each effect, the same requests again lead to one adjustment of 5."""

    def life(desk: ChangeDesk) -> None:
        change_id = desk.ask(WANTED, ANN, "k").change.asked.change_id
        desk.decide(change_id, BEN, "", is_approved=True)

    life(world.change_desk())
    effects = world.effects
    assert len(effects) == 7
    for number, name in enumerate(effects):
        other = World(*MONTHS, partner("north USD"))
        other.kill_at = number
        with pytest.raises(Killed, match=name):
            life(other.change_desk())
        life(other.change_desk())
        assert other.told.owed == {"ib:north:pending": "-5.00 USD"}, name


def test_a_hold_that_was_not_commanded_is_commanded_by_approving_it(world: World) -> None:
    """The process ended between the record and the command, and nobody kept the key: cat's word is enough."""
    world.kill_at = 2  # before and after the record are 0 and 1
    with pytest.raises(Killed, match="before commands"):
        world.change_desk().hold(HELD, ANN, "", is_released=False)
    ((found,), _) = world.change_desk().newest(0, 1)
    assert (found.change.state, found.answer) == ("approved", None)
    held = world.change_desk().decide(found.change.asked.change_id, CAT, "", is_approved=True)
    assert (held.change, held.answer) == (found.change, "")
    with pytest.raises(PayoutRefused, match="it is decided once"):
        world.change_desk().decide(found.change.asked.change_id, CAT, "no", is_approved=False)
    batch = world.desk().create(BatchRequest(period="2026-09", currency="USD"), ANN, "")
    world.desk().submit(batch.batch_id, ANN)
    world.desk().approve(batch.batch_id, BEN)
    with pytest.raises(PayoutRefused, match="the books refused every line"):
        world.desk().export(batch.batch_id, "csv", "", CAT)


ANNA_HELD = HoldRequest(client="anna", reason="churning?")


def of_anna(*, since_closed: bool = False) -> World:
    """Anna earned north 5 in September, which is closed or not, and 10 in October."""
    terms = (SYMBOLS[0], plan("silver USD", per_lot("*=5")), partner("north USD silver"))
    world = World(*MONTHS, *terms)
    world.feed([registered("anna north"), linked("1 anna"), deal("1 buy 1 EURUSD out", day=3)])
    world.feed([ended("2026-09")] if since_closed else [])
    world.feed([deal("2 buy 2 EURUSD out", day=33)])
    return world


def test_a_client_is_held_as_far_as_no_statement_has_its_accruals() -> None:
    """5 are payable since September closed; the 10 of October are held until ben releases her."""
    world = of_anna(since_closed=True)
    desk = world.change_desk()
    asked = [desk.hold(ANNA_HELD, ANN, "k", is_released=False) for _ in range(2)]
    assert asked[0] == asked[1]
    assert asked[0].answer == ""
    assert isinstance(held := asked[0].change.asked, PayoutsHeld)
    assert held.since == at(31)
    assert world.told.owed == {"ib:north:payable": "5.00 USD", "ib:north:held": "10.00 USD"}
    world.feed([ended("2026-10")])
    assert desk.hold(ANNA_HELD, ANN, "k", is_released=False).change == asked[0].change
    refused = desk.hold(ANNA_HELD, ANN, "", is_released=True).answer
    assert refused == "ann held it; another person releases it"
    assert desk.hold(ANNA_HELD, BEN, "", is_released=True).answer == ""
    assert world.told.owed == {"ib:north:payable": "5.00 USD", "ib:north:pending": "10.00 USD"}
    since = ANNA_HELD.model_copy(update={"since": at(32), "ib": "north"})
    assert desk.hold(since, CAT, "", is_released=False).answer == ""
    assert world.told.owed["ib:north:held"] == "10.00 USD"


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (HoldRequest(reason="fraud?"), "say whose payouts: an IB's, or a client"),
        (
            HoldRequest(client="anna", ib="north", statement_id="s", reason="fraud?"),
            "a statement is held, or a client's accruals: not both at once",
        ),
    ],
)
def test_what_cannot_be_held_is_not_recorded(world: World, wanted: HoldRequest, why: str) -> None:
    """It is told at once."""
    with pytest.raises(PayoutRefused, match=why):
        world.change_desk().hold(wanted, ANN, "", is_released=False)


def test_a_process_killed_before_any_effect_holds_a_client_once() -> None:
    """Killed at each effect of hold or release, the same requests again hold 15 and let go of them."""

    def life(desk: ChangeDesk) -> None:
        desk.hold(ANNA_HELD, ANN, "h", is_released=False)
        desk.hold(ANNA_HELD, BEN, "r", is_released=True)

    world = of_anna()
    life(world.change_desk())
    effects = world.effects
    assert len(effects) == 10
    for number, name in enumerate(effects):
        other = of_anna()
        other.kill_at = number
        with pytest.raises(Killed, match=name):
            life(other.change_desk())
        life(other.change_desk())
        assert other.told.owed == {"ib:north:pending": "15.00 USD"}, name
        assert [row.amount for row in other.told.transfers if row.code == "hold"] == [5, 10, 15], name
