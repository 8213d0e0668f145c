"""Changes of a balance and holds: what the log lets count, and what of it the books are commanded."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from commission.payouts.batch import Refusal
from commission.payouts.changes import asked, command, decided
from commission.payouts.commands import (
    ChangeBalance,
    HoldClient,
    HoldPayouts,
    ReleaseClient,
    ReleasePayouts,
)
from commission.payouts.records import ChangeDecided, ChangeRequested, PayoutsHeld

AT = datetime(2026, 11, 20, tzinfo=UTC)
LATER = datetime(2026, 11, 21, tzinfo=UTC)
REQUEST = ChangeRequested(
    place=0, by="ann", at=AT, change_id="b1", kind="correction", ib_id="ib-north", currency="USD",
    amount=Decimal("12.50"), reason="a deal counted twice", attachment="abc",
)  # fmt: skip


def hold(**fields: Any) -> PayoutsHeld:
    """Ann holds; what, the fields say."""
    values = {"place": 0, "by": "ann", "at": AT, "change_id": "h1", "ib_id": "", "reason": "churning?"}
    return PayoutsHeld(**(values | fields))


def decision(**fields: Any) -> ChangeDecided:
    """Ben approves."""
    values = {"place": 1, "by": "ben", "at": LATER, "change_id": "b1", "is_approved": True}
    return ChangeDecided(**(values | fields))


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (replace(REQUEST, reason=" "), "say why"),
        (hold(reason=""), "say why"),
        (hold(), "say whose payouts: an IB's, or a client"),
        (
            hold(client_id="anna", statement_id="s1", since=AT),
            "a statement is held, or a client's accruals: not both at once",
        ),
        (hold(client_id="anna"), "say since when the client is held"),
    ],
)
def test_what_says_too_little_is_refused(record: ChangeRequested | PayoutsHeld, why: str) -> None:
    """Who reads the refusal knows what to add."""
    assert asked(record) == Refusal(why)


def test_a_change_of_a_balance_is_commanded_once_another_person_approved_it() -> None:
    """Before that nothing; rejected, nothing; and it is decided once."""
    change = asked(REQUEST)
    assert not isinstance(change, Refusal)
    assert (change.state, command(change)) == ("requested", None)
    assert decided(decision(by="Ann"), change) == Refusal("ann asked for b1; another person approves it")
    rejected = decided(decision(by="ann", is_approved=False, reason="mine was wrong"), change)
    assert not isinstance(rejected, Refusal)
    assert (rejected.state, rejected.note, command(rejected)) == ("rejected", "mine was wrong", None)
    assert decided(decision(), rejected) == Refusal("b1 is rejected: it is decided once")
    approved = decided(decision(), change)
    assert not isinstance(approved, Refusal)
    assert command(approved) == ChangeBalance(
        ib_id="ib-north", change_id="b1", kind="correction", currency="USD", amount=Decimal("12.50"),
        reason="a deal counted twice", attachment="abc", at=LATER, created_by="ann", approved_by="ben",
    )  # fmt: skip


ONE = {"change_id": "h1", "reason": "churning?", "at": AT, "by": "ann"}


@pytest.mark.parametrize(
    ("record", "commanded"),
    [
        (hold(ib_id="ib-north"), HoldPayouts(ib_id="ib-north", **ONE)),  # type: ignore[arg-type]
        (
            hold(ib_id="ib-north", statement_id="s1", is_released=True),
            ReleasePayouts(ib_id="ib-north", statement_id="s1", **ONE),  # type: ignore[arg-type]
        ),
        (
            hold(ib_id="ib-north", client_id="anna", since=AT),
            HoldClient(client_id="anna", ib_id="ib-north", since=AT, **ONE),  # type: ignore[arg-type]
        ),
        (
            hold(client_id="anna", is_released=True),
            ReleaseClient(client_id="anna", **ONE),  # type: ignore[arg-type]
        ),
    ],
)
def test_a_hold_and_its_release_are_commanded_at_once(record: PayoutsHeld, commanded: object) -> None:
    """Nobody approves them here: the book wants another person for the release."""
    change = asked(record)
    assert not isinstance(change, Refusal)
    assert (change.state, command(change)) == ("approved", commanded)
