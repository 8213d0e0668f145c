"""A statement as CSV and as a workbook: the rows of the page, amounts as numbers."""

from api.views.csv_cells import Cell, to_csv
from api.views.workbook import to_xlsx
from infra.statement_documents.document import AnyDocument, check, facts, figures

COLUMNS = (("item", 44), ("amount", 36), ("currency", 9))
DIGITS = "#,##0.00######"


def to_statement_csv(document: AnyDocument) -> bytes:
    """Facts first, each with its text, then the figures; text that could be a formula is defused."""
    check(document)
    return to_csv([name for name, _ in COLUMNS], _rows(document))


def to_statement_xlsx(document: AnyDocument) -> bytes:
    """The same rows as one sheet."""
    check(document)
    return to_xlsx(document.title, document.made, COLUMNS, _rows(document), DIGITS)


def _rows(document: AnyDocument) -> list[list[Cell]]:
    parties = (("Broker", document.broker), ("Introducing broker", document.ib))
    known = [
        ("Document", document.title),
        *((role, ", ".join((party.name, *party.lines))) for role, party in parties),
        *facts(document),
    ]
    rows: list[list[Cell]] = [[label, text, ""] for label, text in known]
    rows += [[row.label, row.value, document.currency] for row in figures(document)]
    rows += [[note, "", ""] for note in document.notes]
    return rows
