"""Self-billing invoices: which number a paid line has, by the order of the log alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from commission.payouts.batch import Batch
from commission.payouts.records import BatchExported, BatchRecord, InvoicesIssued, Line
from commission.value import Text, Time, Value


class Invoice(Value):
    """The broker bills itself for a line; whatever becomes of the payment, its statements keep it."""

    issuer: Text
    year: int
    number: int
    """From 1 on in each year of an issuer, without a gap."""
    issued_at: Time
    batch_id: Text
    line: Line

    @property
    def text(self) -> str:
        """As documents have it."""
        return f"SB-{self.year}-{self.number:06}"


@dataclass(slots=True)
class Invoices:
    """All that were issued."""

    of_statement: dict[str, Invoice] = field(default_factory=dict)
    issued: list[Invoice] = field(default_factory=list)
    """In the order of their numbers, whoever issued them."""
    _last: dict[tuple[str, int], int] = field(default_factory=dict)

    def missing(self, batch: Batch) -> list[str]:
        """Lines that are paid and have no number yet."""
        lines = (line for line in batch.paid_lines if line.tax is not None)
        return [line.line_id for line in lines if line.statement_ids[0] not in self.of_statement]

    def why_not(self, record: BatchRecord, batch: Batch) -> str:
        """Why a record of a batch does not count beside what was billed; "" if it does."""
        if isinstance(record, InvoicesIssued):
            wanted = {*record.line_ids}
            if batch.state != "approved":
                return f"{batch.batch_id} is {batch.state}: what is approved is billed, before it is exported"
            if len(wanted) < len(record.line_ids) or not wanted or not wanted <= {*self.missing(batch)}:
                return "only a line that is paid by a rule of tax has an invoice, and one"
        if isinstance(record, BatchExported) and batch.state == "approved" and self.missing(batch):
            return f"{len(self.missing(batch)):,} of its lines are not billed yet"
        return ""

    def issue(self, record: InvoicesIssued, batch: Batch) -> None:
        """Give the next numbers of the year."""
        series = record.issuer, record.at.year
        for number, line_id in enumerate(record.line_ids, self._last.get(series, 0) + 1):
            line = batch.lines[line_id]
            invoice = Invoice(
                issuer=record.issuer,
                year=record.at.year,
                number=number,
                issued_at=record.at,
                batch_id=batch.batch_id,
                line=line,
            )
            self.of_statement |= dict.fromkeys(line.statement_ids, invoice)
            self.issued.append(invoice)
            self._last[series] = number

    def why_not_paid(self, line: Line) -> str:
        """Why a new line is not what its statements were billed as; "" if it is, or they were not."""
        known = self.billed(line.statement_ids)
        if known is None or (known.line.statement_ids, known.line.tax) == (line.statement_ids, line.tax):
            return ""
        return f"{line.ib_id} is billed otherwise by {known.text}"

    def billed(self, statement_ids: Sequence[str]) -> Invoice | None:
        """The invoice of the first of these that has one."""
        return next((self.of_statement[name] for name in statement_ids if name in self.of_statement), None)
