"""Statements for people, as the server writes them: what the API asks for."""

from pathlib import Path
from typing import Any

from api.documents import DocumentRefused, Written
from commission.outputs import Statement
from infra.connect.broker_name import NAME_FILE
from infra.statement_documents.document import Party, StatementDocument, day_in
from infra.statement_documents.parties import Parties, read_parties
from infra.statement_documents.write import FORMATS, as_invoice
from schemas.errors import Unusable
from schemas.settings import Settings

MEDIA_TYPES = {
    "pdf": "application/pdf",
    "html": "text/html; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}


class DocumentDesk:
    """Reads the file of legal names anew for each document: it is small, and may be corrected meanwhile."""

    formats = tuple(MEDIA_TYPES)

    def __init__(self, settings: Settings) -> None:
        if settings.parties_file is not None:
            read_parties(settings.parties_file)  # what cannot be used is said at the start
        self._file, self._folder = settings.parties_file, settings.data_dir

    def write(self, row: dict[str, Any], ib_name: str, billed: dict[str, Any] | None, kind: str) -> Written:
        """The bytes of a document, the same for the same statement."""
        fields = {name: row[name] for name in Statement.__struct_fields__ if name in row}
        statement = Statement(**fields)
        try:
            known, ib = self._parties(statement.ib_id, ib_name)
            document = StatementDocument(
                statement=statement,
                broker=known.broker,
                ib=ib,
                issued_on=day_in(known.zone, statement.ends_at),
                zone=known.zone,
            )
            if billed is not None:
                document = as_invoice(document, billed)
            body = FORMATS[f".{kind}"](document)
        except Unusable as error:
            raise DocumentRefused(str(error)) from None
        return Written(f"{document.file_stem}.{kind}", MEDIA_TYPES[kind], body)

    def _parties(self, ib_id: str, ib_name: str) -> tuple[Parties, Party]:
        """By the file; without one, the names that the ledger knows."""
        if self._file is not None:
            known = read_parties(self._file)
            return known, known.ib(ib_id, Path(self._file.name))
        path = self._folder / NAME_FILE
        broker = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
        return Parties(broker=Party(name=broker or "The broker"), ibs={}), Party(name=ib_name or ib_id)
