"""What deals brought: each counts once, as its newest revision says, whatever revisions came before."""

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.queries import revenue
from api.queries.periods import Interval
from streams.day_marks import DayMarks
from tests.api.conftest import client_row, deal_row, insert
from tests.effort import tries

MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))
SPANS = (
    Interval(MAY, JUNE),
    Interval(JUNE, JULY),
    Interval(MAY, MAY + timedelta(days=20)),
    Interval(MAY, MAY + timedelta(days=40, hours=12)),
)
"""Months, days, and one that cuts a day."""


@pytest.mark.parametrize("max_moved", [1_000, 3])
@pytest.mark.parametrize("seed", range(tries(3)))
def test_each_deal_counts_once_as_its_newest_revision_says(
    seed: int, max_moved: int, chdb: Client, empty_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deals come again as they were, with another charge, at another time of their day, or on another day."""
    monkeypatch.setattr(revenue, "MAX_MOVED", max_moved)
    dice, newest = random.Random(seed), dict[int, dict[str, Any]]()
    insert(chdb, "clients", client_row("c1", "A") | {"occurred_at": MAY - timedelta(days=1)})
    of_account = {"account_key": "live/1001", "client_id": "c1"}
    refused = ({"occurred_at": at, "deal_key": f"live|{at}"} | of_account for at in (MAY, JUNE))
    insert(chdb, "rejections", *refused)
    marks = DayMarks(chdb)
    for offset in range(1, 31):
        rows = [_revision(dice, newest, offset) for _ in range(dice.randint(1, 5))]
        rows = list({row["deal_key"]: row for row in rows}.values())
        _store(chdb, marks, rows)
        newest |= {int(row["deal_id"]): row for row in rows}
        if offset % 10 == 0:
            for span in SPANS:
                assert _brought(empty_ledger, span) == _of_rows(newest.values(), span), (offset, span)


@pytest.fixture(autouse=True)
def unmerged(chdb: Client) -> Iterator[None]:
    """Revisions stay rows of their own."""
    chdb.command("SYSTEM STOP MERGES deals")
    yield
    chdb.command("SYSTEM START MERGES deals")


def _revision(dice: random.Random, known: dict[int, dict[str, Any]], offset: int) -> dict[str, Any]:
    """A deal that is new, or a known one: again, with another charge, at another time, on another day."""
    charge = {"commission": -Decimal(dice.randint(1, 999)) / 100, "_offset": offset}
    anywhere = MAY + timedelta(minutes=dice.randrange(61 * 1_440))
    if not known or dice.random() < 0.4:
        number = dice.randint(1, 10_000)
        return deal_row(number, 1, "1") | {"occurred_at": anywhere, "entry": "in"} | charge
    row = known[dice.choice(sorted(known))]
    match dice.randrange(4):
        case 0:
            return row | {"_offset": offset}
        case 1:
            return row | charge | {"revision": f"r{offset}"}
        case 2:
            later = row["occurred_at"].replace(hour=dice.randrange(24))
            return row | charge | {"revision": f"r{offset}", "occurred_at": later}
        case _:
            return row | charge | {"revision": f"r{offset}", "occurred_at": anywhere}


def _store(client: Client, marks: DayMarks, rows: list[dict[str, Any]]) -> None:
    """As the sink does: what has moved is noted before."""
    told = [
        {"server": row["server"], "deal_id": row["deal_id"], "occurred_at": row["occurred_at"].isoformat()}
        for row in rows
    ]
    marks.begin({"deals": b"\n".join(json.dumps(one).encode() for one in told)})
    insert(client, "deals", *rows)
    marks.end()


def _brought(ledger: Ledger, span: Interval) -> dict[str, Decimal]:
    found = defaultdict[str, Decimal](Decimal)
    for row in revenue.traded(ledger, span):
        found[row["of_ib"]] += row["charged"]
    return dict(found)


def _of_rows(rows: Any, span: Interval) -> dict[str, Decimal]:
    """As a person would add them up: A's, for all are of its client."""
    inside = [row for row in rows if span.starts_at <= row["occurred_at"] < span.ends_at]
    return {"A": sum((-row["commission"] for row in inside), Decimal(0))} if inside else {}
