"""What a payout file is made of: one batch, one currency, one way to pay. Its ids are digests."""

import re
from base64 import b32encode
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b, sha256
from itertools import islice

from commission.money import EXACT, minor_digits, payable_unit
from commission.value import MAX_TEXT
from infra.payees.details import BankAccount, PayeeDetails, UsBankAccount, faults
from schemas.errors import Unusable

MAX_LINES = 100_000
"""What banks take in one file; a longer batch is split before it gets here."""
MAX_AMOUNT = Decimal("999999999.99")
"""Of a line, as SEPA has it."""
REFERENCE_CHARS = 15
"""75 bits: as much as a NACHA entry can carry, so one id serves every format and comes back in each."""
SHOWN = 5

_REFERENCE = re.compile(r"[A-Z0-9]{1,35}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Debtor:
    """Who pays, from which account; the last two are for NACHA, as the bank gave them."""

    name: str
    account: BankAccount | UsBankAccount
    company_id: str = ""
    bank_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One payment; `end_to_end_id` comes back with its result (`reference`)."""

    end_to_end_id: str
    amount: Decimal
    payee_name: str
    account: PayeeDetails | None
    """None: nobody approved details. Only tables have such a line, for it is paid by hand."""
    remittance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutOrder:
    """Everything that a file says; equal orders give equal bytes."""

    batch_id: str
    created_at: datetime
    execution_date: date
    debtor: Debtor | None
    """None where nobody set who pays: tables do without."""
    currency: str
    lines: tuple[OrderLine, ...]

    @property
    def message_id(self) -> str:
        """Of the whole file."""
        return message_id_of(self.batch_id)

    @property
    def payer(self) -> Debtor:
        """The debtor; raise `Unusable` if there is none."""
        if self.debtor is None:
            raise Unusable(f"nobody is set to pay {self.currency} in this format: see IBFLOW_PAYERS_FILE")
        return self.debtor

    @property
    def created_utc(self) -> datetime:
        """When the batch was made, in whole seconds UTC."""
        return self.created_at.astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file, and what was shortened in it for the bank: (EndToEndId, what) each."""

    name: str
    body: bytes = field(repr=False)
    shortened: tuple[tuple[str, str], ...] = ()

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes."""
        return sha256(self.body).hexdigest()


def reference(*parts: str) -> str:
    """15 characters A-Z, 2-7 of the parts, the same for the same parts: (batch, line) names a payment."""
    raw = blake2b("\x1f".join(parts).encode(), digest_size=10).digest()
    return b32encode(raw).decode()[:REFERENCE_CHARS]


def check(order: PayoutOrder) -> None:
    """Raise `Unusable` if no bank could pay this; the first faults are named by their EndToEndId."""
    if not 1 <= len(order.lines) <= MAX_LINES:
        raise Unusable(f"a payout file has 1 to {MAX_LINES:,} lines, not {len(order.lines):,}")
    if order.created_at.tzinfo is None:
        raise Unusable("the time at which the batch was made has no zone")
    refuse(_faults(order))


def refuse(found: Iterator[str]) -> None:
    """Raise `Unusable` with the first faults and how many more there are, if there are any."""
    first = list(islice(found, SHOWN))
    if first:
        rest = sum(1 for _ in found)
        raise Unusable("; ".join(first) + (f"; and {rest} more" if rest else ""))


def message_id_of(batch_id: str) -> str:
    """The MsgId of the file of a batch."""
    return reference("message", batch_id)


def kind_of(line: OrderLine) -> str:
    """How it is paid, in a word: `bank`."""
    return line.account.type if line.account is not None else "nobody knows what"


def total(lines: tuple[OrderLine, ...]) -> Decimal:
    """The sum of the lines, exact."""
    amount = Decimal(0)
    for line in lines:
        amount = EXACT.add(amount, line.amount)
    return amount


def amount_text(amount: Decimal, currency: str) -> str:
    """With exactly the digits of the currency: 12.50 EUR, 1200 JPY."""
    return format(amount.quantize(payable_unit(currency), context=EXACT), "f")


def _faults(order: PayoutOrder) -> Iterator[str]:
    counts = Counter(line.end_to_end_id for line in order.lines)
    for repeated in (one for one, count in counts.items() if count > 1):
        yield f"{repeated} is there {counts[repeated]} times"
    if order.debtor is not None:
        yield from (f"the debtor's {fault}" for fault in faults(order.debtor.account))
    digits = minor_digits(order.currency)
    for line in order.lines:
        if not _REFERENCE.match(line.end_to_end_id):
            yield f"the EndToEndId {line.end_to_end_id!r:.50} is not 1 to 35 of A-Z, 0-9"
        if line.account is not None:
            yield from (f"{line.end_to_end_id}: {fault}" for fault in faults(line.account))
        if max(len(line.payee_name), len(line.remittance)) > MAX_TEXT:
            yield f"{line.end_to_end_id}: a name or remittance text has over {MAX_TEXT:,} characters"
        if not line.amount.is_finite() or not 0 < line.amount <= MAX_AMOUNT:
            yield f"{line.end_to_end_id}: the amount is not above 0 and at most {MAX_AMOUNT:,}"
        elif -int(line.amount.normalize(EXACT).as_tuple().exponent) > digits:
            yield f"{line.end_to_end_id}: {line.amount} has more digits than {order.currency} can be paid in"
