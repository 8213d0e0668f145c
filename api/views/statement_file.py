"""A statement with all of its transfers: what a partner is given, and what proves it without us.

Which transfers belong is not stored: the partner book decides when a row arrives, by what is closed by
then. So rows are sorted again by their place in the book's archived log.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from api.ledger import Ledger, Row
from api.problems import Problem
from api.queries.periods import BEGINNING
from api.scope import Scope, sees
from api.views.pseudonyms import Pseudonyms
from commission.accounts import pending
from commission.outputs import Statement, Transfer
from commission.partner.statement_hash import PROVED
from commission.partner.statement_membership import Booked, Place, by_statement
from commission.terms.calendar import PeriodDefined
from schemas import topics
from schemas.columns import STATEMENT_COLUMNS, to_transfer
from schemas.wire import decode_batch, encode

MAX_TRANSFERS = 1_000_000
"""Rows read for one IB; a statement with more needs a period shorter than a month."""
MAX_STATEMENTS = 10_000
"""Of one IB."""
MAX_MESSAGES = 10_000_000
"""Messages of one partition whose sources are looked at."""

_SHOWN = sorted(PROVED)
_IB_OF = f"SELECT ib_id FROM statements_current WHERE statement_id = {{id:String}} AND {sees('ib_id')}"  # noqa: S608
_OF_IB = f"""
SELECT {", ".join(STATEMENT_COLUMNS)}, _partition, _offset FROM statements_current WHERE ib_id = {{ib:String}}
ORDER BY starts_at, currency LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters

# Of what was booked before the last closing only later periods' rows can still be open.
_ROWS = f"""
SELECT {", ".join(_SHOWN)}, _topic, _partition, _offset FROM transfers FINAL
WHERE ib_id = {{ib:String}} AND ({{currency:String}} = '' OR currency = {{currency:String}})
  AND (debit = {{pending:String}} OR credit = {{pending:String}})
  AND (_topic != '{topics.PARTNER_BOOK}' OR toInt64(_offset) > {{after:Int64}}
    OR coalesce(matures_at, occurred_at) >= {{since:DateTime64(6, 'UTC')}})
ORDER BY occurred_at, transfer_id LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters

_CAUSES = f"""
SELECT _offset, source FROM books FINAL
WHERE _topic = '{topics.SETTLEMENTS}' AND _partition = {{partition:UInt32}}
LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters

_TERMS = f"""
SELECT _offset, source, message FROM books FINAL
WHERE _topic = '{topics.PARTNER_BOOK}' AND _partition = {{partition:UInt32}}
  AND startsWith(source, '{topics.TERMS}/')
ORDER BY _offset LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters


@dataclass(frozen=True, slots=True)
class StatementFile:
    """A statement and the transfers it states the sum of."""

    statement: Statement
    transfers: tuple[Transfer, ...]

    @property
    def name(self) -> str:
        """A file name that tells which statement it is."""
        parts = (self.statement.ib_id, self.statement.period, self.statement.currency)
        return "-".join("".join(c if c.isalnum() else "-" for c in part) for part in parts) + ".jsonl"

    def lines(self) -> Iterator[bytes]:
        """JSON lines: the statement, then its transfers, each with what the hash covers and no more."""
        yield encode([self.statement])[0] + b"\n"
        for row in self.transfers:
            yield encode([row])[0] + b"\n"


def statement_file(
    ledger: Ledger, scope: Scope, statement_id: str, pseudonyms: Pseudonyms | None = None
) -> StatementFile | None:
    """Gather one statement with its transfers, or None if the scope sees no such statement.

    With pseudonyms its hash is of the rows as they are shown, and so is every hash before it: all of the
    IB's statements in the currency are gone through.
    """
    found = ledger.rows(_IB_OF, id=statement_id, **scope.parameters)
    if not found:
        return None
    history = _History(ledger, str(found[0]["ib_id"]), _Log(ledger))
    wanted = next(s for s in history.statements if s.statement_id == statement_id)
    earlier = [s for s in history.statements if s.starts_at < wanted.starts_at]
    if pseudonyms is None:
        return _file(wanted, history.by_statement(wanted.currency, earlier[-1] if earlier else None))
    rows = history.by_statement(wanted.currency)
    file = None
    for statement in (*(one for one in earlier if one.currency == wanted.currency), wanted):
        file = _pseudonymous(_file(statement, rows), file, pseudonyms)
    return file


def _pseudonymous(file: StatementFile, before: StatementFile | None, pseudonyms: Pseudonyms) -> StatementFile:
    rows = tuple(pseudonyms.row(row) for row in file.transfers)
    previous = before.statement.hash if before is not None else ""
    return StatementFile(pseudonyms.statement(file.statement, rows, previous), rows)


def statement_files(ledger: Ledger) -> Iterator[tuple[StatementFile, Statement | None]]:
    """Every statement with its transfers, and the statement before it, IB by IB."""
    log = _Log(ledger)
    for ib in ledger.rows("SELECT DISTINCT ib_id FROM statements_current ORDER BY ib_id"):
        history = _History(ledger, str(ib["ib_id"]), log)
        rows = history.by_statement()
        last: dict[str, Statement] = {}
        for statement in history.statements:
            yield _file(statement, rows), last.get(statement.currency)
            last[statement.currency] = statement


def _file(statement: Statement, rows: dict[Place, list[Transfer]]) -> StatementFile:
    """In the order of time, the closing's rows last: the same bytes for the same ledger."""
    own = rows.get((statement.period, statement.currency), [])
    return StatementFile(
        statement, tuple(sorted(own, key=lambda row: (bool(row.period), row.occurred_at, row.transfer_id)))
    )


