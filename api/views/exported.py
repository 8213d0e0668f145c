"""What can be exported as a long file: the question, its columns, and its rows a few thousand at a time.

A question is kept as JSON from when it is asked until its file is made, with the scope of whoever asked.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import msgspec

from api.exports import ListName
from api.ledger import Row
from api.queries import commissions, transfers
from api.queries.commission_sql import ReportFilter
from api.queries.dimensions import GroupBy
from api.queries.transfers import TransferFilter
from api.scope import Scope
from api.views.exported_lists import LISTS, Columns, Sources
from schemas.columns import TRANSFER_COLUMNS

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
    def name(self) -> str:
        """What is in the file."""
        return "commissions"

    @property
    def reads(self) -> str:
        """The path whose readers may have it."""
        return "/v1/reports/commissions"

    @property
    def scope(self) -> Scope:
        """What of the ledger it may hold."""
        return self.wanted.scope

    @property
    def all_columns(self) -> Columns:
        """In their order."""
        names = commissions.columns(self.groups)
        return {name: _MEASURES.get(name, str) for name in names}

    def count(self, of: Sources) -> int:
        """How many groups there are."""
        return commissions.count(of.ledger, self.wanted, self.groups)

    def blocks(self, of: Sources) -> Iterator[list[Row]]:
        """All groups, by name."""
        return commissions.blocks(of.ledger, self.wanted, self.groups)


class Transfers(msgspec.Struct, frozen=True, tag="transfers"):
    """Rows of the ledger, day after day."""

    wanted: TransferFilter
    columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What is in the file."""
        return "transfers"

    @property
    def reads(self) -> str:
        """The path whose readers may have it."""
        return "/v1/transfers"

    @property
    def scope(self) -> Scope:
        """What of the ledger it may hold."""
        return self.wanted.scope

    @property
    def all_columns(self) -> Columns:
        """In their order."""
        return {name: _OF_TRANSFERS.get(name, str) for name in TRANSFER_COLUMNS}

    def count(self, of: Sources) -> int:
        """How many rows there are."""
        return transfers.count(of.ledger, self.wanted)

    def blocks(self, of: Sources) -> Iterator[list[Row]]:
        """The rows of each day by their time, the oldest first."""
        return transfers.blocks(of.ledger, self.wanted)


class Listed(msgspec.Struct, frozen=True, tag="list"):
    """One of the lists that have a name, in its page's order."""

    name: ListName
    scope: Scope
    of: dict[str, str]
    columns: tuple[str, ...] = ()

    @property
    def reads(self) -> str:
        """The path whose readers may have it."""
        return LISTS[self.name].reads

    @property
    def all_columns(self) -> Columns:
        """In their order."""
        return LISTS[self.name].columns

    def count(self, _: Sources) -> None:
        """Nobody counts them before: that took as long as the file."""

    def blocks(self, of: Sources) -> Iterator[list[Row]]:
        """The rows as pages have them."""
        return LISTS[self.name].blocks(of, self.scope, self.of)


Question = Commissions | Transfers | Listed
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
