"""An explanation as plain text, as HTML and as data ready for JSON."""

from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from commission.explain.explanation import Explanation


THIS = ' class="this" aria-current="true"'


def to_text(explanation: "Explanation") -> str:
    """Plain text: the headline, the sentences, then aligned tables."""
    return "\n".join(_lines(explanation)) + "\n"


def _lines(explanation: "Explanation") -> Iterator[str]:
    yield explanation.headline
    yield ""
    yield from explanation.sentences
    if explanation.factors:
        yield from _table(
            "How the amount came about:", [(one.label, one.shown, one.note) for one in explanation.factors]
        )
    if explanation.path:
        steps = " > ".join(f"[{s.ib_id}]" if s.is_this else s.ib_id for s in explanation.path)
        yield from ("", f"Path: client {explanation.client_id} > {steps}")
    yield from _table("What has to happen before payment:", explanation.gates)
    yield from _table("Inputs:", explanation.inputs)


def _table(title: str, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A title and rows of two or three columns, aligned."""
    found = [tuple(_one_line(cell) for cell in row) for row in rows]
    if not found:
        return
    yield from ("", title)
    width = max(len(row[0]) for row in found)
    middle = max((len(row[1]) for row in found if row[2:] and row[2]), default=0)
    for name, value, *note in found:
        rest = f"{value:<{middle}}  {note[0]}" if note and note[0] else value
        yield f"  {name:<{width}}  {rest}".rstrip()


def _one_line(text: str) -> str:
    """A comment of a platform may hold anything: control characters would break the lines."""
    return "".join(character if character.isprintable() else " " for character in text)


# HTML


def to_html(explanation: "Explanation") -> str:
    """Sections for a page: everything escaped, classes only, no style and no script."""
    return "\n".join(_sections(explanation)) + "\n"


def _sections(explanation: "Explanation") -> Iterator[str]:
    yield _section("why", "Why", "".join(f"<p>{escape(said)}</p>" for said in explanation.sentences))
    if explanation.reason is not None:
        facts = (("Code", explanation.reason.code), ("Status", explanation.reason.status))
        yield _section("reason", "The reason", _list(facts))
    if explanation.factors:
        yield _section("how", "How the amount came about", _factors(explanation))
    if explanation.path:
        yield _section("way", "The way up the tree, as of the deal", _path(explanation))
    if explanation.gates:
        yield _section("gates", "What has to happen before payment", _list(explanation.gates))
    if explanation.inputs:
        yield _section("inputs", "Inputs", _list(explanation.inputs))


def _section(kind: str, title: str, body: str) -> str:
    return f'<section class="card {kind}"><h2>{title}</h2>{body}</section>'


def _factors(explanation: "Explanation") -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(one.label)}{_note(one.note)}</th>'
        f'<td class="r num">{escape(one.shown)}</td></tr>'
        for one in explanation.factors
    )
    total = (
        f'<tr class="sum"><th scope="row">Amount</th><td class="r num">{escape(explanation.amount)}</td></tr>'
    )
    return f'<table class="factors"><tbody>{rows}</tbody><tfoot>{total}</tfoot></table>'


def _note(text: str) -> str:
    return f' <span class="note">{escape(text)}</span>' if text else ""


def _path(explanation: "Explanation") -> str:
    client = f'<li class="client">client {escape(explanation.client_id)}</li>'
    steps = "".join(
        f"<li{THIS if step.is_this else ''}>{escape(step.name or step.ib_id)} "
        f'<span class="id">{escape(step.ib_id)}</span></li>'
        for step in explanation.path
    )
    return f'<ol class="path">{client}{steps}</ol>'


def _list(facts: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    return f'<dl class="facts">{rows}</dl>'


# Data


def to_data(explanation: "Explanation") -> dict[str, Any]:
    """Ready for JSON: text, numbers of levels and truth only; decimals are plain strings."""
    reason = explanation.reason
    return {
        "headline": explanation.headline,
        "sentences": list(explanation.sentences),
        "amount": explanation.amount,
        "inputs": [fact._asdict() for fact in explanation.inputs],
        "factors": [factor._asdict() for factor in explanation.factors],
        "path": [step._asdict() for step in explanation.path],
        "gates": [gate._asdict() for gate in explanation.gates],
        "reason": None if reason is None else reason._asdict(),
    }
