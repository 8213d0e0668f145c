"""A statement as CSV and as a workbook: the rows of the page, amounts as numbers."""

from api.views.csv_cells import Cell, to_csv
from api.views.workbook import to_xlsx
from infra.statement_documents.document import StatementDocument, check, facts, figures

COLUMNS = (("item", 44), ("amount", 36), ("currency", 9))
DIGITS = "#,##0.00######"


def to_statement_csv(document: StatementDocument) -> bytes:
    """Facts first, each with its text, then the figures; text that could be a formula is defused."""
    check(document)
    return to_csv([name for name, _ in COLUMNS], _rows(document))


def to_statement_xlsx(document: StatementDocument) -> bytes:
    """The same rows as one sheet."""
    check(document)
    return to_xlsx(document.title, document.statement.ends_at, COLUMNS, _rows(document), DIGITS)


def _rows(document: StatementDocument) -> list[list[Cell]]:
    parties = (("Broker", document.broker), ("Introducing broker", document.ib))
    known = [
        ("Document", document.title),
        *((role, ", ".join((party.name, *party.lines))) for role, party in parties),
        *facts(document),
    ]
    rows: list[list[Cell]] = [[label, text, ""] for label, text in known]
    rows += [[row.label, row.value, document.statement.currency] for row in figures(document)]
    rows += [[note, "", ""] for note in document.notes]
    return rows
