"""The files of a batch, by format: the same batch gives the same bytes, whenever it is asked."""

from collections.abc import Callable, Mapping

from api.payouts import PayoutRefused
from commission.payouts.batch import Batch, why_no_file
from infra.payees.details import BankAccount, PayeeDetails, UsBankAccount
from infra.payout_files.order import OrderLine, PayoutOrder, WrittenFile
from infra.payout_files.write import FORMATS
from infra.payouts.payers import Payers
from schemas.errors import Unusable

Open = Callable[[Mapping[str, int]], Mapping[str, PayeeDetails]]
"""By IB, the details in full of the version that is wanted of it."""

TABLES = ("csv", "xlsx")
"""What people read: it has a line without an account too, for it is paid by hand."""
SHOWN = 20


class Files:
    """Writes the lines of a batch that are paid, each to the details that were valid at its approval."""

    def __init__(self, payers: Payers | None = None, opened: Open = lambda _wanted: {}) -> None:
        self._payers, self._opened = payers or Payers(), opened

    def issuer(self, batch: Batch) -> str:
        """Who pays a batch, and so bills itself; "" where nobody is set to."""
        kinds = (BankAccount, UsBankAccount)
        found = (self._payers.find(batch.pays, kind) for kind in kinds)
        return next((one.name for one in found if one is not None), "")

    def check(self, form: str) -> None:
        """Raise `PayoutRefused` for a format that there is not."""
        if form not in FORMATS:
            raise PayoutRefused(f"no format is called {form}; there are {', '.join(sorted(FORMATS))}")

    def write(self, batch: Batch, form: str) -> WrittenFile:
        """The file; raise `PayoutRefused` for lines that the format cannot pay."""
        if why := why_no_file(batch):
            raise PayoutRefused(why)
        try:
            order = self.order(batch, form)
            if form not in TABLES:
                _check_accounts(batch, order)
            return FORMATS[form](order)
        except Unusable as error:
            raise PayoutRefused(str(error)) from None

    def order(self, batch: Batch, form: str) -> PayoutOrder:
        """What the file says."""
        lines, created = batch.paid_lines, batch.steps[0].at
        versions = {one.ib_id: batch.payees[one.line_id] for one in lines if one.line_id in batch.payees}
        details = self._opened(versions)
        return PayoutOrder(
            batch_id=batch.batch_id,
            created_at=created,
            execution_date=batch.execution_date or created.date(),
            debtor=self._payers.find(batch.pays, UsBankAccount if form == "nacha" else BankAccount),
            currency=batch.pays,
            lines=tuple(
                OrderLine(
                    end_to_end_id=line.line_id,
                    amount=batch.paid(line),
                    payee_name=" ".join(dict.fromkeys([line.ib_id, line.name or line.ib_id])),
                    account=details.get(line.ib_id),
                    remittance=f"Commission {batch.period} {line.ib_id}",
                )
                for line in lines
            ),
        )


def _check_accounts(batch: Batch, order: PayoutOrder) -> None:
    lines = zip(batch.paid_lines, order.lines, strict=True)
    without = [line.ib_id for line, paid in lines if paid.account is None]
    if without:
        more = f" and {len(without) - SHOWN:,} more" if len(without) > SHOWN else ""
        raise PayoutRefused(
            f"approved without payee details: {', '.join(without[:SHOWN])}{more}. Export csv or xlsx and pay "
            "by hand; or, before any file was given out, cancel it, have the details approved "
            "(`ibflow payees set`) and create another"
        )
