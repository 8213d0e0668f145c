"""Rows of one IB, and its book over them."""

from typing import Any

from commission.outputs import Transfer
from commission.payouts.commands import AnyCommand
from schemas import topics
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from tests.build import (
    D,
    Told,
    at,
    partner,
    period,
    told,
)

SEPTEMBER, OCTOBER, NOVEMBER = (period(f"2026-{month}") for month in ("09", "10", "11"))


MONTHS = (SEPTEMBER, OCTOBER, NOVEMBER)


NORTH = partner("ib-north USD")


def earned(amount: str, currency: str = "USD", *, day: int = 3, **fields: Any) -> Transfer:
    """An accrual of ib-north, or with a minus its reversal."""
    pending, expense = "ib:ib-north:pending", "broker:expense:per_lot"
    is_reversal = amount.startswith("-")
    values: dict[str, Any] = {
        "transfer_id": f"{amount} {currency} {day}",
        "code": "reversal" if is_reversal else "accrual",
        "debit": pending if is_reversal else expense,
        "credit": expense if is_reversal else pending,
        "amount": D(amount.removeprefix("-")),
        "currency": currency,
        "ib_id": "ib-north",
        "occurred_at": at(day),
        "caused_by": "live|1",
    }
    return Transfer(**(values | fields))


def settle(*records: Record, terms: tuple[Record, ...] = (*MONTHS, NORTH)) -> Told:
    """Feed transfers and commands of payouts straight to the partner book, all else to where it enters."""
    pipeline = LocalPipeline()
    said = list(pipeline.feed(terms))
    for record in records:
        if isinstance(record, Transfer | AnyCommand):
            said += pipeline.feed_batch(topics.PARTNER_BOOK, [record])
        else:
            said += pipeline.feed([record])
    found = told(said)
    found.dead_letters = pipeline.dead_letters
    return found


def lines(said: Told) -> list[str]:
    """Statements as `2026-09 0 + 12.345 - 0 = 12.34 paid, 0.005 rounded, 0 carried`."""
    return [
        f"{s.period} {s.opening.normalize():f} + {s.accrued.normalize():f} - {s.reversed.normalize():f} = "
        f"{s.payable.normalize():f} paid, "
        f"{s.rounding.normalize():f} rounded, {s.closing.normalize():f} carried"
        for s in said.statements
    ]
