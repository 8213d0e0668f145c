"""Ledger, statements, batches, files and results compared: each difference in a sentence."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from fastapi import FastAPI

from api.ledger import Ledger, Row
from api.queries.native_by_day import days, has_native
from api.queries.payouts import answers, log_of_payouts, moved_lines, unequal_places
from api.queries.periods import ALWAYS
from api.scope import EVERYTHING
from commission.money import plain
from commission.payouts.batch import Batch
from commission.payouts.batch_commands import commands
from commission.payouts.changes import command
from commission.payouts.log import Payouts
from infra.connect.ledger_at import find_server
from infra.connect.settings import clickhouse_client, connect
from infra.payouts.files import Files
from schemas.errors import Unusable
from schemas.settings import Settings

PATH = "/v1/payout-reconciliation"
SECONDS = 600.0
MAX_DIFFERENCES = 10_000
"""That are told; the rest is counted."""
MAX_DAYS = 500_000
"""Of IBs, compared at once with what platforms pay; whoever has more is told until which day."""

_NOTHING = Decimal(0)


class Native(NamedTuple):
    """What platforms pay by themselves, beside what the ledger pays the same IB for the same day."""

    days: int = 0
    """Of an IB each."""
    unlike: int = 0
    """Of them, those in two currencies, which are not compared."""
    differences: tuple[str, ...] = ()


class Reconciliation(NamedTuple):
    """What was compared, and what differs."""

    batches: int
    lines: int
    differences: tuple[str, ...]
    native: Native = Native()

    @property
    def shown(self) -> dict[str, Any]:
        """As plain data; of very many differences the first."""
        native = self.native._asdict() | {"differences": _first(self.native.differences)}
        differences = _first(self.differences)
        return {"batches": self.batches, "lines": self.lines, "differences": differences, "native": native}


def _first(differences: Sequence[str]) -> list[str]:
    told = list(differences[:MAX_DIFFERENCES])
    more = len(differences) - len(told)
    return [*told, f"and {more:,} more"] if more else told


def reconcile(ledger: Ledger, files: Files | None = None) -> Reconciliation:
    """Compare everything that is stored; what is written and not stored yet is a difference until it is."""
    known = log_of_payouts(ledger)
    lines = sum(len(batch.lines) for batch in known.batches.values())
    return Reconciliation(len(known.batches), lines, tuple(_differences(ledger, known, files)))


def compare_native(ledger: Ledger) -> Native:
    """What MT4 and MT5 pay IBs by themselves, beside what the ledger pays them."""
    if not has_native(ledger):
        return Native()
    found = days(ledger, EVERYTHING, ALWAYS, "", MAX_DAYS)
    rows: list[Row] = found["items"]
    told = [_of_day(row) for row in rows if row["differs"]]
    if found["next_cursor"]:
        told.append(f"and days after {rows[-1]['day']}: /v1/native-payments/days has all")
    return Native(len(rows), sum(row["difference"] is None for row in rows), tuple(told))


def _of_day(row: Row) -> str:
    who, theirs = row["ib_id"] or "no IB here", f"{plain(row['native_amount'])} {row['native_currency']}"
    ours = f"{plain(row['amount'])} {row['currency']}"
    deals = f"{row['deals']:,} deal{'s' if row['deals'] > 1 else ''}"
    return (
        f"{row['day']} {who}: {row['server']} pays {theirs} for {deals}, the ledger {ours}: "
        f"{plain(row['difference'])}"
    )


def _differences(ledger: Ledger, known: Payouts, files: Files | None) -> Iterator[str]:
    for row in unequal_places(ledger):
        parts = ", ".join(
            f"{plain(row[name])} {name}" for name in ("payable", "in_payout", "paid", "exchanged", "taxed")
        )
        stated = f"{plain(row['stated'])} {row['currency']}"
        yield f"{row['ib_id']}: statements and advances state {stated}, and there are {parts}"
    moved = moved_lines(ledger)
    for batch in known.batches.values():
        for line_id in batch.lines:
            yield from _of_line(batch, line_id, moved.pop(line_id, None))
        if files is not None:
            yield from _of_files(batch, files)
        told = answers(ledger, batch.batch_id)
        if missing := sum(one.command_id not in told for one in commands(batch)):
            yield (
                f"{batch.batch_id}: {missing:,} commands have no answer of the books; `ibflow payouts resume "
                f"{batch.batch_id}` writes them again"
            )
    for line_id, row in moved.items():
        yield f"line {line_id} of {row['ib_id']} is in the ledger, and in no batch"
    told = answers(ledger, "")
    for change_id, change in known.changes.items():
        wanted = command(change)
        if wanted is not None and wanted.command_id not in told:
            who = f" as {change.decided_by}" if change.decided_by else ""
            yield f"{change_id}: the books have not answered; approve it again{who}"


_MOVED = ("locked", "paid", "returned", "exchanged", "exchanged_back", "taxed")


def _of_line(batch: Batch, line_id: str, row: Row | None) -> Iterator[str]:
    """A line's rows are what its state says, and of its amount."""
    line, status = batch.lines[line_id], batch.status.get(line_id)
    state = batch.state_of(line_id)
    found = [row[name] if row is not None else _NOTHING for name in _MOVED]
    if state in ("excluded", "refused") or batch.approved is None:
        expected = [_NOTHING] * len(_MOVED)
    elif batch.state == "cancelled":
        # locked and given back, or cancelled before it was locked
        expected = [found[0], _NOTHING, found[0], *[_NOTHING] * 3]
    else:
        was_paid = state == "settled" or (status is not None and status.settled is not None)
        is_back = state == "rejected"
        other = batch.paid(line) * (was_paid and batch.exchange is not None)
        tax = abs(line.due(batch.currency) - line.amount) * was_paid
        expected = [line.amount, line.amount * was_paid, line.amount * is_back, other, other * is_back]
        expected.append(tax * (1 + is_back))
    if found != expected:
        names = [
            name
            for name, *some in zip(_MOVED, expected, found, strict=True)
            if name in _MOVED[:3] or any(some)
        ]
        yield (
            f"{batch.batch_id}, line {line_id} of {line.ib_id}: it is {state}, so the ledger should have "
            f"{_moved(names, expected)}, and has {_moved(names, found)}"
        )


