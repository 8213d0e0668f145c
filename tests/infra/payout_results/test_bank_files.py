"""Files of three banks, written by hand, each in its own dialect: what becomes of the three payments."""

import pytest

from infra.payout_results.read import read_results
from infra.payout_results.results import Unmatched
from tests.infra.payout_results.sent import BANK_FILES, FIRST, SECOND, THIRD, matched, outcomes, reasons


def test_bank_a_rejects_one_of_two_and_speaks_of_a_stranger() -> None:
    """A line it does not mention stays as it is; an id that is not ours is listed, not guessed."""
    found = matched("a-pain.002.001.03.xml")
    assert {FIRST: "settled", SECOND: "rejected"} == outcomes(found)
    assert "rejected: AC04: the account is closed (Account closed on 2026-08-31)" == reasons(found)[SECOND]
    why = "no line of this batch has its EndToEndId: rejected, rejected: AC01: the account number is wrong"
    assert (Unmatched("payment 1, transaction 3", "SOMEBODYELSES01", why),) == found.unmatched


def test_bank_b_speaks_of_payments_and_of_lines_that_differ() -> None:
    """No group status; the first part is on its way but for one line, the other part is rejected whole.

    Its extension names another line in another namespace, which says nothing.
    """
    found = matched("b-pain.002.001.10.xml")
    assert {FIRST: "pending", SECOND: "rejected", THIRD: "rejected"} == outcomes(found)
    assert "rejected: B-0815: the bank's own code (Payee on the bank's own list)" == reasons(found)[SECOND]
    assert "rejected: DT01: the date is wrong" == reasons(found)[THIRD]
    assert () == found.unmatched


def test_bank_c_rejects_the_whole_file() -> None:
    """In an envelope and in Latin-1; a line without a status has the file's, with its own reason."""
    found = matched("c-pain.002.001.03-whole.xml")
    assert dict.fromkeys((FIRST, SECOND, THIRD), "rejected") == outcomes(found)
    no_money = "rejected: AM04: the debtor's account has not enough money (Deckung für Sammler fehlt)"
    assert {
        FIRST: no_money, SECOND: no_money, THIRD: "rejected: RC01: the bank's code (BIC) is wrong",
    } == reasons(found)  # fmt: skip


def test_bank_a_books_two_and_one_comes_back() -> None:
    """The return counts after the debit of the same file; an entry of charges is a notice."""
    found = matched("a-camt.054.001.02.xml")
    assert {FIRST: "settled", SECOND: "rejected"} == outcomes(found)
    assert "returned: AC04: the account is closed" == reasons(found)[SECOND]
    assert () == found.unmatched


def test_bank_b_books_one_not_yet_and_returns_less_than_was_sent() -> None:
    """45.00 came back of 50.00: the line is unknown and listed, for a person to decide."""
    found = matched("b-camt.054.001.08.xml")
    assert {FIRST: "pending", SECOND: "rejected", THIRD: "unknown"} == outcomes(found)
    assert "returned: no reason given" == reasons(found)[SECOND]
    why = "the bank says 45.00 EUR, we sent 50.00 EUR"
    assert (Unmatched("notification 1, entry 3, transaction 1", THIRD, why),) == found.unmatched


def test_bank_c_books_a_part_of_the_file_as_one_sum() -> None:
    """100.50 + 250.00 = 350.50 is the first part; 49.99 is not the 50.00 of the other."""
    found = matched("c-camt.054.001.04.xml")
    assert {FIRST: "settled", SECOND: "settled"} == outcomes(found)
    why = "it is of 49.99 EUR, our lines are 50.00 in all"
    assert (Unmatched("notification 1, entry 2", "PAYMENTOFB7REST", why),) == found.unmatched


@pytest.mark.parametrize(
    ("file", "kind", "message_id"),
    [
        ("a-pain.002.001.03.xml", "pain.002.001.03", "A-STATUS-20261006-1"),
        ("b-pain.002.001.10.xml", "pain.002.001.10", "B/9912/77"),
        ("c-pain.002.001.03-whole.xml", "pain.002.001.03", "C1"),
        ("a-camt.054.001.02.xml", "camt.054.001.02", "A-NTF-1"),
        ("b-camt.054.001.08.xml", "camt.054.001.08", "B-77"),
        ("c-camt.054.001.04.xml", "camt.054.001.04", "C-54"),
    ],
)
def test_a_file_is_known_by_its_content(file: str, kind: str, message_id: str) -> None:
    """Its version is the namespace's, its id the bank's."""
    found = read_results((BANK_FILES / file).read_bytes())
    assert (kind, message_id) == (found.kind, found.message_id)


def test_an_entry_without_details_is_a_notice() -> None:
    """The charges of bank A."""
    found = read_results((BANK_FILES / "a-camt.054.001.02.xml").read_bytes())
    assert ("notification 1, entry 3: 12.00 EUR without details of what it is for",) == found.notices
