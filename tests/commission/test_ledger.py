"""The ledger as a whole: it balances by construction, and equal ledgers have equal hashes."""

from msgspec.structs import replace

from commission.ids import digest
from commission.ledger import balances, ledger_hash, unique
from tests.build import (
    ANNA,
    D,
    deal,
    ended,
    exchange,
    linked,
    partner,
    period,
    registered,
    run,
)

ONE = deal("1 buy 1 EURUSD out")
TWO = deal("2 buy 2 EURUSD out")
BEN = (linked("2 ben"), registered("ben ib-north"))


def test_the_trial_balance_is_zero() -> None:
    """Per currency, whatever was accrued, reversed, settled and rounded."""
    yen = partner("ib-north JPY silver ib-master")
    gone = replace(TWO, revision="b", kind="cancelled")
    odd = deal("3 buy 0.333 EURUSD out")
    month = (period("2026-09"), exchange("USD/JPY 151.37"))
    told = run(*month, *ANNA, ONE, TWO, yen, odd, gone, ended("2026-09"))
    totals = {"USD": D(0), "JPY": D(0)}
    for (_, currency), amount in balances(told.transfers).items():
        totals[currency] += amount
    assert {row.code for row in told.transfers} == {"accrual", "reversal", "statement", "rounding"}
    assert totals == {"USD": 0, "JPY": 0}


def test_a_row_sent_twice_counts_once() -> None:
    """Rows are known by their ids."""
    rows = run(*ANNA, ONE).transfers
    assert list(unique([*rows, *rows]).values()) == rows
    assert ledger_hash([*rows, *rows]) == ledger_hash(rows)


def test_the_order_of_rows_does_not_matter() -> None:
    """A hash is of what moved, not of when it became known."""
    rows = run(*ANNA, ONE, TWO).transfers
    assert ledger_hash(rows[::-1]) == ledger_hash(rows)
    assert ledger_hash(run(*ANNA, TWO, ONE).transfers) == ledger_hash(rows)


def test_what_was_undone_leaves_no_trace_in_the_hash() -> None:
    """Accrued, reversed and accrued again equals accrued once; all reversed equals nothing."""
    revised = replace(ONE, revision="b", volume_e8=3 * 10**8)
    gone = replace(ONE, revision="c", kind="cancelled")
    assert ledger_hash(run(*ANNA, revised, ONE).transfers) == ledger_hash(run(*ANNA, ONE).transfers)
    assert ledger_hash(run(*ANNA, ONE, gone).transfers) == ledger_hash([])


def test_other_amounts_places_and_causes_have_other_hashes() -> None:
    """Another amount, deal, client, IB or statement is another ledger."""
    month = (period("2026-09"), period("2026-10"))
    runs = [
        run(),
        run(*ANNA, ONE),
        run(*ANNA, replace(ONE, volume_e8=10**8 + 1)),
        run(*ANNA, replace(ONE, deal_id="9")),
        run(*BEN, replace(ONE, login=2)),
        run(linked("1 anna"), registered("anna ib-master"), ONE),
        run(*ANNA, ONE, *month, ended("2026-09")),
        run(*ANNA, ONE, *month, ended("2026-10")),
    ]
    assert len({ledger_hash(told.transfers) for told in runs}) == len(runs)


def test_the_hash_is_this_one() -> None:
    """A change of the hash is a change of the ledger's format, and is seen here first."""
    row = replace(run(*ANNA, ONE).transfers[0], amount=D("5"))
    # sha256 of the two legs, sorted, the parts of each joined by U+001F:
    # broker:expense:per_lot, live|1, ib-north, per_lot, no period, USD, -5
    # ib:ib-north:pending, anna, ib-north, per_lot, no period, USD, 5
    assert ledger_hash([row]) == "719fbdc0188565f1bfeec714307696aa17fe93b5e16d04d0d874a85e9f1b6c9e"


def test_ids_tell_their_parts_apart() -> None:
    """Where one part ends and the next begins is part of the id."""
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest("a", "b", "c")}) == 4
    assert digest("a", "b") == digest("a", "b")
    assert len(digest("a")) == 32
