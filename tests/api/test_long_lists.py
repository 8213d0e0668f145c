"""Lists of ids that are too long for a field of ClickHouse's form arrive whole, in parts that are not."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.long_lists import in_parts
from api.queries.commission_sql import ReportFilter
from api.queries.commissions import totals
from api.queries.periods import ALWAYS
from api.scope import Scope
from tests.api.conftest import insert, per_lot

LIMIT = 128 * 1024
"""`http_max_field_value_size` of a server, unless its profile says otherwise."""
IDS = [f"{number:08}-0000-4000-8000-000000000000" for number in range(9_000)]


def longest(values: dict[str, Any]) -> int:
    """As the driver spells a list: each item in quotes, with a comma."""
    spelled = (
        ",".join(f"'{one}'" for one in value) for value in values.values() if isinstance(value, Sequence)
    )
    return max(map(len, spelled))


def test_a_short_list_stays_what_it_is() -> None:
    """And a long one of which nothing is too long."""
    values = {"ids": IDS[:400], "days": [1] * 9_000, "limit": 5, "text": "x" * 70_000}
    assert in_parts("SELECT {ids:Array(String)}", values) == ("SELECT {ids:Array(String)}", values)


def test_every_part_has_room_and_none_is_lost() -> None:
    """9,000 ids of 36 characters are 351,000: six parts, in their order, wherever the list is named."""
    sql, told = in_parts(
        "SELECT {ids:Array(String)}, {of_ids:Array(String)}, {ids:Array(String)}", {"ids": IDS}
    )
    names = [f"ids_part_{number}" for number in range(6)]
    concat = f"arrayConcat({', '.join(f'{{{name}:Array(String)}}' for name in names)})"
    assert sql == f"SELECT {concat}, {{of_ids:Array(String)}}, {concat}"
    assert [one for name in names for one in told[name]] == IDS  # type: ignore[attr-defined] # lists
    assert longest(told) < LIMIT


def test_clickhouse_finds_what_is_in_any_part(empty_ledger: Ledger, chdb: Client) -> None:
    """Of ids, days and numbers, where they are looked up and where their place counts."""
    days = [date(1970, 1, 1) + timedelta(days=number) for number in range(9_000)]
    row = empty_ledger.row(
        """
        SELECT countIf(toString(number) IN {ids:Array(String)}) AS ids, {numbers:Array(UInt64)}[17001] AS at,
            countIf(toDate32(number) IN {days:Array(Date32)}) AS days FROM numbers(20000)
        """,
        ids=[f"{number}" for number in range(0, 40_000, 2)],
        numbers=list(range(18_000)),
        days=days,
    )
    assert row == {"ids": 10_000, "at": 17_000, "days": 9_000}


@pytest.mark.parametrize("seen", [IDS[0], IDS[-1], "another"])
def test_a_scope_of_many_ibs_sees_its_own(empty_ledger: Ledger, chdb: Client, seen: str) -> None:
    """10.50 of an IB that is the first of 9,000 or the last, and nothing of one that is none of them."""
    insert(chdb, "transfers", per_lot("t1", seen, "live|1", "10.50", "broker:expense:per_lot > ib:x:pending"))
    found = totals(empty_ledger, ReportFilter(Scope(frozenset(IDS)), ALWAYS))
    assert [str(row["accrued"]) for row in found] == (["10.50000000"] if seen in IDS else [])
