"""Which click ids count as genuine where a registration enters, whoever sends it."""

from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import ClientRegistered
from ingest.clicks import with_genuine_clicks
from ingest.crm.records import to_event
from ingest.sources import RowRejected
from tests.build import deposit, registered
from tests.link_world import KEY, came, click

OTHER = b"o" * 32


def record(**fields: Any) -> dict[str, Any]:
    """A registration as a CRM writes it."""
    given = {"event": "registration", "event_id": "r1", "client_id": "anna", "ib_id": "ib-north"}
    return {**given, "occurred_at": "2026-09-03T00:00:00Z", **fields}


def event(**fields: Any) -> ClientRegistered:
    """What is made of it."""
    found = to_event(record(**fields))
    assert isinstance(found, ClientRegistered)
    return found


def test_a_crm_sends_click_ids_with_spaces_between() -> None:
    """Each once, in its order; a registration without any is as it ever was."""
    assert event(click_ids=" a b  a\tc ").click_ids == ("a", "b", "c")
    assert event().click_ids == ()


@pytest.mark.parametrize(
    ("click_ids", "code"),
    [(" ".join(map(str, range(11))), "too_many_click_ids"), ("x" * 201, "bad_click_id")],
)
def test_click_ids_are_bounded(click_ids: str, code: str) -> None:
    """Ten of 200 characters; more is a dead letter that says so."""
    with pytest.raises(RowRejected) as refused:
        to_event(record(click_ids=click_ids))
    assert refused.value.code == code


def test_genuine_ones_are_told_from_made_up_ones() -> None:
    """By any of the keys; without a key there are none."""
    one = click("spring", day=2)
    sent = event(click_ids=f"forged {one}")
    assert with_genuine_clicks(sent, (OTHER, KEY)).genuine_clicks == (one,)
    assert with_genuine_clicks(sent, (OTHER,)).genuine_clicks == ()
    assert with_genuine_clicks(sent, ()).genuine_clicks == ()


def test_what_a_sender_says_of_its_clicks_counts_for_nothing() -> None:
    """An event of the wire may come with clicks that its sender calls genuine."""
    one = click("spring", day=2)
    claimed = came("anna", one, day=3)
    assert claimed.genuine_clicks
    assert with_genuine_clicks(claimed, (OTHER,)).genuine_clicks == ()
    assert with_genuine_clicks(replace(claimed, click_ids=()), (KEY,)).genuine_clicks == ()


def test_other_events_pass_as_they_are() -> None:
    """The same object: most of what enters is no registration with a click."""
    for other in (registered("anna ib-north"), deposit("anna d1 5 USD", day=2)):
        assert with_genuine_clicks(other, (KEY,)) is other
