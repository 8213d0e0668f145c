"""What counts of the log of people and keys, record by record."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.people import (
    Access,
    AccessChanged,
    KeyCreated,
    KeyRevoked,
    KeyRotated,
    PersonAdded,
    PersonDisabled,
    PersonReset,
    SecretsSet,
    SessionBegun,
    SessionEnded,
    access_fault,
    decode_people,
    encode_people,
)
from schemas.people_book import MAX_SESSIONS, PeopleBook

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
CODE, OTHER = "a" * 64, "b" * 64
HASH = {"password": "$argon2id$"}


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def added(name: str = "anna", role: Any = "admin", code: str = CODE, **more: Any) -> PersonAdded:
    access = Access(role=role, ibs=more.pop("ibs", None))
    return PersonAdded(name=name, access=access, code=code, code_until=at(72), by="x", at=NOON, **more)


def signed_up(name: str = "anna", **more: Any) -> SecretsSet:
    return SecretsSet(name=name, **HASH, code=CODE, at=at(1), **more)


def begun(number: int, name: str = "anna") -> SessionBegun:
    return SessionBegun(session=f"{number:064x}", name=name, at=at(2 + number / 100), until=at(14))


def book_of(*records: Any) -> PeopleBook:
    book = PeopleBook()
    for record in records:
        assert book.add(record) == "", record
    return book


def test_a_record_is_the_same_after_the_log() -> None:
    for record in (
        added(ibs=("A",), role="manager"),
        signed_up(totp="x"),
        begun(1),
        PersonDisabled(name="a", by="b", at=NOON),
    ):
        assert decode_people(encode_people(record)) == record
    assert decode_people(b"{}") is None
    assert decode_people(encode_people(added(name="two  spaces"))) is None


def test_a_code_counts_once_and_for_a_time() -> None:
    """72 hours after it was made it is too old, and once used it is gone."""
    late = SecretsSet(name="anna", **HASH, code=CODE, at=at(72))
    assert book_of(added()).add(late) == "the code was used, or is too old"
    wrong = SecretsSet(name="anna", **HASH, code=OTHER, at=at(1))
    assert book_of(added()).add(wrong) == "the code was used, or is too old"
    book = book_of(added(), signed_up())
    assert book.add(signed_up()) == "the code was used, or is too old"
    person = book.person("ANNA")
    assert person is not None
    assert (person.state, person.code) == ("active", "")


def test_nobody_without_a_password_signs_in() -> None:
    assert book_of(added()).add(begun(1)) == "anna is invited"
    book = book_of(
        added(), signed_up(), added("ben", code=OTHER), PersonDisabled(name="anna", by="ben", at=at(2))
    )
    assert book.add(begun(1)) == "anna is disabled"
    without_code = SecretsSet(name="anna", **HASH, at=at(3))
    assert book.add(without_code) == "anna is disabled"
    assert book.add(begun(1, "cleo")) == "there is nobody of the name cleo"


@pytest.mark.parametrize(
    "ending",
    [
        PersonReset(name="anna", code=OTHER, code_until=at(99), by="ben", at=at(4)),
        PersonDisabled(name="anna", by="ben", at=at(4)),
        SecretsSet(name="anna", **HASH, at=at(4)),
    ],
)
def test_sessions_end_with_what_they_stand_on(ending: Any) -> None:
    """Those of anna do, those of ben stay."""
    ben = SecretsSet(name="ben", **HASH, code=OTHER, at=at(1))
    book = book_of(added(), added("ben", code=OTHER), signed_up(), ben, begun(1), begun(2, "ben"))
    assert len(book.sessions) == 2
    assert book.add(ending) == ""
    assert [one.name for one in book.sessions.values()] == ["ben"]


def test_there_is_always_an_admin() -> None:
    to_finance = AccessChanged(name="anna", access=Access(role="finance"), by="anna", at=at(1))
    off = PersonDisabled(name="anna", by="anna", at=at(1))
    for record in (to_finance, off):
        assert book_of(added()).add(record) == "there would be no admin left"
        assert book_of(added(), added("ben")).add(record) == ""
    assert book_of(added(), added("ben", "finance")).add(off) == "there would be no admin left"


def test_names_are_one_whatever_their_letters() -> None:
    assert book_of(added()).add(added("Anna")) == "there is somebody of the name Anna"
    assert book_of(added()).add(added("ben", is_first=True)) == "there is an admin already, who adds people"
    assert book_of(added("ben", is_first=True)).person("BEN") is not None


@pytest.mark.parametrize(
    ("access", "is_fine"),
    [
        (Access(role="ib"), False),
        (Access(role="ib", ibs=("A",)), True),
        (Access(role="manager"), True),
        (Access(role="manager", ibs=()), False),
        (Access(role="finance", ibs=("A",)), False),
        (Access(role="network"), False),
        (Access(role="network", endpoints=("e",)), True),
        (Access(role="admin", endpoints=("e",)), False),
    ],
)
def test_a_role_says_whose(access: Access, is_fine: bool) -> None:  # noqa: FBT001
    assert (access_fault(access) == "") is is_fine


def test_a_person_has_so_many_sessions() -> None:
    """The one that began first goes."""
    book = book_of(added(), signed_up(), *(begun(n) for n in range(1, MAX_SESSIONS + 3)))
    left = {int(one.session, 16) for one in book.sessions.values()}
    assert left == set(range(3, MAX_SESSIONS + 3))
    assert book.add(SessionEnded(session=f"{1:064x}", by="anna", at=at(5))) == "there is no such session"


def key(digest: str = CODE) -> KeyCreated:
    return KeyCreated(key_id="k1", name="erp", rights=("read",), digest=digest, until=at(24), by="x", at=NOON)


def test_two_secrets_count_side_by_side_for_a_while() -> None:
    """The old one until hour 10, the new one until hour 48."""
    rotated = KeyRotated(key_id="k1", digest=OTHER, until=at(48), old_until=at(10), by="x", at=at(1))
    found = book_of(key(), rotated).keys["k1"]
    shown = ((CODE, 9), (CODE, 10), (OTHER, 47), (OTHER, 48))
    assert [found.accepts(one, at(hour)) for one, hour in shown] == [True, False, True, False]
    assert not found.accepts("", at(2))
    assert found.state(at(47)) == "active"
    assert found.state(at(48)) == "expired"


def test_a_key_that_was_revoked_stays_so() -> None:
    revoked = KeyRevoked(key_id="k1", by="x", at=at(1))
    book = book_of(key(), revoked)
    assert not book.keys["k1"].accepts(CODE, at(2))
    rotated = KeyRotated(key_id="k1", digest=OTHER, until=at(48), old_until=at(10), by="x", at=at(3))
    assert book.add(rotated) == "the key k1 was revoked"
    assert book.add(key()) == "there is a key k1"
    assert PeopleBook().add(revoked) == "there is no key k1"
