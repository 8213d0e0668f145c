"""What proves a statement, and each thing that gives a false one away, told in words; by hand.

ib-north earned 5 and 7.346 in September: 12.346, of which 12.35 are paid, so 0.004 come from rounding. In
October it earned 8, and 3 of that were taken back: 5.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from commission.outputs import Statement, Transfer
from commission.partner.statement_hash import check, line_of
from schemas.wire import encode
from tests.build import D, at, ended
from tests.commission.books.partner_rows import earned, settle
from tests.independent_verifier import faults

FIVE, SEVEN = earned("5"), earned("7.346", day=4)
EIGHT = earned("8", day=33)
THREE = earned("-3", day=34, reverses=EIGHT.transfer_id)
SAID = settle(FIVE, SEVEN, ended("2026-09"), EIGHT, THREE, ended("2026-10"))
SEPTEMBER, OCTOBER = SAID.statements
PAID, ROUNDED, PAID_OCTOBER = (row for row in SAID.transfers if row.code in ("statement", "rounding"))
ROWS, ROWS_OCTOBER = (FIVE, SEVEN, PAID, ROUNDED), (EIGHT, THREE, PAID_OCTOBER)


def wrong(
    statement: Statement, rows: Sequence[Transfer], previous: Statement | None = None
) -> dict[str, str]:
    """What does not hold, and what was found in its place."""
    return {one.name: one.found for one in check(statement, rows, previous) if not one.holds}


def written(path: Path, statement: Statement, rows: Sequence[Transfer]) -> Path:
    """The statement as a file."""
    path.write_bytes(b"\n".join(encode([statement, *rows])))
    return path


def test_a_sound_statement_says_what_it_adds_up() -> None:
    """Every sum with its rows; the hash is that of the independent verifier."""
    found = {one.name: one.found for one in check(SEPTEMBER, ROWS)}
    assert found == {
        "opening to closing": "0 + 12.346 - 0 - 12.35 + 0.004 = 0 USD",
        "every transfer once": "4 transfers",
        "accrued": "2 transfers make 12.346 USD",
        "reversed": "0 transfers make 0 USD",
        "payable": "1 transfers make 12.35 USD",
        "rounding": "1 transfers make -0.004 USD",
        "taken back once": "0 reversals of rows of this statement",
        "hash": f"{SEPTEMBER.hash} of 4 transfers",
    }
    assert wrong(SEPTEMBER, ROWS) == {}


def test_a_statement_follows_the_one_before(tmp_path: Path) -> None:
    """October opens where September closed, and has its hash; both verifiers say so."""
    found = {one.name: one.found for one in check(OCTOBER, ROWS_OCTOBER, SEPTEMBER)}
    assert found["opening to closing"] == "0 + 8 - 3 - 5 - 0 = 0 USD"
    assert found["taken back once"] == "1 reversals of rows of this statement"
    assert found["follows the one before"] == f"2026-09 {SEPTEMBER.hash[:16]}…"
    assert found["opens where it closed"] == "closed at 0, opens at 0 USD"
    assert wrong(OCTOBER, ROWS_OCTOBER, SEPTEMBER) == {}
    files = [
        written(tmp_path / "2026-10", OCTOBER, ROWS_OCTOBER),
        written(tmp_path / "2026-09", SEPTEMBER, ROWS),
    ]
    assert faults(*files) == []


def test_the_order_of_the_rows_is_no_matter() -> None:
    """The same hash backwards."""
    assert wrong(SEPTEMBER, ROWS[::-1]) == {}


def test_a_row_is_hashed_line_by_line() -> None:
    """Texts, what it takes back, amount, lots, version and times, as the document lists them."""
    row = replace(THREE, lots=D("0.50"), matures_at=at(35), plan_id="own", plan_version=2)
    day_34, day_35 = "1791072000000000", "1791158400000000"  # 2026-10-04 and -05, from 1970 on
    assert line_of(row).split("\n") == [
        "-3 USD 34", "reversal", "ib:ib-north:pending", "broker:expense:per_lot", "live|1", "", "",
        "", "", "own", "", "8 USD 33", "3", "0.5", "2", day_34, day_35,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lots", "text"),
    [
        ("2", "2"),
        ("1E+2", "100"),
        ("0.12345678", "0.12345678"),
        ("0.1234567800", "0.12345678"),
        ("0.123456789", "0.12345678"),
        ("-0.123456789", "-0.12345678"),
        ("1.000000009", "1"),
        ("0.000000001", "0"),
        ("1E-9", "0"),
    ],
)
def test_lots_are_cut_to_what_is_stored(lots: str, text: str) -> None:
    """Eight decimals and no trailing zeros: what the database gives back is hashed the same."""
    assert line_of(replace(THREE, lots=D(lots))).split("\n")[13] == text


HASH = "the file makes "


def another(number: int, **fields: Any) -> tuple[Transfer, ...]:
    """September's rows with something else in one."""
    return tuple(replace(row, **fields) if n == number else row for n, row in enumerate(ROWS))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            another(0, amount=D("5.01")),
            {"accrued": "2 transfers make 12.356 USD, 0.01 more than stated (12.346)", "hash": HASH},
        ),
        (
            ROWS[1:],
            {
                "every transfer once": "3 transfers; the statement has 4 transfers",
                "accrued": "1 transfers make 7.346 USD, 5 less than stated (12.346)",
                "hash": HASH,
            },
        ),
        (
            (*ROWS, FIVE),
            {
                "every transfer once": "5 transfers; the statement has 4 transfers; 5 USD 3 is there 2 times",
                "accrued": "3 transfers make 17.346 USD, 5 more than stated (12.346)",
                "hash": HASH,
            },
        ),
        (another(0, caused_by="live|2"), {"hash": HASH}),
        (another(0, currency="EUR"), {"every transfer once": "4 transfers; 5 USD 3 is in EUR"}),
        (
            another(0, ib_id="ib-other"),
            {"every transfer once": "4 transfers; 5 USD 3 moves nothing of ib-north"},
        ),
        (
            another(0, credit="ib:ib-north:held"),
            {
                "every transfer once": "4 transfers; 5 USD 3 moves nothing of ib-north",
                "accrued": "1 transfers make 7.346 USD, 5 less than stated (12.346)",
                "hash": HASH,
            },
        ),
        (
            another(0, debit="ib:ib-north:pending"),  # from pending to pending
            {
                "every transfer once": "4 transfers; 5 USD 3 moves nothing of ib-north",
                "reversed": "1 transfers make 5 USD, 5 more than stated (0)",
                "hash": HASH,
            },
        ),
        (another(0, period="2026-08"), {"every transfer once": "4 transfers; 5 USD 3 is of 2026-08 period"}),
        (
            another(2, period=""),
            {"every transfer once": f"4 transfers; {PAID.transfer_id} is of no period"},
        ),
        (
            another(0, amount=D(0)),
            {
                "every transfer once": "4 transfers; 5 USD 3 moves 0",
                "accrued": "2 transfers make 7.346 USD, 5 less than stated (12.346)",
                "hash": HASH,
            },
        ),
        (
            another(0, caused_by="live|1\n"),
            {"every transfer once": "4 transfers; 5 USD 3 has a text of more than one line", "hash": HASH},
        ),
        (
            another(0, reverses="a\nb"),
            {"every transfer once": "4 transfers; 5 USD 3 has a text of more than one line", "hash": HASH},
        ),
        (
            another(2, credit="ib:ib-other:payable"),
            {"payable": "what is due went elsewhere than to the IB's payable", "hash": HASH},
        ),
        (
            another(3, debit="ib:ib-north:pending", credit="rounding"),
            {"rounding": "1 transfers make 0.004 USD, 0.008 more than stated (-0.004)", "hash": HASH},
        ),
    ],
)
def test_a_row_that_was_tampered_with(rows: tuple[Transfer, ...], told: dict[str, str]) -> None:
    """Each change is found by what it breaks, and by nothing else."""
    found = wrong(SEPTEMBER, rows)
    assert set(found) == set(told)
    for name, text in told.items():
        assert found[name].startswith(text) if text == HASH else found[name] == text


