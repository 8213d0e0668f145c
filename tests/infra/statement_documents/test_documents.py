"""Statements for people: figures that add up, in their reader's numbers, the same in HTML and PDF."""

import csv
import html
import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from infra.statement_documents.document import Party, StatementDocument, Tax, amount_text, facts, figures
from infra.statement_documents.html import to_html
from infra.statement_documents.pdf import to_pdf
from infra.statement_documents.tables import to_statement_csv, to_statement_xlsx
from ingest.formats.xlsx import xlsx_rows
from schemas.errors import Unusable
from tests.infra.statement_documents.documents import ATLAS, document, statement

GOLDEN = Path(__file__).parent / "golden"
OTHER_PROCESS = """
from hashlib import sha256
from infra.statement_documents.html import to_html
from infra.statement_documents.pdf import to_pdf
from tests.infra.statement_documents.documents import document
print(sha256(to_html(document())).hexdigest(), sha256(to_pdf(document())).hexdigest())
"""


def pdf_words(body: bytes) -> str:
    """The text of a PDF, by a reader that is not ours, in single spaces."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(body)).pages).split())


def html_words(body: bytes) -> str:
    """The text of a page without its tags, in single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body.decode().partition("<body>")[2])).split())


def test_the_figures_are_those_worked_out_by_hand() -> None:
    """0 + 1,300.12345678 - 65.56 - 0.00345678 = 1,234.56 payable; with 234.57 of VAT 1,469.13 to be paid."""
    assert [
        ("Balance brought forward", "0.00 EUR"),
        ("Earned", "1,300.12345678 EUR"),
        ("Taken back or put on hold", "-65.56 EUR"),
        ("Left by rounding", "-0.00345678 EUR"),
        ("Payable", "1,234.56 EUR"),
        ("VAT 19 %", "234.57 EUR"),
        ("To be paid", "1,469.13 EUR"),
    ] == [(row.label, row.amount) for row in figures(document())]


def test_a_negative_balance_is_carried_and_what_is_held_is_shown() -> None:
    """10 - 35.50 = -25.50, nothing payable; 7 are held."""
    one = statement(
        opening=Decimal(10), accrued=Decimal(0), reversed=Decimal("35.5"), payable=Decimal(0),
        rounding=Decimal(0), closing=Decimal("-25.5"), held=Decimal(7),
    )  # fmt: skip
    shown = {row.label: row.amount for row in figures(document(statement=one, taxes=()))}
    assert ("25.50 EUR", "0.00 EUR", "7.00 EUR") == (
        shown["Owed by the IB, carried forward"], shown["Payable"],
        shown["Held until clients are verified or released, not in the sum"],
    )  # fmt: skip
    assert "To be paid" not in shown


def test_what_is_too_little_to_pay_is_said_to_be_kept() -> None:
    """14.42 below the least payout of 20: 14.42 - 14.42 = 0 payable, and no debt."""
    one = statement(
        opening=Decimal(0), accrued=Decimal("14.42"), reversed=Decimal(0), payable=Decimal(0),
        rounding=Decimal(0), closing=Decimal("14.42"),
    )  # fmt: skip
    shown = [(row.label, row.amount) for row in figures(document(statement=one, taxes=()))]
    assert shown[3:] == [("Not paid yet, carried forward", "-14.42 EUR"), ("Payable", "0.00 EUR")]


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", "1,234,567.50 EUR"),
        ("de", "1.234.567,50 EUR"),
        ("pl", "1\u00a0234\u00a0567,50 EUR"),
        ("fr_FR", "1\u202f234\u202f567,50 EUR"),
        ("hi", "12,34,567.50 EUR"),
    ],
)
def test_numbers_are_as_the_reader_writes_them(locale: str, expected: str) -> None:
    """Points, commas, spaces of two kinds, lakhs."""
    assert expected == amount_text(Decimal("1234567.5"), "EUR", locale)


def test_digits_are_the_currencys_at_least_and_never_lost() -> None:
    """JPY 0, KWD 3, BTC 8; an accrual's eighth digit is there."""
    shown = [amount_text(Decimal(text), currency, "en") for text, currency in (
        ("1234", "JPY"), ("0.5", "JPY"), ("1.5", "KWD"), ("0.1", "BTC"), ("0.00000001", "USD"),
    )]  # fmt: skip
    assert ["1,234 JPY", "0.5 JPY", "1.500 KWD", "0.10000000 BTC", "0.00000001 USD"] == shown


