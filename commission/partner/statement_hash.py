"""Tamper evidence: a statement's hash over its figures, its transfers and the statement before it.

The fold keeps one number for each open period, the sum of the numbers of its transfers, so that neither
their order nor how they are cut into messages matters, and a statement of any length costs 128 bytes.
The numbers have 1,024 bits, not the 256 of one SHA-256, because who may choose rows could make a short sum
come out as wished: Wagner's k-tree over a million forged rows takes 2**32 hashes for 256 bits and 2**69 for
these. Sorting ids at the close would need all of them kept, and an LtHash of 16,384 bits five times the time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from hashlib import blake2b, sha256
from operator import attrgetter
from typing import NamedTuple

from commission import accounts
from commission.money import ACCRUAL_UNIT, EXACT, payable_unit, plain
from commission.outputs import Statement, Transfer

VERSION = "ibflow statement 1"
"""First line of what a statement's hash is taken of; another way of hashing has another number."""
ROW_BYTES = 128
LOTS_DIGITS = 8
_MASK = (1 << 8 * ROW_BYTES) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
MAX_NAMED = 3
"""Rows that one finding names."""

TEXTS = (
    "transfer_id",
    "code",
    "debit",
    "credit",
    "caused_by",
    "client_id",
    "account_key",
    "component",
    "rule",
    "plan_id",
    "symbol",
)
"""The texts of a row's line, in order; numbers and times follow."""
PROVED = frozenset(
    {
        *TEXTS,
        "ib_id",
        "currency",
        "reverses",
        "amount",
        "lots",
        "period",
        "plan_version",
        "occurred_at",
        "matures_at",
    }
)
"""What is proved of a transfer: the hash covers it, or it is the statement's own. A file shows no more."""

_texts = attrgetter(*TEXTS)
_ZERO = Decimal(0)


# What is hashed


