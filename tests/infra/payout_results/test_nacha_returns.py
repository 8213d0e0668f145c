"""Return files by hand: notices of change, files in one line, totals that do not fit."""

import pytest

from infra.payout_results.read import read_results
from schemas.errors import Unusable

HEADER = "1011234567890 0210000212610080900A094101EXAMPLE BROKER INC     CHASE                          "
BATCH = "5220EXAMPLE BROKER I                    1234567890CCDRETURN          261008   1021000020000001"
ENTRY = "621021000021000123456789     0000100010B7EJA3N23SS3IBTBAKER                   1021000020000001"
RETURN = "799R02021000020000001      01140153                                            021000020000001"
CHANGE = "798C01021000020000001      0114015398765432                                    021000020000001"
DEBIT = "627021000021000123456789     0000000500OTHER          SOMEBODY                1021000020000002"
CONTROL = f"82200000020002100002{0:012}{100010:012}1234567890{'':25}021000020000001"


def file(*entries: str, control: str) -> bytes:
    """A file of one batch with these entries, and a file control."""
    lines = [HEADER, BATCH, *entries, CONTROL, control]
    assert {94} == {len(line) for line in lines}
    return "\n".join(lines).encode()


def control(entries: int, cents: int) -> str:
    """Of one batch and one block: entries and addenda, cents of credit."""
    return f"9000001000001{entries:08}0002100002{0:012}{cents:012}{'':39}"


def test_a_return_is_a_rejection_with_its_reason() -> None:
    """1,000.10 to Baker came back: the account is closed."""
    (said,) = read_results(file(ENTRY, RETURN, control=control(2, 100010))).said
    assert ("B7EJA3N23SS3IBT", "rejected", "returned: R02: the account is closed", "1000.10") == (
        said.reference,
        said.outcome,
        said.reason,
        str(said.amount),
    )


def test_a_notice_of_change_is_no_return() -> None:
    """The payment was made; the new number is not repeated in what is said."""
    found = read_results(file(ENTRY, CHANGE, control=control(2, 100010)))
    assert () == found.said
    assert (
        "line 3: C01, change the account number of B7EJA3N23SS3IBT before the next payout",
    ) == found.notices


def test_a_debit_that_comes_back_is_none_of_ours() -> None:
    """Unknown, whatever its id."""
    found = read_results(file(ENTRY, RETURN, DEBIT, RETURN, control=control(4, 100510)))
    assert ["rejected", "unknown"] == [said.outcome for said in found.said]


def test_an_entry_without_addenda_is_a_notice() -> None:
    """It says nothing of what became of it."""
    found = read_results(file(ENTRY, ENTRY, RETURN, control=control(3, 200020)))
    assert ("line 3: an entry without an addenda says nothing",) == found.notices


def test_a_file_without_line_ends_is_read() -> None:
    """As mainframes send it: one record after the other."""
    lines = file(ENTRY, RETURN, control=control(2, 100010)).decode().split("\n")
    body = "".join(f"{line:94}" for line in lines).encode()
    assert 1 == len(read_results(body).said)


@pytest.mark.parametrize(
    ("entries", "cents", "why"),
    [(4, 100010, "counts other entries"), (2, 100011, "has another total than the entries")],
)
def test_a_file_that_was_cut_off_is_refused(entries: int, cents: int, why: str) -> None:
    """The file control says what should be there."""
    with pytest.raises(Unusable, match=why):
        read_results(file(ENTRY, RETURN, control=control(entries, cents)))


def test_what_is_not_a_number_is_named_by_its_columns() -> None:
    """As NACHA counts them, from 1."""
    with pytest.raises(Unusable, match="line 3, columns 30-39: not a number"):
        read_results(file(ENTRY.replace("0000100010", "00001000l0"), RETURN, control=control(2, 100010)))
