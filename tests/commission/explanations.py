"""What is told of a row."""

from collections.abc import Iterable

from commission.events import Deal
from commission.explain.explanation import Explanation, explain
from commission.outputs import Transfer
from commission.terms.plans import PlanDefined
from schemas.wire import Record
from tests.build import (
    Told,
)


def why(told: Told, code: str, *records: Record, ib: str = "ib-north", number: int = 0) -> Explanation:
    """The explanation of an IB's row of a code, with everything `records` holds of its cause."""
    rows = [row for row in told.transfers if (row.code, row.ib_id) == (code, ib)]
    return of_row(rows[number], told.transfers, records)


def of_row(row: Transfer, rows: Iterable[Transfer], records: Iterable[Record]) -> Explanation:
    original = next((other for other in rows if other.transfer_id == row.reverses), None)
    basis = original or row
    known = tuple(records)
    deals = [r for r in known if isinstance(r, Deal) and r.deal_key == basis.caused_by]
    plans = [r for r in known if isinstance(r, PlanDefined) and r.plan_id == basis.plan_id]
    return explain(
        row,
        deal=deals[-1] if deals else None,
        plan=next((p for p in plans if p.version == basis.plan_version), None),
        original=original,
    )
