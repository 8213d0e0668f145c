"""The desk over a log in memory: two people, one order, nothing in full but for the payout's file."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from api.operators import NotAllowed, Operator
from api.payees import PayeeRefused, UnknownPayee
from infra.connect.sealing import new_key
from infra.payees.desk import PayeeDesk
from infra.payees.details import BankAccount, PayeeDetails
from infra.payees.sealing import PayeeKeys, keys_of
from schemas.errors import Unavailable, Unusable
from schemas.payees import PayeeApproved, PayeeProposed, PayeeRecord, encode_payee, valid_version
from schemas.settings import OwnSettings
from schemas.topics import PAYEES
from streams.table_rows import Rows
from tests.memory_logs import MemoryLog

ANNA, BEN = Operator("anna", is_person=True), Operator("ben", is_person=True)
VIC = Operator("vic", is_person=True, may_write=False)
SHARED = Operator("shared token")
KEY, NEWER = new_key(), new_key()
FIRST = {"type": "bank", "holder": "Jane Doe", "iban": "DE89370400440532013000"}
SECOND = {"type": "bank", "holder": "Jane Doe", "iban": "GB29NWBK60161331926819"}
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def desk(messages: list[bytes], *keys: str) -> PayeeDesk:
    """One that reads and writes these messages."""
    return PayeeDesk(MemoryLog(messages), lambda: PayeeKeys.from_text(",".join(keys or (KEY,))), lambda: NOON)


def valid(of: PayeeDesk, ib_ids: Iterable[str]) -> dict[str, PayeeDetails]:
    """What each IB is paid to now."""
    found = {ib_id: valid_version(of.versions(ib_id)) for ib_id in ib_ids}
    return of.opened({ib_id: one.proposed.version for ib_id, one in found.items() if one is not None})


def test_what_two_people_decided_is_what_is_paid_to() -> None:
    """Also for another process, which reads the same log; the log has no number and no name."""
    messages: list[bytes] = []
    desk(messages).propose("A", FIRST, "new bank", ANNA)
    assert {} == valid(desk(messages), ["A"])
    approved = desk(messages).approve("A", 1, BEN)
    assert ("approved", "DE89 •••• 3000", "new bank") == (
        approved.state, approved.proposed.masked, approved.proposed.note,
    )  # fmt: skip
    assert {"A": BankAccount(holder="Jane Doe", iban=FIRST["iban"])} == valid(desk(messages), ["A", "B"])
    assert not any(text in b"".join(messages) for text in (b"370400", b"Jane"))


def test_details_name_the_currency_they_are_paid_in() -> None:
    """Seen by whoever approves it, and not sealed; another currency is another version."""
    messages: list[bytes] = []
    here = desk(messages)
    here.propose("A", FIRST | {"currency": " eur "}, "", ANNA)
    assert here.approve("A", 1, BEN).proposed.currency == "EUR"
    with pytest.raises(PayeeRefused, match="is paid to DE89 •••• 3000 already"):
        here.propose("A", FIRST | {"currency": "EUR"}, "", ANNA)
    assert here.propose("A", FIRST, "", ANNA).proposed.currency == ""
    with pytest.raises(Unusable, match="currency: it is a code such as EUR"):
        here.propose("B", FIRST | {"currency": "euros, please"}, "", ANNA)


@pytest.mark.parametrize(
    ("given", "kind", "percent"),
    [("vat 19", "vat", "19"), ("withholding 7.5 %", "withholding", "7.5"), ("vat 19%", "vat", "19"),
     ("reverse_charge", "reverse_charge", "0"), ("none", "none", "0")],
)  # fmt: skip
def test_details_say_by_which_rule_an_ib_is_billed(given: str, kind: str, percent: str) -> None:
    """Another rule is another version."""
    here = desk([])
    proposed = here.propose("A", FIRST | {"tax": given}, "", ANNA).proposed
    assert proposed.tax is not None
    assert (proposed.tax.kind, str(proposed.tax.percent)) == (kind, percent)
    here.approve("A", 1, BEN)
    with pytest.raises(PayeeRefused, match="already"):
        here.propose("A", FIRST | {"tax": given}, "", ANNA)
    assert here.propose("A", FIRST, "", ANNA).proposed.tax is None


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("vat", "it is `vat 19`, `withholding 10`, `reverse_charge` or `none`"),
        ("vat nineteen", "the percentage of vat is a number such as 19"),
        ("vat 0", "vat has a percentage above 0 and below 100"),
        ("vat NaN", "vat has a percentage above 0 and below 100"),
        ("none 3", "it is `vat 19`"),
    ],
)
def test_a_rule_of_tax_that_cannot_be_is_refused(given: str, why: str) -> None:
    """In words."""
    with pytest.raises(Unusable, match=f"tax: {why}"):
        desk([]).propose("A", FIRST | {"tax": given}, "", ANNA)


def test_new_details_count_once_they_are_approved() -> None:
    """Until then, and after a rejection, the IB is paid where it was."""
    messages: list[bytes] = []
    here = desk(messages)
    here.propose("A", FIRST, "", ANNA)
    here.approve("A", 1, BEN)
    here.propose("A", SECOND, "", BEN)
    assert "DE89" in repr(valid(here, ["A"])["A"])
    here.reject("A", 2, "who says so?", ANNA)
    here.propose("A", SECOND, "", BEN)
    here.approve("A", 3, ANNA)
    assert "GB29" in repr(valid(here, ["A"])["A"])
    assert ["approved", "rejected", "approved"] == [one.state for one in here.versions("A")]


def test_who_may_not() -> None:
    """One person alone, a viewer, a token that anybody may have."""
    here = desk([])
    here.propose("A", FIRST, "", ANNA)
    with pytest.raises(PayeeRefused, match="a second person approves it"):
        here.approve("A", 1, Operator("Anna", is_person=True))
    for nobody, why in ((VIC, "vic is a viewer"), (SHARED, "may be anybody")):
        with pytest.raises(NotAllowed, match=why):
            here.approve("A", 1, nobody)
        with pytest.raises(NotAllowed, match=why):
            here.propose("B", FIRST, "", nobody)
        with pytest.raises(NotAllowed, match=why):
            here.rotate(nobody)
    assert {"A"} == set(here.listed())


def test_what_is_refused_is_not_written() -> None:
    """A second proposal while one waits, details that are valid already, a version that is not there."""
    messages: list[bytes] = []
    here = desk(messages)
    here.propose("A", FIRST, "", ANNA)
    with pytest.raises(PayeeRefused, match="version 1 still waits"):
        here.propose("A", SECOND, "", ANNA)
    here.approve("A", 1, BEN)
    with pytest.raises(PayeeRefused, match="A is paid to DE89 •••• 3000 already"):
        here.propose("A", {**FIRST, "iban": "DE89 3704 0044 0532 0130 00"}, "", BEN)
    for version in (0, 2):
        with pytest.raises(UnknownPayee, match=f"A has no version {version}"):
            here.approve("A", version, BEN)
    with pytest.raises(Unusable, match="check digits do not fit"):
        here.propose("B", {**FIRST, "iban": "DE88370400440532013000"}, "", ANNA)
    assert 2 == len(messages)


def test_of_two_at_once_the_log_has_one() -> None:
    """Ben's proposal is there a moment before Anna's: hers is refused, and she is told."""
    messages: list[bytes] = []
    log = MemoryLog(messages, before_append=lambda: desk(messages).propose("A", SECOND, "", BEN) and None)
    annas = PayeeDesk(log, lambda: PayeeKeys.from_text(KEY), lambda: NOON)
    with pytest.raises(PayeeRefused, match=r"version 1 still waits.*; somebody else was first"):
        annas.propose("A", FIRST, "", ANNA)
    assert ["ben"] == [one.proposed.by for one in annas.versions("A")]
    assert 2 == len(messages)


def test_details_moved_to_another_ib_are_not_approved() -> None:
    """Whoever may write the log copies the details of A to B: they do not open there."""
    messages: list[bytes] = []
    mine = desk(messages).propose("A", FIRST, "", ANNA).proposed
    moved = PayeeProposed(
        ib_id="B", version=1, kind=mine.kind, masked=mine.masked, sealed=mine.sealed, by="anna", at=NOON
    )
    messages.append(encode_payee(moved))
    with pytest.raises(Unusable, match="sealed for another IB or version"):
        desk(messages).approve("B", 1, BEN)
    messages.append(encode_payee(PayeeApproved(ib_id="B", version=1, by="ben", at=NOON)))
    with pytest.raises(Unusable, match="sealed for another IB or version"):
        valid(desk(messages), ["B"])


def test_details_that_are_not_what_they_show_are_not_approved() -> None:
    """The masked form is what the second person sees; it must be of what is sealed."""
    messages: list[bytes] = []
    sealed = PayeeKeys.from_text(KEY).seal(BankAccount(holder="M", iban=SECOND["iban"]), "A", 1)
    shown = PayeeProposed(
        ib_id="A", version=1, kind="bank", masked="DE89 •••• 3000", sealed=sealed, by="anna", at=NOON
    )
    messages.append(encode_payee(shown))
    with pytest.raises(PayeeRefused, match="is not what it shows"):
        desk(messages).approve("A", 1, BEN)


def test_after_a_rotation_the_old_key_can_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions that wait or were rejected too; two at a time, and a second rotation finds nothing."""
    monkeypatch.setattr("infra.payees.desk.MAX_RESEALED", 2)
    messages: list[bytes] = []
    before = desk(messages)
    for ib_id in "ABC":
        before.propose(ib_id, FIRST, "", ANNA)
    before.approve("A", 1, BEN)
    before.reject("B", 1, "", BEN)
    both = desk(messages, NEWER, KEY)
    assert [(2, 1), (1, 0), (0, 0)] == [both.rotate(ANNA) for _ in range(3)]
    after = desk(messages, NEWER)
    after.approve("C", 1, BEN)
    assert {"A", "C"} == set(valid(after, "ABC"))
    with pytest.raises(Unusable, match="which is not given"):
        valid(desk(messages, KEY), "A")


