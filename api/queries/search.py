"""The portal's search: what an id, a number or part of a name may mean."""

from typing import NamedTuple

from api.ledger import Ledger, Row

LIMIT = 8
"""Of each kind."""
MIN_PREFIX = 3
"""Characters from which beginnings of ids are looked for."""

_IBS = """
SELECT ib_id, name FROM partners_known
WHERE positionCaseInsensitiveUTF8(ib_id, {q:String}) > 0 OR positionCaseInsensitiveUTF8(name, {q:String}) > 0
ORDER BY lower(ib_id) != lower({q:String}), name, ib_id LIMIT {limit:UInt32}
"""
_CLIENTS = """
SELECT client_id, any(country) AS country FROM clients FINAL
WHERE startsWith(lower(client_id), lower({q:String}))
GROUP BY client_id ORDER BY client_id LIMIT {limit:UInt32}
"""
_LOGINS = """
SELECT server, login, uniqExact(deal_key) AS deals FROM deals
WHERE login = {login:UInt64} GROUP BY server, login ORDER BY server LIMIT {limit:UInt32}
"""
# The key of the table begins with the server, so that a deal is found by each server's name and its number.
_DEALS = """
SELECT deal_key, any(symbol) AS symbol, max(occurred_at) AS occurred_at FROM deals
WHERE deal_key = {q:String} OR deal_key IN (
    SELECT concat(server, '|', {q:String}) FROM (SELECT DISTINCT server FROM deals)
) GROUP BY deal_key ORDER BY deal_key LIMIT {limit:UInt32}
"""
_TRANSFERS = """
SELECT transfer_id, any(code) AS code, any(toString(ib_id)) AS ib_id FROM transfers
WHERE transfer_id = {q:String} GROUP BY transfer_id LIMIT {limit:UInt32}
"""
_STATEMENTS = """
SELECT statement_id, ib_id, period, currency FROM statements FINAL
WHERE startsWith(statement_id, {q:String}) OR startsWith(hash, {q:String})
ORDER BY starts_at DESC LIMIT {limit:UInt32}
"""


class Found(NamedTuple):
    """What was found, by kind; each newest or nearest first."""

    ibs: list[Row]
    clients: list[Row]
    logins: list[Row]
    deals: list[Row]
    transfers: list[Row]
    statements: list[Row]


NOTHING = Found([], [], [], [], [], [])


def search(ledger: Ledger, text: str) -> Found:
    """Whatever `text` may name: a part of an IB's name, a client's beginning, else a whole number or id."""
    q = text.strip()
    if not q:
        return NOTHING

    def of(sql: str, **more: object) -> list[Row]:
        return ledger.rows(sql, q=q, limit=LIMIT, **more)

    is_number = q.isascii() and q.isdigit() and len(q) < 20
    return Found(
        ibs=of(_IBS),
        clients=of(_CLIENTS),
        logins=of(_LOGINS, login=int(q)) if is_number and int(q) < 2**64 else [],
        deals=of(_DEALS) if is_number or "|" in q else [],
        transfers=of(_TRANSFERS) if len(q) >= 16 else [],
        statements=of(_STATEMENTS) if len(q) > MIN_PREFIX else [],
    )
