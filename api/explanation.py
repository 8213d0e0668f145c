"""The reason of a transfer in words a partner understands, beside every fact the words are made of."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from api.ledger import Ledger, Row
from api.queries import transfers as queries
from commission.events import LOT_E8
from commission.money import minor_digits, plain

COMPONENT_WORDS = {"per_lot": "money per lot", "spread_share": "a share of the spread", "cpa": "a CPA"}
ACCOUNT_WORDS = {
    "pending": "pending: it goes into the next statement",
    "held": "held: it waits for the client's KYC",
    "payable": "payable: the statement is closed",
    "paid": "paid",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known about one transfer and its cause; `sentences` say it."""

    headline: str
    sentences: tuple[str, ...]
    state: str
    transfer: Row
    deal: Row | None
    plan: Row | None
    path: tuple[Row, ...]
    factors: tuple[Row, ...]
    chain: tuple[Row, ...]

    @property
    def text(self) -> str:
        """The explanation as plain text."""
        return "\n".join(_lines(self)) + "\n"

    def to_answer(self) -> dict[str, Any]:
        """The explanation as the API's JSON."""
        names = ("headline", "text", "state", "transfer", "deal", "plan", "path", "factors", "chain")
        return {name: getattr(self, name) for name in names}


def explain(ledger: Ledger, transfer_id: str) -> Explanation | None:
    """Gather the cause of one transfer, or None if the ledger has no such row."""
    row = queries.transfer(ledger, transfer_id)
    if row is None:
        return None
    original = queries.transfer(ledger, row["reverses"]) if row["reverses"] else None
    basis = original or row
    names = _names(ledger, [*basis["path"], row["ib_id"]])
    chain = [*queries.chain(ledger, row), *queries.releases(ledger, basis)]
    deal = queries.deal(ledger, basis["caused_by"])
    return Explanation(
        headline=_headline(row, names),
        sentences=tuple(_sentences(row, original, deal, chain)),
        state=_state(row, chain),
        transfer=row,
        deal=deal,
        plan=_plan(ledger, basis),
        path=tuple(_steps(basis, names)),
        factors=tuple({"name": name, "value": value} for name, value in basis["factors"].items()),
        chain=tuple(chain),
    )


def money(amount: Decimal, currency: str) -> str:
    """An amount for people: grouped, at least the currency's digits, never rounded: `1,234.50 USD`."""
    exact = amount.normalize()
    digits = max(minor_digits(currency), -int(exact.as_tuple().exponent))
    return f"{amount:,.{digits}f} {currency}"


def _names(ledger: Ledger, ib_ids: list[str]) -> dict[str, str]:
    rows = ledger.rows(
        "SELECT ib_id, name FROM partners FINAL WHERE ib_id IN {ids:Array(String)} LIMIT 1000", ids=ib_ids
    )
    return {row["ib_id"]: row["name"] for row in rows if row["name"]}


def _plan(ledger: Ledger, row: Row) -> Row | None:
    if not row["plan_id"]:
        return None
    found = ledger.rows(
        "SELECT definition FROM plans FINAL WHERE plan_id = {plan:String} AND version = {version:UInt32}",
        plan=row["plan_id"],
        version=row["plan_version"],
    )
    definition = _json(found[0]["definition"]) if found else None
    return {
        "plan_id": row["plan_id"],
        "version": row["plan_version"],
        "rule": row["rule"],
        "definition": definition,
    }


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _steps(row: Row, names: dict[str, str]) -> list[Row]:
    return [
        {"ib_id": ib_id, "name": names.get(ib_id, ""), "depth": depth, "is_this": ib_id == row["ib_id"]}
        for depth, ib_id in enumerate(row["path"])
    ]


def _state(row: Row, chain: list[Row]) -> str:
    if row["code"] == "reversal":
        return "reversal"
    if row["code"] != "accrual":
        return "settlement"
    return "reversed" if any(other["reverses"] == row["transfer_id"] for other in chain) else "stands"


def _headline(row: Row, names: dict[str, str]) -> str:
    name = names.get(row["ib_id"])
    ib = f"{name} ({row['ib_id']})" if name else row["ib_id"]
    amount = money(row["amount"], row["currency"])
    match row["code"]:
        case "accrual":
            return f"{ib} earned {amount}"
        case "reversal":
            return f"{amount} were taken back from {ib}"
        case "release":
            return f"{amount} of {ib} were released from hold"
        case "statement":
            return f"{amount} became payable to {ib} for {row['period']}"
        case _:
            return f"{amount} are the rounding residue of {ib} for {row['period']}"


