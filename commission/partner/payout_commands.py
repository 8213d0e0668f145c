"""Commands of payouts in the book of an IB, which alone decides: done, refused, or a repetition.

`payout_lines.py` makes payable what is paid, `balance_changes.py` what people change.

Whoever commands has only read what was known somewhere. Here is what is so: a command that does not fit is
refused with its reason and changes nothing, and one that is written again does nothing more.
"""

from collections.abc import Sequence

from commission.draft import Draft
from commission.outputs import Transfer
from commission.partner.balance_changes import of_change
from commission.partner.payout_lines import of_line
from commission.payouts.commands import (
    AnyCommand,
    LineCommand,
    PayoutAnswer,
)
from commission.terms.catalog import Terms


def decide(draft: Draft, command: AnyCommand, terms: Terms) -> tuple[Sequence[Transfer], PayoutAnswer | None]:
    """Do what is commanded if it may be: the rows to post, and the answer; None to a repeated command."""
    if isinstance(command, LineCommand):
        decision, subject, batch = of_line(draft, command), command.line_id, command.batch_id
    else:
        decision, subject, batch = of_change(draft, command, terms), command.change_id, ""
    if decision is None:
        draft.repeated += 1
        return (), None
    return decision.rows, PayoutAnswer.to(command, subject, decision.why, batch)
