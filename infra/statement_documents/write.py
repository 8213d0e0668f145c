"""`ibflow statements export -o FILE`: a statement of the ledger as a document for people."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from commission.outputs import Statement
from infra.connect.api import ask
from infra.statement_documents.document import StatementDocument, Tax, day_in
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


def as_invoice(document: StatementDocument, billed: dict[str, Any]) -> StatementDocument:
    """The statement as the self-billing invoice that it became, of the day on which it was issued."""
    label, notes = billed["tax_label"], list[str]()
    if "reverse" in label:
        notes.append("VAT is reverse charged: whoever receives the service owes it.")
    if billed["exchange"]:
        notes.append(f"Paid as {billed['pays']} {billed['pays_currency']}: {billed['exchange']}.")
    return replace(
        document,
        invoice_number=billed["number"],
        issued_on=day_in("UTC", datetime.fromisoformat(billed["issued_at"])),
        others=Decimal(billed["amount"]) - document.statement.payable,
        taxes=(Tax(label=label, amount=Decimal(billed["tax"])),) if label else (),
        notes=tuple(notes),
    )


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
    billed = ask(settings, "/v1/invoices", statement_id=statement.statement_id).json()["items"]
    if billed:
        document = as_invoice(document, billed[0])
    body = FORMATS[path.suffix.lower()](document)
    try:
        path.write_bytes(body)
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror}") from None
    what = f"{document.title}, " if document.invoice_number else ""
    return f"{path}: {what}{row['payable']} {row['currency']} payable, hash {statement.hash}"