def _moved(names: Sequence[str], amounts: Sequence[Decimal]) -> str:
    of = dict(zip(_MOVED, amounts, strict=True))
    return ", ".join(f"{name.replace('_', ' ')} {plain(of[name])}" for name in names)


def _of_files(batch: Batch, files: Files) -> Iterator[str]:
    for form, digest in batch.exports.items():
        try:
            if files.write(batch, form).sha256 == digest:
                continue
            yield f"{batch.batch_id}: its {form} file would be another than the one that was given out"
        except Unusable as error:
            yield f"{batch.batch_id}: its {form} file cannot be written again: {error}"


def _whole(ledger: Ledger, files: Files | None = None) -> Reconciliation:
    return reconcile(ledger, files)._replace(native=compare_native(ledger))


def add_reconcile(app: FastAPI, ledger: Ledger, files: Files) -> None:
    """Let people and programs ask the owner of the database."""

    @app.get(PATH, tags=["payouts"], summary="Compare ledger, statements, batches, files and results")
    def payout_reconciliation() -> dict[str, Any]:
        return _whole(ledger, files).shown


def fetch_reconciliation(settings: Settings) -> dict[str, Any]:
    """Of the running server, if there is one; else of the database here, without files: they need keys."""
    server = find_server(settings)
    if server is None:
        clickhouse_client(settings).close()  # brings the schema up to date
        ledger = Ledger(lambda: connect(settings))
        try:
            return _whole(ledger).shown
        finally:
            ledger.close()
    with server.open(SECONDS) as http:
        found: dict[str, Any] = server.check(http.get(PATH)).json()
    return found
