"""What happened, in sentences: the deal or event behind a row, and what became of the money."""

from collections.abc import Iterator
from decimal import Decimal

from msgspec.structs import replace

from commission.accounts import is_of_ib
from commission.events import LOT_E8, Deal
from commission.explain import payouts, words
from commission.explain.periods import period_of, true_up
from commission.explain.persons import once, person
from commission.explain.steps import accrual
from commission.explain.subject import Subject, decimal, text
from commission.money import payable_unit
from commission.outputs import Transfer
from commission.revision import revision_of, told_before

ENTRIES = {
    "in": "opening",
    "out": "closing",
    "inout": "closing and opening the other way",
    "out_by": "closing by an opposite position",
}
SIDES = {"buy": "bought", "sell": "sold"}


def headline(subject: Subject) -> str:
    """The row in one line."""
    row, amount, ib = subject.row, subject.money(subject.row.amount), subject.ib(subject.row.ib_id)
    if row.code == "accrual" and row.component == "rebate":
        return f"Client {row.client_id} got {amount} back, by the plan of {ib}"
    if row.code == "true_up" and "claim" in subject.factors:
        verb = "was given to" if is_gain(row) else "was taken back from"
        return f"{amount} {verb} {ib}: one CPA for one person"
    if row.code == "true_up":
        verb = "was added for" if is_gain(row) else "was taken back from"
        return f"{amount} {verb} {ib} for {period_of(subject)}"
    if row.code in payouts.BESIDE:
        return payouts.BESIDE[row.code](subject)
    if row.code == "adjustment":
        return f"{ib} was {'given' if is_gain(row) else 'charged'} {amount} by an adjustment"
    return _HEADLINES[row.code].format(amount=amount, ib=ib, period=row.period)


_HEADLINES = {
    "accrual": "{ib} earned {amount}",
    "reversal": "{amount} was taken back from {ib}",
    "release": "{amount} of {ib} was released from hold",
    "forfeit": "{amount} of {ib} was forfeited",
    "statement": "{amount} became payable to {ib} for {period}",
    "rounding": "{amount} is the rounding residue of {ib} for {period}",
    "reopening": "{amount} of the statement of {ib} for {period} was taken back",
    **payouts.HEADLINES,
}


def is_gain(row: Transfer) -> bool:
    """Whether the row moves money to the IB."""
    return is_of_ib(row.credit)


def sentences(subject: Subject, original: Subject | None) -> Iterator[str]:
    """Everything there is to say, in order."""
    match subject.row.code:
        case "accrual":
            yield from _of_accrual(subject)
        case "true_up":
            yield from person(subject) if "claim" in subject.factors else true_up(subject)
        case "reversal":
            yield from _of_reversal(subject, original)
        case "release":
            yield f"{_approved(subject)}, so what was held for the client's deals became pending."
        case "forfeit":
            yield f"{_approved(subject)}, later than the plan allows: what was held went back to the broker."
        case "statement":
            yield from _of_statement(subject)
        case "rounding":
            yield from _of_rounding(subject)
        case "reopening":
            yield from _of_reopening(subject)
        case "payout" | "paid" | "returned" | "exchange" | "tax":
            yield from payouts.of_payout(subject)
        case _:  # hold, adjustment, write_off and advance, the last codes there are
            yield from payouts.of_change(subject)


# What caused it


def _of_accrual(subject: Subject) -> Iterator[str]:
    row = subject.row
    yield cause(row, subject.deal)
    if subject.deal is not None and row.revision:
        yield from _of_record(row, subject.deal)
    if proposal := text(subject.factors, "proposal"):
        yield f"It was rated again by terms and links that became known later: proposal {proposal}."
    yield from accrual(subject)
    yield from once(subject)
    if row.component == "rebate":
        payer = f"{subject.ib(row.ib_id)} pays it" if is_of_ib(row.debit) else "The broker pays it"
        yield f"{payer}; it goes to client {row.client_id}."
        before = decimal(subject.factors, "before_limit")
        if before is not None:
            limit = subject.money(row.amount)
            yield f"Of {subject.money(before)} it pays {limit}: no more than it has left of the deal's money."
    yield from _booked(row)


def _of_record(row: Transfer, deal: Deal) -> Iterator[str]:
    """Which record of the deal the amount arose from, where the words are of another, or a poorer one."""
    if told_before(row.revision) == revision_of(replace(deal, position_id=None)):
        yield "Nothing that was earned asks for an opening: its position had not been given."
    elif row.revision != deal.revision and deal.position_id is None:
        yield (
            "The words above are of a record without the position, the factors those of the "
            "record this amount arose from."
        )
    elif row.revision != deal.revision:
        yield (
            "The platform has revised the deal since: the words above are its newest revision, "
            "the factors those of the revision this amount arose from."
        )


PLACES = {
    "pending": "pending, for the statement of its period or, if that had closed, the next",
    "held": "held: it waits for the client's KYC",
    "rebate": "the client's rebate",
}


def _booked(row: Transfer) -> Iterator[str]:
    place = row.credit.rpartition(":")[2]
    yield f"It was booked as {PLACES.get(place, place)}."
    if row.matures_at is not None:
        yield f"It matures at {words.when(row.matures_at)} and belongs to the statement of that time."


