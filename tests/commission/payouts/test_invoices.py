"""Numbers of self-billing invoices: the order of the log gives them, one after another, once."""

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from commission.payouts.invoices import Invoice
from commission.payouts.records import (
    BatchApproved,
    BatchCancelled,
    BatchExported,
    BatchSubmitted,
    InvoicesIssued,
    Line,
    LineReason,
    LinesRefused,
    StatementsWithheld,
)
from commission.payouts.tax import Tax
from tests.build import D
from tests.commission.payouts.written_log import Log, line

VAT = Tax(kind="vat", percent=D(19))
NORTH, SOUTH, WEST = (replace(line(ib_id, "10"), tax=VAT) for ib_id in ("north", "south", "west"))
BARE = line("east", "10")


def approved(log: Log, *lines: Line, batch_id: str = "b1") -> None:
    """A batch that ann made and ben approved."""
    told = {"batch_id": batch_id}
    assert log.create([replace(one, line_id=f"{batch_id}-{one.ib_id}") for one in lines], **told) == ""
    assert [log.says(BatchSubmitted, **told), log.says(BatchApproved, by="ben", **told)] == ["", ""]


def bill(log: Log, *ib_ids: str, batch_id: str = "b1", issuer: str = "Broker Ltd", **fields: Any) -> str:
    """Give lines their numbers."""
    ids = tuple(f"{batch_id}-{ib_id}" for ib_id in ib_ids)
    return log.says(InvoicesIssued, batch_id=batch_id, issuer=issuer, line_ids=ids, **fields)


def numbers(log: Log) -> dict[str, str]:
    """IB → its number, in the order in which they were given."""
    return {one.line.ib_id: one.text for one in log.known.invoices.issued}


def test_numbers_follow_each_other_over_batches() -> None:
    """South's is 1 and north's 2, as they were listed; of the next batch west has 3. East has no rule."""
    log = Log()
    approved(log, NORTH, SOUTH, BARE)
    approved(log, WEST, batch_id="b2")
    assert [bill(log, "south", "north"), bill(log, "west", batch_id="b2")] == ["", ""]
    assert numbers(log) == {"south": "SB-2026-000001", "north": "SB-2026-000002", "west": "SB-2026-000003"}


def test_a_record_that_does_not_count_takes_no_number() -> None:
    """Neither one of another place nor one that is refused leaves a gap."""
    log = Log()
    approved(log, NORTH, SOUTH)
    late = InvoicesIssued(
        place=0, by="ann", at=datetime(2026, 10, 10, tzinfo=UTC), batch_id="b1", issuer="Broker Ltd",
        line_ids=("b1-north",),
    )  # fmt: skip
    assert not log.known.add(late, log.place)
    log.place += 1
    wrong = "only a line that is paid by a rule of tax has an invoice, and one"
    for ib_ids in ((), ("north", "north"), ("nobody",), ("north", "west")):
        assert bill(log, *ib_ids) == wrong
    assert bill(log, "south") == ""
    assert bill(log, "south", "north") == wrong
    assert bill(log, "north") == ""
    assert numbers(log) == {"south": "SB-2026-000001", "north": "SB-2026-000002"}


def test_each_issuer_and_each_year_has_a_series() -> None:
    """Also where a year's records come in between."""
    log = Log()
    approved(log, NORTH, SOUTH, WEST)
    january = datetime(2027, 1, 1, tzinfo=UTC)
    assert (
        bill(log, "north", at=january) == bill(log, "south", issuer="Broker Inc") == bill(log, "west") == ""
    )
    assert numbers(log) == {"north": "SB-2027-000001", "south": "SB-2026-000001", "west": "SB-2026-000001"}


def test_a_file_is_given_out_once_its_lines_are_billed() -> None:
    """What the books refused has no number; nothing is billed before the approval, nor after the file."""
    log = Log()
    assert log.create([NORTH, SOUTH]) == ""
    assert log.says(InvoicesIssued, issuer="", line_ids=("north",)).startswith(
        "b1 is created: what is approved"
    )
    assert [log.says(BatchSubmitted), log.says(BatchApproved, by="ben")] == ["", ""]
    refused = (LineReason(line_id="south", reason="held"),)
    assert log.says(LinesRefused, lines=refused) == ""
    assert log.says(BatchExported, format="csv", sha256="x") == "1 of its lines are not billed yet"
    assert log.says(InvoicesIssued, issuer="", line_ids=("north",)) == ""
    assert log.says(BatchExported, format="csv", sha256="x") == ""
    assert log.says(InvoicesIssued, issuer="", line_ids=("south",)).startswith("b1 is exported: what is")
    assert log.says(BatchExported, format="xlsx", sha256="y", reason="for the books") == ""


def test_what_comes_back_is_paid_as_it_was_billed() -> None:
    """With its number, its statements and its rule; nothing else, and no period under it is opened again."""
    log = Log()
    approved(log, NORTH)
    assert bill(log, "north") == ""
    assert log.says(BatchCancelled, reason="the bank is closed") == ""
    other = replace(NORTH, tax=None)
    more = replace(NORTH, statement_ids=("st-north", "st-2"))
    for number, wrong in enumerate((other, more)):
        assert log.create([wrong], batch_id="b2") == "north is billed otherwise by SB-2026-000001"
        without = {"batch_id": f"without-{number}"}
        assert log.create([replace(wrong, excluded="later"), SOUTH], **without) == ""
        assert log.says(BatchCancelled, **without, reason="x") == ""
    withheld = {"proposal_id": "p", "period": "2026-09", "statement_ids": ("st-north",)}
    why = log.says(StatementsWithheld, **withheld)
    assert why == "statements of 2026-09 are billed, such as by SB-2026-000001"
    approved(log, NORTH, batch_id="b3")
    assert log.says(BatchExported, batch_id="b3", format="csv", sha256="x") == ""
    (invoice,) = log.known.invoices.issued
    assert isinstance(invoice, Invoice)
    assert (invoice.batch_id, log.known.invoices.billed(["st-x", "st-north"])) == ("b1", invoice)
