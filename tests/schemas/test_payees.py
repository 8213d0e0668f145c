"""Versions of payee details: what the order of the log makes of any records of any people."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.payees import (
    PayeeApproved,
    PayeeProposed,
    PayeeRecord,
    PayeeRejected,
    PayeeResealed,
    Refusal,
    Versions,
    decode_payee,
    encode_payee,
    folded,
    valid_version,
)

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def proposed(version: int, by: str = "anna", at: datetime = NOON) -> PayeeProposed:
    """Details of A."""
    return PayeeProposed(
        ib_id="A", version=version, kind="bank", masked=f"DE{version}", sealed=f"k.{version}", by=by, at=at
    )


def approved(version: int, by: str = "ben", at: datetime = NOON) -> PayeeApproved:
    """A second person's word."""
    return PayeeApproved(ib_id="A", version=version, by=by, at=at)


def rejected(version: int, by: str = "ben") -> PayeeRejected:
    """A person's no."""
    return PayeeRejected(ib_id="A", version=version, by=by, at=NOON, note="wrong number")


def fold(*records: PayeeRecord) -> tuple[Versions, list[str]]:
    """The versions after them, and why some did not count."""
    versions: Versions = ()
    refusals = []
    for record in records:
        after = folded(versions, record)
        if isinstance(after, Refusal):
            refusals.append(after.why)
        else:
            versions = after
    return versions, refusals


def test_a_version_counts_once_a_second_person_approved_it() -> None:
    """Until then the one before does; a rejected one never does."""
    versions, _ = fold(proposed(1))
    assert valid_version(versions) is None
    versions, _ = fold(proposed(1), approved(1), proposed(2), rejected(2), proposed(3))
    assert [(1, "approved"), (2, "rejected"), (3, "proposed")] == [
        (one.proposed.version, one.state) for one in versions
    ]
    valid = valid_version(versions)
    assert valid is not None
    assert (1, {"anna", "ben"}) == (valid.proposed.version, valid.people)


def test_what_was_valid_at_a_time() -> None:
    """By the time of the approval: before the first, between them, after the second."""
    later = NOON + timedelta(days=1)
    versions, refusals = fold(proposed(1), approved(1), proposed(2, at=later), approved(2, at=later))
    assert [] == refusals
    found = [valid_version(versions, NOON + timedelta(hours=hours)) for hours in (-1, 0, 23, 24)]
    assert [None, 1, 1, 2] == [one and one.proposed.version for one in found]


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([proposed(1), approved(1, by="Anna")], "Anna proposed it; a second person approves it"),
        ([proposed(1), approved(1, by=" anna")], " anna proposed it; a second person approves it"),
        ([approved(1)], "A has no version 1"),
        ([proposed(1), approved(2)], "A has no version 2"),
        ([proposed(2)], "the next version is 1, not 2"),
        ([proposed(1), proposed(2)], "version 1 still waits to be approved or rejected"),
        ([proposed(1), approved(1), approved(1, by="cleo")], "version 1 was approved before"),
        ([proposed(1), rejected(1), approved(1)], "version 1 was rejected before"),
        ([proposed(1), approved(1), rejected(1)], "version 1 was approved before"),
        ([proposed(1), approved(1), proposed(1, by="cleo")], "the next version is 2, not 1"),
    ],
)
def test_what_does_not_count(records: list[PayeeRecord], why: str) -> None:
    """It is refused with a reason and changes nothing."""
    assert [why] == fold(*records)[1]
    assert fold(*records)[0] == fold(*records[:-1])[0]


def test_a_new_key_changes_nothing_but_the_seal() -> None:
    """The version, who approved it and the masked form stay."""
    resealed = PayeeResealed(ib_id="A", version=1, sealed="new.1", by="ops", at=NOON)
    before, _ = fold(proposed(1), approved(1))
    after, refusals = fold(proposed(1), approved(1), resealed)
    assert [] == refusals
    assert ("new.1", before[0].proposed, before[0].approved) == (
        after[0].sealed, after[0].proposed, after[0].approved,
    )  # fmt: skip


RECORDS = st.one_of(
    st.builds(proposed, st.integers(1, 3), st.sampled_from(["anna", "ben"])),
    st.builds(approved, st.integers(1, 3), st.sampled_from(["anna", "ben", "BEN"])),
    st.builds(rejected, st.integers(1, 3), st.sampled_from(["anna", "ben"])),
)


@given(st.lists(RECORDS, max_size=30))
def test_nobody_does_both_halves(records: list[PayeeRecord]) -> None:
    """Whatever is written in whatever order: two people, numbers without a gap, one open version at most."""
    versions, _ = fold(*records)
    for number, one in enumerate(versions, 1):
        assert number == one.proposed.version
        assert one.approved is None or one.rejected is None
        if one.approved is not None:
            assert 2 == len({name.casefold() for name in one.people})
    assert sum(one.is_open for one in versions) <= 1


@pytest.mark.parametrize("message", [b"", b"{}", b"\xff", b'{"type":"payee_proposed","ib_id":"A"}', b"[1]"])
def test_what_is_no_record_is_none_for_everyone(message: bytes) -> None:
    """Whoever reads the log skips the same messages."""
    assert decode_payee(message) is None


def test_a_record_is_read_as_it_was_written() -> None:
    """Each kind."""
    for record in (proposed(1), approved(1), rejected(1)):
        assert record == decode_payee(encode_payee(record))