def cause(row: Transfer, deal: Deal | None) -> str:
    """Who did what when."""
    if deal is not None:
        return traded(row.client_id, deal, row.account_key)
    at = words.when(row.occurred_at)
    if row.component in ("cpa", "cpl"):
        what = "CPA" if row.component == "cpa" else "CPL"
        return f"The {what} conditions for client {row.client_id} were met at {at}."
    if row.component == "deposit_share":
        return f"Deposit {row.caused_by.rpartition('|')[2]} of client {row.client_id} cleared at {at}."
    lots = f"{words.lots(row.lots)} of {row.symbol}" if row.symbol else words.lots(row.lots)
    return f"Client {row.client_id} traded {lots} on account {row.account_key}, {row.caused_by}, {at}."


def traded(client_id: str, deal: Deal, account_key: str = "") -> str:
    """Who traded what when at what price."""
    where = (
        f"on account {account_key or deal.account_key}, deal {deal.deal_id}, {words.when(deal.occurred_at)}."
    )
    who = f"Client {client_id}" if client_id else "A client not known yet"
    if deal.kind != "trade" or not deal.volume_e8:
        what = "trade without volume" if deal.kind == "trade" else f"{deal.kind.replace('_', ' ')} operation"
        return f"{who}: a {what} {where}"
    side = SIDES.get(deal.side or "", "traded")
    price = f" at {words.number(deal.price)}" if deal.price is not None else ""
    entry = f" ({ENTRIES[deal.entry]})" if deal.entry in ENTRIES else ""
    return f"{who} {side} {words.lots(volume(deal))} of {deal.symbol}{price}{entry} {where}"


def volume(deal: Deal) -> Decimal:
    """The deal's lots."""
    return (
        Decimal(deal.volume_e8).scaleb(-8) if deal.volume_e8 % LOT_E8 else Decimal(deal.volume_e8 // LOT_E8)
    )


# What took it back, or moved it


def _of_reversal(subject: Subject, original: Subject | None) -> Iterator[str]:
    row = subject.row
    at = words.when(row.occurred_at)
    if original is None:
        yield f"{subject.cause or row.caused_by} undid an earlier accrual at {at}."
        yield f"The row it takes back, {row.reverses}, is not at hand here."
        return
    if proposal := text(subject.factors, "proposal"):
        yield (
            f"Terms or links that became known later pay something else for it; proposal {proposal}, "
            "approved by a second person, took back what had been paid."
        )
    elif "moved_to" in subject.factors:
        yield (
            f"The platform changed the time of deal {row.caused_by} to {at}, when its account was another "
            "client's, so what it had earned here was taken back."
        )
    elif original.row.caused_by == row.caused_by:
        yield f"The platform changed or cancelled deal {row.caused_by}, so what it had earned was taken back."
    elif "refunded" in subject.factors:
        yield (
            f"Deal {row.caused_by} gave the client back what was charged, or a part of it, at {at}; the same "
            "part of what the charge had earned was taken back."
        )
    else:
        yield f"{subject.cause or row.caused_by} undid an earlier accrual at {at}."
    yield _frozen(subject, original)
    yield "How the original had come about:"
    yield from _of_accrual(original)


def _frozen(subject: Subject, original: Subject) -> str:
    amount, whole = subject.row.amount, original.row.amount
    found = f"The original is transfer {original.row.transfer_id} of {words.when(original.row.occurred_at)}"
    part = f"its own amount of {subject.money(whole)}"
    if amount != whole:
        part = f"{subject.money(amount)} of its own {subject.money(whole)}"
    if "proposal" in subject.factors:
        return f"{found}; {part} goes back, and what it earns now is a row of its own."
    return f"{found}; {part} goes back, nothing is rated again."


def _approved(subject: Subject) -> str:
    row = subject.row
    return f"Client {row.client_id} passed KYC ({row.caused_by}) at {words.when(row.occurred_at)}"


def _of_statement(subject: Subject) -> Iterator[str]:
    row = subject.row
    yield f"The statement of {row.period} closed at {words.when(row.occurred_at)}."
    yield (
        f"What was pending was rounded once, to {_smallest(subject)}; {subject.money(row.amount)} became "
        "payable. What rounding left, the residue, is a row of its own."
    )


def _of_rounding(subject: Subject) -> Iterator[str]:
    row = subject.row
    yield f"The statement of {row.period} closed at {words.when(row.occurred_at)}."
    where = "was added from" if is_gain(row) else "was moved to"
    yield (
        f"A payment has the currency's smallest unit, {_smallest(subject)}; the residue of "
        f"{subject.money(row.amount)} {where} the account `rounding`, so nothing is lost."
    )


def _of_reopening(subject: Subject) -> Iterator[str]:
    row = subject.row
    yield (
        f"The end of {row.period} was wrong, and two people took it back before any of it was paid: this "
        f"turns transfer {row.reverses} round. What it stated is on the next statement of {row.period}."
    )


def _smallest(subject: Subject) -> str:
    return words.rounded_off(payable_unit(subject.currency), subject.currency)
