"""Of a deal only what does not follow from its key is kept, and it comes back as it was."""

from datetime import datetime, timedelta, timezone

import pytest

from commission.client import keys, packed
from commission.client.state import DealState, Parked, Posted
from commission.packing import Packing, pack
from tests.build import D, at, deal

BERLIN = datetime(2026, 9, 1, 14, tzinfo=timezone(timedelta(hours=2)))
CLOSING = deal("7 sell 1 EURUSD out", day=3)
PAID = Posted("t1", "ib-north", "per_lot", D("2.50"), "USD", "own", 1)


@pytest.mark.parametrize("whose", ["anna", "ben"])
@pytest.mark.parametrize("deal_key", [CLOSING.deal_key, "other|8"])
def test_a_closing_is_told_by_its_key(whose: str, deal_key: str) -> None:
    """Its client, server and number are left out where the key has them."""
    key = keys.closing("anna", deal_key)
    parked = Parked(client_id=whose, deal=CLOSING, opened_e8=0, closed_e8=100_000_000)
    told = packed.pack_closing(key, parked)
    assert (told[0] is None, CLOSING.deal_id in told) == (whose == "anna", deal_key != CLOSING.deal_key)
    assert packed.unpack_closing(key, told) == parked


@pytest.mark.parametrize(
    ("revision", "kept"),
    [("1f" * 8, b"\x1f" * 8), ("1F" * 8, "1F" * 8), ("z" * 16, "z" * 16), ("a", "a")],
)
def test_a_revision_that_is_a_digest_is_kept_as_bytes(revision: str, kept: object) -> None:
    """One that only looks like it comes back as it was."""
    key = keys.deal("anna", "live|7")
    state = DealState(revision=revision, at=at(3), times=1)
    told = packed.pack_deal(key, state)
    assert (told[1], packed.unpack_deal(key, told)) == (kept, state)


def test_a_time_keeps_its_zone() -> None:
    """As a text where it is not in UTC."""
    key = keys.deal("anna", "live|7")
    state = DealState(revision="a", at=at(3), times=1, posted=(PAID, PAID._replace(earned_at=BERLIN)))
    told = packed.pack_deal(key, state)
    assert "2026-09-01T14:00:00+02:00" in str(told)
    found = packed.unpack_deal(key, told)
    assert found == state
    assert str(found.posted[1].earned_at) == str(BERLIN)


def test_a_named_tuple_is_told_by_the_numbers_of_its_fields() -> None:
    """Only what is not as it usually is: field 3 is the amount."""
    usual = Packing(Posted).known(transfer_id="t1", ib_id="ib-north", component="per_lot",
                                  amount=D("2.5"), currency="USD", plan_id="own", plan_version=1)  # fmt: skip
    told = pack(tuple(PAID), usual)
    assert told == {3: D("2.50")}
    assert Packing(Posted).unpack(told, usual) == PAID
