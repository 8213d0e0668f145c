"""The ledger as an IB reads it where the broker keeps a key of pseudonyms: its clients without their ids.

Every row of every query passes here, so a page or report that is added later shows no client either: columns
go by their names. What an answer has shown can be asked about again, as a client's pseudonym can at any time.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from api.ledger import FileKind, Ledger, Row
from api.problems import Problem
from api.scope import CLIENTS_SEEN, Scope
from api.views.pseudonyms import DIGITS, Kind, Pseudonyms
from commission import accounts

CLIENTS = ("client_id", "by_client")
CAUSES = ("caused_by", "event_id", "deposit_id")
BLANK: Mapping[str, object] = {"login": 0, "client_login": "", "comment": "", "source": "", "click": {}}
"""What may name a client and is of no use to an IB."""
CLIENT_FACTORS = ("paid_client", "instead_of")
MAX_CLIENTS = 1_000_000
_PSEUDONYM = re.compile(rf"(client|account|cause)-[0-9a-f]{{{DIGITS}}}\Z")
_OWN = f"SELECT client_id FROM ({CLIENTS_SEEN}) LIMIT {{limit:UInt32}}"  # noqa: S608  - constants


class PseudonymousLedger(Ledger):
    """Of one request: it remembers whom it has renamed, so that the request can go on to ask about them."""

    hides_clients = True

    def __init__(self, ledger: Ledger, pseudonyms: Pseudonyms) -> None:
        self._ledger, self._pseudonyms, self.cluster = ledger, pseudonyms, ledger.cluster
        self._known: dict[str, str] = {}
        self._has_all = False
        self.scope: Scope | None = None
        """Whose clients may be asked for by a pseudonym that this request has not shown yet."""

    def rows(self, sql: str, **values: object) -> list[Row]:
        """The rows, renamed; a pseudonym among the values means who it stands for."""
        given = {name: self._real(value) for name, value in values.items()}
        return [self._renamed(row) for row in self._ledger.rows(sql, **given)]

    def remembered(self, sql: str, **values: object) -> list[Row]:
        """The same of what the ledger remembers, which has no pseudonyms."""
        given = {name: self._real(value) for name, value in values.items()}
        return [self._renamed(row) for row in self._ledger.remembered(sql, **given)]

    def long_blocks(self, sql: str, **values: object) -> Iterator[list[Row]]:
        """The same of a file."""
        given = {name: self._real(value) for name, value in values.items()}
        for block in self._ledger.long_blocks(sql, **given):
            yield [self._renamed(row) for row in block]

    def blocks(self, sql: str, **values: object) -> Iterator[list[Row]]:
        """The same of many rows."""
        given = {name: self._real(value) for name, value in values.items()}
        for block in self._ledger.blocks(sql, **given):
            yield [self._renamed(row) for row in block]

    def file(self, sql: str, kind: FileKind, max_rows: int, **values: object) -> bytes:
        """A file that the ledger writes itself, unless it has clients."""
        if "by_client" in sql:
            raise Problem(422, "A file by columns has no pseudonyms. Ask for CSV, XLSX or JSON.")
        given = {name: self._real(value) for name, value in values.items()}
        return self._ledger.file(sql, kind, max_rows, **given)

    def close(self) -> None:
        """The app's own ledger stays open."""

    # To pseudonyms

    def renamed(self, row: Row) -> Row:
        """A row that another ledger read, as this one shows it."""
        return self._renamed(row)

    def _renamed(self, row: Row) -> Row:
        found = {name: self._value(name, value, row) for name, value in row.items()}
        if "place" in row and "by_client" in row:  # what the next page begins after
            found["place"] = [found["by_client"] if one == row["by_client"] else one for one in row["place"]]
        return found

    def _value(self, name: str, value: Any, row: Row) -> Any:
        if name in BLANK:
            return BLANK[name]
        if name in ("debit", "credit") and isinstance(value, str) and accounts.is_of_client(value):
            head, client_id, tail = value.split(":")
            return f"{head}:{self._of('client', client_id)}:{tail}"
        if name == "factors":
            return {key: self._factor(key, one) for key, one in value.items()}
        kind = self._kind(name, value, row)
        return value if kind is None else self._of(kind, value)

    def _kind(self, name: str, value: Any, row: Row) -> Kind | None:
        """What a column's value is a pseudonym of; None: it stays."""
        if name in CLIENTS:
            return "client"
        if name == "account_key":
            return "account"
        has_cause = name in CAUSES and "client_id" in row and not self._is_deal(str(value), row)
        return "cause" if has_cause else None

    def _factor(self, name: str, value: str) -> str:
        kind: Kind | None = "client" if name in CLIENT_FACTORS else "cause" if name == "trigger" else None
        return value if kind is None else str(self._of(kind, value))

    @staticmethod
    def _is_deal(cause: str, row: Row) -> bool:
        """A deal's number on its server stays: it is on the client's own statement, and names nobody."""
        server, _, number = cause.rpartition("|")
        account = str(row.get("account_key", ""))
        is_closing = not row.get("client_id") and not account
        return is_closing or (number.isdigit() and bool(account) and server == account.partition("/")[0])

    def _of(self, kind: Kind, value: Any) -> Any:
        if not value:
            return value
        shown = self._pseudonyms.of(kind, str(value))
        self._known[shown] = str(value)
        return shown

    # And back

    def _real(self, value: object) -> object:
        if isinstance(value, str):
            return self._real_of(value) if _PSEUDONYM.match(value) else value
        if isinstance(value, list | tuple):
            return [self._real(one) for one in value]
        return value

    def _real_of(self, shown: str) -> str:
        if shown not in self._known and shown.startswith("client-") and not self._has_all and self.scope:
            self._has_all = True
            for row in self._ledger.rows(_OWN, limit=MAX_CLIENTS, **self.scope.parameters):
                self._of("client", row["client_id"])
        return self._known.get(shown, shown)
