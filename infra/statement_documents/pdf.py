"""A statement as PDF: A4, the same bytes for the same document."""

from collections.abc import Iterable
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import reportlab
from anyascii import anyascii
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from infra.statement_documents.document import AnyDocument, Party, check, facts, figures

FONTS = Path(reportlab.__file__).parent / "fonts"
PLAIN, BOLD = "IbflowPlain", "IbflowBold"
PADDING = 6
"""What the library keeps free inside of a page's frame, in points."""
MARGIN, WIDTH = 20 * mm - PADDING, A4[0] - 40 * mm
GREY, LINE = colors.HexColor("#5a6475"), colors.HexColor("#d9dee7")

_TEXT = ParagraphStyle("text", fontName=PLAIN, fontSize=9.5, leading=13)
_NUMBER = ParagraphStyle("number", parent=_TEXT, alignment=2)
_SMALL = ParagraphStyle("small", parent=_TEXT, fontSize=8, leading=11, textColor=GREY)
_TITLE = ParagraphStyle("title", parent=_TEXT, fontName=BOLD, fontSize=15, leading=20, spaceAfter=6 * mm)


def to_pdf(document: AnyDocument) -> bytes:
    """Write it; raise `Unusable` for what cannot be shown.

    The font has the letters of western Europe; others are transliterated. The HTML has them as they are.
    """
    check(document)
    letters = _fonts()
    buffer = BytesIO()
    pages = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=_shown(f"{document.title} {document.heading}", letters),
        author=_shown(document.broker.name, letters),
        creator="ibflow",
        lang=document.locale.replace("_", "-"),
        invariant=1,  # no clock and no random id
    )
    pages.build(_content(document, letters))
    return buffer.getvalue()


def _content(document: AnyDocument, letters: frozenset[int]) -> list[Any]:
    parties = [
        [_party("Broker", document.broker, letters), _party("Introducing broker", document.ib, letters)]
    ]
    known = [[_p(label, _SMALL, letters), _p(text, _TEXT, letters)] for label, text in facts(document)]
    return [
        _p(document.title, _TITLE, letters),
        Table(parties, [WIDTH / 2] * 2, style=[("VALIGN", (0, 0), (-1, -1), "TOP"), *_TIGHT]),
        Spacer(0, 6 * mm),
        Table(known, [32 * mm, WIDTH - 32 * mm], style=_TIGHT),
        Spacer(0, 6 * mm),
        _figures(document, letters),
        Spacer(0, 6 * mm),
        *(_p(note, _SMALL, letters) for note in document.notes),
    ]


_TIGHT: list[tuple[Any, ...]] = [
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("TOPPADDING", (0, 0), (-1, -1), 0),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
]


def _figures(document: AnyDocument, letters: frozenset[int]) -> Table:
    rows, style = [], TableStyle([*_TIGHT, ("LINEBELOW", (0, 0), (-1, -1), 0.5, LINE)])
    style.add("TOPPADDING", (0, 0), (-1, -1), 4)
    style.add("BOTTOMPADDING", (0, 0), (-1, -1), 4)
    for number, row in enumerate(figures(document)):
        if row.is_sum:
            style.add("LINEBELOW", (0, number), (-1, number), 1.2, colors.black)
        label, amount = (_p(text, one, letters, bold=row.is_sum) for text, one in (
            (row.label, _TEXT), (row.amount, _NUMBER),
        ))  # fmt: skip
        rows.append([label, amount])
    return Table(rows, [WIDTH - 60 * mm, 60 * mm], style=style)


def _party(role: str, party: Party, letters: frozenset[int]) -> list[Paragraph]:
    lines = (_p(line, _TEXT, letters) for line in party.lines)
    return [_p(role, _SMALL, letters), _p(party.name, _TEXT, letters, bold=True), *lines]


def _p(text: str, style: ParagraphStyle, letters: frozenset[int], *, bold: bool = False) -> Paragraph:
    shown = escape(_shown(text, letters))
    return Paragraph(f'<font name="{BOLD}">{shown}</font>' if bold else shown, style)


def _shown(text: str, letters: frozenset[int]) -> str:
    """With the letters of the font; spaces of any kind are spaces."""
    return "".join(one if ord(one) in letters else " " if one.isspace() else anyascii(one) for one in text)


@lru_cache(maxsize=1)
def _fonts() -> frozenset[int]:
    """Register the fonts; the characters that both have."""
    found: list[Iterable[int]] = []
    for name, file in ((PLAIN, "Vera.ttf"), (BOLD, "VeraBd.ttf")):
        font = TTFont(name, str(FONTS / file))
        registerFont(font)
        found.append(font.face.charToGlyph)
    return frozenset(found[0]).intersection(found[1])
