"""`ibflow statements export -o FILE`: a statement of the ledger, or an invoice, as a document for people."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from commission.outputs import Statement
from infra.connect.api import ask, ask_all
from infra.statement_documents.document import (
    Advance,
    AdvanceDocument,
    AnyDocument,
    StatementDocument,
    Tax,
    day_in,
    due,
)
from infra.statement_documents.html import to_html
from infra.statement_documents.parties import read_parties
from infra.statement_documents.tables import to_statement_csv, to_statement_xlsx
from infra.verify.statement_file import find_statement
from schemas.errors import Unusable
from schemas.settings import Settings


def _to_pdf(document: AnyDocument) -> bytes:
    from infra.statement_documents.pdf import to_pdf  # noqa: PLC0415  # slow to import, rarely needed

    return to_pdf(document)


FORMATS: dict[str, Callable[[AnyDocument], bytes]] = {
    ".html": to_html, ".pdf": _to_pdf, ".csv": to_statement_csv, ".xlsx": to_statement_xlsx,
}  # fmt: skip
"""By the ending of the file."""


def billing(billed: dict[str, Any]) -> dict[str, Any]:
    """What a self-billing invoice says beside its figures, of the day on which it was issued."""
    label, notes = billed["tax_label"], list[str]()
    if "reverse" in label:
        notes.append("VAT is reverse charged: whoever receives the service owes it.")
    if billed["exchange"]:
        notes.append(f"Paid as {billed['pays']} {billed['pays_currency']}: {billed['exchange']}.")
    return {
        "invoice_number": billed["number"],
        "issued_on": day_in("UTC", datetime.fromisoformat(billed["issued_at"])),
        "taxes": (Tax(label=label, amount=Decimal(billed["tax"])),) if label else (),
        "notes": tuple(notes),
    }


def as_invoice(document: StatementDocument, billed: dict[str, Any]) -> StatementDocument:
    """The statement as the self-billing invoice that it became."""
    others = Decimal(billed["amount"]) - document.statement.payable
    return replace(document, others=others, **billing(billed))


def write_invoice(
    settings: Settings, number: str, issuer: str, path: Path, parties: Path, locale: str
) -> str:
    """Write the invoice of a payment of advances, which no statement has; tell what it bills."""
    known, year = read_parties(parties), number.split("-")[1] if number.count("-") == 2 else ""
    found = [
        one
        for one in ask_all(settings, "/v1/invoices", year=year if year.isdecimal() else "")
        if one["number"] == number and issuer in ("", one["issuer"])
    ]
    if len(found) != 1:
        several = f"{number} is an invoice of several: --issuer {' or '.join(one['issuer'] for one in found)}"
        raise Unusable(several if found else f"no invoice {number}; `ibflow statements invoices` lists them")
    (one,) = found
    if len(one["advances"]) < len(one["statement_ids"]):
        raise Unusable(f"{number} bills statements of {one['ib_id']}: `ibflow statements export` writes it")
    advances = tuple(
        Advance(
            change_id=each["change_id"],
            granted_on=day_in(known.zone, datetime.fromisoformat(each["granted_at"])),
            amount=Decimal(each["amount"]),
            reason=each["reason"],
        )
        for each in one["advances"]
    )
    document = AdvanceDocument(
        broker=known.broker,
        ib=known.ib(one["ib_id"], parties),
        ib_id=one["ib_id"],
        currency=one["currency"],
        advances=advances,
        locale=locale,
        zone=known.zone,
        **billing(one),
    )
    if due(document) != Decimal(one["due"]):
        raise Unusable(f"{number} does not add up: {due(document)}, not {one['due']}; report it")
    _write(document, path)
    return f"{path}: {document.title}, {one['due']} {one['currency']} in advance"


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
    _write(document, path)
    what = f"{document.title}, " if document.invoice_number else ""
    return f"{path}: {what}{row['payable']} {row['currency']} payable, hash {statement.hash}"


def _write(document: AnyDocument, path: Path) -> None:
    body = FORMATS[path.suffix.lower()](document)
    try:
        path.write_bytes(body)
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror}") from None
