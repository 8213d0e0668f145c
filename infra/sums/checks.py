"""The ledger looked at in the background: the rows since the look before, and one month after the other."""

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from clickhouse_connect.driver.client import Client

from api.queries.balance import CHECKS, KINDS
from infra.clickhouse.cluster import OF_TRANSFERS, divided_by
from infra.sums.compare import differences
from infra.sums.tables import SETTINGS

log = logging.getLogger("ibflow.sums")

OVERLAP = timedelta(minutes=1)
"""Rows have the time at which their insert began, and are seen once it has ended."""
SINCE = "stored_at >= {since:DateTime64(3, 'UTC')}"
IN_MONTH = "toYYYYMM(occurred_at) = {month:UInt32}"

# Of the newest look without a month; one that found anything is followed by a look at all rows.
_BEFORE = f"""
SELECT up_to, {" + ".join(KINDS)} FROM ledger_checks WHERE month = '' ORDER BY checked_at DESC LIMIT 1
"""  # noqa: S608 # our own names
_NEXT = f"""
SELECT p.month FROM (
    SELECT DISTINCT partition AS month FROM {{parts}}
    WHERE {OF_TRANSFERS}
) AS p LEFT JOIN (
    SELECT month, max(checked_at) AS at FROM ledger_checks GROUP BY month
) AS c ON c.month = p.month
ORDER BY c.at, p.month LIMIT 1
"""  # noqa: S608 # our own names
_NOTE = f"""
INSERT INTO ledger_checks (checked_at, up_to, month, sums_different, {", ".join(KINDS)})
SELECT now64(3), {{{{up_to:DateTime64(3, 'UTC')}}}}, {{{{name:String}}}}, {{{{different:UInt64}}}},
    {", ".join(KINDS)}
FROM ({CHECKS})
"""  # noqa: S608 # as above
_FOUND = f"""
SELECT {", ".join(KINDS)} FROM ledger_checks WHERE month = {{name:String}} ORDER BY checked_at DESC LIMIT 1
"""  # noqa: S608 # as above
_NEWEST = "SELECT max(stored_at) FROM transfers"


def check_rows(client: Client) -> None:
    """Look at the rows that came since the look before; at all of them at first, and after a finding."""
    before = client.query(_BEFORE).result_rows
    is_narrow = bool(before) and not before[0][1]
    since = before[0][0] - OVERLAP if is_narrow else datetime(1970, 1, 1, tzinfo=UTC)
    _look(client, "", SINCE if is_narrow else "1", [], since=since)


def check_month(client: Client) -> str:
    """Look at rows and sums of the month whose look is the oldest; its name, "" if there is none."""
    found = client.query(_NEXT.format(parts=divided_by(client).parts)).result_rows
    if not found:
        return ""
    name = str(found[0][0])
    _, differ = differences(client, date(int(name[:4]), int(name[4:]), 1))
    _look(client, name, IN_MONTH, differ, month=int(name))
    return name


def _look(client: Client, name: str, rows: str, differ: Sequence[str], **values: object) -> None:
    """Look, note what was found, and say aloud if that is anything."""
    up_to = client.query(_NEWEST).result_rows[0][0]
    noted = {"up_to": up_to, "name": name, "different": len(differ), **values}
    client.command(_NOTE.format(rows=rows), parameters=noted, settings=SETTINGS)
    found = client.query(_FOUND, parameters={"name": name}).result_rows[0]
    if any(found):
        counts = dict(zip(KINDS, found, strict=True))
        log.error("rows of the ledger are not sound: %s; `ibflow verify` tells more", counts)
    if differ:
        log.error(
            "sums of days are not those of their rows: %s; `ibflow verify` tells more", "; ".join(differ[:3])
        )
