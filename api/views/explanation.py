"""Explanations from the database: rows become values, `commission.explain` says why, the rest is added here.

Only the database knows what became of a row afterwards, which rows have the same cause, and the IBs' names.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from markupsafe import Markup
from msgspec.structs import replace

from api.ledger import Ledger, Row
from api.queries import chains, clients, quality
from api.queries import transfers as queries
from api.scope import Scope
from api.views.named import QUESTIONS, asked_of
from commission.accounts import is_held, is_of_ib
from commission.events import Deal
from commission.explain.explanation import Explanation, explain
from commission.explain.words import money, when
from commission.outputs import Rejection
from commission.terms.plans import PlanDefined
from schemas.columns import columns_of, to_transfer
from schemas.wire import InvalidRecord, decode

EVENTS = {
    "chargeback_received": "chargeback",
    "chargeback_won": "chargeback that was won",
    "withdrawal_paid": "withdrawal",
    "client_flagged": "finding of fraud",
    "kyc_changed": "KYC decision",
}
"""What the CRM reported, as a noun; another type is written as it is."""
DEAL_FIELDS = frozenset(columns_of(Deal))
REJECTION_FIELDS = frozenset(columns_of(Rejection))


@dataclass(frozen=True, slots=True)
class Explained:
    """One transfer with its explanation, and what the database knows beside it."""

    told: Explanation
    state: str
    transfer: Row
    deal: Row | None
    plan: Row | None
    chain: tuple[Row, ...]
    cause: str = ""
    """What made it, if the CRM reported that: `chargeback of deposit dep-1`."""

    @property
    def text(self) -> str:
        """The explanation as plain text."""
        return self.told.to_text() + "\n".join(_ledger_lines(self)) + "\n"

    @property
    def html(self) -> Markup:
        """The explanation as sections of a page."""
        return Markup(self.told.to_html())  # noqa: S704  - `to_html` escapes every value

    def to_answer(self) -> dict[str, Any]:
        """The explanation as the API's JSON."""
        names = ("text", "state", "transfer", "deal", "plan", "chain")
        told = self.told.to_data()
        del told["reason"]  # of deals that pay nothing
        return told | {name: getattr(self, name) for name in names}


def explain_transfer(ledger: Ledger, scope: Scope, transfer_id: str) -> Explained | None:
    """Gather the cause of one transfer and explain it, or None if the scope sees no such row."""
    of = queries.placed(ledger, scope, transfer_id)
    if of is None:
        return None
    row = of.row
    with ThreadPoolExecutor(QUESTIONS) as beside:
        named = None if row["reverses"] else asked_of(beside, ledger, scope, row)
        chain = chains.chain(ledger, scope, of)
        original = _found(ledger, scope, chain, row["reverses"]) if row["reverses"] else None
        basis = original or row
        named = named or asked_of(beside, ledger, scope, basis)
        chain += chains.releases(ledger, scope, basis)
        deal, definition, names = named()
    cause = _cause(ledger, scope, row) if deal is None or row["caused_by"] != deal["deal_key"] else ""
    told = explain(
        to_transfer(row),
        deal=None if deal is None else to_deal(deal),
        plan=_plan(definition),
        original=None if original is None else to_transfer(original),
        names=names,
        cause=f"The {cause} ({row['caused_by']})" if cause else "",
    )
    return Explained(
        told=replace(told, sentences=(*told.sentences, *_afterwards(row, chain))),
        state=_state(row, chain),
        transfer=row,
        deal=deal,
        plan=_plan_row(basis, definition),
        chain=tuple(chain),
        cause=cause,
    )


def _found(ledger: Ledger, scope: Scope, chain: list[Row], transfer_id: str) -> Row | None:
    """One of a chain's rows; of a chain with more rows than are listed it may be another."""
    found = next((row for row in chain if row["transfer_id"] == transfer_id), None)
    return found if found or len(chain) < queries.MAX_CHAIN else queries.transfer(ledger, scope, transfer_id)


def explain_deal(ledger: Ledger, scope: Scope, deal_key: str) -> Explanation | None:
    """Explain why a deal pays nothing, or nothing yet; None if it pays, or nothing of it is seen."""
    found = quality.rejection(ledger, scope, deal_key)
    if found is None or _is_paid(ledger, scope, deal_key):
        return None
    deal = queries.deal(ledger, scope, deal_key)
    return explain(_to_rejection(found), deal=None if deal is None else to_deal(deal))