@pytest.mark.parametrize(
    "note",
    ["now DE89370400440532013000", "to de89 3704 0044 0532 0130 00.", "IBAN: DE89-3704-0044-0532-0130-00"],
)
def test_a_note_does_not_tell_the_number(note: str) -> None:
    """Notes are in the log and in every answer as they are; 3000, its end, is in the mask too."""
    messages: list[bytes] = []
    here = desk(messages)
    with pytest.raises(PayeeRefused, match="the note has the number in full"):
        here.propose("A", FIRST, note, ANNA)
    assert messages == []
    here.propose("A", FIRST, "it ends in 3000", ANNA)
    with pytest.raises(PayeeRefused, match="the note has the number in full"):
        here.reject("A", 1, note, BEN)
    assert "rejected" == desk(messages, NEWER).reject("A", 1, "its key is lost", BEN).state
    assert b"0532" not in b"".join(messages)


def test_new_details_can_be_proposed_after_a_key_was_lost() -> None:
    """The old ones cannot be read or compared; the IB gives them again."""
    messages: list[bytes] = []
    desk(messages).propose("A", FIRST, "", ANNA)
    desk(messages).approve("A", 1, BEN)
    lost = desk(messages, NEWER)
    lost.propose("A", FIRST, "", ANNA)
    lost.approve("A", 2, BEN)
    assert {"A"} == set(valid(lost, "A"))


