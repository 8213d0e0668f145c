"""Why a row of the ledger exists, or why a deal pays nothing: as data, as text, as HTML.

`explain` reads what was frozen in the row, so it says how the amount arose then, whatever the terms
are now. The deal and the plan add words and facts; without them it tells what the row alone knows.
"""

from collections.abc import Mapping
from typing import Any

from commission.events import Deal
from commission.explain import facts, render, story, words
from commission.explain.facts import Fact, Factor, Step, Why
from commission.explain.reasons import in_words
from commission.explain.subject import Subject
from commission.outputs import Rejection, Transfer
from commission.terms.plans import PlanDefined
from commission.value import Value


class Explanation(Value):
    """What a partner is told: a headline, sentences, and every fact they are made of."""

    headline: str
    sentences: tuple[str, ...]
    client_id: str = ""
    amount: str = ""
    """With its currency; empty for a deal that pays nothing."""
    inputs: tuple[Fact, ...] = ()
    """What was read: the deal's revision, quotes and sizes, the plan's version and rule."""
    factors: tuple[Factor, ...] = ()
    """What the amount was made of, in the order it was used."""
    path: tuple[Step, ...] = ()
    """The upline as of the deal, the direct IB first."""
    gates: tuple[Fact, ...] = ()
    """What has to happen before the amount is paid."""
    reason: Why | None = None
    """Of a deal that pays nothing, or nothing yet."""

    def to_text(self) -> str:
        """As plain text, aligned."""
        return render.to_text(self)

    def to_html(self) -> str:
        """As sections of HTML: escaped, with classes only."""
        return render.to_html(self)

    def to_data(self) -> dict[str, Any]:
        """Ready for JSON; decimals are plain strings."""
        return render.to_data(self)


def explain(
    entry: Transfer | Rejection,
    *,
    deal: Deal | None = None,
    plan: PlanDefined | None = None,
    original: Transfer | None = None,
    names: Mapping[str, str] | None = None,
    cause: str = "",
) -> Explanation:
    """Explain a transfer or a rejection.

    `deal` is the deal that caused it, `plan` the plan version it names, `original` the row a reversal
    takes back (then deal and plan are those of the original), `names` the names of IBs by id, `cause`
    what a reversal came from, in words; "" leaves its id.
    """
    if isinstance(entry, Rejection):
        return _of_rejection(entry, deal)
    known = names or {}
    subject = _subject(entry, deal, plan, known)._replace(cause=cause)
    is_reversal = entry.code == "reversal" and original is not None
    basis = _subject(original, deal, plan, known) if is_reversal and original is not None else subject
    return Explanation(
        headline=story.headline(subject),
        sentences=tuple(story.sentences(subject, basis if is_reversal else None)),
        client_id=entry.client_id,
        amount=subject.money(entry.amount),
        inputs=tuple(facts.inputs(basis)),
        factors=tuple(facts.factors(basis)),
        path=tuple(facts.path(basis)),
        gates=tuple(facts.gates(subject)),
    )


def _subject(row: Transfer, deal: Deal | None, plan: PlanDefined | None, names: Mapping[str, str]) -> Subject:
    is_same_plan = plan is not None and (plan.plan_id, plan.version) == (row.plan_id, row.plan_version)
    is_same_deal = deal is not None and deal.deal_key == row.caused_by
    return Subject(
        row, deal if is_same_deal else None, plan if is_same_plan else None, words.read(row.factors), names
    )


def _of_rejection(entry: Rejection, deal: Deal | None) -> Explanation:
    known = deal if deal is not None and deal.deal_key == entry.deal_key else None
    meaning = in_words(entry.code)
    status = "waits: nothing is paid yet" if entry.status == "waiting" else "pays nothing"
    first = (
        story.traded(entry.client_id, known)
        if known is not None
        else f"Deal {entry.deal_key} on account {entry.account_key}, {words.when(entry.occurred_at)}."
    )
    detail = f"In detail: {entry.text} ({entry.code})." if entry.text else ""
    return Explanation(
        headline=f"Deal {entry.deal_key} {status}",
        sentences=tuple(said for said in (first, meaning, detail) if said),
        client_id=entry.client_id,
        inputs=tuple(facts.of_deal(known)) if known is not None else (),
        reason=Why(entry.code, entry.status, meaning, entry.text),
    )
