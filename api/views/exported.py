"""What can be exported as a long file: the question, its columns, and its rows a few thousand at a time.

A question is kept as JSON from when it is asked until its file is made, with the scope of whoever asked.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import msgspec

from api.ledger import Ledger, Row
from api.queries import commissions, transfers
from api.queries.commission_sql import ReportFilter
from api.queries.dimensions import GroupBy
from api.queries.transfers import TransferFilter
from schemas.columns import TRANSFER_COLUMNS

Columns = dict[str, type]
"""Each with the type of its cells: `str`, `int`, `Decimal` or `datetime`."""
_MEASURES: Columns = {
    name: str if name == "currency" else int if name == "deals" else Decimal for name in commissions.MEASURES
}
_OF_TRANSFERS: Columns = {
    "amount": Decimal, "lots": Decimal, "plan_version": int, "depth": int, "occurred_at": datetime,
    "matures_at": datetime,
}  # fmt: skip


class Commissions(msgspec.Struct, frozen=True, tag="commissions"):
    """The commission report, all of its groups."""

    wanted: ReportFilter
    groups: tuple[GroupBy, ...]
    columns: tuple[str, ...] = ()
    """None: all."""

    @property
    def all_columns(self) -> Columns:
        """In their order."""
        names = commissions.columns(self.groups)
        return {name: _MEASURES.get(name, str) for name in names}

    def count(self, ledger: Ledger) -> int:
        """How many groups there are."""
        return commissions.count(ledger, self.wanted, self.groups)

    def blocks(self, ledger: Ledger) -> Iterator[list[Row]]:
        """All groups, by name."""
        return commissions.blocks(ledger, self.wanted, self.groups)


class Transfers(msgspec.Struct, frozen=True, tag="transfers"):
    """Rows of the ledger, day after day."""

    wanted: TransferFilter
    columns: tuple[str, ...] = ()

    @property
    def all_columns(self) -> Columns:
        """In their order."""
        return {name: _OF_TRANSFERS.get(name, str) for name in TRANSFER_COLUMNS}

    def count(self, ledger: Ledger) -> int:
        """How many rows there are."""
        return transfers.count(ledger, self.wanted)

    def blocks(self, ledger: Ledger) -> Iterator[list[Row]]:
        """The rows of each day by their time, the oldest first."""
        return transfers.blocks(ledger, self.wanted)


Question = Commissions | Transfers
_ENCODER, _DECODER = msgspec.json.Encoder(), msgspec.json.Decoder(Question)


def encode_question(question: Question) -> bytes:
    """For a file that outlives the process."""
    return _ENCODER.encode(question)


def decode_question(text: bytes) -> Question:
    """What `encode_question` wrote."""
    return _DECODER.decode(text)


def columns_of(question: Question) -> Columns:
    """Those that are asked for."""
    every = question.all_columns
    return {name: every[name] for name in question.columns} if question.columns else every