class _Log:
    """What the archive tells of the partner book's partitions, read once for each."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._causes: dict[int, dict[int, tuple[int, int]]] = {}
        self._periods: dict[int, list[tuple[int, PeriodDefined]]] = {}

    def cause(self, partition: int, offset: int) -> tuple[int, int]:
        """Partition and offset of the partner book's message that caused a settlement."""
        if partition not in self._causes:
            rows = self._ledger.rows(_CAUSES, partition=partition, limit=MAX_MESSAGES)
            self._causes[partition] = {row["_offset"]: _position(row["source"]) for row in rows}
        found = self._causes[partition].get(offset)
        if found is None:
            raise Problem(
                409,
                f"The archive lacks {topics.SETTLEMENTS}/{partition}/{offset}, so it is unknown which "
                "transfers belong to which statement. Let the sink store the topics into an empty database.",
                code="archive_incomplete",
            )
        return found

    def periods(self, partition: int) -> list[tuple[int, PeriodDefined]]:
        """The periods, with the offsets at which the book learned them."""
        if partition not in self._periods:
            rows = self._ledger.rows(_TERMS, partition=partition, limit=MAX_MESSAGES)
            self._periods[partition] = [
                (row["_offset"], record)
                for row in rows
                for record in decode_batch(row["message"].encode())
                if isinstance(record, PeriodDefined)
            ]
        return self._periods[partition]


def _position(source: str) -> tuple[int, int]:
    """Partition and offset of a source position."""
    _, partition, offset, _ = source.rsplit("/", 3)
    return int(partition), int(offset)


class _History:
    """One IB's statements in the order they closed, and its rows."""

    def __init__(self, ledger: Ledger, ib_id: str, log: _Log) -> None:
        self._ledger, self._ib_id, self._log = ledger, ib_id, log
        self.statements: list[Statement] = []
        self._closings: dict[str, tuple[datetime, int]] = {}
        """When each closed period began, and the offset at which it was closed."""
        self._partition = 0
        for row in ledger.rows(_OF_IB, ib=ib_id, limit=MAX_STATEMENTS):
            self._partition, offset = log.cause(row.pop("_partition"), row.pop("_offset"))
            self.statements.append(Statement(**row))
            self._closings[row["period"]] = row["starts_at"], offset

    def by_statement(self, currency: str = "", after: Statement | None = None) -> dict[Place, list[Transfer]]:
        """The rows by the statement they belong to; complete for what closed later than `after`."""
        rows = self._ledger.rows(
            _ROWS,
            ib=self._ib_id,
            currency=currency,
            pending=pending(self._ib_id),
            after=-1 if after is None else self._closings[after.period][1],
            since=BEGINNING if after is None else after.ends_at,
            limit=MAX_TRANSFERS + 1,
        )
        if len(rows) > MAX_TRANSFERS:
            raise Problem(
                422,
                f"{self._ib_id} has more than {MAX_TRANSFERS:,} transfers. Use shorter periods.",
                code="too_many_rows",
            )
        closings = {
            period: offset
            for period, (starts_at, offset) in self._closings.items()
            if after is None or starts_at >= after.starts_at
        }
        return by_statement((self._booked(row) for row in rows), self._log.periods(self._partition), closings)

    def _booked(self, row: Row) -> Booked:
        topic, partition, offset = row["_topic"], row["_partition"], row["_offset"]
        if topic == topics.SETTLEMENTS:
            _, offset = self._log.cause(partition, offset)
        return Booked(offset, to_transfer(row))
