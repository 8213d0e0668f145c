"""What a statement for people says, as words and numbers of its reader: HTML and PDF show the same rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal

from commission.money import EXACT, minor_digits, payable_unit
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
class Advance:
    """Money that two people granted before a statement had it."""

    change_id: str
    granted_on: date
    amount: Decimal
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What every document shows; equal documents give equal bytes."""

    broker: Party
    ib: Party
    issued_on: date
    invoice_number: str = ""
    """Of a self-billing invoice; "": it is a statement only."""
    taxes: tuple[Tax, ...] = ()
    notes: tuple[str, ...] = ()
    """Such as the sentence that reverse charge asks for."""
    locale: str = "en"
    zone: str = "UTC"
    """In which the period's days are those of the broker's calendar."""

    @property
    def title(self) -> str:
        """What it is."""
        return f"Self-billing invoice {self.invoice_number}" if self.invoice_number else "Statement"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementDocument(Document):
    """A statement, or the self-billing invoice that it became."""

    statement: Statement
    others: Decimal = Decimal(0)
    """What the invoice bills besides: advances and other statements of the same payment."""

    @property
    def currency(self) -> str:
        """Of its figures."""
        return self.statement.currency

    @property
    def heading(self) -> str:
        """What it is of, in few letters."""
        return self.statement.period

    @property
    def made(self) -> datetime:
        """When a workbook says that it was made."""
        return self.statement.ends_at

    @property
    def billed(self) -> Decimal:
        """What is paid before tax: the payable amount, and what is billed with it."""
        return EXACT.add(self.statement.payable, self.others)

    @property
    def file_stem(self) -> str:
        """A file name without its ending."""
        parts = (self.statement.ib_id, self.statement.period, self.statement.currency)
        return "-".join("".join(c if c.isalnum() else "-" for c in part) for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceDocument(Document):
    """The self-billing invoice of a payment of advances alone, which no statement has yet."""

    ib_id: str
    currency: str
    advances: tuple[Advance, ...]

    @property
    def heading(self) -> str:
        """What it is of, in few letters."""
        return "advances"

    @property
    def made(self) -> datetime:
        """When a workbook says that it was made."""
        return datetime.combine(self.issued_on, time(), UTC)

    @property
    def billed(self) -> Decimal:
        """What is paid before tax."""
        amount = Decimal(0)
        for one in self.advances:
            amount = EXACT.add(amount, one.amount)
        return amount


AnyDocument = StatementDocument | AdvanceDocument


def due(document: AnyDocument) -> Decimal:
    """What is paid: what is billed, and the taxes."""
    amount = document.billed
    for tax in document.taxes:
        amount = EXACT.add(amount, tax.amount)
    return amount


@dataclass(frozen=True, slots=True)
class Row:
    """A figure: its label, the amount as a number and as its reader writes it, and whether it is a sum."""

    label: str
    value: Decimal
    amount: str
    is_sum: bool = False


def check(document: AnyDocument) -> None:
    """Raise `Unusable` for figures that do not add up, taxes that cannot be paid, an unknown locale."""
    if isinstance(document, StatementDocument):
        _check_sum(document.statement)
    unit = payable_unit(document.currency)
    for tax in document.taxes:
        if tax.amount != tax.amount.quantize(unit, context=EXACT):
            raise Unusable(
                f"{tax.label}: {tax.amount} has more digits than {document.currency} can be paid in"
            )
    if due(document) < 0:
        raise Unusable(f"{document.title}: more is withheld than is payable")
    _locale(document.locale)
    _zone(document.zone)


def _check_sum(one: Statement) -> None:
    sum_of = one.opening + one.accrued - one.reversed - one.payable - one.rounding
    if sum_of != one.closing:
        raise Unusable(f"{one.statement_id} does not add up: {sum_of}, not {one.closing}; report it")


def figures(document: AnyDocument) -> tuple[Row, ...]:
    """From the opening balance to what is paid, in the order in which they add up."""
    return tuple(_figures(document))


def facts(document: AnyDocument) -> tuple[tuple[str, str], ...]:
    """What identifies the document: (label, text) each."""
    known = [("Issued on", _day_text(document.issued_on, document.locale))]
    if isinstance(document, AdvanceDocument):
        return (*known, ("IB", document.ib_id), ("Currency", document.currency))
    one = document.statement
    ends = (one.starts_at, one.ends_at - timedelta(microseconds=1))
    days = (_day_text(day_in(document.zone, end), document.locale) for end in ends)
    known += [
        ("Period", f"{one.period}: {DASH.join(days)}"),
        ("IB", one.ib_id),
        ("Currency", one.currency),
        ("Statement", one.statement_id),
        ("Replaces", one.replaces),
        ("Hash", one.hash),
    ]
    return tuple((label, text) for label, text in known if text)


def _day_text(day: date, locale: str) -> str:
    return format_date(day, "long", locale=_locale(locale))


def day_in(zone: str, moment: datetime) -> date:
    """The day of a moment in a time zone; raise `Unusable` for a zone that is unknown."""
    return moment.astimezone(_zone(zone)).date()


def amount_text(amount: Decimal, currency: str, locale: str) -> str:
    """As its reader writes numbers, with all its digits and at least the currency's: 1.234,50 EUR."""
    least, reader = minor_digits(currency), _locale(locale)
    groups = str(reader.decimal_formats[None].pattern).partition(".")[0]
    pattern = f"{groups}.{'0' * least}{'#' * max(ACCRUAL_DIGITS - least, 0)}"
    return f"{format_decimal(amount, pattern, locale=reader)} {currency}"


def _figures(document: AnyDocument) -> Iterator[Row]:
    for label, amount, is_sum in _amounts(document):
        text = amount_text(amount, document.currency, document.locale)
        yield Row(label, amount, text, is_sum)


def _amounts(document: AnyDocument) -> Iterator[tuple[str, Decimal, bool]]:
    """Label, amount, and whether it is a sum."""
    is_statement = isinstance(document, StatementDocument)
    yield from _of_statement(document) if is_statement else _of_advances(document)  # type: ignore[arg-type]
    for tax in document.taxes:
        yield tax.label, tax.amount, False
    if document.taxes or (isinstance(document, StatementDocument) and document.others):
        yield "To be paid", due(document), True
    if isinstance(document, StatementDocument) and document.statement.held:
        yield "Held until clients are verified or released, not in the sum", document.statement.held, False


def _of_statement(document: StatementDocument) -> Iterator[tuple[str, Decimal, bool]]:
    one = document.statement
    yield "Balance brought forward", one.opening, False
    yield "Earned", one.accrued, False
    yield "Taken back or put on hold", -one.reversed, False
    if one.rounding:
        yield "Left by rounding", -one.rounding, False
    if one.closing:
        # The figures add up, so its sign is not that of the next statement: words say whose it is.
        whose = "Owed by the IB" if one.closing < 0 else "Not paid yet"
        yield f"{whose}, carried forward", -one.closing, False
    yield "Payable", one.payable, True
    if document.others:
        yield "Advances and other statements, paid with it", document.others, False


def _of_advances(document: AdvanceDocument) -> Iterator[tuple[str, Decimal, bool]]:
    for one in document.advances:
        day = _day_text(one.granted_on, document.locale)
        yield f"Advance {one.change_id} of {day}: {one.reason}", one.amount, False
    yield "Payable", document.billed, True


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
