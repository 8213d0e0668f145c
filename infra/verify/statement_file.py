"""`ibflow statements` and `ibflow verify --statement`: a statement's file, written and checked."""

from pathlib import Path
from typing import Any

from rich.table import Table

from commission.outputs import Statement, Transfer
from commission.partner.statement_hash import PROVED, Check, check
from infra.connect.api import ask
from infra.terminal import new_table
from schemas.errors import Unusable
from schemas.settings import Settings
from schemas.wire import MAX_RECORD_BYTES, InvalidRecord, decode

MAX_FILE_BYTES = 1_000_000_000
MAX_TRANSFERS = 1_000_000
"""Of one file; the export refuses more, too."""


def find_statement(settings: Settings, ib_id: str, period: str, currency: str) -> dict[str, Any]:
    """The row of an IB's statement; raise `Unusable` if there is none, or one in each of several."""
    found: list[dict[str, Any]] = ask(settings, "/v1/statements", ib=ib_id, period=period).json()["items"]
    fits = [row for row in found if not currency or row["currency"] == currency]
    if len(fits) != 1:
        has = ", ".join(row["currency"] for row in found)
        raise Unusable(
            f"{ib_id} has statements of {period} in {has}; choose one with --currency"
            if found
            else f"{ib_id} has no statement of {period}; close it with `ibflow terms end-period {period}`"
        )
    return fits[0]


def write_statement(settings: Settings, ib_id: str, period: str, currency: str, path: Path) -> str:
    """Write the file of an IB's statement; tell what it holds."""
    row = find_statement(settings, ib_id, period, currency)
    body = ask(settings, f"/v1/statements/{row['statement_id']}/export").content
    try:
        path.write_bytes(body)
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror}") from None
    statement = decode(body.partition(b"\n")[0])
    assert isinstance(statement, Statement), "a file begins with its statement"
    paid = f"{row['payable']} {row['currency']} payable"
    shown = "" if statement.hash == row["hash"] else " of the pseudonyms shown"
    return f"{path}: {row['transfers']} transfers, {paid}, hash {statement.hash}{shown}"


def read_statement(path: Path) -> tuple[Statement, list[Transfer]]:
    """Read a statement's file; raise `Unusable` for anything but a statement and its transfers."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise Unusable(f"{path} is larger than {MAX_FILE_BYTES:,} bytes: no statement of ours is")
    statement: Statement | None = None
    rows: list[Transfer] = []
    with path.open("rb") as file:
        for number in range(1, MAX_TRANSFERS + 3):
            line = file.readline(MAX_RECORD_BYTES + 2)
            if not line:
                break
            try:
                record = decode(line.rstrip(b"\r\n"))
            except InvalidRecord as error:
                raise Unusable(f"{path}:{number}: {error}") from None
            if number == 1 and isinstance(record, Statement):
                statement = record
            elif number > 1 and isinstance(record, Transfer):
                rows.append(_proved(record, f"{path}:{number}"))
            else:
                wanted = "a statement" if number == 1 else "a transfer"
                raise Unusable(f"{path}:{number}: a {record.type} is where {wanted} belongs")
        else:
            raise Unusable(f"{path} has more than {MAX_TRANSFERS:,} transfers")
    if statement is None:
        raise Unusable(f"{path} is empty; write one with `ibflow statements export IB PERIOD -o FILE`")
    return statement, rows


def _proved(row: Transfer, place: str) -> Transfer:
    """A file may say nothing that its hash does not cover."""
    proved = Transfer(**{name: getattr(row, name) for name in PROVED})
    if proved != row:
        raise Unusable(f"{place}: {row.transfer_id} has fields that a statement's hash does not cover")
    return row


def check_files(path: Path, previous: Path | None) -> tuple[Statement, tuple[Check, ...]]:
    """Check a statement's file and, if given, that it follows the one before; no service is asked."""
    statement, rows = read_statement(path)
    if previous is None:
        return statement, check(statement, rows)
    before, earlier = read_statement(previous)
    own = next(found for found in check(before, earlier) if found.name == "hash")
    checks = check(statement, rows, before)
    return statement, (*checks, own._replace(name="hash of the one before"))


def checks_table(statement: Statement, checks: tuple[Check, ...]) -> Table:
    """The checks, one a line, for people."""
    title = f"{statement.ib_id}, {statement.period}, {statement.currency}"
    table = new_table(title)
    for name in ("", "what must hold", "found"):
        table.add_column(name)
    for name, found, holds in checks:
        table.add_row("[green]✓[/]" if holds else "[bold red]✗[/]", name, found)
    return table
