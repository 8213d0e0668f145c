"""`ibflow statements export -o FILE`: a statement of the ledger as a document for people."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from commission.outputs import Statement
from infra.statement_documents.document import StatementDocument, day_in
from infra.statement_documents.html import to_html
from infra.statement_documents.parties import read_parties
from infra.statement_documents.pdf import to_pdf
from infra.statement_documents.tables import to_statement_csv, to_statement_xlsx
from infra.verify.statement_file import find_statement
from schemas.errors import Unusable
from schemas.settings import Settings

FORMATS: dict[str, Callable[[StatementDocument], bytes]] = {
    ".html": to_html, ".pdf": to_pdf, ".csv": to_statement_csv, ".xlsx": to_statement_xlsx,
}  # fmt: skip
"""By the ending of the file."""


def write_document(
    settings: Settings, ib_id: str, period: str, currency: str, path: Path, parties: Path, locale: str
) -> str:
    """Write the document of an IB's statement, issued on the day its period ended; tell what it holds."""
    known = read_parties(parties)
    row = find_statement(settings, ib_id, period, currency)
    fields = {name: row[name] for name in Statement.__struct_fields__ if name in row}
    statement = msgspec.convert(fields, Statement, strict=False)
    document = StatementDocument(
        statement=statement,
        broker=known.broker,
        ib=known.ib(ib_id, parties),
        issued_on=day_in(known.zone, statement.ends_at),
        locale=locale,
        zone=known.zone,
    )
    body = FORMATS[path.suffix.lower()](document)
    try:
        path.write_bytes(body)
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror}") from None
    return f"{path}: {row['payable']} {row['currency']} payable, hash {statement.hash}"
