"""Which lines a batch has: what the period's statements made payable, and no batch has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from api.ledger import Row
from api.payouts import PayoutRefused
from commission.money import shown
from commission.payouts.exchange import Exchange
from commission.payouts.log import Payouts
from commission.payouts.records import MAX_LINES, MAX_RECORD_BYTES, BatchCreated, Line
from commission.payouts.tax import Tax
from infra.payees.billing import NO_BILLING, Billing
from infra.payout_files.order import reference
from schemas.payouts import BatchRequest, encode_payout

HEAD_BYTES = 2_000
"""Of a record beside its lines."""
MAX_STATEMENTS = 500
"""And advances, of one line: the command that locks it is one record, of 64,000 bytes at most."""
MAX_NAME_CHARS = 140
"""Of an IB's name in a line: what a bank's file has room for."""


@dataclass(frozen=True, slots=True)
class Paying:
    """In what IBs are paid."""

    billing: Mapping[str, Billing]
    """Of the IBs with payee details, what these say beside the account."""
    exchange: Exchange | None = None
    """The rate of a batch that pays another currency than it owes."""

    def of(self, ib_id: str) -> Billing:
        """Of one IB."""
        return self.billing.get(ib_id, NO_BILLING)

    def why_not(self, ib_id: str, due: Decimal, wanted: BatchRequest) -> str:
        """Why a line is not paid by the batch that is wanted; "" if it is."""
        pays = self.of(ib_id).currency or wanted.currency
        if pays != wanted.pays:
            return f"the IB is paid in {pays}: another batch pays it"
        method = self.of(ib_id).method
        if wanted.method not in ("", method):
            return f"the IB is paid by {method or 'hand'}: another batch pays it"
        if due if self.exchange is None else self.exchange.of(due):
            return ""
        return f"{shown(due, wanted.currency)} {wanted.currency} comes to nothing in {pays}"


def choose(
    wanted: BatchRequest,
    rows: Sequence[Row],
    known: Payouts,
    paying: Paying,
    batch_id: str,
    place: int,
    by: str,
    at: datetime,
) -> BatchCreated:
    """A batch of the payable statements that no other has; raise `PayoutRefused` if there are none."""
    # Another followed it: so its period was not reopened, whatever was decided, for only the newest can be.
    going = {row["statement_id"] for row in rows if _is_going(row, known.withheld)}
    free = [
        row for row in rows if row["statement_id"] not in known.taken and row["statement_id"] not in going
    ]
    lines, cut = _lines(free, batch_id, wanted, paying, known)
    paid = [line for line in lines if not line.excluded]
    if not paid:
        raise PayoutRefused(_nothing(wanted, rows, known, going, lines))
    room = lines[: _room(lines)]
    return BatchCreated(
        place=place,
        by=by,
        at=at,
        batch_id=batch_id,
        period=wanted.period,
        currency=wanted.currency,
        minimum=Decimal(wanted.minimum),
        lines=tuple(room),
        over_limit=len(lines) - len(room) + cut,
        exchange=paying.exchange,
        method=wanted.method,
    )


def _room(lines: Sequence[Line]) -> int:
    """How many lines fit into one record."""
    left = MAX_RECORD_BYTES - HEAD_BYTES
    for number, line in enumerate(lines[:MAX_LINES]):
        left -= len(encode_payout(line)) + 1
        if left < 0:
            return number
    return min(len(lines), MAX_LINES)


def _is_going(row: Row, withheld: Mapping[str, str]) -> bool:
    return row["statement_id"] in withheld and not row["is_followed"]


def _lines(
    rows: Sequence[Row], batch_id: str, wanted: BatchRequest, paying: Paying, known: Payouts
) -> tuple[list[Line], int]:
    """A line for each IB, and how many IBs have more than it has room for: the next batch has the rest."""
    by_ib: dict[str, list[Row]] = {}
    for row in rows:
        by_ib.setdefault(row["ib_id"], []).append(row)
    lines, cut = list[Line](), 0
    for ib_id, own in sorted(by_ib.items()):
        billed = known.invoices.billed([row["statement_id"] for row in own])
        if billed is None:
            some, tax = own[:MAX_STATEMENTS], paying.of(ib_id).tax
        else:  # it came back: what was billed together is paid together, as it was billed
            some = [row for row in own if row["statement_id"] in billed.line.statement_ids]
            tax = billed.line.tax
        lines.append(_line(some, batch_id, wanted, paying, tax))
        cut += len(some) < len(own)
    return lines, cut


def _line(rows: Sequence[Row], batch_id: str, wanted: BatchRequest, paying: Paying, tax: Tax | None) -> Line:
    amount, minimum = sum((row["amount"] for row in rows), Decimal(0)), Decimal(wanted.minimum)
    ib_id = str(rows[0]["ib_id"])
    line = Line(
        line_id=reference(batch_id, ib_id),
        ib_id=ib_id,
        name=str(rows[0]["name"] or "")[:MAX_NAME_CHARS],
        amount=amount,
        statement_ids=tuple(str(row["statement_id"]) for row in rows),
        tax=tax,
    )
    if not rows[0]["kyc_approved"]:
        excluded = "the IB's KYC is open"
    elif amount < minimum:
        excluded = f"below the minimum of {shown(minimum, wanted.currency)} {wanted.currency}"
    else:
        excluded = paying.why_not(ib_id, line.due(wanted.currency), wanted)
    return replace(line, excluded=excluded)


def _nothing(
    wanted: BatchRequest, rows: Sequence[Row], known: Payouts, going: set[str], lines: Sequence[Line]
) -> str:
    what = f"{wanted.period} has no line in {wanted.currency} that may be paid"
    batches = dict.fromkeys(known.taken[r["statement_id"]] for r in rows if r["statement_id"] in known.taken)
    if batches:
        what += f"; in a batch already: {', '.join([*batches][-3:])}"
    if going:
        proposals = sorted({known.withheld[name] for name in going})
        what += f"; statements that {', '.join(proposals)} withdraws are in no batch"
    if lines:
        what += f"; left out {len(lines)}: {', '.join(sorted({line.excluded for line in lines}))}"
    return what
