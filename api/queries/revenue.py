"""What clients brought the broker in an interval, by the IB they belong to, and what IBs earned in it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Literal

from api.ledger import Ledger, Row
from api.queries.money import EARNING, FROM_IB, TO_IB
from api.queries.periods import INSIDE, Interval
from api.scope import KNOWN_CLIENTS

MAX_PARTNERS = 1_000_000
_MIDNIGHT = time(tzinfo=UTC)

# An account is its newest client's, a client its newest IB's. A round trip pays its spread once, closing.
# Joined as it stands here, deals last: of an interval that was not asked for yet ClickHouse does not know
# what each side has, puts all deals into a table to look up, and takes twice the time.
_TRADED = f"""
SELECT if({{{{by_ib:UInt8}}}}, o.ib_id, '') AS of_ib,
    if({{{{by_country:UInt8}}}}, o.country, '') AS of_country,
    d.server AS server, d.symbol AS symbol, d.currency AS currency,
    -sum(d.commission + d.fee + d.swap + if(d.kind = 'commission', d.profit, 0)) AS charged,
    sumIf(assumeNotNull(d.ask - d.bid) * d.volume_e8, d.is_closing AND isNotNull(d.ask - d.bid)) AS spread_e8,
    sumIf(d.volume_e8, d.is_closing AND isNull(d.ask - d.bid)) AS untold_e8
FROM (
    SELECT concat(server, '/', toString(login)) AS account_key, server, symbol, currency, kind, commission,
        fee, swap, profit, bid, ask, volume_e8,
        kind = 'trade' AND entry IN ('out', 'inout', 'out_by') AS is_closing
    FROM deals FINAL WHERE kind IN ('trade', 'commission') AND {{inside}}{{which}}
) AS d
INNER JOIN (
    SELECT a.account_key AS account_key, c.ib_id AS ib_id, c.country AS country FROM (
        SELECT account_key, argMax(client, at) AS client_id FROM ({{owners}}) GROUP BY account_key
    ) AS a
    INNER JOIN (
        SELECT client_id, argMax(ib, occurred_at) AS ib_id, max(of_country) AS country FROM (
            SELECT client_id, coalesce(ib_id, '') AS ib, country AS of_country, occurred_at
            FROM {KNOWN_CLIENTS}
            UNION ALL
            SELECT client_id, coalesce(ib_id, '') AS ib, '' AS of_country, occurred_at
            FROM client_events FINAL WHERE type = 'client_reassigned'
        ) WHERE occurred_at < {{{{ends_at:DateTime64(6, 'UTC')}}}} GROUP BY client_id
    ) AS c ON c.client_id = a.client_id
    WHERE c.ib_id != '' AND ({{{{of_all:UInt8}}}} OR c.ib_id IN {{{{ibs:Array(String)}}}})
) AS o ON o.account_key = d.account_key
GROUP BY of_ib, of_country, server, symbol, currency
SETTINGS query_plan_optimize_join_order_limit = 0
"""  # noqa: S608  - the parts are constants; values are parameters
# Whatever has a row inside is merged with its other revisions, wherever in the table these are: to look for
# them costs more than to read a month. But of a deal all of whose revisions are of one day all are inside,
# or none is, and those inside are enough. The others are few, and read apart.
_STAYED = "{not_moved} SETTINGS use_skip_indexes_if_final_exact_mode = 0"
_NOT_MOVED = " AND deal_key NOT IN {moved:Array(String)}"
_MOVED = " AND deal_key IN {moved:Array(String)}"
_KEYS_MOVED = "SELECT DISTINCT deal_key FROM moved_deals LIMIT {limit:UInt32}"
MAX_MOVED = 1_000
"""Of all time; if there are more, revisions are looked for."""
_OWNERS_OF_MONTHS = """
SELECT account_key, client_id AS client, last_at AS at FROM account_clients
WHERE month >= {first_month:Date32} AND month < {end_month:Date32}
"""
_OWNERS_BY_ROWS = """
SELECT account_key, client_id AS client, occurred_at AS at FROM transfers
WHERE code = 'accrual' AND account_key != '' AND client_id != '' AND {inside}
UNION ALL
SELECT account_key, client_id AS client, occurred_at AS at FROM rejections
WHERE account_key != '' AND client_id != '' AND {inside}
"""
_OUTSIDE = (
    "NOT (toDate32(occurred_at) >= {first_month:Date32} AND toDate32(occurred_at) < {end_month:Date32})"
)
_EARNED = f"""
SELECT ib_id, sumIf(amount, {TO_IB}) - sumIf(amount, {FROM_IB}) AS earned FROM transfers FINAL
WHERE {EARNING} AND currency = {{currency:String}} AND {INSIDE}
GROUP BY ib_id LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above


def traded(
    ledger: Ledger,
    interval: Interval,
    ibs: Sequence[str] = (),
    *,
    by: Literal["ib", "country", ""] = "ib",
) -> Iterator[Row]:
    """By IB of the clients, or their country, and symbol and currency: what deals brought.

    That is: charged, spread times 1e-8 lots, and the volume of closings without a spread. `ibs` are those
    whose clients count; none: all. Rows come as they are read, however many they are; of two that are alike
    but for their sums these are to be added. An account is whose its newest deal of the interval is: of whole
    months by `account_clients`, of the rest by rows.
    """
    first, end = _whole_months(interval)
    owners = [_OWNERS_OF_MONTHS] if first < end else []
    if not owners:
        owners = [_OWNERS_BY_ROWS.format(inside=INSIDE)]
    elif (first, end) != (interval.starts_at, interval.ends_at):
        owners.append(_OWNERS_BY_ROWS.format(inside=f"{INSIDE} AND {_OUTSIDE}"))
    asked = {
        "ibs": list(ibs),
        "of_all": int(not ibs),
        "by_ib": int(by == "ib"),
        "by_country": int(by == "country"),
        "first_month": first.date(),
        "end_month": end.date(),
    }
    joined = " UNION ALL ".join(owners)
    for which, moved in _parts(ledger, interval):
        sql = _TRADED.format(inside=INSIDE, owners=joined, which=which)
        for block in ledger.blocks(sql, **interval.parameters, **asked, moved=moved):
            yield from block


def _parts(ledger: Ledger, interval: Interval) -> list[tuple[str, list[str]]]:
    """Conditions of which each deal meets one, however deals change meanwhile; with the deals that they name.

    Whoever stores a revision of another day has noted the deal before.
    """
    if any(at.timetz() != _MIDNIGHT for at in (interval.starts_at, interval.ends_at)):
        return [("", [])]
    moved = [row["deal_key"] for row in ledger.rows(_KEYS_MOVED, limit=MAX_MOVED + 1)]
    if len(moved) > MAX_MOVED:
        return [("", [])]
    stayed = _STAYED.format(not_moved=_NOT_MOVED if moved else "")
    return [(stayed, moved), *([(_MOVED, moved)] if moved else [])]


def _whole_months(interval: Interval) -> tuple[datetime, datetime]:
    """The first month that is inside, and the one after the last."""
    first = interval.starts_at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if first != interval.starts_at:
        first = (first + timedelta(days=31)).replace(day=1)
    return first, interval.ends_at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def earned(ledger: Ledger, currency: str, interval: Interval) -> dict[str, Decimal]:
    """By IB, what it earned in the interval less what was taken back."""
    rows = ledger.rows(_EARNED, **interval.parameters, currency=currency, limit=MAX_PARTNERS)
    return {row["ib_id"]: row["earned"] for row in rows}
