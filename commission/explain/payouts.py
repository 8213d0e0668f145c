"""In words: rows of payouts, and what two people changed of a balance."""

from collections.abc import Iterator

from commission.accounts import is_of_ib
from commission.explain import words
from commission.explain.subject import Subject, decimal, text
from commission.rating.values import ZERO

HEADLINES = {
    "payout": "{amount} of {ib} went into a payout",
    "paid": "{amount} was paid to {ib}",
    "returned": "{amount} of {ib} came back from a payout and is payable again",
    "write_off": "{amount} that {ib} owed was written off",
    "advance": "{amount} became payable to {ib} in advance",
}


def exchange_headline(subject: Subject) -> str:
    """Paid for what was owed in another currency, or come back."""
    owed = words.money(decimal(subject.factors, "gross") or ZERO, text(subject.factors, "gross_currency"))
    amount, ib = subject.money(subject.row.amount), subject.ib(subject.row.ib_id)
    if is_of_ib(subject.row.credit):
        return f"{amount} was paid to {ib} for {owed}"
    return f"{amount} that was paid to {ib} came back, for {owed}"


_LINES = {
    "payout": "took it at {at}: until its result is known it is neither payable nor paid",
    "paid": "was reported as paid at {at}",
    "returned": "was not paid, was cancelled or came back, at {at}: another batch may pay it",
}


def of_payout(subject: Subject) -> Iterator[str]:
    """Which line of which batch moved it."""
    _, batch_id, line_id = subject.row.caused_by.split("|")
    code = subject.row.code
    if code == "exchange":
        code = "paid" if is_of_ib(subject.row.credit) else "returned"
    what = _LINES[code].format(at=words.when(subject.row.occurred_at))
    yield f"Line {line_id} of batch {batch_id} {what}."
    if rate := text(subject.factors, "payout_rate"):
        yield f"It is exchanged by the rate that the batch was created with: {words.exchange(rate)}."


def of_change(subject: Subject) -> Iterator[str]:
    """Who moved it, and why."""
    row, factors = subject.row, subject.factors
    yield (
        f"{text(factors, 'created_by')} asked for it and {text(factors, 'approved_by')} approved it at "
        f"{words.when(row.occurred_at)}: {text(factors, 'change_reason')}."
    )
    if row.code == "advance":
        yield "The open statement takes the same amount back, and carries what it lacks on to the next ones."
    else:
        yield "It is on the open statement."
