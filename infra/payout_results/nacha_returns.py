"""NACHA return files: entries that came back, each with its addenda 99, and notices of change (98)."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from infra.payout_files.nacha import WIDTH
from infra.payout_results.reason_codes import NACHA_CHANGES, NACHA_RETURNS, in_words
from infra.payout_results.results import ResultFile, Said
from schemas.errors import Unusable

MAX_BYTES = 64_000_000
RETURN, CHANGE = "99", "98"
CREDITS = ("21", "31")
"""Transaction codes of a credit that came back; every other entry is none of ours."""


@dataclass(frozen=True, slots=True)
class _Record:
    """One line of the file; columns are counted from 1, as NACHA's rules do."""

    number: int
    line: str

    def text(self, first: int, last: int) -> str:
        return self.line[first - 1 : last]

    def count(self, first: int, last: int) -> int:
        digits = self.text(first, last)
        if not digits.isdigit():
            raise Unusable(f"line {self.number}, columns {first}-{last}: not a number")
        return int(digits)


def read_nacha_returns(body: bytes) -> ResultFile:
    """Read a return file; raise `Unusable` if it is none, or was cut off or changed on its way."""
    records = _records(body)
    _check_control(records)
    notices: list[str] = []
    said = tuple(_said(records, notices))
    header = records[0]
    return ResultFile("nacha", header.text(24, 34).strip(), said, tuple(notices))


def _said(records: list[_Record], notices: list[str]) -> Iterator[Said]:
    entry: _Record | None = None
    for record in records:
        if record.text(1, 1) == "6":
            if entry is not None:
                notices.append(f"line {entry.number}: an entry without an addenda says nothing")
            entry = record
        elif record.text(1, 1) == "7" and entry is not None:
            if record.text(2, 3) == RETURN:
                yield _returned(entry, record)
                entry = None
            elif record.text(2, 3) == CHANGE:
                notices.append(_change(entry, record))
                entry = None


def _returned(entry: _Record, addenda: _Record) -> Said:
    is_credit = entry.text(2, 3) in CREDITS
    reason = in_words(addenda.text(4, 6), NACHA_RETURNS, " ".join(addenda.text(36, 79).split()))
    return Said(
        reference=entry.text(40, 54).strip(),
        outcome="rejected" if is_credit else "unknown",
        reason=f"returned: {reason}" if is_credit else f"a debit came back: {reason}",
        amount=Decimal(entry.count(30, 39)).scaleb(-2),
        currency="USD",
        is_return=is_credit,
        place=f"line {entry.number}",
    )


def _change(entry: _Record, addenda: _Record) -> str:
    """The payment was made; what is to be changed is in the file, and not repeated here."""
    code = addenda.text(4, 6)
    what = NACHA_CHANGES.get(code, "something")
    return (
        f"line {entry.number}: {code}, change {what} of {entry.text(40, 54).strip()} before the next payout"
    )


def _records(body: bytes) -> list[_Record]:
    if len(body) > MAX_BYTES:
        raise Unusable(f"the file is larger than {MAX_BYTES:,} bytes")
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError as error:
        raise Unusable(f"byte {error.start + 1} is not ASCII; a NACHA file has nothing else") from None
    lines = text.splitlines()
    if len(lines) == 1 and len(text) > WIDTH:
        lines = [text[at : at + WIDTH] for at in range(0, len(text), WIDTH)]
    records = [_Record(number, line.rstrip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not records or not records[0].line.startswith("101"):
        raise Unusable("the file does not begin with the header of a NACHA file (101)")
    for record in records:
        if len(record.line) > WIDTH:
            raise Unusable(f"line {record.number} has {len(record.line)} characters, not {WIDTH}")
    return records


def _check_control(records: list[_Record]) -> None:
    """The last record counts what is in the file; the lines of nines after it only fill the block."""
    controls = [one for one in records if one.text(1, 1) == "9" and set(one.line) != {"9"}]
    if len(controls) != 1:
        raise Unusable(f"the file has {len(controls)} file control records, not 1; was it cut off?")
    control = controls[0]
    entries = [one for one in records if one.text(1, 1) == "6"]
    addenda = sum(one.text(1, 1) == "7" for one in records)
    if control.count(14, 21) != len(entries) + addenda:
        raise Unusable("the file control counts other entries than the file has; was it cut off?")
    cents = sum(one.count(30, 39) for one in entries)
    if control.count(32, 43) + control.count(44, 55) != cents:
        raise Unusable("the file control has another total than the entries")