def test_the_days_of_a_period_are_the_brokers() -> None:
    """From 31 August 21:00 UTC is from 1 September in Cyprus, and its last day is 30 September."""
    assert "2026-09: September 1, 2026 \u2013 September 30, 2026" == dict(facts(document()))["Period"]
    german = dict(facts(document(locale="de")))
    assert "2026-09: 1. September 2026 \u2013 30. September 2026" == german["Period"]
    assert "2. Oktober 2026" == german["Issued on"]


@pytest.mark.parametrize("locale", ["en", "de", "fr"])
def test_html_and_pdf_say_the_same(locale: str) -> None:
    """Every row and fact, by a PDF reader that is not ours; what looks like a tag is text."""
    shown = document(locale=locale, notes=("VAT reverse charged, Art. 196 <2006/112/EC>.",))
    page, print_out = html_words(to_html(shown)), pdf_words(to_pdf(shown)).replace("\u202f", " ")
    rows = [(row.label, row.amount) for row in figures(shown)]
    for text in [word for pair in [*rows, *facts(shown)] for word in pair] + [*shown.notes, ATLAS.name]:
        plain = " ".join(text.split())
        assert plain in page
        assert re.sub(r"\s", "", plain) in re.sub(r"\s", "", print_out)


def test_tables_have_the_same_rows_as_numbers(tmp_path: Path) -> None:
    """1,300.12345678 earned is that number, whatever the locale; a name that begins with = is text."""
    shown = document(locale="de", ib=Party(name="=cmd|'/c calc'!A1"), notes=("+1",))
    rows = list(csv.reader(StringIO(to_statement_csv(shown).decode())))
    assert ["Earned", "1300.12345678", "EUR"] in rows
    assert ["To be paid", "1469.13", "EUR"] in rows
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    (tmp_path / "s.xlsx").write_bytes(to_statement_xlsx(shown))
    sheet = [[*row.cells] for row in xlsx_rows(tmp_path / "s.xlsx")]
    assert [row[0].removeprefix("'") for row in rows] == [row[0] for row in sheet]
    assert ["Earned", "1300.12345678", "EUR"] in sheet
    assert to_statement_xlsx(shown) == to_statement_xlsx(shown)


def test_names_in_other_scripts() -> None:
    """As they are in HTML, transliterated in the PDF, whose font does not have them."""
    shown = document(ib=Party(name="Иванов Пётр"), broker=Party(name="株式会社"))
    assert "Иванов Пётр" in to_html(shown).decode()
    assert "Ivanov Petr" in pdf_words(to_pdf(shown))


@pytest.mark.parametrize(
    "environment", [{"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"}, {"LANG": "de_DE.UTF-8"}]
)
def test_another_process_writes_the_same_bytes(environment: dict[str, str]) -> None:
    """Whatever its time zone, language, clock and hashes."""
    done = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS],
        env=environment, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True,
    )  # fmt: skip
    ours = [sha256(body).hexdigest() for body in (to_html(document()), to_pdf(document()))]
    assert ours == done.stdout.split()


def test_the_page_is_as_it_was() -> None:
    """Byte for byte; the PDF has the same rows (above), and bytes that its library's version decides."""
    assert (GOLDEN / "invoice.html").read_bytes() == to_html(document())


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (document(statement=statement(accrued=Decimal(1300))), "st-1 does not add up: -0.12345678, not 0"),
        (document(taxes=(Tax(label="VAT", amount=Decimal("0.001")),)), "VAT: 0.001 has more digits than EUR"),
        (document(taxes=(Tax(label="Tax", amount=Decimal(-1235)),)), "more is withheld than is payable"),
        (document(locale="klingon"), "the locale 'klingon' is unknown"),
        (document(zone="Mars/Olympus"), "the time zone 'Mars/Olympus' is unknown"),
        (document(zone="../etc/passwd"), "is unknown"),
    ],
)
def test_what_cannot_be_shown_is_refused(wrong: StatementDocument, why: str) -> None:
    """In both forms."""
    for write in (to_html, to_pdf):
        with pytest.raises(Unusable, match=re.escape(why)):
            write(wrong)


def test_a_statement_without_a_number_is_no_invoice() -> None:
    """And names the one it replaces."""
    plain = document(invoice_number="", taxes=(), statement=statement(replaces="st-0"))
    assert "<h1>Statement</h1>" in to_html(plain).decode()
    assert ("Replaces", "st-0") in facts(plain)
    assert datetime(2026, 9, 30, 21, tzinfo=UTC) == plain.statement.ends_at
