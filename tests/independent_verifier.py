"""Another's check of a statement's file: the standard library and docs/statement-proof.md alone."""

import hashlib
import json
from datetime import datetime, timezone
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

TEXTS = "transfer_id code debit credit caused_by client_id account_key component rule plan_id symbol reverses"
FIGURES = "opening accrued reversed payable rounding closing held"


def number(text: object) -> str:
    value = format(Decimal(str(text)), "f")
    value = value.rstrip("0").rstrip(".") if "." in value else value
    return "0" if value in ("", "-0") else value


def micros(text: str | None) -> str:
    if not text:
        return ""
    gone = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017
    return str(gone.days * 86_400_000_000 + gone.seconds * 1_000_000 + gone.microseconds)


def row_number(row: dict[str, str]) -> int:
    fields = [row.get(name) or "" for name in TEXTS.split()]
    lots = Decimal(row.get("lots", "0")).quantize(Decimal("1e-8"), ROUND_DOWN)
    fields += [number(row["amount"]), number(lots), str(row.get("plan_version", 0))]
    fields += [micros(row["occurred_at"]), micros(row.get("matures_at"))]
    h = hashlib.blake2b("\n".join(fields).encode()).digest()
    return int((h + hashlib.blake2b(h).digest()).hex(), 16)


def hash_of(statement: dict[str, str], rows: list[dict[str, str]]) -> str:
    total = sum(row_number(row) for row in rows) % 2**1024
    names = ("statement_id", "ib_id", "period")
    lines = ["ibflow statement 1", *(statement[name] for name in names)]
    lines += [micros(statement["starts_at"]), micros(statement["ends_at"]), statement["currency"]]
    lines += [number(statement.get(name, 0)) for name in FIGURES.split()]
    lines += [str(statement.get("transfers", 0)), statement.get("previous", "")]
    lines += [statement["replaces"]] if statement.get("replaces") else []
    lines += [f"{total:0256x}"]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def faults(path: Path, previous: Path | None = None) -> list[str]:
    """What is wrong with a file; nothing if it proves itself."""
    statement, *rows = [json.loads(line) for line in path.read_text().splitlines()]
    pending = f"ib:{statement['ib_id']}:pending"
    closing = [row for row in rows if row["code"] in ("statement", "rounding")]
    turnover = [row for row in rows if row not in closing]

    def sums(rows: list[dict[str, str]], leg: str, account: str) -> Decimal:
        return sum((Decimal(row["amount"]) for row in rows if row[leg] == account), Decimal(0))

    told = {name: Decimal(statement.get(name, 0)) for name in FIGURES.split()}
    rounding = sums(closing, "credit", "rounding") - sums(closing, "debit", "rounding")
    paid = sums([row for row in closing if row["code"] == "statement"], "debit", pending)
    end = told["opening"] + told["accrued"] - told["reversed"] - told["payable"] - told["rounding"]
    found = {
        "accrued": told["accrued"] == sums(turnover, "credit", pending),
        "reversed": told["reversed"] == sums(turnover, "debit", pending),
        "payable": told["payable"] == paid,
        "rounding": told["rounding"] == rounding,
        "closing": told["closing"] == end,
        "count": len(rows) == statement.get("transfers", 0) == len({row["transfer_id"] for row in rows}),
        "hash": statement["hash"] == hash_of(statement, rows),
    }
    if previous is not None:
        before, *earlier = [json.loads(line) for line in previous.read_text().splitlines()]
        found["previous"] = statement.get("previous") == before["hash"] == hash_of(before, earlier)
        found["opening"] = told["opening"] == Decimal(before.get("closing", 0))
    return [name for name, holds in found.items() if not holds]
