"""What a statement for people says, as words and numbers of its reader: HTML and PDF show the same rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal

from commission.money import EXACT, minor_digits
from commission.outputs import Statement
from commission.value import Text, Value
from schemas.errors import Unusable

ACCRUAL_DIGITS = 8
DASH = " \u2013 "


class Party(Value):
    """The broker or the IB as the law wants it named."""

    name: Text
    address: tuple[Text, ...] = ()
    registration: Text = ""
    tax_id: Text = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """Below the name."""
        known = (("Registration", self.registration), ("Tax id", self.tax_id))
        return (*self.address, *(f"{label} {text}" for label, text in known if text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tax:
    """A line of tax, worked out elsewhere: above zero it is paid as well, below it is withheld."""

    label: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementDocument:
    """Everything that the document shows; equal documents give equal bytes."""

    statement: Statement
    broker: Party
    ib: Party
    issued_on: date
    invoice_number: str = ""
    """Of a self-billing invoice; "": it is a statement only."""
    others: Decimal = Decimal(0)
    """What the invoice bills besides: advances and other statements of the same payment."""
    taxes: tuple[Tax, ...] = ()
    notes: tuple[str, ...] = ()
    """Such as the sentence that reverse charge asks for."""
    locale: str = "en"
    zone: str = "UTC"
    """In which the period's days are those of the broker's calendar."""

    @property
    def due(self) -> Decimal:
        """What is paid: the payable amount, what is billed with it, and the taxes."""
        amount = EXACT.add(self.statement.payable, self.others)
        for tax in self.taxes:
            amount = EXACT.add(amount, tax.amount)
        return amount

    @property
    def title(self) -> str:
        """What it is."""
        return f"Self-billing invoice {self.invoice_number}" if self.invoice_number else "Statement"

    @property
    def file_stem(self) -> str:
        """A file name without its ending."""
        one = self.statement
        parts = (one.ib_id, one.period, one.currency)
        return "-".join("".join(c if c.isalnum() else "-" for c in part) for part in parts)


@dataclass(frozen=True, slots=True)
class Row:
    """A figure: its label, the amount as a number and as its reader writes it, and whether it is a sum."""

    label: str
    value: Decimal
    amount: str
    is_sum: bool = False


def check(document: StatementDocument) -> None:
    """Raise `Unusable` for figures that do not add up, taxes that cannot be paid, an unknown locale."""
    one = document.statement
    sum_of = one.opening + one.accrued - one.reversed - one.payable - one.rounding
    if sum_of != one.closing:
        raise Unusable(f"{one.statement_id} does not add up: {sum_of}, not {one.closing}; report it")
    unit = Decimal(1).scaleb(-minor_digits(one.currency))
    for tax in document.taxes:
        if tax.amount != tax.amount.quantize(unit, context=EXACT):
            raise Unusable(f"{tax.label}: {tax.amount} has more digits than {one.currency} can be paid in")
    if document.due < 0:
        raise Unusable(f"{one.statement_id}: more is withheld than is payable")
    _locale(document.locale)
    _zone(document.zone)


def figures(document: StatementDocument) -> tuple[Row, ...]:
    """From the opening balance to what is paid, in the order in which they add up."""
    return tuple(_figures(document))


def facts(document: StatementDocument) -> tuple[tuple[str, str], ...]:
    """What identifies the document: (label, text) each."""
    one, locale = document.statement, _locale(document.locale)
    first, last = (
        day_in(document.zone, one.starts_at),
        day_in(document.zone, one.ends_at - timedelta(microseconds=1)),
    )
    days = (format_date(day, "long", locale=locale) for day in (first, last))
    known = (
        ("Issued on", format_date(document.issued_on, "long", locale=locale)),
        ("Period", f"{one.period}: {DASH.join(days)}"),
        ("IB", one.ib_id),
        ("Currency", one.currency),
        ("Statement", one.statement_id),
        ("Replaces", one.replaces),
        ("Hash", one.hash),
    )
    return tuple((label, text) for label, text in known if text)


def day_in(zone: str, moment: datetime) -> date:
    """The day of a moment in a time zone; raise `Unusable` for a zone that is unknown."""
    return moment.astimezone(_zone(zone)).date()


def amount_text(amount: Decimal, currency: str, locale: str) -> str:
    """As its reader writes numbers, with all its digits and at least the currency's: 1.234,50 EUR."""
    least, reader = minor_digits(currency), _locale(locale)
    groups = str(reader.decimal_formats[None].pattern).partition(".")[0]
    pattern = f"{groups}.{'0' * least}{'#' * max(ACCRUAL_DIGITS - least, 0)}"
    return f"{format_decimal(amount, pattern, locale=reader)} {currency}"


def _figures(document: StatementDocument) -> Iterator[Row]:
    one = document.statement

    def row(label: str, amount: Decimal, *, is_sum: bool = False) -> Row:
        return Row(label, amount, amount_text(amount, one.currency, document.locale), is_sum)

    yield row("Balance brought forward", one.opening)
    yield row("Earned", one.accrued)
    yield row("Taken back", -one.reversed)
    if one.rounding:
        yield row("Left by rounding", -one.rounding)
    if one.closing:
        yield row("Carried forward", -one.closing)
    yield row("Payable", one.payable, is_sum=True)
    if document.others:
        yield row("Advances and other statements, paid with it", document.others)
    for tax in document.taxes:
        yield row(tax.label, tax.amount)
    if document.taxes or document.others:
        yield row("To be paid", document.due, is_sum=True)
    if one.held:
        yield row("Held until clients are verified, not in the sum", one.held)


def _locale(name: str) -> Locale:
    try:
        return Locale.parse(name, sep="-" if "-" in name else "_")
    except (UnknownLocaleError, ValueError, TypeError):
        raise Unusable(
            f"the locale {name!r:.40} is unknown; they are written such as `de` or `de-CH`"
        ) from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Unusable(
            f"the time zone {name!r:.40} is unknown; they are written such as `Europe/Nicosia`"
        ) from None
