"""Batches of payouts for people."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from infra.terminal import money, new_table

MAX_SHOWN = 20
_NEXT = {
    "created": "ask for approval: ibflow payouts submit {id}; before: ibflow payouts warnings {id}",
    "submitted": "another person approves it: ibflow payouts approve {id}",
    "approved": "write its file: ibflow payouts export {id} -o FILE",
    "exported": "once the bank has answered: ibflow payouts import FILE",
}


def list_table(found: Iterable[dict[str, Any]]) -> Table:
    """Each with what is owed and what its file pays, in 80 columns: a row for its lines of each state."""
    table = new_table()
    table.add_column("id", no_wrap=True)
    for name in ("period", "state"):
        table.add_column(name)
    table.add_column("lines", no_wrap=True)
    table.add_column("total", justify="right", no_wrap=True)
    for one in found:
        lines = _lines(one, ",\n")
        is_as_owed = (one["pays"], one["pays_total"]) == (one["currency"], one["total"])
        total = _total(one) if is_as_owed else f"{_total(one)},\n{_paid(one)}"
        table.add_row(one["batch_id"], escape(one["period"]), one["state"], lines, total)
    return table


def _total(one: dict[str, Any]) -> str:
    return f"{money(one['total'], one['currency'])} {one['currency']}"


def _paid(one: dict[str, Any]) -> str:
    """What its file has: with tax, and in another currency if there is a rate."""
    return f"pays {money(one['pays_total'], one['pays'])} {one['pays']}"


def _lines(one: dict[str, Any], between: str = ", ") -> str:
    return between.join(f"{count:,} {state}" for state, count in sorted(one["lines"].items()))


def batch_lines(one: dict[str, Any]) -> Iterator[str]:
    """What it is, who did what, and the next step."""
    yield (
        f"[bold]{one['batch_id']}[/]  {escape(one['period'])}  {one['state']}: {_total(one)}, {_lines(one)}"
    )
    if one["exchange"] is not None:
        yield f"{_paid(one)} at {escape(one['exchange']['path'])}"
    elif one["pays_total"] != one["total"]:
        yield f"{_paid(one)}, with taxes added or kept back"
    if one["over_limit"]:
        yield f"[yellow]{one['over_limit']:,} lines had no room: create another batch[/]"
    for step in one["steps"]:
        at = step["at"][:16].replace("T", " ")
        yield f"{step['what']} by {escape(step['by'])}, {at} UTC {escape(step['reason'])}".rstrip()
    if next_step := _NEXT.get(one["state"]):
        yield next_step.format(id=one["batch_id"])


def lines_table(found: Iterable[dict[str, Any]], batch: dict[str, Any]) -> Table:
    """The lines of a batch: amount and tax in the currency that is owed, and what is paid."""
    owed, paid = batch["currency"], batch["pays"]
    table = new_table()
    table.add_column("end-to-end id", no_wrap=True)
    for name in ("IB", "name", "state", "reason"):
        table.add_column(name)
    for name in ("amount", "tax", "pays"):
        table.add_column(name, justify="right")
    for one in found:
        words = (one["ib_id"], one["name"], one["state"], one["reason"])
        figures = (money(one["amount"], owed), money(one["tax"], owed), money(one["pays"], paid))
        table.add_row(one["line_id"], *map(escape, words), *figures)
    return table


def shortened_lines(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Whose names and remittances a file has the beginning of alone, for the bank may refuse or ask."""
    for one in found[:MAX_SHOWN]:
        of = f"{one['ib_id']} {one['line_id']}: the {one['text']}"
        yield f"{of} is longer than the format has room for, and cut"
    if len(found) > MAX_SHOWN:
        yield f"and {len(found) - MAX_SHOWN:,} more texts cut: `--json` names all of them"


def import_lines(one: dict[str, Any]) -> tuple[str, list[str]]:
    """What came of a bank's file, and what did not match, dangers first."""
    told = f"{one['kind']} {one['message_id']}".rstrip()
    told += f": {one['recorded']} recorded, {one['repeated']} known before, {one['pending']} pending"
    found = [
        f"{'DANGER ' if each['is_danger'] else ''}{each['line_id']}: {each['why']}" for each in one["refused"]
    ]
    found += [f"{each['place']}: {each['reference']}: {each['why']}" for each in one["unmatched"]]
    if more := one["refused_count"] + one["unmatched_count"] - len(found):
        found.append(f"and {more:,} more")
    return told, [*found, *one["notices"]]


def change_line(one: dict[str, Any]) -> str:
    """A change or hold, who did what, and what the books made of it."""
    amount = money(one["amount"], one["currency"], signed=True) if one["amount"] else ""
    of = " ".join(filter(None, (amount, one["currency"], one["statement_id"])))
    by = f"{one['created_by']}" + (f", {one['state']} by {one['decided_by']}" if one["decided_by"] else "")
    books = "" if one["books"] is None else f"; the books: {one['books']}"
    whose = one["ib_id"] or "all IBs"
    if one["client_id"]:
        since = f" since {one['since']}" if one["since"] else ""
        whose = f"client {one['client_id']} for {whose}{since}"
    what = f"{one['change_id']}  {one['kind']} of {whose} {of}".rstrip()
    return f"{what}  {one['state']}: {one['reason']} ({by}){books}"
