"""Results as a CSV that a person or a payment provider writes: a line for each payment."""

import csv
from collections.abc import Iterator
from io import StringIO
from typing import get_args

from infra.payout_results.results import Outcome, ResultFile, Said
from infra.payout_results.safe_xml import to_amount
from schemas.errors import Unusable

MAX_BYTES = 64_000_000
MAX_REASON = 500
NEEDED = ("end_to_end_id", "status")
COLUMNS = (*NEEDED, "reason", "amount", "currency")
OUTCOMES: dict[str, Outcome] = {outcome: outcome for outcome in get_args(Outcome)}


def read_results_csv(body: bytes) -> ResultFile:
    """Read the columns of `COLUMNS`, the first two needed, in any order; comma or semicolon.

    Raise `Unusable` with the first line that cannot be read: half a file is no result.
    """
    if len(body) > MAX_BYTES:
        raise Unusable(f"the file is larger than {MAX_BYTES:,} bytes")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable("the file is not UTF-8; save it as UTF-8") from None
    head = text.partition("\n")[0]
    rows = csv.DictReader(StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ",")
    try:
        return ResultFile("csv", "", tuple(_said(rows)))
    except csv.Error as error:
        raise Unusable(f"the CSV cannot be read: {error}") from None


def _said(rows: "csv.DictReader[str]") -> Iterator[Said]:
    names = [(name or "").strip() for name in rows.fieldnames or ()]
    rows.fieldnames = names
    if missing := [name for name in NEEDED if name not in names]:
        raise Unusable(
            f"the first line names the columns; {', '.join(missing)} is missing of {', '.join(COLUMNS)}"
        )
    if len(set(names)) < len(names):
        raise Unusable("the first line names a column twice")
    for row in rows:
        place = f"line {rows.line_num}"
        if None in row or None in row.values():
            raise Unusable(f"{place} has more or fewer cells than the first line")
        outcome = OUTCOMES.get(row["status"].strip().lower())
        if outcome is None:
            raise Unusable(f"{place}: the status is one of {', '.join(OUTCOMES)}")
        amount = row.get("amount", "").strip()
        yield Said(
            reference=row["end_to_end_id"].strip(),
            outcome=outcome,
            reason=_shown(row.get("reason", "")) or ("" if outcome == "settled" else "no reason given"),
            amount=to_amount(amount, f"{place}: the amount") if amount else None,
            currency=row.get("currency", "").strip().upper(),
            place=place,
        )


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_REASON else f"{text[:MAX_REASON]}…"
