"""`ibflow terms show` and `ibflow audit`: what was known, and where a transfer came from, for people."""

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from infra.connect.api import ask
from infra.terminal import new_table
from schemas.settings import Settings

Shown = dict[str, Any]


def fetch_terms(settings: Settings, as_of: str, known_at: str, ib: str, plan: str) -> Shown:
    """The terms of a time as known at a point of their log."""
    shown: Shown = ask(settings, "/v1/terms", as_of=as_of, known_at=known_at, ib=ib, plan=plan).json()
    return shown


def fetch_audit(settings: Settings, transfer_id: str) -> Shown:
    """A transfer's way back to what was read."""
    found: Shown = ask(settings, f"/v1/transfers/{transfer_id}/audit").json()
    return found


# Terms


def terms_renderables(shown: Shown) -> list[RenderableType]:
    """What is shown of the terms: the IBs as a tree, the rest as tables; each line with its origin."""
    known = shown["known_at"]
    at = f"as of {_time(shown['as_of'])}, " + (f"known at {_origin(known)}" if known else "nothing known")
    parts: list[RenderableType] = [_partners(shown["partners"], at), _plans(shown["plans"])]
    if shown["rates"]:
        rows = [
            [f"{r['base']}/{r['quote']}", r["rate"], _time(r["as_of"]), r["source"]] for r in shown["rates"]
        ]
        parts.append(_table("Rates", ("pair", "rate", "from", "source"), rows, shown["rates"]))
    if shown["symbols"]:
        rows = [
            [s["server"], s["symbol"], s["canonical"], s["asset_class"], s["pip"]] for s in shown["symbols"]
        ]
        heads = ("server", "symbol", "canonical", "class", "pip")
        parts.append(_table("Symbols", heads, rows, shown["symbols"]))
    if shown["periods"]:
        rows = [
            [
                p["period"],
                _time(p["starts_at"]),
                _time(p["ends_at"]),
                _origin(p["ended"]) if p["ended"] else "open",
            ]
            for p in shown["periods"]
        ]
        parts.append(_table("Periods", ("period", "from", "until", "ended"), rows, shown["periods"]))
    return parts


def _partners(partners: list[Shown], title: str) -> Tree:
    """Each IB below its master IB; one whose master IB is not shown is a root."""
    root = Tree(f"[bold]Introducing brokers[/] {escape(title)}")
    nodes: dict[str, Tree] = {}
    left = {partner["ib_id"]: partner for partner in partners}
    while left:
        ready = [p for p in left.values() if p["parent"] not in left] or list(left.values())
        for partner in ready:
            nodes[partner["ib_id"]] = nodes.get(partner["parent"], root).add(_partner_line(partner))
            del left[partner["ib_id"]]
    return root


def _partner_line(partner: Shown) -> str:
    plan = f"{partner['plan_id']} v{partner['plan_version']}" if partner["plan_id"] else "no plan"
    more = [f"rank {partner['rank']}"] if partner["rank"] else []
    more += [f"x {partner['factor']}"] if partner["factor"] != "1" else []
    more += [partner["status"]] if partner["status"] != "active" else []
    more += [] if partner["kyc_approved"] else ["KYC open"]
    facts = ", ".join([plan, partner["currency"], *more])
    name = escape(f"{partner['ib_id']} {partner['name']}".rstrip())
    return f"[bold]{name}[/]  {escape(facts)}  [dim]{_origin(partner['known'])}[/]"


def _plans(plans: list[Shown]) -> Table:
    rows = [
        [
            f"{plan['plan_id']} v{plan['version']}",
            "in force" if plan["in_force"] else "",
            _time(plan["since"]) if plan["since"] else "the beginning",
            plan["currency"],
            ", ".join(f"{part['name']} ({part['kind']})" for part in plan["components"]),
        ]
        for plan in plans
    ]
    return _table("Plans", ("plan", "", "since", "currency", "components"), rows, plans)


def _table(title: str, heads: tuple[str, ...], rows: list[list[str]], facts: list[Shown]) -> Table:
    table = new_table(title)
    for head in (*heads, "known from"):
        table.add_column(head)
    for row, fact in zip(rows, facts, strict=True):
        table.add_row(*map(escape, row), f"[dim]{_origin(fact['known'])}[/]")
    return table


def _origin(known: Shown) -> str:
    return f"terms/0/{known['offset']} ({_time(known['stored_at'])})"


def _time(text: str) -> str:
    """`2026-09-01T12:00:00.123Z` to the minute."""
    return text[:16].replace("T", " ")


# Audit


def audit_lines(found: Shown) -> Iterator[str]:
    """The transfer, below it each message behind the one before, with the lines as they stood.

    A fact a line, so that ids, places and sources are whole on a narrow terminal; only the records
    themselves are longer than one.
    """
    row = found["transfer"]
    yield f"[bold]{escape(row['transfer_id'])}[/]"
    yield f"{row['code']} {row['amount']} {row['currency']}, {_time(row['occurred_at'])} UTC"
    yield f"{escape(row['debit'])} → {escape(row['credit'])}"
    yield f"caused by {escape(row['caused_by'])}"
    for depth, step in enumerate(found["steps"]):
        yield from ("  " * depth + line for line in _step_lines(step))
    if found["revisions"]:
        count = len(found["revisions"])
        yield f"[bold]the deal as it was read[/], {f'{count} times' if count > 1 else 'once'}"
        for line in found["revisions"]:
            yield f"  [cyan]{escape(line['source'] or 'no source')}[/]"
            place = f"{line['topic']}/{line['partition']}/{line['offset']}"
            yield f"  {place}, revision {escape(line['revision'])}"
            yield f"    [dim]{escape(line['line'])}[/]"
    if found["reverses"]:
        yield "[bold]it takes back[/]"
        yield from (f"  {line}" for line in audit_lines(found["reverses"]))


HOW = {"identity": "", "client": "other events of the client", "trigger": "what it waited for"}


def _step_lines(step: Shown) -> Iterator[str]:
    place = f"{step['topic']}/{step['partition']}/{step['offset']}"
    if step["missing"]:
        yield f"[red]{place}: the archive lacks this message[/]"
        return
    notes = [HOW[step["by"]], f"{step['others']} other lines" if step["others"] else ""]
    origin = f"from {step['source']}" if step["source"] else "came from outside"
    yield f"[bold]{place}[/]  {'; '.join(note for note in (origin, *notes) if note)}"
    for line in step["lines"]:
        yield f"  [dim]{escape(line)}[/]"
