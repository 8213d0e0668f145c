"""NACHA: credits to accounts in the United States, records of 94 characters in blocks of 10.

Companies are paid as CCD, persons as PPD, each in a batch of its own. The file holds credits only: the bank
debits the originator as agreed (it is not balanced by an offset entry).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from infra.payees.details import UsBankAccount
from infra.payout_files.bank_text import ascii_text
from infra.payout_files.order import (
    REFERENCE_CHARS,
    OrderLine,
    PayoutOrder,
    WrittenFile,
    check,
    kind_of,
    refuse,
    total,
)

WIDTH, BLOCK = 94, 10
MAX_ENTRY = Decimal("99999999.99")
MAX_TOTAL = Decimal("9999999999.99")
"""Of a file: 12 digits of cents."""
NAME_CHARS, REMITTANCE_CHARS = 22, 80
CREDITS_ONLY = "220"
CODES = {"checking": "22", "savings": "32"}
SEC = {"company": "CCD", "person": "PPD"}
HASH = 10**10
MODIFIERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True, slots=True)
class _Batch:
    """The lines of one entry class."""

    number: int
    sec: str
    lines: tuple[OrderLine, ...]


def write_nacha(order: PayoutOrder) -> WrittenFile:
    """Write a batch; raise `Unusable` for what no bank could pay, or a payee without routing and account."""
    check(order)
    refuse(_faults(order))
    batches = _batches(order)
    records = [_file_header(order), *(one for batch in batches for one in _records(order, batch))]
    blocks = -(-(len(records) + 1) // BLOCK)
    records.append(_file_control(order, batches, blocks))
    records += ["9" * WIDTH] * (blocks * BLOCK - len(records))
    assert all(len(record) == WIDTH for record in records), "every record has 94 characters"
    body = "".join(f"{record}\n" for record in records).encode("ascii")
    return WrittenFile(f"{order.message_id}.ach", body, tuple(_shortened(order)))


def _faults(order: PayoutOrder) -> Iterator[str]:
    if order.currency != "USD":
        yield f"NACHA pays USD, not {order.currency}"
    if not isinstance(order.payer.account, UsBankAccount):
        yield "NACHA pays from an account with a routing number; the debtor has another"
    if not 1 <= len(ascii_text(order.payer.company_id)) <= 10:
        yield "the debtor's company_id has 1 to 10 characters; the bank gives it"
    if total(order.lines) > MAX_TOTAL:
        yield f"a file pays at most {MAX_TOTAL:,}"
    for line in order.lines:
        if not isinstance(line.account, UsBankAccount):
            yield f"{line.end_to_end_id}: is paid by {kind_of(line)}, not by routing number and account"
        if len(line.end_to_end_id) > REFERENCE_CHARS:
            yield f"{line.end_to_end_id}: a NACHA entry carries {REFERENCE_CHARS} characters of an id"
        if line.amount > MAX_ENTRY:
            yield f"{line.end_to_end_id}: an entry pays at most {MAX_ENTRY:,}"


def _batches(order: PayoutOrder) -> list[_Batch]:
    found: list[_Batch] = []
    for sec in SEC.values():
        lines = tuple(line for line in order.lines if SEC[_us(line).holder_type] == sec)
        if lines:
            found.append(_Batch(len(found) + 1, sec, lines))
    return found


def _records(order: PayoutOrder, batch: _Batch) -> Iterator[str]:
    company = _padded(ascii_text(order.payer.company_id), 10)
    origin = _us_debtor(order).routing[:8]
    name = _padded(ascii_text(order.payer.name), 16)
    yield (
        f"5{CREDITS_ONLY}{name}{'':20}{company}{batch.sec}{'COMMISSION'}{'':6}"
        f"{order.execution_date:%y%m%d}{'':3}1{origin}{batch.number:07}"
    )
    for number, line in enumerate(batch.lines, 1):
        account = _us(line)
        yield (
            f"6{CODES[account.account_type]}{account.routing}{account.account:17}{_cents(line.amount):010}"
            f"{line.end_to_end_id:15}{_padded(ascii_text(account.holder), NAME_CHARS)}"
            f"{'':2}1{origin}{number:07}"
        )
        yield f"705{_padded(ascii_text(line.remittance), REMITTANCE_CHARS)}0001{number:07}"
    yield (
        f"8{CREDITS_ONLY}{2 * len(batch.lines):06}{_entry_hash(batch.lines):010}{0:012}"
        f"{_cents(total(batch.lines)):012}{company}{'':25}{origin}{batch.number:07}"
    )


def _file_header(order: PayoutOrder) -> str:
    debtor, made = order.payer, order.created_utc
    destination = f" {_us_debtor(order).routing}"
    origin = f"{ascii_text(debtor.company_id):>10}"
    # Two files of one minute must differ in it, and one file must not by when it is written again.
    modifier = MODIFIERS[sum(order.message_id.encode()) % len(MODIFIERS)]
    return (
        f"101{destination}{origin}{made:%y%m%d%H%M}{modifier}094101"
        f"{_padded(ascii_text(debtor.bank_name), 23)}{_padded(ascii_text(debtor.name), 23)}"
        f"{order.message_id[:8]}"
    )


def _file_control(order: PayoutOrder, batches: list[_Batch], blocks: int) -> str:
    return (
        f"9{len(batches):06}{blocks:06}{2 * len(order.lines):08}{_entry_hash(order.lines):010}"
        f"{0:012}{_cents(total(order.lines)):012}{'':39}"
    )


def _entry_hash(lines: tuple[OrderLine, ...]) -> int:
    """The last 10 digits of the sum of the banks' first 8."""
    return sum(int(_us(line).routing[:8]) for line in lines) % HASH


def _cents(amount: Decimal) -> int:
    return int(amount.scaleb(2))


def _padded(text: str, width: int) -> str:
    return f"{text[:width]:{width}}"


def _us(line: OrderLine) -> UsBankAccount:
    assert isinstance(line.account, UsBankAccount), "checked before anything is written"
    return line.account


def _us_debtor(order: PayoutOrder) -> UsBankAccount:
    assert isinstance(order.payer.account, UsBankAccount), "checked before anything is written"
    return order.payer.account


def _shortened(order: PayoutOrder) -> Iterator[tuple[str, str]]:
    for line in order.lines:
        if len(ascii_text(_us(line).holder)) > NAME_CHARS:
            yield line.end_to_end_id, "name"
        if len(ascii_text(line.remittance)) > REMITTANCE_CHARS:
            yield line.end_to_end_id, "remittance"
