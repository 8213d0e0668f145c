"""The portal's search: what an id, a number or part of a name may mean."""

from typing import NamedTuple

from api.ledger import Ledger, Row
from api.queries.transfer_keys import near_one
from api.scope import Scope, sees, sees_client

LIMIT = 8
"""Of each kind."""
MIN_PREFIX = 3
"""Characters from which beginnings of ids are looked for."""

_IBS = f"""
SELECT ib_id, name FROM partners_known
WHERE {sees("ib_id")} AND (
    positionCaseInsensitiveUTF8(ib_id, {{q:String}}) > 0
    OR positionCaseInsensitiveUTF8(name, {{q:String}}) > 0
)
ORDER BY lower(ib_id) != lower({{q:String}}), name, ib_id LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants; values are parameters
_CLIENTS = f"""
SELECT client_id, any(country) AS country FROM clients FINAL
WHERE startsWith(lower(client_id), lower({{q:String}})) AND {sees_client("client_id")}
GROUP BY client_id ORDER BY client_id LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above
_LOGINS = f"""
SELECT server, login, uniqExact(deal_key) AS deals FROM deals
WHERE login = {{login:UInt64}} AND ({{sees_all:UInt8}} OR deal_key IN (
    SELECT caused_by FROM transfers WHERE {sees("ib_id")} AND endsWith(account_key, {{account:String}})
)) GROUP BY server, login ORDER BY server LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above
# The key of the table begins with the server, so that a deal is found by each server's name and its number.
_DEALS = f"""
SELECT deal_key, any(symbol) AS symbol, max(occurred_at) AS occurred_at FROM deals
WHERE (deal_key = {{q:String}} OR deal_key IN (
    SELECT concat(server, '|', {{q:String}}) FROM (SELECT DISTINCT server FROM deals)
)) AND ({{sees_all:UInt8}} OR deal_key IN (
    SELECT caused_by FROM transfers WHERE {sees("ib_id")} AND endsWith(caused_by, {{q:String}})
)) GROUP BY deal_key ORDER BY deal_key LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above
_TRANSFERS = f"""
SELECT DISTINCT transfer_id, code, ib_id FROM transfers
WHERE {near_one("q")} AND transfer_id = {{q:String}} AND {sees("ib_id")}
LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above
_STATEMENTS = f"""
SELECT statement_id, ib_id, period, currency FROM statements FINAL
WHERE {sees("ib_id")} AND (startsWith(statement_id, {{q:String}}) OR startsWith(hash, {{q:String}}))
ORDER BY starts_at DESC LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above


class Found(NamedTuple):
    """What was found, by kind; each newest or nearest first."""

    ibs: list[Row]
    clients: list[Row]
    logins: list[Row]
    deals: list[Row]
    transfers: list[Row]
    statements: list[Row]


NOTHING = Found([], [], [], [], [], [])


def search(ledger: Ledger, scope: Scope, text: str) -> Found:
    """Whatever `text` may name: a part of an IB's name, a client's beginning, else a whole number or id."""
    q = text.strip()
    if not q:
        return NOTHING

    def of(sql: str, **more: object) -> list[Row]:
        return ledger.rows(sql, q=q, limit=LIMIT, **more, **scope.parameters)

    is_number = q.isascii() and q.isdigit() and len(q) < 20
    return Found(
        ibs=of(_IBS),
        clients=of(_CLIENTS),
        logins=of(_LOGINS, login=int(q), account=f"/{q}") if is_number and int(q) < 2**64 else [],
        deals=of(_DEALS) if is_number or "|" in q else [],
        transfers=of(_TRANSFERS) if len(q) >= 16 else [],
        statements=of(_STATEMENTS) if len(q) > MIN_PREFIX else [],
    )