@pytest.mark.parametrize("number", range(4))
def test_both_verifiers_find_another_amount(number: int, tmp_path: Path) -> None:
    """A cent more in any of the rows."""
    rows = another(number, amount=ROWS[number].amount + D("0.01"))
    assert "hash" in wrong(SEPTEMBER, rows)
    assert "hash" in faults(written(tmp_path / "file", SEPTEMBER, rows))


def test_a_row_too_many_is_named() -> None:
    """Without it the hash would hold."""
    alien = earned("1", day=5)
    assert wrong(SEPTEMBER, (*ROWS, alien))["hash"].endswith(
        f"the statement says {SEPTEMBER.hash[:16]}…; without 1 USD 5 it would hold: "
        "that transfer does not belong"
    )


def test_three_faults_are_named_and_the_rest_counted() -> None:
    """All four rows are in another currency."""
    rows = [replace(row, currency="EUR") for row in ROWS]
    names = "; ".join(f"{row.transfer_id} is in EUR" for row in ROWS[:3])
    assert wrong(SEPTEMBER, rows) == {"every transfer once": f"4 transfers; {names}; and 1 more"}


def test_no_more_is_taken_back_than_there_was() -> None:
    """9 of the 8; what an earlier statement holds cannot be compared here."""
    nine = replace(THREE, amount=D(9))
    rows = (EIGHT, nine, PAID_OCTOBER)
    assert wrong(OCTOBER, rows)["taken back once"] == (
        "1 reversals of rows of this statement; -3 USD 34 takes back 9 of 8"
    )
    late = (EIGHT, replace(nine, reverses=FIVE.transfer_id), PAID_OCTOBER)
    assert "taken back once" not in wrong(OCTOBER, late)


