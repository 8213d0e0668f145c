"""What became of clicks on links, and how registrations with clicks were attributed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from api.ledger import Ledger, Row
from api.paging import decode_cursor, page
from api.scope import Scope, sees

MAX_LINKS_ASKED = 1_000

_CLICKS = f"""
SELECT link, count() AS clicks, countIf(bot != '') AS bots, countIf(bot = '' AND is_duplicate) AS duplicates,
    countIf(bot = '' AND NOT is_duplicate) AS visitors
FROM clicks FINAL
WHERE link IN {{links:Array(String)}} AND {sees("ib_id")}
  AND occurred_at >= {{since:DateTime64(3, 'UTC')}} AND occurred_at < {{until:DateTime64(3, 'UTC')}}
GROUP BY link LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants; values are parameters
_CLIENTS = f"""
SELECT link, uniqExactIf(client_id, kind = 'registration') AS registrations,
    uniqExactIf(client_id, kind = 'ftd') AS first_deposits,
    uniqExactIf(client_id, kind = 'cpa.qualified') AS qualified
FROM milestones FINAL
WHERE link IN {{links:Array(String)}} AND kind IN ('registration', 'ftd', 'cpa.qualified') AND {sees("ib_id")}
  AND occurred_at >= {{since:DateTime64(6, 'UTC')}} AND occurred_at < {{until:DateTime64(6, 'UTC')}}
GROUP BY link LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above
_ATTRIBUTIONS = f"""
SELECT client_id, occurred_at, ib_id, crm_ib, attribution AS decision, link, click_id,
    toUnixTimestamp64Micro(occurred_at) AS at_us
FROM milestones FINAL
WHERE kind = 'registration' AND attribution != '' AND {sees("ib_id")}
  AND ({{client:String}} = '' OR client_id = {{client:String}})
  AND ({{link:String}} = '' OR link = {{link:String}})
  AND (NOT {{conflicts:UInt8}} OR attribution IN ('crm_wins', 'click_wins'))
  AND (at_us, client_id) < ({{before_us:Int64}}, {{before_client:String}})
ORDER BY at_us DESC, client_id DESC LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above
CLICK_COUNTS = ("clicks", "bots", "duplicates", "visitors")
CLIENT_COUNTS = ("registrations", "first_deposits", "qualified")
NONE: dict[str, int] = dict.fromkeys((*CLICK_COUNTS, *CLIENT_COUNTS), 0)


def funnels(
    ledger: Ledger, scope: Scope, links: Sequence[str], since: datetime, until: datetime
) -> dict[str, dict[str, int]]:
    """What became of the clicks of these links, by code; a link without any has zeros."""
    assert len(links) <= MAX_LINKS_ASKED, "whoever asks asks by the page"
    asked: dict[str, Any] = {"links": list(links), "since": since, "until": until, "limit": MAX_LINKS_ASKED}
    found = {link: dict(NONE) for link in links}
    for sql in (_CLICKS, _CLIENTS):
        for row in ledger.rows(sql, **asked, **scope.parameters):
            found[row["link"]] |= {name: int(row[name]) for name in NONE if name in row}
    return found


def attributions(
    ledger: Ledger,
    scope: Scope,
    limit: int,
    cursor: str = "",
    *,
    client: str = "",
    link: str = "",
    conflicts: bool = False,
) -> dict[str, Any]:
    """One page of registrations with clicks, the newest first."""
    before = decode_cursor(cursor, int, str) if cursor else [2**62, ""]
    rows = ledger.rows(
        _ATTRIBUTIONS,
        client=client,
        link=link,
        conflicts=int(conflicts),
        before_us=before[0],
        before_client=before[1],
        limit=limit + 1,
        **scope.parameters,
    )
    found = page(rows, limit, lambda row: (row["at_us"], row["client_id"]))
    found["items"] = [
        {name: value for name, value in row.items() if name != "at_us"} for row in found["items"]
    ]
    return found


def attribution_of(ledger: Ledger, scope: Scope, client_id: str) -> Row | None:
    """How one client's registration was attributed; None if it had no click."""
    found = attributions(ledger, scope, 1, client=client_id)["items"]
    return found[0] if found else None
