"""Which lines a batch has: what the period's statements made payable, and no batch has."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from api.ledger import Row
from api.payouts import PayoutRefused
from commission.money import plain
from commission.payouts.log import Payouts
from commission.payouts.records import MAX_LINES, MAX_RECORD_BYTES, BatchCreated, Line
from infra.payout_files.order import reference
from schemas.payouts import BatchRequest, encode_payout

HEAD_BYTES = 2_000
"""Of a record beside its lines."""
MAX_STATEMENTS = 500
"""And advances, of one line: the command that locks it is one record, of 64,000 bytes at most."""
MAX_NAME_CHARS = 140
"""Of an IB's name in a line: what a bank's file has room for."""


def choose(
    wanted: BatchRequest,
    rows: Sequence[Row],
    known: Payouts,
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
    lines, cut = _lines(free, batch_id, Decimal(wanted.minimum))
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


def _lines(rows: Sequence[Row], batch_id: str, minimum: Decimal) -> tuple[list[Line], int]:
    """A line for each IB, and how many IBs have more than it has room for: the next batch has the rest."""
    by_ib: dict[str, list[Row]] = {}
    for row in rows:
        by_ib.setdefault(row["ib_id"], []).append(row)
    lines = [_line(ib_id, own[:MAX_STATEMENTS], batch_id, minimum) for ib_id, own in sorted(by_ib.items())]
    return lines, sum(len(own) > MAX_STATEMENTS for own in by_ib.values())


def _line(ib_id: str, rows: Sequence[Row], batch_id: str, minimum: Decimal) -> Line:
    amount = sum((row["amount"] for row in rows), Decimal(0))
    excluded = ""
    if not rows[0]["kyc_approved"]:
        excluded = "the IB's KYC is open"
    elif amount < minimum:
        excluded = f"below the minimum of {plain(minimum)}"
    return Line(
        line_id=reference(batch_id, ib_id),
        ib_id=ib_id,
        name=str(rows[0]["name"] or "")[:MAX_NAME_CHARS],
        amount=amount,
        statement_ids=tuple(str(row["statement_id"]) for row in rows),
        excluded=excluded,
    )


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