def _is_paid(ledger: Ledger, scope: Scope, deal_key: str) -> bool:
    """Whether some accrual of the deal stands: a deal rated since keeps its rejection."""
    wanted = queries.TransferFilter(scope, deal=deal_key)
    rows = queries.transfers(ledger, wanted, queries.MAX_CHAIN)["items"]
    reversed_ = {row["reverses"] for row in rows}
    return any(row["code"] == "accrual" and row["transfer_id"] not in reversed_ for row in rows)


# Rows as values


def to_deal(row: Row) -> Deal:
    """The deal a row holds; the columns spell nothing as empty text."""
    told = {name: value for name, value in row.items() if name in DEAL_FIELDS}
    return Deal(**told | {"side": row["side"] or None, "entry": row["entry"] or None})


def _to_rejection(row: Row) -> Rejection:
    return Rejection(**{name: value for name, value in row.items() if name in REJECTION_FIELDS})


def _cause(ledger: Ledger, scope: Scope, row: Row) -> str:
    """What the CRM reported that made the row, as a noun; "" if it was nothing of the CRM's."""
    event = clients.event(ledger, scope, row["caused_by"], row["client_id"])
    if event is None:
        return ""
    what = EVENTS.get(event["type"], str(event["type"]).replace("_", " "))
    return f"{what} of deposit {event['deposit_id']}" if event["deposit_id"] else what


def _plan(definition: str) -> PlanDefined | None:
    """The plan, unless it was published in a form this version does not read."""
    try:
        found = decode(definition.encode()) if definition else None
    except InvalidRecord:
        return None
    return found if isinstance(found, PlanDefined) else None


def _plan_row(row: Row, definition: str) -> Row | None:
    if not row["plan_id"]:
        return None
    return {
        "plan_id": row["plan_id"],
        "version": row["plan_version"],
        "rule": row["rule"],
        "definition": _json(definition) if definition else None,
    }


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


# What became of it


def _state(row: Row, chain: list[Row]) -> str:
    if row["code"] == "reversal":
        return "reversal"
    if row["code"] != "accrual":
        return "settlement"
    back = sum(other["amount"] for other in chain if other["reverses"] == row["transfer_id"])
    back += sum(_taken_for_another(other) for other in _of_person(row, chain))
    if not back:
        return "stands"
    return "reversed" if back == row["amount"] else "reduced"


def _of_person(row: Row, chain: list[Row]) -> list[Row]:
    """What became of a CPA because of another client of the same person."""
    return [other for other in chain if other["factors"].get("accrual") == row["transfer_id"]]


def _taken_for_another(row: Row) -> Decimal:
    """What the row takes of the IB's, below 0 if it gives."""
    taken: Decimal = row["amount"]
    return taken if is_of_ib(row["debit"]) else -taken


def _afterwards(row: Row, chain: list[Row]) -> Iterator[str]:
    if row["code"] != "accrual":
        return
    back = [other for other in chain if other["reverses"] == row["transfer_id"]]
    releases = [r for r in chain if r["code"] == "release" and r["occurred_at"] >= row["occurred_at"]]
    if is_held(row["credit"]) and releases and not back:
        yield f"The client's KYC was approved at {when(releases[0]['occurred_at'])}: released."
    if hold := next((r for r in chain if r["code"] == "hold" and is_held(r["credit"])), None):
        yield f"{hold['factors'].get('held_by')} holds the client: it was put on hold as it was earned."
    for other in _of_person(row, chain):
        what = "taken back" if _taken_for_another(other) > 0 else "given again"
        yield (
            f"It was {what} at {when(other['occurred_at'])}, transfer {other['transfer_id']}: "
            "one CPA for one person."
        )
    for other in back:
        how = "in full" if other["amount"] == row["amount"] else "in part"
        yield (
            f"It was taken back {how} by {other['caused_by']} at {when(other['occurred_at'])}, "
            f"transfer {other['transfer_id']}."
        )


def _ledger_lines(explained: Explained) -> Iterator[str]:
    if len(explained.chain) > 1:
        yield from ("", "Everything this cause booked:")
        yield from (_chain_line(row) for row in explained.chain)
    row = explained.transfer
    yield from ("", f"Transfer {row['transfer_id']}: {row['debit']} -> {row['credit']}")


def _chain_line(row: Row) -> str:
    amount = money(row["amount"], row["currency"])
    return f"  {when(row['occurred_at'])}  {row['code']:<9}  {amount:>18}  {row['debit']} -> {row['credit']}"
