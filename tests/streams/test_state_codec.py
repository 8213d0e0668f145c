"""What is kept comes back as it was, to the last digit and offset; and it is small."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from commission.client import keys
from commission.client.fills import Fill, Position
from commission.client.state import DealState, Parked, Posted, Refund
from commission.events import Deal
from commission.ids import digest
from commission.outputs import Tally
from streams.state_codec import decode_state, encode_state
from tests.build import D, at

BERLIN = timezone(timedelta(hours=2))
TEXTS = st.sampled_from(["", "anna", "a:b", "live|1", "0", "1f" * 8, "1F" * 8, "ä"])
TIMES = st.builds(
    lambda seconds, zone: datetime.fromtimestamp(seconds / 1_000, zone),
    st.integers(0, 7_000_000_000_000),
    st.sampled_from([UTC, BERLIN]),
)
AMOUNTS = st.sampled_from([D(0), D("0.00"), D("-0"), D("15.16000000"), D("1E+3"), D("-0.00000001")])
POSTED = st.builds(
    Posted,
    TEXTS,
    TEXTS,
    TEXTS,
    AMOUNTS,
    TEXTS,
    TEXTS,
    st.integers(0, 9),
    st.booleans(),
    st.integers(0, 9),
    AMOUNTS,
    st.booleans(),
    st.none() | TIMES,
    st.none() | TIMES,
    AMOUNTS,
    st.none() | TIMES,
    st.none() | AMOUNTS,
    TEXTS,
    st.none() | AMOUNTS,
)
TALLIES = st.builds(
    Tally,
    ib_id=TEXTS,
    plan_id=TEXTS,
    plan_version=st.integers(0, 9),
    component=TEXTS,
    client_id=TEXTS,
    caused_by=TEXTS,
    occurred_at=TIMES,
    currency=TEXTS,
    amounts=st.lists(AMOUNTS, max_size=2).map(tuple),
    lots=AMOUNTS,
    booked_at=st.none() | TIMES,
)
STATES = st.builds(
    DealState,
    revision=TEXTS,
    at=st.none() | TIMES,
    times=st.integers(0, 300),
    signed_e8=st.integers(-(2**63), 2**63 - 1),
    position=TEXTS | st.just("o:anna:live/7|1"),
    posted=st.lists(POSTED, max_size=3).map(tuple),
    tallied=st.lists(TALLIES, max_size=2).map(tuple),
    first_posted=st.lists(POSTED, max_size=2).map(tuple),
    first_tallied=st.lists(TALLIES, max_size=2).map(tuple),
    ended=st.booleans(),
    charged=st.dictionaries(TEXTS, st.integers(0, 9), max_size=2),
    charge=AMOUNTS,
    refunds=st.lists(st.builds(Refund, TEXTS, TIMES, AMOUNTS, AMOUNTS), max_size=2).map(tuple),
    parked=st.none() | st.integers(0, 9),
)


def text(value: Any) -> str:
    """A value with all its digits and offsets; a time zone is known by its offset."""
    return repr(value).replace("datetime.timezone.utc", "UTC")


@given(TEXTS, TEXTS, STATES)
def test_a_deal_comes_back(client_id: str, deal_id: str, state: DealState) -> None:
    """Whatever its parts; only a zero charge is any zero."""
    key = keys.deal(client_id, f"live|{deal_id}")
    found = decode_state(DealState, key, encode_state(key, state))
    assert found == state
    assert (text(found), found.charge) == (text(state), state.charge) or not state.charge


@given(TEXTS, TEXTS, TEXTS, TIMES, AMOUNTS)
def test_a_closing_comes_back(client_id: str, other_id: str, deal_id: str, at: datetime, amount: D) -> None:
    """Its deal too, whosever key it has."""
    own = Deal(
        platform="mt4",
        server="live",
        login=7,
        deal_id=deal_id,
        revision="1",
        kind="trade",
        occurred_at=at,
        position_id=None,
        profit=amount,
        price=amount,
    )
    parked = Parked(client_id=other_id, deal=own, opened_e8=1, closed_e8=2)
    for key in (keys.closing(client_id, own.deal_key), keys.closing(client_id, "live|8"), keys.parked(7)):
        assert text(decode_state(Parked, key, encode_state(key, parked))) == text(parked)


@pytest.mark.parametrize("zone", [UTC, BERLIN])
def test_a_position_comes_back(zone: Any) -> None:
    """In the zones of its times."""
    noon = datetime(2026, 9, 1, 12, tzinfo=zone)
    position = Position((Fill(at(1), "live|1", -5, D("1.10"), counted_at=noon), Fill(noon, "live|2", 3)))
    found = decode_state(Position, "o:anna:live/7|1", encode_state("o:anna:live/7|1", position))
    assert text(found) == text(position)


def test_a_deal_is_small() -> None:
    """An opening, and a closing that three IBs earn from: under 150 bytes each on average, with their keys.

    Their keys have 22. The opening: list 1, time 6, revision 10, times 1, volume 5, position 7. The closing
    has those, a list 3, and for each IB 41: its name 8, `per_lot` 8, amount 12, `USD` 4, `bronze` 7,
    version 1, nothing rare 1. Ids are derived.
    """
    opening_key, closing_key = keys.deal("c-000173", "live|1000"), keys.deal("c-000173", "live|1001")
    opening = DealState(
        revision="1f" * 8, at=at(1), times=1, signed_e8=-379_000_000, position="o:c-000173:live/173|50"
    )
    base = digest("accrual", "c-000173", "live|1001", opening.revision, "1")
    posted = [
        Posted(f"{base}{number:02}", f"ib-{number:04}", "per_lot", D("15.16000000"), "USD", "bronze", 1)
        for number in range(3)
    ]
    closing = replace(opening, posted=tuple(posted))
    assert len(opening_key) == len(closing_key) == 20
    assert len(encode_state(opening_key, opening)) == 1 + 6 + 10 + 1 + 5 + 7
    assert len(encode_state(closing_key, closing)) == 1 + 6 + 10 + 1 + 5 + 7 + 3 + 3 * 41
