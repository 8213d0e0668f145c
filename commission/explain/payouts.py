"""In words: rows of payouts, and what two people changed of a balance."""

from collections.abc import Iterator

from commission import accounts
from commission.accounts import is_of_ib, is_pending
from commission.explain import words
from commission.explain.subject import Subject, decimal, text
from commission.outputs import Transfer
from commission.rating.values import ZERO

HEADLINES = {
    "payout": "{amount} of {ib} went into a payout",
    "paid": "{amount} was paid to {ib}",
    "returned": "{amount} of {ib} came back from a payout and is payable again",
    "write_off": "{amount} that {ib} owed was written off",
    "advance": "{amount} became payable to {ib} in advance",
}


VAT, WITHHOLDING = accounts.tax("vat"), accounts.tax("withholding")


def _exchanged(subject: Subject) -> str:
    """Paid for what was owed in another currency, or come back."""
    owed = words.money(decimal(subject.factors, "gross") or ZERO, text(subject.factors, "gross_currency"))
    amount, ib = subject.money(subject.row.amount), subject.ib(subject.row.ib_id)
    if is_of_ib(subject.row.credit):
        return f"{amount} was paid to {ib} for {owed}"
    return f"{amount} that was paid to {ib} came back, for {owed}"


def _taxed(subject: Subject) -> str:
    """Paid besides or kept back, or the one or the other undone."""
    row, label = subject.row, text(subject.factors, "tax")
    words_of = _TAXED[VAT in (row.debit, row.credit), row.debit in (VAT, WITHHOLDING)]
    return words_of.format(amount=subject.money(row.amount), ib=subject.ib(row.ib_id), label=label)


_TAXED = {
    (True, True): "{amount} was paid to {ib} besides: {label}",
    (True, False): "{amount} that was paid to {ib} besides came back: {label}",
    (False, False): "{amount} was kept back from {ib}: {label}",
    (False, True): "{amount} that was kept back from {ib} was undone: {label}",
}
"""Whether it is paid besides, and whether it leaves the account of the tax."""


def _held(subject: Subject) -> str:
    """Put on hold, or let go of."""
    verb = "came off hold" if is_pending(subject.row.credit) else "was put on hold"
    amount, ib = subject.money(subject.row.amount), subject.ib(subject.row.ib_id)
    return f"{amount} of {ib} {verb}: what client {subject.row.client_id} earned it"


BESIDE = {"exchange": _exchanged, "tax": _taxed, "hold": _held}
"""Code → the headline of a row beside another one, whose ends tell what it is."""
_LINES = {
    "payout": "took it at {at}: until its result is known it is neither payable nor paid",
    "paid": "was reported as paid at {at}",
    "returned": "was not paid, was cancelled or came back, at {at}: another batch may pay it",
}


def of_payout(subject: Subject) -> Iterator[str]:
    """Which line of which batch moved it."""
    _, batch_id, line_id = subject.row.caused_by.split("|")
    what = _LINES[_code(subject.row)].format(at=words.when(subject.row.occurred_at))
    yield f"Line {line_id} of batch {batch_id} {what}."
    if rate := text(subject.factors, "payout_rate"):
        yield f"It is exchanged by the rate that the batch was created with: {words.exchange(rate)}."


def _code(row: Transfer) -> str:
    """Of what stands beside a payment: whether that was paid or came back."""
    if row.code == "exchange":
        return "paid" if is_of_ib(row.credit) else "returned"
    if row.code == "tax":
        return "paid" if row.debit == VAT or row.credit == WITHHOLDING else "returned"
    return row.code


def of_change(subject: Subject) -> Iterator[str]:
    """Who moved it, and why."""
    row, factors = subject.row, subject.factors
    if row.code == "hold":
        yield from _of_hold(subject)
        return
    yield (
        f"{text(factors, 'created_by')} asked for it and {text(factors, 'approved_by')} approved it at "
        f"{words.when(row.occurred_at)}: {text(factors, 'change_reason')}."
    )
    if row.code == "advance":
        yield "The open statement takes the same amount back, and carries what it lacks on to the next ones."
    else:
        yield "It is on the open statement."


def _of_hold(subject: Subject) -> Iterator[str]:
    """Who holds the client, or let go of it, and why."""
    row, factors = subject.row, subject.factors
    if by := text(factors, "released_by"):
        at = words.when(row.occurred_at)
        yield f"{by} released client {row.client_id} at {at}: {text(factors, 'hold_reason')}."
        yield "It is on the open statement."
        return
    yield f"{text(factors, 'held_by')} holds client {row.client_id}: {text(factors, 'hold_reason')}."
    if is_pending(row.credit):
        yield f"{row.caused_by} took as much back of what the client earns; what is on hold goes first."
    else:
        yield "No statement has it until another person releases the client."
