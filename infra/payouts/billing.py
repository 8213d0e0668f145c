"""Whether what IBs are paid in, and how they are billed, is still what a batch was made by."""

from collections.abc import Mapping

from api.payouts import PayoutRefused
from commission.payouts.batch import Batch
from commission.payouts.log import Payouts
from infra.payees.billing import billing_of
from schemas.payees import Versions


def check_billing(batch: Batch, payees: Mapping[str, Versions], known: Payouts) -> None:
    """An IB whose details say something else since the batch was made is refused: `PayoutRefused`."""
    for line in batch.paid_lines:
        now = billing_of(payees.get(line.ib_id, ()))
        tax = line.tax if known.invoices.billed(line.statement_ids) is not None else now.tax
        if (now.currency or batch.currency, tax) != (batch.pays, line.tax):
            raise PayoutRefused(
                f"the currency or tax of {line.ib_id} is another since the batch was made: cancel it and "
                "create another"
            )
