"""The chain of a transfer, beside the same looked up in Python among all rows."""

import random
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.queries import chains, transfers
from api.scope import EVERYTHING, Scope
from tests.api.conftest import SOURCE, insert, transfer_row, utc

IBS = ("A", "M", "S")
CODES = ("accrual", "accrual", "hold", "true_up", "statement")
SCOPES = {"all": EVERYTHING, "two IBs": Scope(frozenset({"A", "M"}))}


def some_rows(dice: random.Random) -> list[dict[str, Any]]:
    """Rows of few causes, days and components, of which some take another back, and some are there twice."""
    rows: list[dict[str, Any]] = []
    for number in range(60):
        back = dice.choice(rows)["transfer_id"] if rows and dice.random() < 0.3 else None
        row = transfer_row(
            f"x{number}", "reversal" if back else dice.choice(CODES), dice.choice(IBS),
            dice.choice(("live|1", "live|2", "live|3", "live|4", "")), "1.00", "a > b", reverses=back,
            component=dice.choice(("per_lot", "spread")), occurred_at=utc(dice.randrange(1, 4)),
            path=["A", "S"],
        )  # fmt: skip
        rows.append(row | SOURCE | {"_offset": number})
    return rows


def chain_of(row: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """By the definition, in the order of the log."""
    taken = {row["transfer_id"], row["reverses"]} - {None}
    has_cause = row["caused_by"] != "" and row["code"] != "statement"
    return [
        other["transfer_id"]
        for other in rows
        if other["transfer_id"] in taken
        or other["reverses"] in taken
        or (
            has_cause
            and (other["caused_by"], other["ib_id"]) == (row["caused_by"], row["ib_id"])
            and (other["component"] == row["component"] or other["code"] == "hold")
        )
    ]


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
def test_a_chain_is_what_its_definition_says(empty_ledger: Ledger, chdb: Client, scope: Scope) -> None:
    """Of each of 60 rows on three days; a scope sees no row of another IB, and no other's place in a path."""
    dice = random.Random(6)
    rows = some_rows(dice)
    insert(chdb, "transfers", *rows)
    insert(chdb, "transfers", *dice.sample(rows, 20))
    seen = [row for row in rows if scope.has(row["ib_id"])]
    path = [ib for ib in ("A", "S") if scope.has(ib)]
    for row in rows:
        of = transfers.placed(empty_ledger, scope, row["transfer_id"])
        if row not in seen:
            assert of is None
            continue
        assert of is not None
        found = chains.chain(empty_ledger, scope, of)
        assert sorted(one["transfer_id"] for one in found) == sorted(chain_of(row, seen))
        assert {tuple(one["path"]) for one in found} == {tuple(path)}


def test_of_a_long_chain_the_newest_are_given(empty_ledger: Ledger, chdb: Client) -> None:
    """300 rows of one cause: the transfer itself and the 199 newest."""
    rows = [
        transfer_row(f"x{number}", "accrual", "A", "live|1", "1.00", "a > b") | SOURCE | {"_offset": number}
        for number in range(300)
    ]
    insert(chdb, "transfers", *rows)
    of = transfers.placed(empty_ledger, EVERYTHING, "x0")
    assert of is not None
    found = chains.chain(empty_ledger, EVERYTHING, of)
    assert {one["transfer_id"] for one in found} == {"x0"} | {f"x{number}" for number in range(101, 300)}
