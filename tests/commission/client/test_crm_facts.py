"""Facts of a CRM that are kept to be seen, or that take effect as records of their own.

Own pays 5 USD a lot.
"""

from msgspec.structs import replace

from commission.events import DepositAnnounced
from commission.outputs import Transfer
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from tests.build import ANNA, SYMBOLS, D, at, cpa, deal, deposit, kyc, partner, per_lot, period, plan

TERMS = (*SYMBOLS, period("2026-09"), plan("own USD", per_lot("*=5")), partner("ib-north USD own"))


def earned(pipeline: LocalPipeline, *records: Record) -> list[str]:
    """What the records cause, as `IB amount`."""
    rows = [row for row in pipeline.feed(records) if isinstance(row, Transfer)]
    return [f"{row.ib_id} {row.amount.normalize():f}" for row in rows]


def test_a_deposit_under_way_earns_nothing_until_it_clears() -> None:
    """A CPA of 100 from 200 USD: pending and given up earn nothing; cleared, under the same id, it does."""
    pipeline = LocalPipeline()
    terms: tuple[Record, ...] = (*TERMS[:-2], plan("hunt USD", cpa("100", min_deposit=D(200), min_lots=D(0))))
    terms += (partner("ib-north USD hunt"), kyc("anna approved", day=1))
    cleared = deposit("anna d1 500 USD", day=2)
    pending = DepositAnnounced(
        event_id=cleared.event_id, client_id="anna", deposit_id="d1", amount=D(500), currency="USD",
        occurred_at=at(2),
    )  # fmt: skip
    given_up = replace(pending, event_id="e9", deposit_id="d0", status="failed")
    assert earned(pipeline, *terms, *ANNA, given_up, pending) == []
    assert earned(pipeline, cleared) == ["ib-north 100"]


def test_expired_documents_hold_what_is_earned_after_them() -> None:
    """Expired on the 5th: the 4th's lot is pending at once, the 6th's is held until it is renewed."""
    pipeline = LocalPipeline()
    gated = plan("own USD", per_lot("*=5"), kyc_gate=True)
    list(pipeline.feed((*TERMS, gated, *ANNA, kyc("anna approved", day=1), kyc("anna expired", day=5))))
    deals = (deal("1 buy 1 EURUSD out", day=6), deal("2 buy 1 EURUSD out", day=4))
    rows = [row for row in pipeline.feed(deals) if isinstance(row, Transfer)]
    assert [row.credit for row in rows] == ["ib:ib-north:held", "ib:ib-north:pending"]
    released = [row for row in pipeline.feed([kyc("anna approved", day=8)]) if isinstance(row, Transfer)]
    assert [(row.debit, row.credit, row.amount) for row in released] == [
        ("ib:ib-north:held", "ib:ib-north:pending", D(5))
    ]
