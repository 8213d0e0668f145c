"""What the platform itself paid to IBs as agent deals, and what is paid twice because we pay it as well.

MT5 writes `agent '<client login>' - #<client deal>` for a payment of one deal, and
`agent from '<client login>' …` for one of a day or month.
"""

from typing import Any

from api.ledger import Ledger, Row
from api.paging import decode_place, page
from api.queries.money import TAKEN_BACK
from api.queries.periods import INSIDE, Interval
from api.scope import Scope

COMMENT_CHARS = 31
"""What a platform keeps of a comment; a number at the end of one so long may be cut."""
LOOKBACK_DAYS = 32
"""A payment by day or month is for what its client traded in so many days before it."""

AGENT = f"""
SELECT server, deal_id AS native_deal, login AS ib_login, occurred_at AS paid_at, profit AS native_amount,
    currency AS native_currency,
    extract(comment, '^agent (?:from )?''(\\\\d+)''') AS client_login,
    if(
        lengthUTF8(comment) >= {COMMENT_CHARS}, '', extract(comment, '^agent ''\\\\d+'' - #(\\\\d+)')
    ) AS client_deal
FROM deals FINAL
WHERE deal_key IN (SELECT deal_key FROM agent_deals) AND kind = 'agent'
  AND ({{server:String}} = '' OR server = {{server:String}}) AND {INSIDE}
"""  # noqa: S608  - the parts are constants of this file; values are parameters

_PAYMENTS = f"""
SELECT server, ib_login, client_login, native_currency AS currency, count() AS payments,
    sum(native_amount) AS amount, countIf(client_deal != '') AS of_deals, min(paid_at) AS first_at,
    max(paid_at) AS last_at, [server, toString(ib_login), client_login, currency] AS place
FROM ({AGENT})
GROUP BY server, ib_login, client_login, currency
HAVING place > {{after:Array(String)}} ORDER BY place LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above

_STANDING = f"""
SELECT caused_by, account_key, ib_id, currency, occurred_at, amount FROM transfers FINAL
WHERE code = 'accrual' AND account_key != '' AND transfer_id NOT IN ({TAKEN_BACK})
"""  # noqa: S608  - as above

_COLUMNS = "server, native_deal, paid_at, ib_login, client_login, client_deal, native_amount, native_currency"
_BY_DEAL = f"""
SELECT {_COLUMNS}, 'deal' AS basis, t.ib_id AS ib_id, t.amount AS paid, t.currency AS currency
FROM (SELECT * FROM ({AGENT}) WHERE client_deal != '') AS n
INNER JOIN ({_STANDING} AND caused_by IN (
    SELECT concat(server, '|', client_deal) FROM ({AGENT}) WHERE client_deal != ''
)) AS t ON t.caused_by = concat(n.server, '|', n.client_deal)
"""  # noqa: S608  - as above
_BY_LOGIN = f"""
SELECT {_COLUMNS}, 'login' AS basis, t.ib_id AS ib_id, t.amount AS paid, t.currency AS currency
FROM (SELECT * FROM ({AGENT}) WHERE client_deal = '' AND client_login != '') AS n
INNER JOIN ({_STANDING} AND account_key IN (
    SELECT concat(server, '/', client_login) FROM ({AGENT}) WHERE client_deal = '' AND client_login != ''
)) AS t ON t.account_key = concat(n.server, '/', n.client_login)
WHERE t.occurred_at <= n.paid_at AND t.occurred_at > n.paid_at - INTERVAL {LOOKBACK_DAYS} DAY
"""  # noqa: S608  - as above
_TWICE = f"""
SELECT {_COLUMNS}, basis, ib_id, currency, sum(paid) AS amount,
    [server, toString(paid_at), native_deal, ib_id, currency, basis] AS place
FROM ({_BY_DEAL} UNION ALL {_BY_LOGIN})
GROUP BY {_COLUMNS}, basis, ib_id, currency
HAVING place > {{after:Array(String)}} ORDER BY place LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above
_COUNT = f"""
SELECT uniqExact(server, native_deal) AS payments FROM ({_BY_DEAL} UNION ALL {_BY_LOGIN})
"""  # noqa: S608  - as above


def payments(
    ledger: Ledger, scope: Scope, interval: Interval, server: str, limit: int, cursor: str = ""
) -> dict[str, Any]:
    """One page of what the platform paid, by the IB's login and the client's."""
    scope.check_whole()
    return _paged(ledger, _PAYMENTS, interval, server, limit, decode_place(cursor, 4))


def paid_twice(
    ledger: Ledger, scope: Scope, interval: Interval, server: str, limit: int, cursor: str = ""
) -> dict[str, Any]:
    """One page of native payments for what we pay as well: by the client's deal, else by its account."""
    scope.check_whole()
    return _paged(ledger, _TWICE, interval, server, limit, decode_place(cursor, 6))


def twice_count(ledger: Ledger, scope: Scope, interval: Interval) -> int:
    """Native payments for what we pay as well."""
    scope.check_whole()
    if not ledger.rows("SELECT 1 FROM agent_deals LIMIT 1"):
        return 0
    return int(ledger.row(_COUNT, server="", **interval.parameters)["payments"])


def _paged(
    ledger: Ledger, sql: str, interval: Interval, server: str, limit: int, after: list[str]
) -> dict[str, Any]:
    rows: list[Row] = ledger.rows(sql, server=server, limit=limit + 1, after=after, **interval.parameters)
    result = page(rows, limit, key=lambda row: row["place"])
    for row in result["items"]:
        del row["place"]
    return result