@pytest.mark.parametrize(
    ("fields", "name", "told"),
    [
        ({"closing": D(1)}, "opening to closing", "0 + 12.346 - 0 - 12.35 + 0.004 = 0 USD, not 1"),
        (
            {"payable": D("12.346"), "rounding": D(0)},
            "opening to closing",
            "0 + 12.346 - 0 - 12.346 - 0 = 0 USD; 12.346 USD cannot be paid",
        ),
        (
            {"payable": D(-1), "closing": D("13.35")},
            "opening to closing",
            "0 + 12.346 - 0 - -1 + 0.004 = 13.35 USD; -1 USD cannot be paid",
        ),
        ({"payable": D("12.34")}, "payable", "1 transfers make 12.35 USD, 0.01 more than stated (12.34)"),
        ({"reversed": D(1)}, "reversed", "0 transfers make 0 USD, 1 less than stated (1)"),
    ],
)
def test_a_figure_that_was_tampered_with(
    fields: dict[str, Any], name: str, told: str, tmp_path: Path
) -> None:
    """The figure is told beside what the rows make, and the hash is another; both verifiers say so."""
    changed = replace(SEPTEMBER, **fields)
    found = wrong(changed, ROWS)
    assert (found[name], "hash" in found) == (told, True)
    assert "hash" in faults(written(tmp_path / "file", changed, ROWS))


def test_a_statement_without_a_hash_says_none() -> None:
    """It proves nothing."""
    assert wrong(replace(SEPTEMBER, hash=""), ROWS) == {
        "hash": f"the file makes {SEPTEMBER.hash[:16]}…, the statement says none…"
    }


ALIEN = "is no earlier statement of this IB"


@pytest.mark.parametrize(
    ("statement", "previous", "told"),
    [
        (OCTOBER, replace(SEPTEMBER, ib_id="ib-other"), f"ib-other 2026-09 USD {ALIEN}"),
        (OCTOBER, replace(SEPTEMBER, currency="EUR"), f"ib-north 2026-09 EUR {ALIEN}"),
        (OCTOBER, OCTOBER, f"ib-north 2026-10 USD {ALIEN}"),
        (
            OCTOBER,
            replace(SEPTEMBER, hash="f" * 64),
            f"2026-09 {'f' * 16}…, but this statement follows {SEPTEMBER.hash[:16]}…",
        ),
        (
            replace(OCTOBER, previous=""),
            replace(SEPTEMBER, hash=""),  # nothing proves nothing
            "2026-09 …, but this statement follows none…",
        ),
    ],
)  # fmt: skip
def test_a_statement_that_does_not_follow(statement: Statement, previous: Statement, told: str) -> None:
    """Another's, a later one, or one that was changed since."""
    assert wrong(statement, ROWS_OCTOBER, previous)["follows the one before"] == told


def test_a_statement_opens_where_the_last_closed() -> None:
    """1 was carried, and it opens at nothing."""
    found = wrong(OCTOBER, ROWS_OCTOBER, replace(SEPTEMBER, closing=D(1)))
    assert found == {"opens where it closed": "closed at 1, opens at 0 USD"}