def line_of(row: Transfer) -> str:
    """The row as it is hashed: texts, then `reverses`, amount, lots, version and times, one a line.

    Numbers are plain, without exponent or trailing zeros, lots cut to 8 decimals as they are stored;
    times are microseconds since 1970 in UTC; what is absent is empty.
    """
    matures_at = row.matures_at
    return "\n".join(
        (
            *_texts(row),
            row.reverses or "",
            plain(row.amount),
            _lots(row.lots),
            str(row.plan_version),
            str((row.occurred_at - _EPOCH) // _MICROSECOND),  # spelled out: a call is a tenth of the line
            "" if matures_at is None else _microseconds(matures_at),
        )
    )


def with_row(total: int, row: Transfer) -> int:
    """The sum of a statement's rows with one more; rows may come in any order.

    A row's number is BLAKE2b-512 of its line, followed by BLAKE2b-512 of that. Sums are reduced
    modulo 2**1024 when a statement is hashed, not at each step, which is faster.
    """
    first = blake2b(line_of(row).encode()).digest()
    return total + int.from_bytes(first + blake2b(first).digest(), "big")


def total_of(rows: Iterable[Transfer], total: int = 0) -> int:
    """The sum of several rows."""
    for row in rows:
        total = with_row(total, row)
    return total


def statement_hash(statement: Statement, total: int) -> str:
    """SHA-256, in hex, of the statement's figures, the hash before it and the sum of its rows, one a line.

    One that replaces a withdrawn statement has the id of that in a line of its own before the sum.
    """
    lines = (
        VERSION,
        statement.statement_id,
        statement.ib_id,
        statement.period,
        _microseconds(statement.starts_at),
        _microseconds(statement.ends_at),
        statement.currency,
        *map(plain, _figures(statement)),
        str(statement.transfers),
        statement.previous,
        *((statement.replaces,) if statement.replaces else ()),
        f"{total & _MASK:0{2 * ROW_BYTES}x}",
    )
    return sha256("\n".join(lines).encode()).hexdigest()


def _figures(s: Statement) -> tuple[Decimal, ...]:
    return s.opening, s.accrued, s.reversed, s.payable, s.rounding, s.closing, s.held


def _lots(lots: Decimal) -> str:
    text = plain(lots)
    point = text.find(".")
    if point < 0 or len(text) - point <= 1 + LOTS_DIGITS:
        return text
    return plain(lots.quantize(ACCRUAL_UNIT, ROUND_DOWN, EXACT))


def _microseconds(at: datetime) -> str:
    return str((at - _EPOCH) // _MICROSECOND)


# What a partner checks


class Check(NamedTuple):
    """One thing that must hold of a statement, what was found, and whether it holds."""

    name: str
    found: str
    holds: bool


def check(
    statement: Statement, rows: Sequence[Transfer], previous: Statement | None = None
) -> tuple[Check, ...]:
    """Check a statement with nothing but its transfers and, if at hand, the statement before it."""
    return (
        _adds_up(statement),
        _rows_belong(statement, rows),
        *_sums(statement, rows),
        _hash_holds(statement, rows),
        *(() if previous is None else _follows(statement, previous)),
    )


def _adds_up(s: Statement) -> Check:
    closing = s.opening + s.accrued - s.reversed - s.payable - s.rounding
    unit = payable_unit(s.currency)
    is_payable = s.payable >= 0 and s.payable == s.payable.quantize(unit, context=EXACT)
    found = (
        f"{plain(s.opening)} + {plain(s.accrued)} - {plain(s.reversed)} - {plain(s.payable)} "
        f"{'-' if s.rounding >= 0 else '+'} {plain(abs(s.rounding))} = {plain(closing)} {s.currency}"
    )
    if closing != s.closing:
        found += f", not {plain(s.closing)}"
    if not is_payable:
        found += f"; {plain(s.payable)} {s.currency} cannot be paid"
    return Check("opening to closing", found, closing == s.closing and is_payable)


def _rows_belong(s: Statement, rows: Sequence[Transfer]) -> Check:
    """Each row once, of this IB and currency, moving money, and without text that could blur two fields."""
    wrong = [f"{row.transfer_id} {why}" for row in rows for why in _faults(s, row)]
    wrong += [f"{key} is there {n} times" for key, n in Counter(r.transfer_id for r in rows).items() if n > 1]
    if len(rows) != s.transfers:
        wrong.insert(0, f"the statement has {s.transfers} transfers")
    return Check("every transfer once", f"{len(rows)} transfers{_named(wrong)}", not wrong)


def _faults(s: Statement, row: Transfer) -> Iterator[str]:
    pending = accounts.pending(s.ib_id)
    if row.ib_id != s.ib_id or (row.credit == pending) == (row.debit == pending):
        yield f"moves nothing of {s.ib_id}"
    if row.period != (s.period if row.code in ("statement", "rounding") else ""):
        yield f"is of {row.period or 'no'} period"
    if row.currency != s.currency:
        yield f"is in {row.currency}"
    if row.amount <= 0:
        yield f"moves {plain(row.amount)}"
    if any("\n" in text for text in (*_texts(row), row.reverses or "")):
        yield "has a text of more than one line"


def _sums(s: Statement, rows: Sequence[Transfer]) -> Iterator[Check]:
    pending = accounts.pending(s.ib_id)
    earned = [row for row in rows if row.code not in ("statement", "rounding")]
    paid = [row for row in rows if row.code == "statement"]
    rounded = [row for row in rows if row.code == "rounding"]
    yield _sum("accrued", s.accrued, s.currency, [row for row in earned if row.credit == pending])
    yield _sum("reversed", s.reversed, s.currency, [row for row in earned if row.debit == pending])
    yield _sum("payable", s.payable, s.currency, paid)
    if any(row.credit != accounts.payable(s.ib_id) for row in paid):
        yield Check("payable", "what is due went elsewhere than to the IB's payable", holds=False)
    signed = [r.amount if r.credit == accounts.ROUNDING else -r.amount for r in rounded]
    total = sum(signed, _ZERO)
    yield Check("rounding", _against(total, s.rounding, s.currency, len(rounded)), total == s.rounding)
    by_id = {row.transfer_id: row for row in rows}
    pairs = [(row, by_id[row.reverses]) for row in rows if row.reverses and row.reverses in by_id]
    wrong = [
        f"{row.transfer_id} takes back {plain(row.amount)} of {plain(original.amount)}"
        for row, original in pairs
        if row.amount > original.amount
    ]
    yield Check(
        "taken back once", f"{len(pairs)} reversals of rows of this statement{_named(wrong)}", not wrong
    )


def _sum(name: str, stated: Decimal, currency: str, rows: Sequence[Transfer]) -> Check:
    total = sum((row.amount for row in rows), _ZERO)
    return Check(name, _against(total, stated, currency, len(rows)), total == stated)


def _against(total: Decimal, stated: Decimal, currency: str, count: int) -> str:
    found = f"{count} transfers make {plain(total)} {currency}"
    if total == stated:
        return found
    more = "more" if total > stated else "less"
    return f"{found}, {plain(abs(total - stated))} {more} than stated ({plain(stated)})"


def _hash_holds(s: Statement, rows: Sequence[Transfer]) -> Check:
    total = total_of(rows)
    found = statement_hash(s, total)
    if found == s.hash:
        return Check("hash", f"{found} of {len(rows)} transfers", holds=True)
    alien = [row.transfer_id for row in rows if statement_hash(s, total - with_row(0, row)) == s.hash]
    told = f"; without {alien[0]} it would hold: that transfer does not belong" if alien else ""
    return Check(
        "hash",
        f"the file makes {found[:16]}…, the statement says {s.hash[:16] or 'none'}…{told}",
        holds=False,
    )


def _follows(s: Statement, previous: Statement) -> Iterator[Check]:
    same = (s.ib_id, s.currency) == (previous.ib_id, previous.currency) and previous.starts_at < s.starts_at
    chained = same and bool(previous.hash) and s.previous == previous.hash
    found = f"{previous.period} {previous.hash[:16]}…"
    if not same:
        found = f"{previous.ib_id} {previous.period} {previous.currency} is no earlier statement of this IB"
    elif not chained:
        found += f", but this statement follows {s.previous[:16] or 'none'}…"
    yield Check("follows the one before", found, chained)
    opens = s.opening == previous.closing
    carried = f"closed at {plain(previous.closing)}, opens at {plain(s.opening)} {s.currency}"
    yield Check("opens where it closed", carried, opens)


def _named(wrong: Sequence[str]) -> str:
    more = f"; and {len(wrong) - MAX_NAMED} more" if len(wrong) > MAX_NAMED else ""
    return "".join(f"; {text}" for text in wrong[:MAX_NAMED]) + more