def _sentences(row: Row, original: Row | None, deal: Row | None, chain: list[Row]) -> list[str]:
    match row["code"]:
        case "accrual":
            return _of_accrual(row, deal, chain)
        case "reversal":
            return _of_reversal(row, original)
        case "release":
            passed = (
                f"Client {row['client_id']} passed KYC ({row['caused_by']}) at {when(row['occurred_at'])}"
            )
            return [f"{passed}, so everything held for the client became pending."]
        case "statement":
            return [f"The statement of {row['period']} closed at {when(row['occurred_at'])}."]
        case _:
            return ["A payment has the currency's smallest unit; what rounding left is kept in `rounding`."]


def _of_accrual(row: Row, deal: Row | None, chain: list[Row]) -> list[str]:
    sentences = [_cause(row, deal)]
    if deal is not None and row["revision"] not in ("", deal["revision"]):
        sentences.append(
            "The platform has revised the deal since: the words above are its newest revision, "
            "the factors those of the revision this amount arose from."
        )
    if row["plan_id"]:
        sentences.append(
            f"Plan {row['plan_id']}, version {row['plan_version']}, rule {row['rule']}: "
            f"{COMPONENT_WORDS.get(row['component'], row['component'])}."
        )
    if row["depth"]:
        levels = "1 level" if row["depth"] == 1 else f"{row['depth']} levels"
        sentences.append(f"It is an override: the IB stands {levels} above the client's direct IB.")
    sentences.append(f"It was booked as {ACCOUNT_WORDS[row['credit'].rpartition(':')[2]]}.")
    sentences.extend(_afterwards(row, chain))
    return sentences


def _cause(row: Row, deal: Row | None) -> str:
    client = f"client {row['client_id']}"
    if row["component"] == "cpa":
        return f"The CPA conditions for {client} were met at {when(row['occurred_at'])}."
    if deal is None:
        return f"It was caused by {row['caused_by']} of {client} at {when(row['occurred_at'])}."
    side = {"buy": "bought", "sell": "sold"}.get(deal["side"], "traded")
    lots = plain(Decimal(deal["volume_e8"]) / LOT_E8)
    price = f" at {plain(deal['price'])}" if deal["price"] is not None else ""
    return (
        f"Client {row['client_id']} {side} {lots} lots of {deal['symbol']}{price} "
        f"on account {row['account_key']}, deal {deal['deal_id']}, {when(deal['occurred_at'])}."
    )


def _afterwards(row: Row, chain: list[Row]) -> list[str]:
    sentences = []
    reversal = next((other for other in chain if other["reverses"] == row["transfer_id"]), None)
    releases = [r for r in chain if r["code"] == "release" and r["occurred_at"] >= row["occurred_at"]]
    if row["credit"].endswith(":held") and releases and reversal is None:
        sentences.append(f"The client's KYC was approved at {when(releases[0]['occurred_at'])}: released.")
    if reversal is not None:
        sentences.append(
            f"It was taken back in full by {reversal['caused_by']} at {when(reversal['occurred_at'])}, "
            f"transfer {reversal['transfer_id']}."
        )
    return sentences


def _of_reversal(row: Row, original: Row | None) -> list[str]:
    first = f"{row['caused_by']} undid an earlier accrual at {when(row['occurred_at'])}."
    if original is None:
        return [first, f"The accrual it reverses, {row['reverses']}, is not in this ledger: report it."]
    found = f"The original is transfer {original['transfer_id']} of {when(original['occurred_at'])}"
    return [first, f"{found}; its own amount goes back, nothing is rated again."]


def when(at: datetime) -> str:
    """A time for people, in UTC to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _lines(explanation: Explanation) -> list[str]:
    lines = [explanation.headline, "", *explanation.sentences]
    if explanation.factors:
        width = max(len(factor["name"]) for factor in explanation.factors)
        lines += ["", "How the amount came about:"]
        lines += [f"  {factor['name']:<{width}}  {factor['value']}" for factor in explanation.factors]
    if explanation.path:
        client = explanation.transfer["client_id"]
        path = " > ".join(f"[{s['ib_id']}]" if s["is_this"] else s["ib_id"] for s in explanation.path)
        lines += ["", f"Path: client {client} > {path}"]
    if len(explanation.chain) > 1:
        lines += ["", "Everything this cause booked:"]
        lines += [_chain_line(row) for row in explanation.chain]
    row = explanation.transfer
    return [*lines, "", f"Transfer {row['transfer_id']}: {row['debit']} -> {row['credit']}"]


def _chain_line(row: Row) -> str:
    amount = money(row["amount"], row["currency"])
    return f"  {when(row['occurred_at'])}  {row['code']:<9}  {amount:>18}  {row['debit']} -> {row['credit']}"
