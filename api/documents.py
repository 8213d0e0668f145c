"""What the API asks of whoever writes statements for people: `infra` does, for it has the legal names."""

from typing import Any, NamedTuple, Protocol

from schemas.errors import Unusable


class DocumentRefused(Unusable):
    """It cannot be written; the message says what is missing."""


class Written(NamedTuple):
    """A file for people."""

    name: str
    media_type: str
    body: bytes


class Documents(Protocol):
    """Statements as documents."""

    @property
    def formats(self) -> tuple[str, ...]:
        """`pdf` and what else there is."""

    def write(self, row: dict[str, Any], ib_name: str, billed: dict[str, Any] | None, kind: str) -> Written:
        """A statement as its table has it, or the self-billing invoice that it became.

        `billed` is the invoice as `GET /v1/invoices` shows it. Raise `DocumentRefused`.
        """
