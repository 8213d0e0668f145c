"""Reports as a person would add them up: every row once, in Python, from no SQL but `SELECT *`."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from clickhouse_connect.driver.client import Client

from tests.infra.sums.random_ledger import CLASSES, COUNTRIES, group_of

Row = dict[str, Any]
Groups = dict[tuple[str, ...], tuple[Decimal, Decimal, Decimal, Decimal, int]]
"""Group and currency → lots, accrued, reversed, held, deals."""
GROUPS: dict[str, Callable[[Row], str]] = {
    "ib": lambda row: str(row["ib_id"]),
    "level": lambda row: str(row["depth"]),
    "client": lambda row: str(row["client_id"]),
    "server": lambda row: "live" if row["account_key"] else "",
    "country": lambda row: COUNTRIES.get(row["client_id"], ""),
    "group": lambda row: group_of(row["caused_by"]) if row["caused_by"].startswith("live|") else "",
    "symbol": lambda row: str(row["symbol"]),
    "class": lambda row: CLASSES.get(row["symbol"], ""),
    "component": lambda row: str(row["component"]),
    "plan": lambda row: str(row["plan_id"]),
    "day": lambda row: str(row["occurred_at"].date()),
    "week": lambda row: str(row["occurred_at"].date() - timedelta(days=row["occurred_at"].weekday())),
    "month": lambda row: str(row["occurred_at"].date().replace(day=1)),
}


def read(client: Client, table: str) -> list[Row]:
    """Every row of a table once."""
    return list(client.query(f"SELECT * FROM {table} FINAL").named_results())  # noqa: S608 # our own names


def standing(rows: Iterable[Row]) -> set[str]:
    """Accruals of deals that no reversal took back whole."""
    rows = list(rows)
    gone = {row["reverses"] for row in rows if row["reverses"] and "share" not in row["factors"]}
    accruals = (row for row in rows if row["code"] == "accrual" and row["account_key"])
    return {row["transfer_id"] for row in accruals} - gone


def report(
    rows: list[Row], group_by: tuple[str, ...], inside: Callable[[Row], bool], period_of: Callable[[Row], str]
) -> Groups:
    """What `/v1/reports/commissions` must say of these rows."""
    left = standing(rows)
    money: dict[tuple[str, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    deals: dict[tuple[str, ...], dict[object, Decimal]] = defaultdict(dict)
    for row in rows:
        if not inside(row) or row["code"] in ("statement", "rounding"):
            continue
        group = tuple(period_of(row) if one == "period" else GROUPS[one](row) for one in group_by)
        key = (*group, row["currency"])
        sums = money[key]
        for number, amount in enumerate(amounts(row)):
            sums[number] += amount
        if row["transfer_id"] in left:
            deal = (row["caused_by"], row["occurred_at"].date())
            deals[key][deal] = max(deals[key].get(deal, Decimal(0)), row["lots"])
    return {
        key: (sum(deals[key].values(), Decimal(0)), *sums, len(deals[key]))  # type: ignore[misc] # three of them
        for key, sums in money.items()
    }


def amounts(row: Row) -> tuple[Decimal, Decimal, Decimal]:
    """What the row adds to what is accrued, reversed and held."""
    debit, credit, amount = row["debit"], row["credit"], row["amount"]
    comes = credit.startswith("ib:") and not debit.startswith("ib:") and debit != "rounding"
    goes = debit.startswith("ib:") and not credit.startswith("ib:") and credit != "rounding"
    held = amount * (is_held(credit) - is_held(debit))
    return amount * comes, amount * goes, held


def is_held(account: str) -> bool:
    """An IB's account that waits for a KYC."""
    return account.startswith("ib:") and account.endswith(":held")


def deal_counts(rows: list[Row], refusals: list[Row], inside: Callable[[Row], bool]) -> dict[str, int]:
    """Deals that are paid, and those that are not, by why."""
    left = standing(rows)
    paid = [row for row in rows if row["transfer_id"] in left]
    keys = {row["caused_by"] for row in paid}
    open_ = [row["status"] for row in refusals if inside(row) and row["deal_key"] not in keys]
    rated = {(row["caused_by"], row["occurred_at"].date()) for row in paid if inside(row)}
    return {"rated": len(rated), "waiting": open_.count("waiting"), "rejected": open_.count("rejected")}


def balances(rows: list[Row]) -> dict[tuple[str, str], Decimal]:
    """Account and currency → balance."""
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        found[row["debit"], row["currency"]] -= row["amount"]
        found[row["credit"], row["currency"]] += row["amount"]
    return dict(found)


def between(starts_at: datetime, ends_at: datetime) -> Callable[[Row], bool]:
    """Whether a row is of an interval."""
    return lambda row: starts_at <= row["occurred_at"].replace(tzinfo=starts_at.tzinfo) < ends_at