def test_without_keys_details_are_listed_and_not_taken() -> None:
    """A server without IBFLOW_PAYEE_KEYS starts, and says what to do when it is asked to keep some."""
    messages: list[bytes] = []
    desk(messages).propose("A", FIRST, "", ANNA)
    none = PayeeDesk(MemoryLog(messages), keys_of(OwnSettings()))
    assert {"A"} == set(none.listed())
    for attempt in (lambda: none.propose("B", FIRST, "", ANNA), lambda: none.approve("A", 1, BEN)):
        with pytest.raises(Unusable, match="ibflow payees key"):
            attempt()


class Lost(MemoryLog):
    """A log whose answer does not arrive: the record was written, or it was not."""

    def __init__(self, messages: list[bytes], *, is_written: bool) -> None:
        super().__init__(messages)
        self.is_written = is_written

    def append(self, records: Iterable[PayeeRecord]) -> None:
        """Write it, or not, and say that nobody knows."""
        if self.is_written:
            super().append(records)
        raise Unavailable("Kafka did not take all: no answer")


@pytest.mark.parametrize("is_written", [True, False])
def test_a_lost_answer_loses_no_decision(is_written: bool) -> None:  # noqa: FBT001
    """Whoever asks again sees whether it was written, and approves it or proposes it anew."""
    messages: list[bytes] = []
    lost = PayeeDesk(Lost(messages, is_written=is_written), lambda: PayeeKeys.from_text(KEY), lambda: NOON)
    with pytest.raises(Unavailable):
        lost.propose("A", FIRST, "", ANNA)
    assert int(is_written) == len(lost.versions("A"))
    if not is_written:
        desk(messages).propose("A", FIRST, "", ANNA)
    desk(messages).approve("A", 1, BEN)
    assert ["approved"] == [one.state for one in lost.versions("A")]


def test_the_database_stores_nothing_of_the_log() -> None:
    """The sink goes past it."""
    messages: list[bytes] = []
    desk(messages).propose("A", FIRST, "", ANNA)
    rows = Rows()
    for offset, message in enumerate([*messages, b"{}"]):
        rows.add(PAYEES, 0, offset, message, "")
    assert (0, {}, {}) == (rows.count, dict(rows.lines), dict(rows.rows))


def test_what_is_no_record_changes_nothing() -> None:
    """It takes a place in the log."""
    messages = [b"{}", b"\xff"]
    desk(messages).propose("A", FIRST, "", ANNA)
    assert {"A"} == set(desk(messages).listed())


def test_a_record_that_stands_twice_counts_once() -> None:
    """Kafka had it, and its answer was lost: it was sent again, and the first of the two counts."""

    class Twice(MemoryLog):
        """Every record is sent again."""

        def append(self, records: Iterable[PayeeRecord]) -> None:
            """Both stand in the log."""
            written = list(records)
            super().append(written)
            super().append(written)

    here = PayeeDesk(Twice([]), lambda: PayeeKeys.from_text(KEY), lambda: NOON)
    here.propose("A", FIRST, "", ANNA)
    assert "approved" == here.approve("A", 1, BEN).state
    assert 1 == len(here.versions("A"))


def test_a_file_opens_the_versions_it_wants() -> None:
    """The one that was valid at an approval, also after a newer one is; one that is not there is refused."""
    here = desk([])
    for number, details in enumerate((FIRST, SECOND), 1):
        here.propose("A", details, "", ANNA)
        here.approve("A", number, BEN)
    opened = [here.opened({"A": number})["A"] for number in (1, 2)]
    assert [FIRST["iban"], SECOND["iban"]] == [one.iban for one in opened if isinstance(one, BankAccount)]
    with pytest.raises(UnknownPayee, match="A has no version 3"):
        here.opened({"A": 3})
    assert {} == desk([], "").opened({})
