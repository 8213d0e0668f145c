"""People and keys as an admin changes them, over a log that others write as well."""

from datetime import UTC, datetime, timedelta

import pytest

from api.people import PeopleRefused, UnknownPerson, Wanted
from infra.people.desk import Desk
from infra.people.log import PeopleLog
from infra.people.sign_in import digest_of
from schemas.people import Access
from schemas.topics import AUDIT, PEOPLE
from streams.table_rows import Rows
from tests.memory_logs import MemoryMessages

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ADMIN = Access(role="admin")


def desk_of(messages: list[bytes], hours: float = 0) -> Desk:
    return Desk(PeopleLog(MemoryMessages(messages)), lambda: NOON + timedelta(hours=hours))


def test_of_two_that_add_one_name_one_is_refused() -> None:
    """Both looked before either had written."""
    messages: list[bytes] = []
    other = desk_of(messages)
    shared = MemoryMessages(messages, lambda: other.add("anna", ADMIN, "y") and None)
    with pytest.raises(PeopleRefused, match="somebody of the name anna; somebody else was first"):
        Desk(PeopleLog(shared), lambda: NOON).add("anna", Access(role="finance"), "x")
    (anna,) = desk_of(messages).people()
    assert anna.access.role == "admin"


def test_a_record_that_stands_twice_counts_once() -> None:
    """Kafka had it, and its answer was lost."""

    class Twice(MemoryMessages):
        def append(self, messages: object) -> None:
            """Every record is sent again."""
            found = list(messages)  # type: ignore[call-overload]
            self.messages.extend([*found, *found])

    messages: list[bytes] = []
    code = Desk(PeopleLog(Twice(messages)), lambda: NOON).add("anna", ADMIN, "x")
    assert len(messages) == 2
    (anna,) = desk_of(messages).people()
    assert anna.code == digest_of(code)


def test_what_cannot_be_a_name_is_refused_before_it_is_written() -> None:
    messages: list[bytes] = []
    for name in ("", "two  spaces", "a" * 65, "Ann\n", "<b>"):
        with pytest.raises(PeopleRefused, match="a name has at most 64"):
            desk_of(messages).add(name, ADMIN, "x")
    with pytest.raises(UnknownPerson):
        desk_of(messages).reset("anna", "x")
    assert messages == []


def test_a_key_is_for_something_and_for_a_time() -> None:
    messages: list[bytes] = []
    desk = desk_of(messages)
    for wanted in (
        Wanted("erp", (), 9),
        Wanted("erp", ("read",), 731),
        Wanted("erp", ("payouts",), 9, ("A",)),
    ):
        with pytest.raises(PeopleRefused):
            desk.create_key(wanted, "anna")
    key_id, secret = desk.create_key(Wanted("erp", ("read",), 2), "anna")
    new = desk_of(messages, hours=1).rotate_key(key_id, 2, 24 * 30, "anna")
    (key,) = desk.all_keys()
    assert key.old_until == NOON + timedelta(days=2), "no longer than it would have counted"
    assert key.accepts(digest_of(secret), NOON + timedelta(hours=47))
    assert not key.accepts(digest_of(secret), NOON + timedelta(hours=48))
    assert key.accepts(digest_of(new), NOON + timedelta(hours=48))
    desk.revoke_key(key_id, "anna")
    with pytest.raises(PeopleRefused, match="was revoked"):
        desk.rotate_key(key_id, 2, 1, "anna")
    with pytest.raises(UnknownPerson):
        desk.revoke_key("k9", "anna")


def test_the_database_stores_nothing_of_these_logs() -> None:
    """The sink goes past them."""
    messages: list[bytes] = []
    desk_of(messages).add("anna", ADMIN, "x")
    rows = Rows()
    for topic in (PEOPLE, AUDIT):
        for offset, message in enumerate([*messages, b"{}", b"\xff"]):
            rows.add(topic, 0, offset, message, "")
    assert (rows.count, dict(rows.lines), dict(rows.rows)) == (0, {}, {})
