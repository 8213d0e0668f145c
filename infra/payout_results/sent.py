"""What a batch's file said, as results are matched with it."""

from infra.payees.details import BankAccount
from infra.payout_files.order import PayoutOrder
from infra.payout_files.pain_001 import payment_id_of
from infra.payout_results.results import Sent, SentLine


def sent_of(order: PayoutOrder) -> Sent:
    """The lines of an order, of whatever format its file was."""
    is_transfer = order.debtor is not None  # else no part of a pain.001 can have it
    return Sent(
        order.message_id,
        {
            line.end_to_end_id: SentLine(
                line.amount,
                order.currency,
                payment_id_of(order, line) if is_transfer and isinstance(line.account, BankAccount) else "",
            )
            for line in order.lines
        },
    )
